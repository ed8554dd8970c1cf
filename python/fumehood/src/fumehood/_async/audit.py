"""The audit log, and what came from what."""

from __future__ import annotations

from builtins import list as List  # the classes have methods of that name
from collections.abc import AsyncIterator
from typing import Any

from .._decode import decode
from ..models import (
    AuditEntry,
    Checkpoint,
    Erased,
    InclusionProof,
    LineageGraph,
    Verification,
)
from .noun import AsyncNoun
from .transport import path_of

Pages = AsyncIterator


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

    async def proof(self, seq: int) -> InclusionProof:
        """That an entry is in the log, for whoever does not believe the server."""
        return await self._transport.get(InclusionProof, path_of("audit", "entries", seq, "proof"))

    async def checkpoint(self) -> Checkpoint:
        """The newest signed head of the log."""
        return await self._transport.get(Checkpoint, path_of("audit", "checkpoint"))

    async def erase(self, user: str) -> Erased:
        """Erases a person's name from all entries; every proof stays valid."""
        return decode(Erased, await self._transport.send("DELETE", path_of("audit", "personal", user)))


class AsyncLineage(AsyncNoun):
    """What came from what."""

    async def get(self, node: str, *, direction: str | None = None, kinds: str | None = None) -> LineageGraph:
        query = {"node": node, "direction": direction, "kinds": kinds}
        return await self._transport.get(LineageGraph, path_of("lineage"), query)

    async def openlineage(self, node: str, *, direction: str | None = None, kinds: str | None = None) -> List[Any]:
        """The same as OpenLineage run events."""
        query = {"node": node, "direction": direction, "kinds": kinds}
        return list((await self._transport.send("GET", path_of("lineage", "openlineage"), query=query))["items"])
