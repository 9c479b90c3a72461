"""The state of one partition of the ledger stage: records by person, and rows by the time at which they are due."""

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, cast

import msgspec
from msgspec.structs import replace

from stream.ledger.retention import RETENTION_YEARS, years_later
from stream.ledger.rows import (
    CLOCK_KEY,
    HORIZON_US,
    MINUTE,
    Clock,
    ClosedRow,
    CorrectionRow,
    LedgerRow,
    OpenStay,
    RecordRow,
    closed_key,
    correction_key,
    shared,
    shared_pair,
    stay_key,
)
from stream.state import KeyedState

#: Rows whose time comes in one such span are forgotten together.
SPAN_US: Final = 10 * MINUTE

Forgettable = RecordRow | OpenStay | ClosedRow | CorrectionRow


class LedgerState(KeyedState):
    """Records of the horizon, stays that older ones left open, rows of the queue that persons closed."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__(LedgerRow)
        # A person's record keys in the order of their places; a lone one stands by itself, to be small.
        self._of: dict[str, str | tuple[str, ...]] = {}
        # Keys by the span in which they are due. A row whose time has changed stands in both spans.
        self._due: defaultdict[int, list[str]] = defaultdict(list)

    @property
    def now_us(self) -> int | None:
        """The newest tick, None before the first one."""
        row = self._rows.get(CLOCK_KEY)
        return row.now_us if isinstance(row, Clock) else None

    def record(self, record_id: str) -> RecordRow | None:
        """A record of the horizon."""
        row = self._rows.get(record_id)
        return row if isinstance(row, RecordRow) else None

    def records(self) -> Iterator[RecordRow]:
        """Every record of the horizon, in no order."""
        return (row for row in self._rows.values() if isinstance(row, RecordRow))

    def records_of(self, person: str) -> list[RecordRow]:
        """The records of a person, retracted ones too, in the order of their places."""
        keys = self._of.get(person)
        if keys is None:
            return []
        rows = self._rows
        if isinstance(keys, str):
            return [cast("RecordRow", rows[keys])]
        return [cast("RecordRow", rows[key]) for key in keys]

    def stay_before(self, person: str) -> OpenStay | None:
        """The stay that the person's forgotten records left open."""
        row = self._rows.get(stay_key(person))
        return row if isinstance(row, OpenStay) else None

    def closed(self, unmatched_id: str) -> ClosedRow | None:
        """How a person closed a row of the queue."""
        row = self._rows.get(closed_key(unmatched_id))
        return row if isinstance(row, ClosedRow) else None

    def correction(self, record_id: str) -> CorrectionRow | None:
        """The correction of a record that counts."""
        row = self._rows.get(correction_key(record_id))
        return row if isinstance(row, CorrectionRow) else None

    def due(self, now_us: int) -> list[tuple[str, Forgettable]]:
        """The rows whose time is over at `now_us`, by key."""
        found: dict[str, Forgettable] = {}
        for span in [span for span in self._due if span < now_us // SPAN_US]:
            for key in self._due[span]:
                row = self._rows.get(key)
                if isinstance(row, Forgettable) and is_over(row, now_us):
                    found[key] = row
        return sorted(found.items())

    def load(self, key: str, row: bytes | None) -> None:
        """Take a changelog row, sharing what many rows hold."""
        value = None if row is None else self._decoder.decode(row)
        if isinstance(value, Clock):
            # Rows that are due before it may still come; the next tick finds them.
            self._rows[key] = value
            return
        if isinstance(value, RecordRow):
            value = replace(
                value,
                record_id=key,
                entered=shared(value.entered),
                left=shared(value.left),
                pair=shared_pair(value.pair),
            )
        self._set(key, value)

    def _changed(self, key: str, old: msgspec.Struct | None, new: msgspec.Struct | None) -> None:
        if isinstance(new, Clock):
            # A tick's step deletes every row that is due by then.
            for span in [span for span in self._due if span < new.now_us // SPAN_US]:
                del self._due[span]
            return
        if isinstance(old, RecordRow) and not (
            isinstance(new, RecordRow) and old.place == new.place
        ):
            self._unfile(old)
            old = None
        if old is None or _span(old) != _span(new):
            if isinstance(new, Forgettable):
                self._due[_span(new)].append(key)
            if isinstance(new, RecordRow):
                self._file(new)

    def _file(self, row: RecordRow) -> None:
        """Put a record into its person's list; its row stands already."""
        there = self._of.setdefault(row.person, row.record_id)
        if there is row.record_id:
            return
        keys = (there,) if isinstance(there, str) else there
        at = bisect(keys, row.place, key=self._place)
        self._of[row.person] = (*keys[:at], row.record_id, *keys[at:])

    def _unfile(self, row: RecordRow) -> None:
        there = self._of.get(row.person, ())
        left = (
            () if isinstance(there, str) else tuple([one for one in there if one != row.record_id])
        )
        if not left:
            self._of.pop(row.person, None)
        else:
            self._of[row.person] = left[0] if len(left) == 1 else left

    def _place(self, key: str) -> tuple[int, str]:
        return cast("RecordRow", self._rows[key]).place


def is_over(row: Forgettable, now_us: int) -> bool:
    """Whether the row's time is over: it came in an earlier span than `now_us`."""
    return _span(row) < now_us // SPAN_US


def _span(row: msgspec.Struct | None) -> int:
    if isinstance(row, RecordRow | ClosedRow | CorrectionRow):
        return (row.at_us + HORIZON_US) // SPAN_US
    if isinstance(row, OpenStay):
        return years_later(row.opened_at_us, RETENTION_YEARS) // SPAN_US
    return -1
