"""Drives the ledger stage alone: ends of crossings in, the records, stays and rows of the queue in force out."""

from collections.abc import Iterable

from schemas.border import BorderRecord, Closure, CrossingEnded, Ending, Side, Unmatched
from schemas.gate import Tick
from schemas.message import Country, Message
from stream.ledger.step import LEDGER
from stream.reference import Reference
from stream.stage import Input, encode_change
from stream.state import KeyedState

NOON = 1_772_460_000_000_000
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ANA = "person:ana"

_PAIRS: dict[frozenset[str], str] = {
    frozenset(("US", "MX")): "lar-wtb",
    frozenset(("US", "CA")): "det-amb",
    frozenset(("CA", "MX")): "by-air",
}
_AUTHORITIES = {"US": "CBP", "CA": "CBSA", "MX": "ANAM"}


def end(
    crossing: str,
    way: str,
    at_us: int,
    *,
    revision: int = 1,
    how: Ending = "entered",
    person: str | None = ANA,
) -> CrossingEnded:
    """How a crossing ended; `way` is such as `MX>US`."""
    left, entered = way.split(">")
    return CrossingEnded(
        crossing_id=crossing,
        person=person,
        role="driver",
        revision=revision,
        how=how,
        pair=_PAIRS[frozenset((left, entered))],
        entered=_side(entered, lane="L01"),
        left=_side(left),
        at_us=at_us,
        source_event_ids=(f"gw1.e1.{revision}",),
    )


def _side(country: str, lane: str | None = None) -> Side:
    known: dict[str, Country] = {"US": "US", "CA": "CA", "MX": "MX"}
    return Side(
        country=known[country], office_code=None, authority=_AUTHORITIES[country], lane=lane
    )


class LedgerDesk:
    """The stage with its state. `killed`: the state is thrown away and restored before every input."""

    def __init__(self, *, killed: bool = False) -> None:
        self.state: KeyedState = LEDGER.new_state()
        self.changelog: dict[str, bytes | None] = {}
        self.outputs: list[Message] = []
        self._killed = killed
        self._offset = 0

    def take(self, *messages: Message) -> list[Message]:
        """Step the messages; returns what they wrote."""
        written: list[Message] = []
        for message in messages:
            if self._killed:
                self.state = self.restored()
            step = LEDGER.step(self.state, Reference(), Input(0, self._offset, message))
            self._offset += 1
            self.state.apply(step.changes)
            for change in step.changes:
                self.changelog[change.key] = encode_change(change)
            written += [one.message for one in step.outputs]
        self.outputs += written
        return written

    def tick(self, at_us: int) -> list[Message]:
        return self.take(Tick(partition=0, at_us=at_us))

    def restored(self) -> KeyedState:
        """The state as the changelog gives it, whose rows compaction may have in any order."""
        state = LEDGER.new_state()
        for key, row in reversed(self.changelog.items()):
            state.load(key, row)
        return state

    def records(self) -> dict[str, BorderRecord]:
        """The last revision of each record, by crossing."""
        return last_records(self.outputs)

    def waiting(self) -> list[Unmatched]:
        """The open rows of the queue."""
        last = {one.unmatched_id: one for one in self.outputs if isinstance(one, Unmatched)}
        return [row for row in last.values() if row.closed_by is None]


def last_records(outputs: Iterable[Message]) -> dict[str, BorderRecord]:
    return {one.crossing_id: one for one in outputs if isinstance(one, BorderRecord)}


def closure(row: Unmatched, at_us: int, event_id: str = "desk.e1.1") -> Closure:
    """A person closes a row that stands on the screen."""
    return Closure(
        event_id=event_id,
        unmatched_id=row.unmatched_id,
        kind=row.kind,
        pair=row.pair,
        person=row.subject,
        crossing_id=row.crossing_id,
        subject=row.subject,
        since_us=row.since_us,
        at_us=at_us,
        authority="CBP",
        officer="officer-7",
        reason="left by air",
    )
