"""The lanes stage: one step a record.

Sightings are grouped into crossings; each crossing is joined with the reference rows; a notice is written
for each change that its reader would see; an officer's decision ends the crossing.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from schemas.gate import (
    Correction,
    Decision,
    EpochStarted,
    Heartbeat,
    ManualRead,
    ReaderStatus,
    Sighting,
    SightingGone,
    SightingSeen,
    Skipped,
    Tick,
    split_event_id,
)
from schemas.ids import crossing_id
from schemas.message import Message
from schemas.reference import Credential, Site, Trip
from stream.lanes.decide import find_target, rule
from stream.lanes.ended import without_crossing
from stream.lanes.grouping import AFTER_END_US, MATCH_US, MINUTE, find_crossing
from stream.lanes.heard import add, over
from stream.lanes.rows import (
    Crossing,
    LanesState,
    Pending,
    Sequence,
    crossing_key,
    pending_key,
    sequence_key,
)
from stream.lanes.sequence import bad_id_alert, gap_alert, place, without
from stream.lanes.settle import settle
from stream.reference import Reference, declared
from stream.stage import NOTHING, Given, Input, Output, ReferenceChanged, Stage, Step, TakenOver
from stream.state import Change, KeyedState

#: Closed crossings can be revised for this long.
HORIZON_US: Final = 7 * 24 * 60 * MINUTE

FromGateway = SightingSeen | SightingGone | Heartbeat | ReaderStatus | Skipped | EpochStarted
Counted = FromGateway | Decision | ManualRead | Correction


class Lanes:
    """The stage that turns gate events into notices and ends of crossings."""

    name = "lanes"
    input = "gate-events"
    changelog = "lanes-changelog"
    references: tuple[str, ...] = ("credentials", "parties", "trips", "sites")
    ticks = True

    def new_state(self) -> LanesState:
        """The empty state of one partition."""
        return LanesState()

    def step(self, state: KeyedState, reference: Reference, given: Given) -> Step:
        """What follows from one record."""
        if not isinstance(state, LanesState):
            raise TypeError(f"the lanes stage needs a LanesState, got {type(state).__name__}")
        draft = _Draft(state, reference)
        match given:
            case Input(message=message):
                draft.take(message)
            case ReferenceChanged(topic=topic, key=key, message=message):
                draft.reference_changed(topic, key, message)
            case TakenOver():
                for crossing in _in_order((*state.open(), *state.closed())):
                    draft.settle(crossing, "taken_over")
        return draft.done()


LANES: Final[Stage] = Lanes()


class _Draft:
    """The changes and outputs of one step."""

    def __init__(self, state: LanesState, reference: Reference) -> None:
        self._state = state
        self._reference = reference
        self._changes: dict[str, Change] = {}
        self._outputs: list[Output] = []

    def done(self) -> Step:
        if not self._changes and not self._outputs:
            return NOTHING
        return Step(list(self._changes.values()), self._outputs)

    def take(self, message: Message) -> None:
        match message:
            case Tick(at_us=at_us):
                self._tick(at_us)
            case (
                SightingSeen()
                | SightingGone()
                | Heartbeat()
                | ReaderStatus()
                | Skipped()
                | EpochStarted()
            ):
                if self._new(message):
                    self._from_gateway(message)
            case ManualRead() | Correction():
                self._new(message)
            case Decision():
                if self._new(message):
                    self._decide(message)
            case _:
                raise TypeError(f"no gate event: {type(message).__name__}")

    def _from_gateway(self, event: FromGateway) -> None:
        match event:
            case SightingSeen():
                self._seen(event, gone=False)
            case SightingGone(observed=True):
                self._gone(event)
            case SightingGone() | Heartbeat() | ReaderStatus() | Skipped() | EpochStarted():
                pass  # a glimpse opens nothing; the rest is for the people who look after readers

    # ---- repeats and losses

    def _new(self, event: Counted) -> bool:
        """Note the event in its writer's sequence; False when it is a repeat."""
        parts = split_event_id(event.event_id)
        if parts is None:
            self._outputs.append(
                Output("alerts", bad_id_alert(event.event_id, event.pair, event.at_us))
            )
            return False
        placed = place(self._state.sequence(parts.writer, parts.epoch), parts.seq)
        if placed.sequence is None:
            return False
        sequence, gap = placed.sequence, placed.gap
        if isinstance(event, Skipped):
            gaps = without(sequence.gaps, event.from_seq, event.to_seq)
            sequence = replace(sequence, gaps=gaps)
            gap = next(iter(without((gap,), event.from_seq, event.to_seq)), None) if gap else None
        self._set(sequence_key(parts.writer, parts.epoch), sequence)
        if gap is not None:
            self._outputs.append(Output("alerts", gap_alert(parts, gap, event.pair, event.at_us)))
        return True

    # ---- sightings

    def _seen(self, event: Sighting, *, gone: bool) -> None:
        credential = self._reference.credential(event.token)
        if credential is None and event.scheme != "opaque":
            return  # goods on board carry tags too; only an enrolled one is a vehicle's
        crossing = find_crossing(self._state, self._reference, event, credential)
        if crossing is None:
            crossing = Crossing(
                crossing_id=crossing_id(event.pair, event.event_id),
                pair=event.pair,
                direction=event.direction,
                lane=event.lane,
                at_us=event.at_us,
            )
        heard = add(crossing.heard, event, credential, gone=gone)
        crossing = replace(crossing, heard=heard, at_us=max(crossing.at_us, event.at_us))
        crossing = self.settle(crossing, event.event_id)
        if event.position in ("primary", "secondary"):
            self._retry(event)

    def _gone(self, event: SightingGone) -> None:
        """The end of a stay whose `seen` is known; else the stay is all there is of it."""
        credential = self._reference.credential(event.token)
        subject = event.token if credential is None else credential.credential_id
        for crossing in self._state.holding(subject):
            for at, heard in enumerate(crossing.heard):
                if event.seen_event_id in heard.event_ids and heard.token == event.token:
                    ended = over(heard, event)
                    every = (*crossing.heard[:at], ended, *crossing.heard[at + 1 :])
                    at_us = max(crossing.at_us, event.at_us)
                    now = replace(crossing, heard=every, at_us=at_us)
                    if ended.first_us < heard.first_us:
                        self.settle(now, event.event_id)
                    else:  # nothing that anyone reads depends on a stay's end
                        self._set(crossing_key(crossing.crossing_id), now)
                    return
        self._seen(event, gone=True)

    # ---- decisions

    def _decide(self, decision: Decision) -> None:
        crossing = self._target(decision)
        if crossing is not None:
            self._apply(crossing, decision)
            return
        self._set(pending_key(decision.event_id), Pending(decision=decision))
        self._outputs.append(Output("unmatched", without_crossing(decision)))

    def _target(self, decision: Decision) -> Crossing | None:
        """As `find_target`, over the state with this step's own changes."""
        at_booth = {
            crossing.crossing_id: crossing
            for crossing in self._state.at_booth(decision.pair, decision.lane or "", decision.at_us)
        }
        for change in self._changes.values():
            if isinstance(change.value, Crossing) and change.value.pair == decision.pair:
                at_booth[change.value.crossing_id] = change.value
        named = decision.crossing_id or ""
        return find_target(
            decision, at_booth.get(named) or self._state.crossing(named), at_booth.values()
        )

    def _apply(self, crossing: Crossing, decision: Decision) -> None:
        at_us = max(crossing.at_us, decision.at_us)
        self.settle(
            replace(crossing, rulings=rule(crossing, decision), at_us=at_us), decision.event_id
        )

    def _retry(self, event: Sighting) -> None:
        """A vehicle was heard at a booth: try the decisions that found none there."""
        for decision in self._state.pending():
            crossing = self._target(decision) if decision.pair == event.pair else None
            if crossing is None:
                continue
            self._set(pending_key(decision.event_id), None)
            row = without_crossing(decision)
            closed = replace(row, closed_by=event.event_id, closed_at_us=event.at_us)
            self._outputs.append(Output("unmatched", closed))
            self._apply(crossing, decision)

    # ---- time and reference rows

    def _tick(self, now_us: int) -> None:
        due = [crossing for crossing in self._state.open() if now_us >= _due_us(crossing)]
        for crossing in _in_order(due):
            late = replace(crossing, closed=True, at_us=max(crossing.at_us, now_us))
            if crossing.ended_at_us is None:
                late = replace(late, lost_at_us=now_us)
            self.settle(late, "tick")
        for crossing in self._state.closed():
            if now_us - max(crossing.last_us, crossing.ended_at_us or 0) < HORIZON_US:
                break
            self._set(crossing_key(crossing.crossing_id), None)
        for decision in self._state.pending():
            if now_us - decision.at_us < HORIZON_US:
                break
            # Its row in the unmatched queue stays open: a person closes it.
            self._set(pending_key(decision.event_id), None)

    def reference_changed(self, topic: str, key: str, message: Message | None) -> None:
        """A reference row changed: look again at the crossings that it touches."""
        touched: dict[str, Crossing] = {}
        if topic == "credentials":
            subjects = {key}
            if isinstance(message, Credential):
                subjects.add(message.credential_id)
            for subject in subjects:
                touched.update((one.crossing_id, one) for one in self._state.holding(subject))
        elif topic == "trips":
            touched.update((one.crossing_id, one) for one in self._state.joined_with(key))
            if isinstance(message, Trip):
                touched.update((one.crossing_id, one) for one in self._declared_by(message))
        elif topic == "sites" and isinstance(message, Site):
            touched = {
                one.crossing_id: one for one in self._state.open() if one.pair == message.pair
            }
        for crossing in _in_order(touched.values()):
            self.settle(crossing, f"{topic}:{key}")

    def _declared_by(self, trip: Trip) -> list[Crossing]:
        """Crossings that hold a card of somebody or something that the trip declares."""
        return [
            crossing
            for thing in declared(trip)
            for credential in self._reference.credentials_of(thing)
            for crossing in self._state.holding(credential.credential_id)
        ]

    # ---- writing

    def settle(self, crossing: Crossing, cause: str) -> Crossing:
        """Look at the crossing anew; keep it if it differs from what the state holds."""
        settled = settle(crossing, self._state, self._reference, cause)
        key = crossing_key(crossing.crossing_id)
        if settled.outputs or settled.crossing != self._state.get(key):
            self._set(key, settled.crossing)
        self._outputs.extend(Output(topic, message) for topic, message in settled.outputs)
        return settled.crossing

    def _set(self, key: str, value: Crossing | Pending | Sequence | None) -> None:
        self._changes[key] = Change(key, value)


def _due_us(crossing: Crossing) -> int:
    """When time alone changes an open crossing."""
    if crossing.ended_at_us is not None:
        return crossing.ended_at_us + AFTER_END_US
    return crossing.last_us + MATCH_US


def _in_order(crossings: Iterable[Crossing]) -> list[Crossing]:
    """In an order that a state restored from its changelog has too."""
    return sorted(crossings, key=lambda crossing: crossing.crossing_id)
