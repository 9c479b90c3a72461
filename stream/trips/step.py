"""The trips stage: the only writer of `trips`.

It takes filings of a trip in their order, refuses what cannot be with a reason (topic `rejected`, reason
`invalid`), and keeps what crossings say of the trip. A tick lets trips expire that nobody used.
"""

from typing import Final

from msgspec.structs import replace

from schemas.alert import Alert, Rejected
from schemas.gate import Tick
from schemas.message import Message
from schemas.reference import Trip
from schemas.topics import topic_key
from schemas.trips import TripFiling, TripUse
from schemas.wire import encode
from stream.reference import Reference
from stream.stage import NOTHING, Given, Input, Output, Stage, Step
from stream.state import Change, KeyedState
from stream.trips.accept import Refusal, accept
from stream.trips.rows import PastTrip, TripRow, TripsState
from stream.trips.uses import use


class Trips:
    """The stage that turns filings into trips."""

    name = "trips"
    input = "trip-filings"
    changelog = "trips-changelog"
    references: tuple[str, ...] = ()
    ticks = True

    def new_state(self) -> TripsState:
        """The empty state of one partition."""
        return TripsState()

    def step(self, state: KeyedState, reference: Reference, given: Given) -> Step:
        """What follows from one record."""
        if not isinstance(state, TripsState):
            raise TypeError(f"the trips stage needs a TripsState, got {type(state).__name__}")
        match given:
            case Input(message=Tick(at_us=at_us)):
                return _tick(state, at_us)
            case Input(message=TripFiling() as filing):
                row = state.row(filing.trip_number)
                found = accept(row, filing, reference.ports)
                return NOTHING if found is None else _done(given, row, found)
            case Input(message=TripUse() as said):
                return _used(state, given, said)
            case _:
                return NOTHING


TRIPS: Final[Stage] = Trips()


def _done(given: Input, before: TripRow | PastTrip | None, after: TripRow | Refusal) -> Step:
    """The row and, when it differs, the trip; or the dead letter."""
    if isinstance(after, Refusal):
        return Step([], [Output("rejected", _rejected(given, after))])
    changes = [Change(after.trip.trip_number, after)]
    same = isinstance(before, TripRow) and before.trip == after.trip
    return Step(changes, [] if same else [Output("trips", after.trip)])


def _used(state: TripsState, given: Input, said: TripUse) -> Step:
    row = state.row(said.trip_number)
    if not isinstance(row, TripRow):
        why = "unknown_trip" if row is None else "too_late"
        return _done(given, row, Refusal(f"{why}: no such trip can be used now"))
    after = use(row, said)
    if after is row:
        return NOTHING
    step = _done(given, row, after)
    return Step(step.changes, [*step.outputs, *_used_twice(row.trip, after.trip, said)])


def _used_twice(before: Trip, after: Trip, said: TripUse) -> list[Output]:
    """An alert for each crossing that uses the trip beside the one that has it, when it is new."""
    known = _too_many(before)
    return [
        Output(
            "alerts",
            Alert(
                alert_id=f"{after.trip_number}:{one.crossing_id}:trip_used_twice",
                kind="trip_used_twice",
                severity="warning",
                subject=after.trip_number,
                pair=one.pair,
                at_us=one.at_us,
                evidence=(said.source_event_id,),
                what_to_do=(
                    f"crossing {after.used_by} has used this trip: find out which vehicle it belongs to"
                ),
            ),
        )
        for one in after.uses
        if one.crossing_id in _too_many(after) - known
    ]


def _too_many(trip: Trip) -> set[str]:
    used = {one.crossing_id for one in trip.uses if one.how == "used"}
    return set() if trip.used_by is None else used - {trip.used_by}


def _tick(state: TripsState, now_us: int) -> Step:
    changes: list[Change] = []
    outputs: list[Output] = []
    for number, row in state.due(now_us):
        if row.trip.status == "on_file":
            trip = replace(row.trip, status="expired")
            changes.append(Change(number, replace(row, trip=trip)))
            outputs.append(Output("trips", trip))
        else:
            changes.append(Change(number, PastTrip(version=row.trip.version)))
    return Step(changes, outputs) if changes else NOTHING


def _rejected(given: Input, why: Refusal) -> Rejected:
    message: Message = given.message
    return Rejected(
        stage=TRIPS.name,
        topic=TRIPS.input,
        partition=given.partition,
        offset=given.offset,
        key=topic_key(message).encode(),
        raw=encode(message),
        reason="invalid",
        detail=str(why)[:400],
    )
