# Made from _async/audit.py by make_sync.py.
"""The audit log, and what came from what."""

from __future__ import annotations

from builtins import list as List  # the classes have methods of that name
from collections.abc import Iterator
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
from .noun import Noun
from .transport import path_of

Pages = Iterator


class Audit(Noun):
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

    def get(self, seq: int) -> AuditEntry:
        return self._transport.get(AuditEntry, path_of("audit", "entries", seq))

    def verify(self) -> Verification:
        return decode(Verification, self._transport.send("POST", path_of("audit", "verify"), body={}))

    def export(self) -> Pages[bytes]:
        """The whole log as an archive, in pieces; it verifies offline."""
        return self._transport.download(path_of("audit", "export"))

    def proof(self, seq: int) -> InclusionProof:
        """That an entry is in the log, for whoever does not believe the server."""
        return self._transport.get(InclusionProof, path_of("audit", "entries", seq, "proof"))

    def checkpoint(self) -> Checkpoint:
        """The newest signed head of the log."""
        return self._transport.get(Checkpoint, path_of("audit", "checkpoint"))

    def erase(self, user: str) -> Erased:
        """Erases a person's name from all entries; every proof stays valid."""
        return decode(Erased, self._transport.send("DELETE", path_of("audit", "personal", user)))


class Lineage(Noun):
    """What came from what."""

    def get(self, node: str, *, direction: str | None = None, kinds: str | None = None) -> LineageGraph:
        query = {"node": node, "direction": direction, "kinds": kinds}
        return self._transport.get(LineageGraph, path_of("lineage"), query)

    def openlineage(self, node: str, *, direction: str | None = None, kinds: str | None = None) -> List[Any]:
        """The same as OpenLineage run events."""
        query = {"node": node, "direction": direction, "kinds": kinds}
        return list((self._transport.send("GET", path_of("lineage", "openlineage"), query=query))["items"])
