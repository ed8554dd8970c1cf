"""What all nouns have in common."""

from __future__ import annotations

from .transport import AsyncTransport


class AsyncNoun:
    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
