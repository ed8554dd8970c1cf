"""Everything that can go wrong, by what it means. All are `FumehoodError`."""

from __future__ import annotations

import builtins
from typing import Any


class FumehoodError(Exception):
    """What went wrong (`str(error)`), what to do about it (`hint`), and how to find it again (`request_id`)."""

    code = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        status: int | None = None,
        request_id: str = "",
        decision_id: str | None = None,
        fields: list[dict[str, str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.hint = hint
        self.status = status
        self.request_id = request_id
        #: For `fumehood policy explain`, where policy decided.
        self.decision_id = decision_id
        #: Every field that was wrong, for `InvalidRequestError`.
        self.fields = fields or []

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}".strip()


class InvalidRequestError(FumehoodError):
    code = "invalid"


class TooLargeError(InvalidRequestError):
    code = "too_large"


class UnsupportedError(FumehoodError):
    """The server does not offer this."""

    code = "unsupported"


class MethodNotAllowedError(UnsupportedError):
    code = "method_not_allowed"


class AuthenticationError(FumehoodError):
    """There is no token, or it is not valid (any more)."""

    code = "unauthenticated"


class DeniedError(FumehoodError):
    """Policy said no; `decision_id` and `hint` say more."""

    code = "denied"


class ApprovalRequiredError(DeniedError):
    """An approval by a second person is all that is missing: ask for one with `client.access.request`."""

    code = "approval_required"


class PendingError(FumehoodError):
    """An approval still waits."""

    code = "pending"


class NotFoundError(FumehoodError):
    code = "not_found"


class ConflictError(FumehoodError):
    """The state of things is not one in which this can be done, or the name is taken."""

    code = "conflict"


class PreconditionFailedError(ConflictError):
    """It changed since it was read."""

    code = "precondition_failed"


class QuotaExceededError(FumehoodError):
    code = "quota_exceeded"


class TooManyRequestsError(FumehoodError):
    code = "too_many_requests"


class CapabilityMissingError(FumehoodError):
    """This host cannot enforce what was asked for, so nothing was started."""

    code = "capability_missing"


class TimeoutError(FumehoodError, builtins.TimeoutError):
    code = "timeout"


class UnavailableError(FumehoodError):
    """The control plane cannot be reached, or cannot do its work now."""

    code = "unavailable"


class IntegrityError(FumehoodError):
    """Stored data does not match its digest."""

    code = "integrity"


class InternalError(FumehoodError):
    code = "internal"


class CommandExitError(FumehoodError):
    """A command ended with another exit code than 0."""

    code = "command_exit"

    def __init__(self, message: str, *, exit_code: int, stdout: str, stderr: str) -> None:
        last = stderr.rstrip().rsplit("\n", 1)[-1]
        super().__init__(message, hint=last)
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr


class CommandTimeoutError(CommandExitError, TimeoutError):
    """The command was ended because its time was over."""

    code = "command_timeout"


#: The class of each code that the server answers with.
BY_CODE: dict[str, type[FumehoodError]] = {
    one.code: one
    for one in (
        InvalidRequestError,
        TooLargeError,
        UnsupportedError,
        MethodNotAllowedError,
        AuthenticationError,
        DeniedError,
        ApprovalRequiredError,
        PendingError,
        NotFoundError,
        ConflictError,
        PreconditionFailedError,
        QuotaExceededError,
        TooManyRequestsError,
        CapabilityMissingError,
        TimeoutError,
        UnavailableError,
        IntegrityError,
        InternalError,
    )
}


def error_of(problem: Any, status: int | None, request_id: str) -> FumehoodError:
    """The error inside a problem+json answer or an `error` frame; an answer of another form is named as such."""
    if not isinstance(problem, dict) or not isinstance(problem.get("code"), str):
        return UnavailableError(
            f"The server answered {status} in a form that is not Fumehood's.",
            hint="Check FUMEHOOD_URL: it must be the address of a control plane.",
            status=status,
            request_id=request_id,
        )
    decision_id = problem.get("decisionId")
    fields = problem.get("fields")
    return BY_CODE.get(problem["code"], FumehoodError)(
        str(problem.get("detail") or problem.get("message") or "The server gave no reason."),
        code=problem["code"],
        hint=str(problem.get("hint", "")),
        status=status,
        request_id=str(problem.get("requestId", request_id)),
        decision_id=decision_id if isinstance(decision_id, str) else None,
        fields=fields if isinstance(fields, list) else None,
    )
