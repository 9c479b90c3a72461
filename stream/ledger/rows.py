"""What the ledger stage remembers: rows of its state, small, since there is one for every open stay of the continent."""

import sys
from functools import lru_cache
from typing import Final, Literal

import msgspec

from schemas.border import Anomaly, CrossingEnded, PersonRole, Side
from schemas.message import Country

#: Microseconds.
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

#: How long a record can still be revised, by its moment. A day more than the lanes stage revises crossings for
#: (`stages.md` of the design, order and time: 7 days), so that whatever it still says finds the record.
HORIZON_US: Final = 8 * DAY

#: The state key of the clock.
CLOCK_KEY: Final = "clock"

RecordState = Literal["none", "live", "corrected", "retracted"]
"""`none`: a crossing that ended otherwise, so that an older end of it that comes later is known as older."""


class OpenStay(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="stay"):
    """A stay, by the record that opened it. As a row: the one that a person's forgotten records left open."""

    country: Country
    opened_by: str
    opened_at_us: int


class RecordRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="record"):
    """A border record of the horizon as it was last written, and the revision of the end that it came from."""

    record_id: str
    crossing_id: str
    person: str
    role: PersonRole
    pair: str
    end_revision: int
    revision: int
    state: RecordState
    entered: Side
    left: Side
    at_us: int
    source_event_ids: tuple[str, ...]
    baseline: bool = False
    #: The stay that was open before it.
    before: OpenStay | None = None
    anomalies: tuple[Anomaly, ...] = ()

    @property
    def in_force(self) -> bool:
        """Whether the record says that its person entered."""
        return self.state in ("live", "corrected")

    @property
    def place(self) -> tuple[int, str]:
        """Its place among the records of its person."""
        return self.at_us, self.crossing_id

    @property
    def missing_exit(self) -> bool:
        """Whether the stay before it has no known end."""
        return self.before is not None and self.before.country != self.left.country


class ClosedRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="closed"):
    """A row of the unmatched queue that a person closed."""

    at_us: int
    closed_by: str


class ExchangeRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="exchange"):
    """What the two countries were last told of a record of the horizon."""

    revision: int
    #: A hash of what was said; 0 when it was taken back.
    said: int
    #: To whom: the sum of 1 for the US, 2 for Canada, 4 for Mexico.
    to: int
    #: Whether the person's sealed elements were missing.
    provisional: bool = False


class CorrectionRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="correction_row"):
    """The correction of a record that counts, and the newest end that it stands over."""

    at_us: int
    event_id: str
    pair: str
    person: str
    crossing_id: str
    #: The moment of entry; None: the person did not enter.
    to_at_us: int | None
    #: None while nothing is known of the record.
    end: CrossingEnded | None = None

    @property
    def place(self) -> tuple[int, str]:
        """Its place among the corrections of its record: the greatest counts."""
        return self.at_us, self.event_id


class Clock(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="clock"):
    """The newest tick."""

    now_us: int


LedgerRow = RecordRow | OpenStay | ClosedRow | ExchangeRow | CorrectionRow | Clock


def stay_key(person: str) -> str:
    """The state key of a person's open stay."""
    return f"stay:{person}"


def exchange_key(record_id: str) -> str:
    """The state key of what was told of a record."""
    return f"exchange:{record_id}"


def closed_key(unmatched_id: str) -> str:
    """The state key of a closed row of the queue."""
    return f"closed:{unmatched_id}"


def correction_key(record_id: str) -> str:
    """The state key of a record's correction."""
    return f"correction:{record_id}"


@lru_cache(maxsize=16_384)
def shared(side: Side) -> Side:
    """The same side, one object for all rows that hold it."""
    return side


def shared_pair(pair: str) -> str:
    """The same id, one object for all rows that hold it."""
    return sys.intern(pair)
