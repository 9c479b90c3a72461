"""The watch stage: one step a record.

The lanes stage tells where each card was heard; here a card is seen at all port pairs together. What cannot be of
one card becomes its flag, which the lanes stage follows as a reference row, and an alert.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from schemas.gate import Tick
from schemas.message import Message
from schemas.reference import Credential
from schemas.watch import CredentialSighting
from stream.reference import Reference
from stream.stage import (
    NOTHING,
    Given,
    Input,
    Output,
    ReferenceChanged,
    Stage,
    Step,
    TakenOver,
)
from stream.state import Change, KeyedState
from stream.watch.look import look_at, turn_us
from stream.watch.plain import is_plain
from stream.watch.rows import CLOCK_KEY, CardRow, Clock, Stay, WatchState, card_key
from stream.watch.stays import MAX_STAYS, WINDOW_US, stay_of, with_stay


class Watch:
    """The stage that turns sightings of a card at all pairs into what is wrong with it."""

    name = "watch"
    input = "credential-sightings"
    changelog = "watch-changelog"
    references: tuple[str, ...] = ("credentials", "sites", "policies")
    ticks = True

    def new_state(self) -> WatchState:
        """The empty state of one partition."""
        return WatchState()

    def step(self, state: KeyedState, reference: Reference, given: Given) -> Step:
        """What follows from one record."""
        if not isinstance(state, WatchState):
            raise TypeError(f"the watch stage needs a WatchState, got {type(state).__name__}")
        match given:
            case Input(message=Tick(at_us=at_us)):
                return _tick(state, at_us, reference)
            case Input(message=CredentialSighting() as told):
                return _heard(state, told, reference)
            case ReferenceChanged(topic=topic, key=key, message=message):
                touched = _touched(state, topic, key, message)
                return _looked(touched, state.now_us, reference)
            case TakenOver():
                return _looked(state.rows(), state.now_us, reference)
            case _:
                return NOTHING


WATCH: Final[Stage] = Watch()


def _heard(state: WatchState, told: CredentialSighting, reference: Reference) -> Step:
    before = state.row(told.credential_id)
    row = CardRow(credential_id=told.credential_id) if before is None else before
    if max(told.first_us, told.last_us) < state.now_us - WINDOW_US:
        return NOTHING
    new = stay_of(told)
    stays, whole = with_stay(row.stays, new)
    if stays is row.stays:
        return NOTHING
    if len(stays) <= MAX_STAYS and is_plain(row, stays, whole, reference):
        due_us = _due_us(row, whole, state.now_us, reference)
        after = replace(row, stays=stays, due_us=due_us)
        return Step([Change(card_key(told.credential_id), after)], [])
    return _step([(before, replace(row, stays=stays))], state.now_us, reference)


def _due_us(row: CardRow, stay: Stay, now_us: int, reference: Reference) -> int:
    """When time alone changes the row with one more stay; sooner does no harm."""
    tag = reference.credential(stay.token)
    place_us = None
    if tag is not None and tag.kind == "trailer_tag":
        place_us = 0 if row.place is None else row.place.last_us
    turn = turn_us(stay, now_us, place_us)
    return min(turn, row.due_us) if row.stays else turn


def _tick(state: WatchState, at_us: int, reference: Reference) -> Step:
    now_us = max(state.now_us, at_us)
    step = _looked(state.due(now_us), now_us, reference)
    if now_us == state.now_us:
        return step
    return Step([Change(CLOCK_KEY, Clock(now_us=now_us)), *step.changes], step.outputs)


def _touched(state: WatchState, topic: str, key: str, message: Message | None) -> Iterable[CardRow]:
    """The cards that a reference row touches. A token that changes hands or goes is seen when it is heard next."""
    if topic == "credentials":
        names = {key, message.credential_id} if isinstance(message, Credential) else {key}
        return [row for name in sorted(names) if (row := state.row(name)) is not None]
    if topic == "sites":
        return [row for row in state.rows() if any(one.pair == key for one in row.stays)]
    return state.rows() if topic == "policies" else ()


def _looked(rows: Iterable[CardRow], now_us: int, reference: Reference) -> Step:
    return _step([(row, row) for row in rows], now_us, reference)


def _step(
    rows: Iterable[tuple[CardRow | None, CardRow]], now_us: int, reference: Reference
) -> Step:
    """Look at rows, each beside what the state holds of it."""
    changes: list[Change] = []
    outputs: list[Output] = []
    for before, row in rows:
        after, new = look_at(row, now_us, reference)
        outputs += new
        if after != before:
            changes.append(Change(card_key(row.credential_id), after))
    return Step(changes, outputs) if changes or outputs else NOTHING
