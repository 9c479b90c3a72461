"""The ledger stage: one border record a person, whose entry into one country is the exit from the other.

An end with `entered` gives a record; a later end of the same crossing and person that says otherwise retracts
it; one that says `entered` again, differently, corrects it. All under one `record_id`. Each change looks at the
records beside it in the person's chain again, and revises those of which something changed.
"""

from bisect import bisect
from typing import Final

from msgspec.structs import replace

from schemas.alert import Rejected
from schemas.border import BorderRecord, Closure, CrossingEnded, RecordCorrection
from schemas.gate import Tick
from schemas.ids import record_id
from schemas.topics import topic_key
from schemas.wire import encode
from stream.ledger.corrections import (
    corrected,
    end_of,
    found,
    row_of,
    too_early,
    without_record,
    wrong_with,
)
from stream.ledger.exchange import exchanged, party_changed, site_changed, taken_over
from stream.ledger.forget import pass_time
from stream.ledger.record import border_record, take
from stream.ledger.rows import RecordRow, correction_key
from stream.ledger.state import LedgerState, is_over
from stream.ledger.stays import DISORDER_US, derive, opened
from stream.ledger.waiting import close, difference, too_late
from stream.reference import Reference
from stream.stage import NOTHING, Given, Input, Output, ReferenceChanged, Stage, Step, TakenOver
from stream.state import Change, KeyedState


class Ledger:
    """The stage that turns ends of crossings into border records."""

    name = "ledger"
    input = "crossings"
    changelog = "ledger-changelog"
    references: tuple[str, ...] = ("parties", "sites")
    ticks = True

    def new_state(self) -> LedgerState:
        """The empty state of one partition."""
        return LedgerState()

    def step(self, state: KeyedState, reference: Reference, given: Given) -> Step:
        """What follows from one record."""
        if not isinstance(state, LedgerState):
            raise TypeError(f"the ledger stage needs a LedgerState, got {type(state).__name__}")
        if isinstance(given, Input):
            return _taken(state, reference, given)
        match given:
            case ReferenceChanged(topic="parties", key=key, message=message):
                return party_changed(state, reference, key, message)
            case ReferenceChanged(topic="sites", key=key):
                return site_changed(state, reference, key)
            case TakenOver():
                return taken_over(state, reference)
            case _:
                return NOTHING


LEDGER: Final[Stage] = Ledger()


def _taken(state: LedgerState, reference: Reference, given: Input) -> Step:
    step = NOTHING
    match given.message:
        case CrossingEnded(person=None):
            pass  # nobody known: the lanes stage keeps it in the unmatched queue
        case CrossingEnded(person=str(person)) as ended:
            if ended.entered.country == ended.left.country:
                return _refused(given, ended, "$.left.country: the country that is entered")
            step = _told(state, reference, _ended(state, ended, person))
        case RecordCorrection() as correction:
            wrong = wrong_with(correction)
            if wrong is not None:
                return _refused(given, correction, wrong)
            step = _told(state, reference, _corrected(state, correction))
        case Tick(at_us=at_us):
            step = pass_time(state, at_us)
        case Closure() as closure:
            step = close(state, closure)
        case _:
            pass
    return step


def _ended(state: LedgerState, ended: CrossingEnded, person: str) -> Step:
    """The record of the end and what becomes of the records beside it."""
    key = record_id(ended.crossing_id, person)
    old = state.record(key)
    if old is not None and ended.revision <= old.end_revision:
        return NOTHING
    correction = state.correction(key)
    taken, differs = take(old, corrected(ended, correction), person, key)
    if old is None and _is_too_late(state, taken):
        return Step([], [Output("unmatched", too_late(taken))]) if differs else NOTHING
    step = _written(state, old, taken, differs=differs, at_us=ended.at_us)
    if correction is not None:
        step.changes.append(Change(correction_key(key), replace(correction, end=ended)))
        step.outputs.extend(found(state, correction, ended.at_us))
    return step


def _corrected(state: LedgerState, correction: RecordCorrection) -> Step:
    """The record as a person sets it right, and what becomes of the records beside it."""
    key, row = correction.record_id, row_of(correction)
    before, old = state.correction(key), state.record(key)
    if before is not None and row.place <= before.place:
        return NOTHING
    if old is None:
        return Step([Change(correction_key(key), row)], without_record(state, row))
    end = end_of(old) if before is None or before.end is None else before.end
    said = corrected(end, row)
    taken, differs = take(old, said, old.person, key)
    if taken.in_force and _is_too_late(state, taken):
        return Step([], too_early(state, row))
    step = _written(state, old, taken, differs=differs, at_us=correction.at_us)
    step.changes.append(Change(correction_key(key), replace(row, end=end)))
    return step


def _written(
    state: LedgerState, old: RecordRow | None, taken: RecordRow, *, differs: bool, at_us: int
) -> Step:
    if not differs:
        return Step([Change(taken.record_id, taken)], [])
    return _revised(state, old if old is not None and old.in_force else None, taken, at_us)


def _revised(state: LedgerState, old: RecordRow | None, taken: RecordRow, at_us: int) -> Step:
    """Put the record into its person's chain, or take it out, and write what changed there."""
    chain = [row for row in state.records_of(taken.person) if row.in_force and row is not old]
    touched: set[int] = set()
    if taken.in_force:
        at = _position(chain, taken)
        chain.insert(at, taken)
        touched = {at, at + 1}
        # What comes later changes nothing of the record before it, and neither did what came later still.
        if at and taken.at_us - chain[at - 1].at_us <= DISORDER_US:
            touched.add(at - 1)
    if old is not None:
        gap = _position(chain, old)
        touched |= {gap - 1, gap}
    before = [] if old is None else [old]
    after = [] if taken.in_force else [taken]
    for at in sorted(touched):
        if 0 <= at < len(chain):
            row, now = chain[at], _derived(state, chain, at)
            if row is taken:
                after.append(now)
            elif now is not row:
                before.append(row)
                after.append(replace(now, revision=row.revision + 1))
    outputs = [Output("border-records", border_record(row)) for row in after]
    outputs += difference(state, before, after, f"record:{taken.record_id}", at_us)
    return Step([Change(row.record_id, row) for row in after], outputs)


def _position(chain: list[RecordRow], row: RecordRow) -> int:
    """Where the record stands among others, or would stand."""
    if not chain or chain[-1].at_us < row.at_us:
        return len(chain)
    return bisect(chain, row.place, key=_place)


def _derived(state: LedgerState, chain: list[RecordRow], at: int) -> RecordRow:
    """The record as those beside it make it; itself where nothing changes."""
    row = chain[at]
    before = opened(chain[at - 1]) if at else state.stay_before(row.person)
    after = chain[at + 1] if at + 1 < len(chain) else None
    baseline, before, anomalies = derive(before, row, after)
    if (baseline, before, anomalies) == (row.baseline, row.before, row.anomalies):
        return row
    return replace(row, baseline=baseline, before=before, anomalies=anomalies)


def _place(row: RecordRow) -> tuple[int, str]:
    return row.place


def _told(state: LedgerState, reference: Reference, step: Step) -> Step:
    """The step with what the two countries are told of its records."""
    for _, message in tuple(step.outputs):
        if isinstance(message, BorderRecord):
            more = exchanged(state, reference, message)
            step.changes.extend(more.changes)
            step.outputs.extend(more.outputs)
    return step


def _is_too_late(state: LedgerState, row: RecordRow) -> bool:
    """Whether the record would stand among those that are forgotten."""
    return state.now_us is not None and is_over(row, state.now_us)


def _refused(given: Input, said: CrossingEnded | RecordCorrection, detail: str) -> Step:
    """What cannot be, as a dead letter."""
    dead = Rejected(
        stage=LEDGER.name,
        topic=LEDGER.input,
        partition=given.partition,
        offset=given.offset,
        key=topic_key(said).encode(),
        raw=encode(said),
        reason="invalid",
        detail=detail,
    )
    return Step([], [Output("rejected", dead)])
