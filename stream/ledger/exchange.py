"""What the two countries of a pair are told of a record, when they are told it again, and when it is taken back.

Each country's topic gets the same; no other country gets anything. What is said counts its own revisions under the
`record_id`, since a change of the person's row says something new without a new revision of the border record.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from schemas.alert import Alert
from schemas.border import BorderRecord
from schemas.exchange import ExchangeRetraction, RetractionReason
from schemas.message import Country, Message
from schemas.reference import Person
from stream.ledger.allowed import Basis, Passed, basis, passed, recipients, remembered, told
from stream.ledger.rows import ExchangeRow, RecordRow, exchange_key
from stream.ledger.state import LedgerState
from stream.reference import Reference
from stream.stage import NOTHING, Output, Step
from stream.state import Change

TOPIC_OF: Final[dict[Country, str]] = {
    "US": "exchange-us",
    "CA": "exchange-ca",
    "MX": "exchange-mx",
}

_BITS: Final[dict[Country, int]] = {"US": 1, "CA": 2, "MX": 4}

#: `said` of a record that was taken back.
TAKEN_BACK: Final = 0


def exchanged(state: LedgerState, reference: Reference, record: BorderRecord) -> Step:
    """What a written record changes on the exchange topics; `state` is that before the step."""
    allowed = passed(record)
    step = _told(_row(state, record.record_id), allowed, reference)
    if allowed.in_force and not recipients(allowed, reference):
        return Step(step.changes, [*step.outputs, Output("alerts", _withheld(record))])
    return step


def party_changed(
    state: LedgerState, reference: Reference, key: str, message: Message | None
) -> Step:
    """What a changed row of `parties` changes on the exchange topics.

    A row that is deleted takes nothing back: what a country was told of a person it knows.
    """
    if not isinstance(message, Person):
        return NOTHING
    return _again(state, state.records_of(key), reference)


def site_changed(state: LedgerState, reference: Reference, pair: str) -> Step:
    """What a changed site changes: the local times, and whose pair it is."""
    return _again(state, (row for row in state.records() if row.pair == pair), reference)


def taken_over(state: LedgerState, reference: Reference) -> Step:
    """What differs from what was last said, after rows may have changed while nobody looked."""
    return _again(state, state.records(), reference)


def _row(state: LedgerState, record_id: str) -> ExchangeRow | None:
    row = state.get(exchange_key(record_id))
    return row if isinstance(row, ExchangeRow) else None


def _again(state: LedgerState, rows: Iterable[RecordRow], reference: Reference) -> Step:
    steps = {}
    for one in rows:
        step = _told(_row(state, one.record_id), remembered(one), reference, again=True)
        if step is not NOTHING:
            steps[one.record_id] = step
    whole = Step([], [])
    for _, step in sorted(steps.items()):
        whole.changes.extend(step.changes)
        whole.outputs.extend(step.outputs)
    return whole


def _told(
    before: ExchangeRow | None, record: Passed, reference: Reference, *, again: bool = False
) -> Step:
    """Say what differs from what was said. `again`: not the record changed, but what it is told with."""
    earlier: tuple[Country, ...] = () if before is None else _countries(before.to)
    revision = 1 if before is None else before.revision + 1
    if not record.in_force:
        if before is None or before.said == TAKEN_BACK:
            return NOTHING
        row = ExchangeRow(revision=revision, said=TAKEN_BACK, to=before.to)
        return _step(record, row, _taken_back(record, revision, earlier, "no_entry"))
    now, of = recipients(record, reference), basis(record, reference)
    if again and before is not None and of.s92 is None and not before.provisional:
        return NOTHING
    row = ExchangeRow(revision=revision, said=_hash(of), to=_bits(now), provisional=of.s92 is None)
    if before is None and not now:
        return NOTHING
    if before is not None and (before.said, before.to) == (row.said, row.to):
        return NOTHING
    said = told(record.record_id, revision, of)
    outputs = [Output(TOPIC_OF[country], said) for country in now]
    if before is not None and before.said != TAKEN_BACK:
        lost = [one for one in earlier if one not in now]
        outputs = [*_taken_back(record, revision, lost, "record_in_error"), *outputs]
    return _step(record, row, outputs)


def _step(record: Passed, row: ExchangeRow, outputs: list[Output]) -> Step:
    return Step([Change(exchange_key(record.record_id), row)], outputs)


def _taken_back(
    record: Passed, revision: int, countries: Iterable[Country], reason: RetractionReason
) -> list[Output]:
    said = ExchangeRetraction(record_id=record.record_id, revision=revision, reason=reason)
    return [Output(TOPIC_OF[country], said) for country in countries]


def _withheld(record: BorderRecord) -> Alert:
    """Says that nobody is told of a record, since its countries are not those of its pair. It names no person."""
    return Alert(
        alert_id=f"exchange_withheld|{record.record_id}",
        kind="exchange_withheld",
        severity="warning",
        subject=record.pair,
        pair=record.pair,
        at_us=record.entry.at_us,
        evidence=record.source_event_ids,
        what_to_do="look at the site's offices and the lane's direction; then correct the crossing",
    )


def _hash(of: Basis) -> int:
    """A number for what is said, whatever revision says it; never that of what was taken back."""
    whole = blake2b(msgspec.msgpack.encode(of), digest_size=8).digest()
    return int.from_bytes(whole, "big") or 1


def _bits(countries: Iterable[Country]) -> int:
    return sum(_BITS[country] for country in countries)


def _countries(bits: int) -> tuple[Country, ...]:
    return tuple(sorted(country for country, bit in _BITS.items() if bits & bit))
