"""Input and output of the synchronous part. `_async/io.py` is its twin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import IO, Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

Socket = ClientConnection
Lock = threading.Lock
Closed = ConnectionClosed
Refused = InvalidStatus

CHUNK_BYTES = 256 * 1024


def open_socket(url: str, headers: dict[str, str], largest: int, direct: bool) -> ClientConnection:
    connection = connect(
        url,
        additional_headers=headers,
        max_size=largest,
        # What waits is bounded by the windows of the streams. With a bound of its own, who sends while much waits and the server has
        # closed would wait for the close, and the close for the reader.
        max_queue=None,
        compression=None,
        proxy=None if direct else True,
        ping_timeout=None,
    )
    # It is closed by the handle, which outlives this function.
    return connection.__enter__()


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    while data := file.read(CHUNK_BYTES):
        yield data


def write(file: IO[bytes], data: bytes) -> Any:
    return file.write(data)
