# Made from _async/identity.py by make_sync.py.
"""People, tokens and quotas."""

from __future__ import annotations

from builtins import list as List  # the classes have methods of that name
from collections.abc import Iterable

from .._decode import decode
from ..models import (
    Quota,
    S3Key,
    S3KeyPair,
    Token,
    User,
    Whoami,
)
from .noun import Noun
from .transport import path_of


class Users(Noun):
    def create(self, name: str, *, role: str, team: str | None = None) -> User:
        """Makes a user; the answer has the token, which is shown once."""
        body = {"name": name, "role": role, "team": team}
        return decode(User, self._transport.send("POST", path_of("users"), body=body))

    def get(self, name: str) -> User:
        return self._transport.get(User, path_of("users", name))

    def list(self) -> List[User]:
        return self._transport.all(User, path_of("users"))

    def delete(self, name: str) -> None:
        self._transport.send("DELETE", path_of("users", name))

    def whoami(self) -> Whoami:
        return self._transport.get(Whoami, path_of("whoami"))

    def update(
        self,
        name: str,
        *,
        roles: Iterable[str] | None = None,
        team: str | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Changes what is given, and nothing else."""
        body = {"roles": None if roles is None else list(roles), "team": team, "disabled": disabled}
        return decode(User, self._transport.send("PATCH", path_of("users", name), body=body))


class Tokens(Noun):
    def create(self, *, name: str = "", scopes: Iterable[str] = ("*",), until: str = "90d") -> Token:
        """Makes a further token of your own, as wide as yours or narrower; it is shown once."""
        body = {"name": name, "scopes": list(scopes), "until": until}
        return decode(Token, self._transport.send("POST", path_of("tokens"), body=body))

    def list(self) -> List[Token]:
        return self._transport.all(Token, path_of("tokens"))

    def revoke(self, token_id: str) -> None:
        self._transport.send("DELETE", path_of("tokens", token_id))

    def create_s3_key(self, *, read_only: bool = False, ttl_seconds: int | None = None) -> S3KeyPair:
        """Makes an S3 key pair of your own for use outside of sandboxes; its secret is shown once."""
        body = {"readOnly": read_only, "ttlSeconds": ttl_seconds}
        return decode(S3KeyPair, self._transport.send("POST", path_of("access-keys"), body=body))

    def list_s3_keys(self, *, all: bool = False) -> List[S3Key]:
        """Your key pairs that work, without their secrets; `all`: everybody's."""
        return self._transport.all(S3Key, path_of("access-keys"), {"all": all})

    def revoke_s3_key(self, access_key_id: str) -> None:
        self._transport.send("DELETE", path_of("access-keys", access_key_id))


class Quotas(Noun):
    def get(self, target: str | None = None) -> Quota:
        """Your own, or that of `user:NAME` or `team:NAME`."""
        return self._transport.get(Quota, path_of("quotas") if target is None else path_of("quotas", target))

    def set(
        self,
        target: str,
        *,
        sandboxes: int | None = None,
        cpus: float | None = None,
        gpus: int | None = None,
        memory: str | int | None = None,
        disk: str | int | None = None,
    ) -> Quota:
        """Limits of `user:NAME` or `team:NAME`; those that are left out stay as they are."""
        body = {"sandboxes": sandboxes, "cpus": cpus, "gpus": gpus, "memory": memory, "disk": disk}
        return decode(Quota, self._transport.send("PUT", path_of("quotas", target), body=body))
