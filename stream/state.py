"""The keyed state of one input partition.

Values are typed Structs. A stage reads the state and returns changes; the worker applies them, and writes
the same changes to the stage's changelog topic in the transaction that carries the outputs.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec


class Change(NamedTuple):
    """A new value of a key; None deletes it."""

    key: str
    value: msgspec.Struct | None


class KeyedState:
    """Rows by key, restored from changelog rows, changed only by `apply`.

    Subclasses keep indexes by overriding `_changed`.
    """

    def __init__(self, rows_type: Any) -> None:
        """`rows_type` is the union of the Structs that a row may be."""
        self._rows: dict[str, msgspec.Struct] = {}
        self._decoder = msgspec.msgpack.Decoder(rows_type)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def get(self, key: str) -> msgspec.Struct | None:
        """The row of a key, None when there is none."""
        return self._rows.get(key)

    def items(self) -> Iterator[tuple[str, msgspec.Struct]]:
        """All rows, in the order of their keys."""
        return iter(sorted(self._rows.items()))

    def apply(self, changes: Iterable[Change]) -> None:
        """Take the changes of a step."""
        for key, value in changes:
            self._set(key, value)

    def load(self, key: str, row: bytes | None) -> None:
        """Take a changelog row; raises `msgspec.DecodeError` when it is not one of this state."""
        self._set(key, None if row is None else self._decoder.decode(row))

    def digest(self) -> str:
        """A hash of all rows: equal states have equal digests."""
        whole = hashlib.sha256()
        for key, value in self.items():
            whole.update(msgspec.msgpack.encode((key, value)))
        return whole.hexdigest()

    def _set(self, key: str, value: msgspec.Struct | None) -> None:
        old = self._rows.get(key)
        if value is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = value
        self._changed(key, old, value)

    def _changed(self, key: str, old: msgspec.Struct | None, new: msgspec.Struct | None) -> None:
        """A row was replaced, added (`old` is None) or deleted (`new` is None)."""
