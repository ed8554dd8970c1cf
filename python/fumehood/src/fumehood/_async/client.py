"""One client of one control plane, with all nouns of the command line."""

from __future__ import annotations

from builtins import list as List  # the class has a method of that name
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING

from .._connection import find_connection
from ..models import SandboxInfo, SandboxLook, SandboxOptions, Status
from .audit import AsyncAudit, AsyncLineage
from .datasets import AsyncDatasets
from .environments import AsyncEnvironments, AsyncImages
from .governance import AsyncAccess, AsyncApprovals, AsyncPolicies, AsyncSecrets
from .identity import AsyncQuotas, AsyncTokens, AsyncUsers
from .noun import AsyncNoun
from .platform import AsyncBackups, AsyncKeys
from .sandbox import AsyncSandbox
from .tracking import AsyncModels, AsyncRuns
from .transport import TIMEOUT_SECONDS, AsyncTransport, path_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AsyncSandboxes(AsyncNoun):
    async def create(self, **options: Unpack[SandboxOptions]) -> AsyncSandbox:
        """The options are those of `AsyncSandbox.create`."""
        return await AsyncSandbox.create(**options, transport=self._transport)

    async def connect(self, sandbox: str) -> AsyncSandbox:
        return await AsyncSandbox.connect(sandbox, transport=self._transport)

    async def list(self, *, all: bool = False, everybody: bool = False) -> List[SandboxInfo]:
        return await AsyncSandbox.list(all=all, everybody=everybody, transport=self._transport)

    def stats(
        self, *sandboxes: str, everybody: bool = False, every_ms: int = 2000, samples: int = 1
    ) -> AsyncIterator[SandboxLook]:
        """What running sandboxes use: yours, everybody's, or only those named; `samples` looks, so long after each other."""
        query = {"sandbox": list(sandboxes), "mine": not everybody, "everyMs": every_ms, "samples": samples}
        return self._transport.lines(SandboxLook, path_of("sandbox-stats"), query)


class AsyncFumehood:
    """Without arguments it goes where the command line goes. `timeout` in seconds is for each answer, not for commands."""

    def __init__(
        self,
        *,
        url: str | None = None,
        token: str | None = None,
        home: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        transport = AsyncTransport(find_connection(url, token, home), timeout)
        self._transport = transport
        self.sandboxes = AsyncSandboxes(transport)
        self.environments = AsyncEnvironments(transport)
        self.images = AsyncImages(transport)
        self.datasets = AsyncDatasets(transport)
        self.runs = AsyncRuns(transport)
        self.models = AsyncModels(transport)
        self.secrets = AsyncSecrets(transport)
        self.policies = AsyncPolicies(transport)
        self.access = AsyncAccess(transport)
        self.approvals = AsyncApprovals(transport)
        self.audit = AsyncAudit(transport)
        self.lineage = AsyncLineage(transport)
        self.users = AsyncUsers(transport)
        self.tokens = AsyncTokens(transport)
        self.quotas = AsyncQuotas(transport)
        self.backups = AsyncBackups(transport)
        self.keys = AsyncKeys(transport)

    async def status(self) -> Status:
        """The control plane, and what it runs."""
        return await self._transport.get(Status, path_of("status"))

    async def metrics(self) -> str:
        """Its metrics in the text format of Prometheus."""
        return b"".join([chunk async for chunk in self._transport.download("/metrics")]).decode()

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def __aenter__(self) -> AsyncFumehood:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
