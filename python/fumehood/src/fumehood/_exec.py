"""The frames of a command's streams, without any input or output: one byte of type, then the payload."""

from __future__ import annotations

import codecs
import json
import shlex
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

from .errors import CommandExitError, CommandTimeoutError, FumehoodError, UnavailableError, error_of
from .models import CommandResult

StreamName = Literal["stdout", "stderr"]

CONTROL, STDIN, STDOUT, STDERR = 0, 1, 2, 3
_STREAMS: dict[int, StreamName] = {STDOUT: "stdout", STDERR: "stderr"}
WINDOW_BYTES = 256 * 1024
CHUNK_BYTES = 64 * 1024

# With any of these a line needs a shell; without them its words are run as they are, so that lineage sees the files they name.
_SHELL_LETTERS = set("|&;<>()$`*?[]#~=%!{}\n\\")
_SHELL_WORDS = {
    "cd",
    "exit",
    "export",
    "set",
    "unset",
    "source",
    ".",
    ":",
    "ulimit",
    "umask",
    "trap",
    "eval",
    "exec",
    "read",
}


@dataclass(frozen=True)
class Output:
    """A piece of what the command wrote."""

    stream: StreamName
    text: str


def argv_of(command: str | list[str]) -> list[str]:
    """The words of a command; a line that needs one gets a shell."""
    if not isinstance(command, str):
        return list(command)
    if _SHELL_LETTERS.isdisjoint(command):
        try:
            words = shlex.split(command)
        except ValueError:
            words = []
        if words and words[0] not in _SHELL_WORDS:
            return words
    return ["/bin/sh", "-c", command]


def control(**message: Any) -> bytes:
    return bytes([CONTROL]) + json.dumps(message).encode()


class ExecState:
    """What is known of a running command. Frames go in, outputs and the frames that answer them come out."""

    def __init__(self) -> None:
        self.outputs: deque[Output] = deque()
        self.started = False
        self.ended = False
        self.result: CommandResult | None = None
        self.failure: FumehoodError | None = None
        self._stdin_credit = WINDOW_BYTES
        self._text: dict[StreamName, list[str]] = {"stdout": [], "stderr": []}
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in _STREAMS.values()}

    @property
    def may_send(self) -> bool:
        return self._stdin_credit > 0

    def spend(self, wanted: int) -> int:
        """How many bytes of input may be sent now."""
        size = min(wanted, self._stdin_credit, CHUNK_BYTES)
        self._stdin_credit -= size
        return size

    def receive(self, message: bytes | str) -> list[bytes]:
        """Takes one message; gives the frames to send back."""
        if isinstance(message, str) or len(message) == 0:
            raise UnavailableError("The server sent a frame that makes no sense.")
        payload = message[1:]
        stream = _STREAMS.get(message[0])
        if stream is not None:
            self._write(stream, self._decoders[stream].decode(payload))
            return [control(type="credit", stream=stream, bytes=len(payload))]
        self._control(json.loads(payload))
        return []

    def lost(self) -> None:
        """The connection is over before the command was."""
        if not self.ended:
            self.ended = True
            self.failure = UnavailableError(
                "The connection to the command was lost.", hint="The command was ended with it."
            )

    def outcome(self, check: bool) -> CommandResult:
        """The result once it has ended; what went wrong is raised."""
        if self.failure is not None:
            raise self.failure
        if self.result is None:
            raise UnavailableError("The command has not ended.")
        if not check or self.result.exit_code == 0:
            return self.result
        kind = CommandTimeoutError if self.result.timed_out else CommandExitError
        why = "its time was over" if self.result.timed_out else f"exit code {self.result.exit_code}"
        raise kind(
            f"The command ended: {why}.",
            exit_code=self.result.exit_code,
            stdout=self.result.stdout,
            stderr=self.result.stderr,
        )

    def _write(self, stream: StreamName, text: str) -> None:
        if text:
            self._text[stream].append(text)
            self.outputs.append(Output(stream, text))

    def _control(self, message: Any) -> None:
        kind = message.get("type")
        if kind == "started":
            self.started = True
        elif kind == "credit" and message.get("stream") == "stdin":
            self._stdin_credit += int(message["bytes"])
        elif kind == "error":
            self.ended = True
            self.failure = error_of(message.get("error"), None, "")
        elif kind == "exit":
            for name, decoder in self._decoders.items():
                self._write(name, decoder.decode(b"", True))
            ended = message["result"]
            self.ended = True
            self.result = CommandResult(
                exit_code=int(ended["exitCode"]),
                stdout="".join(self._text["stdout"]),
                stderr="".join(self._text["stderr"]),
                signal=ended.get("signal"),
                timed_out=bool(ended.get("timedOut")),
                truncated=bool(ended.get("truncated")),
            )
