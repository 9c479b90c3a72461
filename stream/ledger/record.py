"""From the end of a crossing to the record of it, and from the record's row to the message."""

from typing import Final, NamedTuple

from msgspec.structs import replace

from schemas.border import BorderEntry, BorderExit, BorderRecord, CrossingEnded, Side, Stay
from schemas.ids import stay_id
from stream.ledger.retention import RETENTION_CLASS, RETENTION_YEARS, years_later
from stream.ledger.rows import OpenStay, RecordRow, RecordState, shared, shared_pair

_STATES: Final[dict[RecordState, RecordState]] = {
    "none": "live",
    "live": "corrected",
    "corrected": "corrected",
    "retracted": "corrected",
}


class Taken(NamedTuple):
    """A record's row after an end."""

    row: RecordRow
    #: Whether it says something else than before: it must be written.
    differs: bool


def take(old: RecordRow | None, ended: CrossingEnded, person: str, key: str) -> Taken:
    """The row after a newer end, with its new revision; what the records beside it make of it is the caller's."""
    if ended.how == "entered":
        return _entered(old, ended, person, key)
    if old is None:
        return Taken(_row(ended, person, key, 0, "none"), differs=False)
    if not old.in_force:
        return Taken(replace(old, end_revision=ended.revision), differs=False)
    retracted = replace(
        old,
        end_revision=ended.revision,
        revision=old.revision + 1,
        state="retracted",
        source_event_ids=ended.source_event_ids,
        baseline=False,
        before=None,
        anomalies=(),
    )
    return Taken(retracted, differs=True)


def _entered(old: RecordRow | None, ended: CrossingEnded, person: str, key: str) -> Taken:
    if old is None:
        return Taken(_row(ended, person, key, 1, "live"), differs=True)
    row = _row(ended, person, key, old.revision + 1, _STATES[old.state])
    if not old.in_force or _facts(old) != _facts(row):
        return Taken(row, differs=True)
    same = replace(old, end_revision=ended.revision, source_event_ids=ended.source_event_ids)
    return Taken(same, differs=False)


def _facts(row: RecordRow) -> tuple[str, str, Side, Side, int]:
    return row.role, row.pair, row.entered, row.left, row.at_us


def _row(
    ended: CrossingEnded, person: str, key: str, revision: int, state: RecordState
) -> RecordRow:
    return RecordRow(
        record_id=key,
        crossing_id=ended.crossing_id,
        person=person,
        role=ended.role or "person",
        pair=shared_pair(ended.pair),
        end_revision=ended.revision,
        revision=revision,
        state=state,
        entered=shared(ended.entered),
        left=shared(ended.left),
        at_us=ended.at_us,
        source_event_ids=ended.source_event_ids,
    )


def border_record(row: RecordRow) -> BorderRecord:
    """The message of a row that was written at least once; raises ValueError for another."""
    if row.state == "none":
        raise ValueError("no record was made of this crossing")
    entered, left = row.entered, row.left
    return BorderRecord(
        record_id=row.record_id,
        crossing_id=row.crossing_id,
        person=row.person,
        role=row.role,
        pair=row.pair,
        revision=row.revision,
        state=row.state,
        entry=BorderEntry(
            country=entered.country,
            office_code=entered.office_code,
            authority=entered.authority,
            lane=entered.lane,
            at_us=row.at_us,
        ),
        exit=BorderExit(country=left.country, office_code=left.office_code, at_us=row.at_us),
        baseline=row.baseline,
        closes=None if row.before is None else _closed(row.before, row),
        opens=stay_id(row.record_id) if row.in_force else None,
        anomalies=row.anomalies,
        source_event_ids=row.source_event_ids,
        retention_class=RETENTION_CLASS,
        delete_after_us=years_later(row.at_us, RETENTION_YEARS),
    )


def _closed(before: OpenStay, row: RecordRow) -> Stay:
    """The stay that was open before the record, with its end where that is known."""
    known = not row.missing_exit
    return Stay(
        stay_id=stay_id(before.opened_by),
        country=before.country,
        opened_by=before.opened_by,
        opened_at_us=before.opened_at_us,
        closed_by=row.record_id if known else None,
        closed_at_us=row.at_us if known else None,
        basis="exit" if known else "missing_exit",
    )
