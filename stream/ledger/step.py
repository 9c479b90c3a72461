"""The ledger stage: one border record a person, whose entry into one country is the exit from the other.

An end with `entered` gives a record; a later end of the same crossing and person that says otherwise retracts
it; one that says `entered` again, differently, corrects it. All under one `record_id`.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec

from schemas.border import BorderEntry, BorderExit, BorderRecord, CrossingEnded
from schemas.ids import record_id
from stream.reference import Reference
from stream.stage import NOTHING, Given, Input, Output, Stage, Step
from stream.state import Change, KeyedState

#: Canada's Customs Act s.93.1: entry and exit information is kept 15 years.
RETENTION_YEARS: Final = 15
RETENTION_CLASS: Final = "entry_exit_15y"


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True, tag="ledger_row"):
    """What the ledger last wrote for a person's crossing, and the end that it came from."""

    end_revision: int
    record: BorderRecord


class LedgerState(KeyedState):
    """Records by id."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__(LedgerRow)

    def row(self, record: str) -> LedgerRow | None:
        """The row of a record id."""
        row = self.get(record)
        return row if isinstance(row, LedgerRow) else None


class Ledger:
    """The stage that turns ends of crossings into border records."""

    name = "ledger"
    input = "crossings"
    changelog = "ledger-changelog"
    references: tuple[str, ...] = ()
    ticks = False

    def new_state(self) -> LedgerState:
        """The empty state of one partition."""
        return LedgerState()

    def step(self, state: KeyedState, reference: Reference, given: Given) -> Step:  # noqa: ARG002
        """What follows from one record."""
        if not isinstance(state, LedgerState):
            raise TypeError(f"the ledger stage needs a LedgerState, got {type(state).__name__}")
        match given:
            case Input(message=CrossingEnded(person=str() as person) as ended):
                return _record(state, ended, person)
            case _:
                return NOTHING  # nobody known: the lanes stage keeps it in the unmatched queue


LEDGER: Final[Stage] = Ledger()


def _record(state: LedgerState, ended: CrossingEnded, person: str) -> Step:
    key = record_id(ended.crossing_id, person)
    before = state.row(key)
    if before is not None and ended.revision <= before.end_revision:
        return NOTHING
    record = _next(before, ended, person)
    if record is None:
        return NOTHING
    row = LedgerRow(end_revision=ended.revision, record=record)
    if before is not None and before.record == record:
        return Step([Change(key, row)], [])
    return Step([Change(key, row)], [Output("border-records", record)])


def _next(before: LedgerRow | None, ended: CrossingEnded, person: str) -> BorderRecord | None:
    if ended.how != "entered":
        if before is None:
            return None
        if before.record.state == "retracted":
            return before.record
        return msgspec.structs.replace(
            before.record,
            state="retracted",
            revision=before.record.revision + 1,
            source_event_ids=ended.source_event_ids,
        )
    record = BorderRecord(
        record_id=record_id(ended.crossing_id, person),
        crossing_id=ended.crossing_id,
        person=person,
        role=ended.role or "person",
        pair=ended.pair,
        revision=1 if before is None else before.record.revision + 1,
        state="live" if before is None else "corrected",
        entry=BorderEntry(
            country=ended.entered.country,
            office_code=ended.entered.office_code,
            authority=ended.entered.authority,
            lane=ended.entered.lane,
            at_us=ended.at_us,
        ),
        exit=BorderExit(
            country=ended.left.country, office_code=ended.left.office_code, at_us=ended.at_us
        ),
        source_event_ids=ended.source_event_ids,
        retention_class=RETENTION_CLASS,
        delete_after_us=years_later(ended.at_us, RETENTION_YEARS),
    )
    if before is not None and _same(before.record, record):
        return before.record
    return record


def _same(old: BorderRecord, new: BorderRecord) -> bool:
    """Whether a new record says what the old one says and the old one is in force."""
    return old.state != "retracted" and old == msgspec.structs.replace(
        new, revision=old.revision, state=old.state, source_event_ids=old.source_event_ids
    )


def years_later(at_us: int, years: int) -> int:
    """The same day and time so many calendar years later, UTC; 28 February for the 29th."""
    try:
        then = datetime.fromtimestamp(at_us // 1_000_000, UTC)
        day = 28 if (then.month, then.day) == (2, 29) else then.day
        later = then.replace(year=then.year + years, day=day)
    except (ValueError, OverflowError, OSError):
        return at_us + years * 366 * 86_400_000_000
    return int(later.timestamp()) * 1_000_000 + at_us % 1_000_000
