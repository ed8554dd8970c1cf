# Made from _async/transport.py by make_sync.py.
"""Requests to the REST API, and streams."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from typing import IO, Any, TypeVar
from urllib.parse import quote

import httpx

from .._connection import Connection
from .._decode import decode
from ..errors import FumehoodError, TimeoutError, UnavailableError, error_of
from . import io

T = TypeVar("T")
Query = Mapping[str, Any]

TIMEOUT_SECONDS = 120.0
LARGEST_MESSAGE_BYTES = 2 * 1024 * 1024


def path_of(*segments: str | int) -> str:
    """A path of the API; each segment is encoded, so that none can become two."""
    return "/api/v1/" + "/".join(quote(str(one), safe="") for one in segments)


class Transport:
    """One connection pool to one control plane."""

    def __init__(self, connection: Connection, timeout: float = TIMEOUT_SECONDS) -> None:
        self.connection = connection
        self._headers = connection.headers()
        self._http = httpx.Client(
            base_url=connection.url,
            headers=self._headers,
            timeout=httpx.Timeout(timeout, connect=10.0),
            trust_env=not connection.is_loopback,
        )

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content: bytes | IO[bytes] | None = None,
    ) -> Any:
        """Sends a request and gives the parsed answer; None where there is no body."""
        request = self._http.build_request(method, path, params=_filled(query))
        if body is not None:
            request = self._http.build_request(method, path, params=_filled(query), json=_filled(body))
        elif content is not None:
            stream = content if isinstance(content, bytes) else io.chunks(content)
            headers = {"content-type": "application/octet-stream"}
            request = self._http.build_request(method, path, params=_filled(query), content=stream, headers=headers)
        answer = self._answer(request)
        try:
            answer.read()
        finally:
            answer.close()
        return answer.json() if answer.content else None

    def get(self, kind: type[T], path: str, query: Query | None = None) -> T:
        return decode(kind, self.send("GET", path, query=query))

    def pages(self, kind: type[T], path: str, query: Query | None = None) -> Iterator[T]:
        """All items of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.send("GET", path, query={**(query or {}), "cursor": cursor})
            for item in page["items"]:
                yield decode(kind, item)
            cursor = page.get("next")
            if cursor is None:
                return

    def all(self, kind: type[T], path: str, query: Query | None = None) -> list[T]:
        return [item for item in self.pages(kind, path, query)]

    def download(self, path: str, query: Query | None = None, method: str = "GET") -> Iterator[bytes]:
        """The bytes of an answer as they come; a POST sends an empty body."""
        body: dict[str, Any] | None = None if method == "GET" else {}
        answer = self._answer(self._http.build_request(method, path, params=_filled(query), json=body))
        try:
            for chunk in answer.iter_bytes():
                yield chunk
        except httpx.HTTPError as error:
            raise UnavailableError(f"The answer broke off ({error}).") from error
        finally:
            answer.close()

    def lines(self, kind: type[T], path: str, query: Query | None = None) -> Generator[T, None]:
        """An answer of JSON lines, one by one as they come."""
        rest = b""
        for chunk in self.download(path, query):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield decode(kind, json.loads(line))

    def open_socket(self, path: str) -> io.Socket:
        """A WebSocket to a route that streams."""
        url = "ws" + self.connection.url.removeprefix("http") + path
        try:
            return io.open_socket(url, self._headers, LARGEST_MESSAGE_BYTES, self.connection.is_loopback)
        except io.Refused as refused:
            answer = refused.response
            raise _error_in(answer.body, answer.status_code, answer.headers.get("x-request-id", "")) from None
        except OSError as error:
            raise self._unreachable(error) from error

    def _answer(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = self._http.send(request, stream=True)
            if answer.status_code < 400:
                return answer
            try:
                text = answer.read()
            finally:
                answer.close()
        except httpx.TimeoutException as error:
            raise TimeoutError(f"{self.connection.url} did not answer in time.") from error
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        raise _error_in(text, answer.status_code, answer.headers.get("x-request-id", ""))

    def _unreachable(self, error: Exception) -> UnavailableError:
        return UnavailableError(
            f"{self.connection.url} cannot be reached ({error}).",
            hint='Is it running? See "fumehood status"; start it with "fumehood up --detach".',
        )


def _error_in(text: bytes | bytearray | None, status: int, request_id: str) -> FumehoodError:
    try:
        problem = json.loads(text or b"")
    except ValueError:
        problem = None
    return error_of(problem, status, request_id)


def _filled(members: Query | None) -> dict[str, Any]:
    return {key: value for key, value in (members or {}).items() if value is not None}
