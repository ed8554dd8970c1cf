"""Secrets, policies, requests for access and decisions about them."""

from __future__ import annotations

from builtins import list as List  # the classes have methods of that name
from collections.abc import Iterable, Mapping
from typing import Any

from .._decode import decode
from ..models import AccessRequest, Policy, SecretVersion
from .noun import AsyncNoun
from .transport import path_of


class AsyncSecrets(AsyncNoun):
    """Secrets with versions; the values are encrypted at rest."""

    async def put(self, path: str, data: Mapping[str, Any], *, cas: int | None = None) -> SecretVersion:
        """Writes the next version; with `cas` only when that is the current one (0: when there is none)."""
        body = {"data": dict(data), "cas": cas}
        return decode(SecretVersion, await self._transport.send("PUT", self._path(path), body=body))

    async def get(self, path: str, *, version: int | None = None) -> SecretVersion:
        return await self._transport.get(SecretVersion, self._path(path), {"version": version})

    async def list(self, prefix: str | None = None) -> List[str]:
        return list((await self._transport.send("GET", path_of("secrets"), query={"prefix": prefix}))["items"])

    async def delete(self, path: str, *, all: bool = False) -> None:
        """Deletes the newest version, or all for good."""
        await self._transport.send("DELETE", self._path(path), query={"all": all})

    def _path(self, path: str) -> str:
        return path_of("secrets", *path.split("/"))


class AsyncPolicies(AsyncNoun):
    """Policies of one's own, in Rego."""

    async def apply(self, name: str, source: str, *, for_: Iterable[str]) -> Policy:
        """Checks, compiles and binds a policy to kinds of resource."""
        body = {"name": name, "for": list(for_), "source": source}
        return decode(Policy, await self._transport.send("POST", path_of("policies"), body=body))

    async def get(self, name: str) -> Policy:
        return await self._transport.get(Policy, path_of("policies", name))

    async def list(self) -> List[Policy]:
        return await self._transport.all(Policy, path_of("policies"))

    async def rollback(self, name: str, *, to: int | None = None) -> Policy:
        return decode(
            Policy, await self._transport.send("POST", path_of("policies", name, "rollback"), body={"to": to})
        )

    async def delete(self, name: str) -> None:
        await self._transport.send("DELETE", path_of("policies", name))

    async def explain(self, decision_id: str) -> dict[str, Any]:
        """Why a decision came out as it did: `DeniedError.decision_id` names it."""
        answer: dict[str, Any] = await self._transport.send(
            "GET", path_of("policies", "decisions", decision_id, "explain")
        )
        return answer


class AsyncAccess(AsyncNoun):
    """Requests for access, by engineers."""

    async def request(self, dataset: str, *, purpose: str, until: str | None = None) -> AccessRequest:
        body = {"dataset": dataset, "purpose": purpose, "until": until}
        return decode(AccessRequest, await self._transport.send("POST", path_of("access-requests"), body=body))

    async def get(self, request: str) -> AccessRequest:
        return await self._transport.get(AccessRequest, path_of("access-requests", request))

    async def list(self, *, state: str | None = None) -> List[AccessRequest]:
        return await self._transport.all(AccessRequest, path_of("access-requests"), {"state": state})


class AsyncApprovals(AsyncNoun):
    """Decisions about them, by officers."""

    async def approve(self, request: str, *, reason: str, until: str | None = None) -> AccessRequest:
        return await self._decide(request, "approve", reason, until)

    async def deny(self, request: str, *, reason: str) -> AccessRequest:
        return await self._decide(request, "deny", reason, None)

    async def revoke(self, request: str, *, reason: str) -> AccessRequest:
        return await self._decide(request, "revoke", reason, None)

    async def _decide(self, request: str, verb: str, reason: str, until: str | None) -> AccessRequest:
        body = {"reason": reason, "until": until}
        path = path_of("access-requests", request, verb)
        return decode(AccessRequest, await self._transport.send("POST", path, body=body))
