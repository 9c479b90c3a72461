"""The unmatched queue of the ledger: stays without a known end, how old they grow, and how persons close rows."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from schemas.border import Closure, Unmatched
from schemas.ids import stay_id
from stream.ledger.rows import ClosedRow, RecordRow, closed_key
from stream.ledger.state import LedgerState
from stream.stage import NOTHING, Output, Step
from stream.state import Change

_WHY: Final = "the stay has no end: the next record of the person does not leave its country"
_CLOSED: Final = "closed by a person: "


def missing_exit(row: RecordRow) -> Unmatched | None:
    """The row of the queue for the stay that the record leaves without an end."""
    before = row.before
    if before is None or not row.missing_exit:
        return None
    return Unmatched(
        unmatched_id=f"missing_exit|{stay_id(before.opened_by)}",
        kind="missing_exit",
        pair=row.pair,
        crossing_id=row.crossing_id,
        subject=row.person,
        since_us=row.at_us,
        why=_WHY,
        evidence=(before.opened_by, row.record_id),
    )


def difference(
    state: LedgerState,
    before: Sequence[RecordRow],
    after: Sequence[RecordRow],
    cause: str,
    at_us: int,
) -> list[Output]:
    """What opens, changes or closes in the queue when records change; what a person closed stays closed."""
    if not any(one.missing_exit for one in (*before, *after)):
        return []
    old = {row.unmatched_id: row for one in before if (row := missing_exit(one)) is not None}
    new = {row.unmatched_id: row for one in after if (row := missing_exit(one)) is not None}
    found = [row for name, row in new.items() if old.get(name) != row]
    found += [
        replace(row, closed_by=cause, closed_at_us=at_us)
        for name, row in old.items()
        if name not in new
    ]
    return [Output("unmatched", row) for row in found if state.closed(row.unmatched_id) is None]


def overdue(state: LedgerState, row: RecordRow) -> Unmatched | None:
    """The queue's row of a record that is past the horizon: only a person can close it now."""
    waiting = missing_exit(row)
    if waiting is None or state.closed(waiting.unmatched_id) is not None:
        return None
    return replace(waiting, age="overdue")


def close(state: LedgerState, closure: Closure) -> Step:
    """Close a row, once. What the stage does not remember is closed as the closure tells it."""
    name = closure.unmatched_id
    if state.closed(name) is not None:
        return NOTHING
    rows = () if closure.person is None else state.records_of(closure.person)
    known = (missing_exit(row) for row in rows)
    row = next((one for one in known if one is not None and one.unmatched_id == name), None)
    if row is None:
        row = Unmatched(
            unmatched_id=name,
            kind=closure.kind,
            pair=closure.pair,
            crossing_id=closure.crossing_id,
            subject=closure.subject,
            since_us=closure.since_us,
            why=f"{_CLOSED}{closure.reason}"[:400],
        )
    closed = replace(row, closed_by=closure.event_id, closed_at_us=closure.at_us)
    change = Change(closed_key(name), ClosedRow(at_us=closure.at_us, closed_by=closure.event_id))
    return Step([change], [Output("unmatched", closed)])


def too_late(row: RecordRow) -> Unmatched:
    """The queue's row of an entry from before everything that can still be revised."""
    return Unmatched(
        unmatched_id=f"{row.record_id}|too_late",
        kind="too_late",
        pair=row.pair,
        crossing_id=row.crossing_id,
        subject=row.person,
        since_us=row.at_us,
        why="an entry from before the records that can still be revised",
        evidence=row.source_event_ids,
    )
