"""The client of Fumehood, the AI sandbox, for programs outside sandboxes."""

from ._async.client import AsyncFumehood
from ._async.command import AsyncCommandHandle
from ._async.sandbox import AsyncSandbox
from ._exec import Output
from ._sync.client import Fumehood
from ._sync.command import CommandHandle
from ._sync.sandbox import Sandbox
from .errors import (
    ApprovalRequiredError,
    AuthenticationError,
    CapabilityMissingError,
    CommandExitError,
    CommandTimeoutError,
    ConflictError,
    DeniedError,
    FumehoodError,
    IntegrityError,
    InternalError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    PendingError,
    PreconditionFailedError,
    QuotaExceededError,
    TimeoutError,
    TooLargeError,
    TooManyRequestsError,
    UnavailableError,
    UnsupportedError,
)
from .models import CommandResult, FileChange, FileInfo, SandboxInfo, SandboxLook, SandboxStats

__version__ = "0.1.0"

__all__ = [
    "ApprovalRequiredError",
    "AsyncCommandHandle",
    "AsyncFumehood",
    "AsyncSandbox",
    "AuthenticationError",
    "CapabilityMissingError",
    "CommandExitError",
    "CommandHandle",
    "CommandResult",
    "CommandTimeoutError",
    "ConflictError",
    "DeniedError",
    "FileChange",
    "FileInfo",
    "Fumehood",
    "FumehoodError",
    "IntegrityError",
    "InternalError",
    "InvalidRequestError",
    "MethodNotAllowedError",
    "NotFoundError",
    "Output",
    "PendingError",
    "PreconditionFailedError",
    "QuotaExceededError",
    "Sandbox",
    "SandboxInfo",
    "SandboxLook",
    "SandboxStats",
    "TimeoutError",
    "TooLargeError",
    "TooManyRequestsError",
    "UnavailableError",
    "UnsupportedError",
]
