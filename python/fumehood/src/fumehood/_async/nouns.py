"""The nouns of the command line besides sandboxes, each a thin client of its routes."""

from __future__ import annotations

import contextlib
import os
from builtins import list as List  # the classes have methods of that name
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

from .._decode import decode
from ..errors import FumehoodError
from ..models import (
    AccessRequest,
    AuditEntry,
    Dataset,
    DatasetFile,
    Environment,
    LineageGraph,
    Model,
    Policy,
    Quota,
    Run,
    SecretVersion,
    Token,
    User,
    Verification,
    Whoami,
)
from .transport import AsyncTransport, path_of

Pages = AsyncIterator


class AsyncNoun:
    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport


class AsyncEnvironments(AsyncNoun):
    """Locked Python environments, shared by sandboxes."""

    async def create(
        self, name: str, *, packages: Iterable[str] | None = None, requirements: str | None = None
    ) -> Environment:
        """Resolves, locks and installs; `requirements` is the text of a requirements file."""
        body = {"name": name, "packages": None if packages is None else list(packages), "requirements": requirements}
        return decode(Environment, await self._transport.send("POST", path_of("environments"), body=body))

    async def get(self, name: str) -> Environment:
        return await self._transport.get(Environment, path_of("environments", name))

    async def delete(self, name: str) -> None:
        await self._transport.send("DELETE", path_of("environments", name))

    async def list(self) -> List[Environment]:
        return await self._transport.all(Environment, path_of("environments"))


class AsyncDatasets(AsyncNoun):
    """Data sets with versions and tags."""

    async def add(self, name: str, source: str | Path, *, tags: Iterable[str]) -> Dataset:
        """Adds a file or a folder as the next version; an unchanged one adds none."""
        upload = await self._transport.send("POST", path_of("datasets", name, "uploads"), body={"tags": list(tags)})
        try:
            for path, local in _files_below(Path(source)):
                with open(local, "rb") as file:
                    target = path_of("dataset-uploads", upload["id"], "files") + "/" + path_of(*path.split("/"))[8:]
                    await self._transport.send("PUT", target, content=file)
            finished = await self._transport.send("POST", path_of("dataset-uploads", upload["id"], "finish"))
        except BaseException:
            with contextlib.suppress(FumehoodError):
                await self._transport.send("DELETE", path_of("dataset-uploads", upload["id"]))
            raise
        return decode(Dataset, finished)

    async def get(self, name: str, version: int | None = None) -> Dataset:
        """A version of a data set, the newest unless said otherwise."""
        more = () if version is None else ("versions", version)
        return await self._transport.get(Dataset, path_of("datasets", name, *more))

    async def list(self) -> List[Dataset]:
        return await self._transport.all(Dataset, path_of("datasets"))

    async def versions(self, name: str) -> List[Dataset]:
        return await self._transport.all(Dataset, path_of("datasets", name, "versions"))

    async def files(self, name: str, version: int) -> List[DatasetFile]:
        return await self._transport.all(DatasetFile, path_of("datasets", name, "versions", version, "files"))

    async def tag(self, name: str, version: int, tags: Iterable[str]) -> Dataset:
        path = path_of("datasets", name, "versions", version, "tags")
        return decode(Dataset, await self._transport.send("POST", path, body={"tags": list(tags)}))

    async def delete(self, name: str, version: int) -> None:
        await self._transport.send("DELETE", path_of("datasets", name, "versions", version))


class AsyncRuns(AsyncNoun):
    """Tracked runs."""

    async def get(self, run: str) -> Run:
        return await self._transport.get(Run, path_of("runs", run))

    def list(self, *, experiment: str | None = None, filter: str | None = None) -> Pages[Run]:
        """Runs, newest first, page after page; `filter` in MLflow's language."""
        return self._transport.pages(Run, path_of("runs"), {"experiment": experiment, "filter": filter})


class AsyncModels(AsyncNoun):
    """Registered models."""

    async def get(self, name: str) -> Model:
        return await self._transport.get(Model, path_of("models", name))

    async def list(self) -> List[Model]:
        return await self._transport.all(Model, path_of("models"))


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


class AsyncAudit(AsyncNoun):
    """The audit log."""

    def list(
        self,
        *,
        user: str | None = None,
        action: str | None = None,
        object: str | None = None,
        outcome: str | None = None,
        request_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        order: str | None = None,
    ) -> Pages[AuditEntry]:
        """Entries, page after page."""
        query = {
            "user": user,
            "action": action,
            "object": object,
            "outcome": outcome,
            "requestId": request_id,
            "since": since,
            "until": until,
            "order": order,
        }
        return self._transport.pages(AuditEntry, path_of("audit"), query)

    async def get(self, seq: int) -> AuditEntry:
        return await self._transport.get(AuditEntry, path_of("audit", "entries", seq))

    async def verify(self) -> Verification:
        return decode(Verification, await self._transport.send("POST", path_of("audit", "verify"), body={}))

    def export(self) -> Pages[bytes]:
        """The whole log as an archive, in pieces; it verifies offline."""
        return self._transport.download(path_of("audit", "export"))


class AsyncLineage(AsyncNoun):
    """What came from what."""

    async def get(self, node: str, *, direction: str | None = None, kinds: str | None = None) -> LineageGraph:
        query = {"node": node, "direction": direction, "kinds": kinds}
        return await self._transport.get(LineageGraph, path_of("lineage"), query)


class AsyncUsers(AsyncNoun):
    async def create(self, name: str, *, role: str, team: str | None = None) -> User:
        """Makes a user; the answer has the token, which is shown once."""
        body = {"name": name, "role": role, "team": team}
        return decode(User, await self._transport.send("POST", path_of("users"), body=body))

    async def get(self, name: str) -> User:
        return await self._transport.get(User, path_of("users", name))

    async def list(self) -> List[User]:
        return await self._transport.all(User, path_of("users"))

    async def delete(self, name: str) -> None:
        await self._transport.send("DELETE", path_of("users", name))

    async def whoami(self) -> Whoami:
        return await self._transport.get(Whoami, path_of("whoami"))


class AsyncTokens(AsyncNoun):
    async def create(self, *, name: str = "", scopes: Iterable[str] = ("*",), until: str = "90d") -> Token:
        """Makes a further token of your own, as wide as yours or narrower; it is shown once."""
        body = {"name": name, "scopes": list(scopes), "until": until}
        return decode(Token, await self._transport.send("POST", path_of("tokens"), body=body))

    async def list(self) -> List[Token]:
        return await self._transport.all(Token, path_of("tokens"))

    async def revoke(self, token_id: str) -> None:
        await self._transport.send("DELETE", path_of("tokens", token_id))


class AsyncQuotas(AsyncNoun):
    async def get(self, target: str | None = None) -> Quota:
        """Your own, or that of `user:NAME` or `team:NAME`."""
        return await self._transport.get(Quota, path_of("quotas") if target is None else path_of("quotas", target))


def _files_below(source: Path) -> list[tuple[str, Path]]:
    """Every regular file, by its path in the data set; links are not followed."""
    if source.is_file():
        return [(source.name, source)]
    found = []
    for folder, _, names in os.walk(source):
        for name in names:
            local = Path(folder) / name
            if local.is_file() and not local.is_symlink():
                found.append((local.relative_to(source).as_posix(), local))
    return sorted(found)
