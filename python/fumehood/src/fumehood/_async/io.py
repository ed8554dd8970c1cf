"""Input and output of the asynchronous part. `_sync/io.py` is its twin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import IO, Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

Socket = ClientConnection
Lock = asyncio.Lock
Closed = ConnectionClosed
Refused = InvalidStatus

CHUNK_BYTES = 256 * 1024


async def open_socket(url: str, headers: dict[str, str], largest: int, direct: bool) -> ClientConnection:
    connecting = connect(
        url,
        additional_headers=headers,
        max_size=largest,
        # What waits is bounded by the windows of the streams. With a bound of its own, who sends while much waits and the server has
        # closed would wait for the close, and the close for the reader.
        max_queue=None,
        compression=None,
        proxy=None if direct else True,
        # A command whose output nobody reads for a while is held back, not lost.
        ping_timeout=None,
    )
    # It is closed by the handle, which outlives this function.
    return await connecting.__aenter__()


async def chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    while data := await asyncio.to_thread(file.read, CHUNK_BYTES):
        yield data


async def write(file: IO[bytes], data: bytes) -> Any:
    return await asyncio.to_thread(file.write, data)
