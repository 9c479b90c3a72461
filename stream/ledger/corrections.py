"""What a person sets right in a border record: it stands over the ends of its crossing, in whatever order they come.

A record says what its newest end says with its greatest correction over it, so both may come first. What the
stage has forgotten it cannot correct: it knows neither the record's revision, nor the stay before it, nor what
the countries were told. Such a correction waits in the unmatched queue, for a person.
"""

from typing import Final

from msgspec.structs import replace

from schemas.border import CrossingEnded, RecordCorrection, Unmatched
from schemas.ids import record_id
from stream.ledger.rows import CorrectionRow, RecordRow
from stream.ledger.state import LedgerState
from stream.stage import Output

_UNKNOWN: Final = "the record that was to be set right is not known here (any more)"
_FORGOTTEN: Final = "of the record that was to be set right only the stay that it opened is known"
_TOO_EARLY: Final = "the moment lies before the records that can still be revised"


def wrong_with(correction: RecordCorrection) -> str | None:
    """What makes a correction one that cannot be, as a path and its cause; None for nothing."""
    if correction.record_id != record_id(correction.crossing_id, correction.person):
        return "$.record_id: not the record of this crossing and person"
    if (correction.to_at_us is None) != (correction.what == "retract"):
        return "$.to_at_us: expected with what `moment`, and only then"
    if correction.to_at_us is not None and correction.to_at_us > correction.at_us:
        return "$.to_at_us: later than the correction itself"
    return None


def row_of(correction: RecordCorrection) -> CorrectionRow:
    """A correction as the state keeps it, of a record of which nothing is known yet."""
    return CorrectionRow(
        at_us=correction.at_us,
        event_id=correction.event_id,
        pair=correction.pair,
        person=correction.person,
        crossing_id=correction.crossing_id,
        to_at_us=correction.to_at_us,
    )


def end_of(row: RecordRow) -> CrossingEnded:
    """The end that an uncorrected record came from, as far as anything depends on it."""
    return CrossingEnded(
        crossing_id=row.crossing_id,
        person=row.person,
        role=row.role,
        revision=row.end_revision,
        how="entered" if row.in_force else "withdrawn",
        pair=row.pair,
        entered=row.entered,
        left=row.left,
        at_us=row.at_us,
        source_event_ids=row.source_event_ids,
    )


def corrected(ended: CrossingEnded, row: CorrectionRow | None) -> CrossingEnded:
    """The end as the correction makes it. Who did not enter has no moment that could be set right."""
    if row is None or ended.how != "entered":
        return ended
    sources = (*ended.source_event_ids, row.event_id)
    if row.to_at_us is None:
        return replace(ended, how="withdrawn", source_event_ids=sources)
    return replace(ended, at_us=row.to_at_us, source_event_ids=sources)


def without_record(state: LedgerState, row: CorrectionRow) -> list[Output]:
    """The queue's row of a correction whose record is not known."""
    stay = state.stay_before(row.person)
    forgotten = stay is not None and stay.opened_by == _record(row)
    waiting = _waiting(row, _FORGOTTEN if forgotten else _UNKNOWN)
    return _open(state, replace(waiting, age="overdue") if forgotten else waiting)


def too_early(state: LedgerState, row: CorrectionRow) -> list[Output]:
    """The queue's row of a correction to a moment among records that are forgotten."""
    return _open(state, replace(_waiting(row, _TOO_EARLY), age="overdue"))


def given_up(state: LedgerState, row: CorrectionRow) -> list[Output]:
    """The queue's row when time is over: nothing if the record came."""
    if row.end is not None:
        return []
    return _open(state, replace(_waiting(row, _UNKNOWN), age="overdue"))


def found(state: LedgerState, row: CorrectionRow, at_us: int) -> list[Output]:
    """The queue's row is closed when the record of a waiting correction comes."""
    if row.end is not None:
        return []
    cause = f"record:{_record(row)}"
    return _open(state, replace(_waiting(row, _UNKNOWN), closed_by=cause, closed_at_us=at_us))


def _record(row: CorrectionRow) -> str:
    return record_id(row.crossing_id, row.person)


def _open(state: LedgerState, row: Unmatched) -> list[Output]:
    """What a person closed stays closed."""
    return [Output("unmatched", row)] if state.closed(row.unmatched_id) is None else []


def _waiting(row: CorrectionRow, why: str) -> Unmatched:
    return Unmatched(
        unmatched_id=f"correction_without_crossing|{_record(row)}",
        kind="correction_without_crossing",
        pair=row.pair,
        crossing_id=row.crossing_id,
        subject=row.person,
        since_us=row.at_us,
        why=why,
        evidence=(row.event_id, _record(row)),
    )
