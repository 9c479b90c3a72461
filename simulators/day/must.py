"""What must come of a scene, said beside what happens in it. It becomes a line of truth."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from msgspec.structs import replace

from schemas.trips import TripFiling
from simulators.day import truth
from simulators.day.cast import Held
from simulators.day.places import DAY, MINUTE, Places, office
from simulators.day.ride import Ride

EXPIRY_US: Final = DAY

Basis = Literal["read", "declared", "missing"]


class Must:
    """Collects what must come of a scene."""

    def __init__(self, places: Places) -> None:
        """Nothing yet."""
        #: Ids and tokens of all that belongs to the scene.
        self.things: dict[str, None] = {}
        #: What notices say of the goods of a trip.
        self.goods: dict[str, tuple[str, ...]] = {}
        #: How trips must stand at the end.
        self.trips: dict[str, str] = {}
        self.etas_us: dict[str, int] = {}
        self.waiting: list[tuple[str, str | None]] = []
        self.waiting_may: list[str] = []
        self.alerts: list[tuple[str, str]] = []
        self.alerts_may: list[str] = []
        self.card_flags: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.went_over = 0
        self._places = places
        self._crossings: list[truth.Crossing] = []
        self._records: list[truth.Entry] = []

    def cross(
        self,
        ride: Ride,
        read: Sequence[Held],
        trip: TripFiling | None,
        states: tuple[str, ...] = ("closed",),
        *,
        first_us: int | None = None,
        flags: tuple[str, ...] = (),
        flags_may: tuple[str, ...] = (),
        links: Iterable[tuple[str | None, Basis]] | None = None,
        **more: object,
    ) -> None:
        """A crossing: what was read of it, and the trip that it is joined with in the end.

        Links, unless given: what was read, what the trip declares beside it, and the trip.
        """
        number = None if trip is None else trip.trip_number
        goods = self.goods.get(number, ()) if number is not None else ("no_manifest",)
        tied = self._links(read, trip) if links is None else links
        self._crossings.append(
            truth.Crossing(
                anchor=read[0].id if read[0].id in self.things else read[0].token,
                first_us=ride.queue_us if first_us is None else first_us,
                pair=ride.way.pair,
                direction=ride.way.direction,
                lanes=(ride.lane,),
                states=states,
                trip=number,
                flags=tuple(sorted({*flags, *goods})),
                flags_may=flags_may,
                links=tuple(truth.Link(id=one, basis=basis) for one, basis in tied),
                **more,  # type: ignore[arg-type]
            )
        )

    def record(
        self,
        ride: Ride,
        person: Held,
        *,
        at_us: int | None = None,
        state: Literal["live", "corrected", "retracted", "in_force"] = "live",
        role: str | None = None,
        was_us: tuple[int, ...] = (),
        anomalies: tuple[str, ...] | None = (),
    ) -> None:
        """A border record of the person."""
        port = self._places.ports[ride.way.pair]
        self._records.append(
            truth.Entry(
                person=person.id,
                pair=ride.way.pair,
                entered=ride.way.entered,
                left=ride.way.left,
                office=office(port, ride.way.entered),
                other_office=office(port, ride.way.left),
                lane=ride.lane,
                at_us=ride.decided_us if at_us is None else at_us,
                state=state,
                role=role,
                was_us=was_us,
                anomalies=anomalies,
            )
        )

    def nothing_in_time(self) -> None:
        """The gateway reached nobody meanwhile: what was to be said on the way may come too late to be said."""
        self._crossings = [replace(one, said=(), flags_before_booth=()) for one in self._crossings]
        self._records = [
            replace(one, state="in_force") if one.state == "live" else one for one in self._records
        ]

    def expire(self, until_us: int) -> None:
        """Trips that nobody used expire 24 h after their ETA (docs/stream.md); near the end nobody can tell."""
        for number, status in list(self.trips.items()):
            left_us = until_us - self.etas_us[number] - EXPIRY_US
            if status == "on_file" and abs(left_us) < 5 * MINUTE:
                del self.trips[number]
            elif status == "on_file" and left_us > 0:
                self.trips[number] = "expired"

    def scene(self, name: str, odd: str, pair: str, from_us: int, until_us: int) -> truth.Scene:
        """The line of truth."""
        return truth.Scene(
            scene=name,
            odd=odd,
            pair=pair,
            from_us=from_us,
            until_us=until_us,
            things=tuple(self.things),
            crossings=tuple(self._crossings),
            records=tuple(_with_stays(self._records)),
            went_over=self.went_over,
            waiting=tuple(self.waiting),
            waiting_may=tuple(self.waiting_may),
            alerts=tuple(self.alerts),
            alerts_may=tuple(self.alerts_may),
            card_flags=tuple(self.card_flags),
            refused=tuple(self.refused),
            trips=self.trips,
        )

    def _links(
        self, read: Sequence[Held], trip: TripFiling | None
    ) -> list[tuple[str | None, Basis]]:
        ids = [one.id for one in read]
        found: list[tuple[str | None, Basis]] = [
            (one if one in self.things else None, "read") for one in ids
        ]
        if trip is None:
            return [*found, (None, "missing")]
        declared = [one.id for one in (*trip.drivers, *trip.passengers)]
        declared += [one.id for one in trip.trailers]
        declared += [trip.truck.id] if trip.truck is not None else []
        found += [(one, "declared") for one in declared if one is not None and one not in ids]
        return [*found, (trip.trip_number, "declared")]


def _with_stays(records: Sequence[truth.Entry]) -> Iterator[truth.Entry]:
    """Each record with the stay that it closes: that which the person's record before it opened."""
    last: dict[str, truth.Entry] = {}
    for one in sorted(records, key=lambda record: record.at_us):
        if one.state == "retracted":
            yield one
            continue
        before = last.get(one.person)
        last[one.person] = one
        if before is None:
            yield one
            continue
        fits = before.entered == one.left
        yield replace(one, closes_us=before.at_us, closes="exit" if fits else "missing_exit")
