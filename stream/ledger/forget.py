"""What time alone does: records past the horizon become the stay that they left open; the queue grows old."""

from stream.ledger.corrections import given_up
from stream.ledger.rows import (
    CLOCK_KEY,
    Clock,
    CorrectionRow,
    OpenStay,
    RecordRow,
    exchange_key,
    stay_key,
)
from stream.ledger.state import LedgerState
from stream.ledger.stays import opened
from stream.ledger.waiting import overdue
from stream.stage import NOTHING, Output, Step
from stream.state import Change


def pass_time(state: LedgerState, now_us: int) -> Step:
    """What a tick changes; nothing when it is not newer than the last one."""
    if state.now_us is not None and now_us <= state.now_us:
        return NOTHING
    step = Step([Change(CLOCK_KEY, Clock(now_us=now_us))], [])
    stays: dict[str, OpenStay] = {}
    records: list[RecordRow] = []
    for key, row in state.due(now_us):
        step.changes.append(Change(key, None))
        if state.get(exchange_key(key)) is not None:
            step.changes.append(Change(exchange_key(key), None))
        if isinstance(row, RecordRow) and row.in_force:
            records.append(row)
        if isinstance(row, CorrectionRow):
            step.outputs.extend(given_up(state, row))
    for row in sorted(records, key=lambda one: one.place):
        late = overdue(state, row)
        if late is not None:
            step.outputs.append(Output("unmatched", late))
        stays[row.person] = opened(row)
    for person, stay in stays.items():
        before = state.stay_before(person)
        if before is None or before.opened_at_us <= stay.opened_at_us:
            step.changes.append(Change(stay_key(person), stay))
    return step
