# Made from _async/client.py by make_sync.py.
"""One client of one control plane, with all nouns of the command line."""

from __future__ import annotations

from builtins import list as List  # the class has a method of that name
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from .._connection import find_connection
from ..models import SandboxInfo, SandboxLook, SandboxOptions, Status
from .audit import Audit, Lineage
from .datasets import Datasets
from .environments import Environments, Images
from .governance import Access, Approvals, Policies, Secrets
from .identity import Quotas, Tokens, Users
from .noun import Noun
from .platform import Backups, Keys
from .sandbox import Sandbox
from .tracking import Models, Runs
from .transport import TIMEOUT_SECONDS, Transport, path_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Sandboxes(Noun):
    def create(self, **options: Unpack[SandboxOptions]) -> Sandbox:
        """The options are those of `Sandbox.create`."""
        return Sandbox.create(**options, transport=self._transport)

    def connect(self, sandbox: str) -> Sandbox:
        return Sandbox.connect(sandbox, transport=self._transport)

    def list(self, *, all: bool = False, everybody: bool = False) -> List[SandboxInfo]:
        return Sandbox.list(all=all, everybody=everybody, transport=self._transport)

    def stats(
        self, *sandboxes: str, everybody: bool = False, every_ms: int = 2000, samples: int = 1
    ) -> Iterator[SandboxLook]:
        """What running sandboxes use: yours, everybody's, or only those named; `samples` looks, so long after each other."""
        query = {"sandbox": list(sandboxes), "mine": not everybody, "everyMs": every_ms, "samples": samples}
        return self._transport.lines(SandboxLook, path_of("sandbox-stats"), query)


class Fumehood:
    """Without arguments it goes where the command line goes. `timeout` in seconds is for each answer, not for commands."""

    def __init__(
        self,
        *,
        url: str | None = None,
        token: str | None = None,
        home: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        transport = Transport(find_connection(url, token, home), timeout)
        self._transport = transport
        self.sandboxes = Sandboxes(transport)
        self.environments = Environments(transport)
        self.images = Images(transport)
        self.datasets = Datasets(transport)
        self.runs = Runs(transport)
        self.models = Models(transport)
        self.secrets = Secrets(transport)
        self.policies = Policies(transport)
        self.access = Access(transport)
        self.approvals = Approvals(transport)
        self.audit = Audit(transport)
        self.lineage = Lineage(transport)
        self.users = Users(transport)
        self.tokens = Tokens(transport)
        self.quotas = Quotas(transport)
        self.backups = Backups(transport)
        self.keys = Keys(transport)

    def status(self) -> Status:
        """The control plane, and what it runs."""
        return self._transport.get(Status, path_of("status"))

    def metrics(self) -> str:
        """Its metrics in the text format of Prometheus."""
        return b"".join([chunk for chunk in self._transport.download("/metrics")]).decode()

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Fumehood:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
