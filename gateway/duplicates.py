"""Which messages of a reader came already: a broker sends a message again when no acknowledgement came.

A key is what the reader calls a message (Zebra: event number and time), else the SHA-256 of the payload.
Keys that are remembered must be more than the messages that can be between the broker and a commit: 1,000
in the pump's queue, 200 in the link's hands and what a broker has in flight.
"""

import hashlib
from collections import deque
from collections.abc import Iterable
from typing import Final

from gateway.batch import KeyRow

#: Message keys that are remembered a reader.
KEYS_KEPT: Final = 2_000

#: A longer key is kept as its hash: bounds what a reader can make us remember.
_LONGEST: Final = 80


class KeyRing:
    """The last `KEYS_KEPT` message keys of a reader."""

    def __init__(self, reader: str, kept: Iterable[KeyRow] = ()) -> None:
        """`kept`: what the outbox has, oldest first."""
        self._reader = reader
        self._order: deque[str] = deque()
        self._known: set[str] = set()
        self._next = 0
        for row in kept:
            self._remember(row.key)
            self._next = row.number + 1

    def __contains__(self, key: str) -> bool:
        """Whether the key is among the last ones."""
        return _short(key) in self._known

    def add(self, key: str) -> KeyRow:
        """Remember a new key, forget the oldest if there are too many."""
        row = KeyRow(self._reader, self._next, _short(key))
        self._next += 1
        self._remember(row.key)
        return row

    def _remember(self, key: str) -> None:
        if len(self._order) == KEYS_KEPT:
            self._known.discard(self._order.popleft())
        self._order.append(key)
        self._known.add(key)


def payload_key(payload: bytes) -> str:
    """The key of a message that has no name of its own."""
    return "sha256:" + hashlib.sha256(payload).hexdigest()[:32]


def _short(key: str) -> str:
    return key if len(key) <= _LONGEST else payload_key(key.encode(errors="surrogatepass"))
