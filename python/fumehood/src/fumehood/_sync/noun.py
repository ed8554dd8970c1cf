# Made from _async/noun.py by make_sync.py.
"""What all nouns have in common."""

from __future__ import annotations

from .transport import Transport


class Noun:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport
