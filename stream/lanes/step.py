"""The lanes stage: one step a record.

Sightings are grouped into crossings; each crossing is joined with the reference rows; a notice is written
for each change that its reader would see; an officer's decision ends the crossing.
"""

from typing import Final

from schemas.gate import (
    Correction,
    Decision,
    EpochStarted,
    Heartbeat,
    ManualRead,
    ReaderStatus,
    SightingGone,
    SightingSeen,
    Skipped,
    Tick,
)
from schemas.message import Message
from stream.lanes.admission import admit
from stream.lanes.draft import LanesDraft
from stream.lanes.shelves import LanesState
from stream.log.contract import Record
from stream.reference import Reference
from stream.stage import Admitted, Given, Input, ReferenceChanged, Stage, Step, TakenOver
from stream.state import KeyedState


class Lanes:
    """The stage that turns gate events into notices and ends of crossings."""

    name = "lanes"
    input = "gate-events"
    changelog = "lanes-changelog"
    references: tuple[str, ...] = (
        "credentials",
        "parties",
        "trips",
        "sites",
        "policies",
        "credential-flags",
        "watch-lists",
    )
    ticks = True

    def new_state(self) -> LanesState:
        """The empty state of one partition."""
        return LanesState()

    def admit(
        self, state: KeyedState, reference: Reference, record: Record, message: Message
    ) -> Admitted:
        """Events whose gateway signs are used once a signature covers them."""
        return admit(self, _lanes(state), reference, record, message)

    def step(self, state: KeyedState, reference: Reference, given: Given) -> Step:
        """What follows from one record."""
        draft = LanesDraft(_lanes(state), reference)
        match given:
            case Input(message=message):
                _take(draft, message)
            case ReferenceChanged(topic=topic, key=key, message=message):
                draft.reference_changed(topic, key, message)
            case TakenOver():
                draft.taken_over()
        return draft.done()


LANES: Final[Stage] = Lanes()


def _lanes(state: KeyedState) -> LanesState:
    if not isinstance(state, LanesState):
        raise TypeError(f"the lanes stage needs a LanesState, got {type(state).__name__}")
    return state


def _take(draft: LanesDraft, message: Message) -> None:
    match message:
        case Tick(at_us=at_us):
            draft.tick(at_us)
        case SightingSeen():
            if draft.is_new(message):
                draft.heard(message, gone=False)
        case SightingGone():
            # A glimpse is no stay: it opens nothing.
            if draft.is_new(message) and message.observed:
                draft.heard(message, gone=True)
        case Decision() | ManualRead() | Correction():
            if draft.is_new(message):
                draft.say(message)
        case Heartbeat() | ReaderStatus() | Skipped() | EpochStarted():
            # The rest is for the people who look after readers.
            if draft.is_new(message):
                _tell_of_gateway(draft, message)
        case _:
            raise TypeError(f"no gate event: {type(message).__name__}")


def _tell_of_gateway(draft: LanesDraft, message: Message) -> None:
    if isinstance(message, Heartbeat):
        draft.beat(message)
    elif isinstance(message, EpochStarted):
        draft.begin_epoch(message)
