"""The join: what the cards and tags of a crossing stand for, and which trip declares them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from schemas.arrival import Link
from schemas.border import PersonRole
from schemas.reference import Credential, Trip
from stream.lanes.grouping import MINUTE
from stream.lanes.rows import Crossing, Heard
from stream.reference import Reference, declared

HOUR: Final = 60 * MINUTE

#: A trip is a candidate from this long before its declared arrival to that long after it.
TRIP_EARLY_US: Final = 12 * HOUR
TRIP_LATE_US: Final = 24 * HOUR

#: Read points at which a card in the truck's own lane counts for its holder's border record.
NEAR: Final = ("approach", "primary", "secondary", "exit")


class Known(NamedTuple):
    """A card or tag of a crossing and the credential it stands for, None when there is none."""

    heard: Heard
    credential: Credential | None

    @property
    def is_truck(self) -> bool:
        """Whether it is a truck's tag."""
        return self.credential is not None and self.credential.kind == "truck_tag"

    @property
    def resolved(self) -> Heard:
        """The sighting under the id of its credential, as the credential is known now."""
        subject = self.heard.token if self.credential is None else self.credential.credential_id
        return self.heard if self.heard.subject == subject else replace(self.heard, subject=subject)

    @property
    def person(self) -> str | None:
        """The card's holder, when it is a person's card."""
        if self.credential is None or self.credential.kind != "driver_card":
            return None
        return self.credential.holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A crossing with everything that is known of it."""

    known: tuple[Known, ...]
    trip: Trip | None
    #: Trips that fit equally well, when none can be chosen.
    rivals: tuple[str, ...]
    links: tuple[Link, ...]
    flags: tuple[str, ...]

    def persons(self, lane: str) -> dict[str, PersonRole]:
        """Persons whose card was heard near the booth in the lane, and their part in the trip."""
        near = {
            known.person
            for known in self.known
            if known.heard.position in NEAR and known.heard.lane == lane
        }
        found: dict[str, PersonRole] = {}
        for link in self.links:
            if link.basis == "read" and link.id is not None and link.id in near:
                match link.role:
                    case "driver" | "passenger" | "person" as role:
                        found[link.id] = role
                    case "truck" | "trailer" | "trip":
                        pass
        return found


def know(crossing: Crossing, reference: Reference) -> tuple[Known, ...]:
    """What each card and tag of the crossing stands for."""
    return tuple([Known(heard, reference.credential(heard.token)) for heard in crossing.heard])


def join(
    crossing: Crossing,
    known: tuple[Known, ...],
    reference: Reference,
    used: Callable[[str], bool],
) -> Joined:
    """Choose the trip and tie everything. `used` tells a trip that another crossing used."""
    trip, rivals = _choose_trip(crossing, known, reference, used)
    persons, person_flags = _persons(known, trip)
    trucks, truck_flags = _equipment("truck", known, (trip.truck,) if trip and trip.truck else ())
    trailers, trailer_flags = _equipment(
        "trailer", known, tuple(one.trailer for one in trip.trailers) if trip else ()
    )
    flags = {*person_flags, *truck_flags, *trailer_flags}
    if trip is None:
        flags.add("trip_conflict" if rivals else "no_manifest")
    return Joined(
        known=known,
        trip=trip,
        rivals=rivals,
        links=(*persons, *trucks, *trailers, _trip_link(trip, rivals)),
        flags=tuple(sorted(flags)),
    )


def _choose_trip(
    crossing: Crossing,
    known: tuple[Known, ...],
    reference: Reference,
    used: Callable[[str], bool],
) -> tuple[Trip | None, tuple[str, ...]]:
    """The best candidate; none and the rivals when several are equally good."""
    read = {one.credential.holder for one in known if one.credential is not None}
    first = crossing.first_us
    ranked = sorted(
        (_rank(trip, read, first), trip.trip_number, trip)
        for trip in reference.trips_declaring(read)
        if trip.status == "on_file"
        and trip.direction == crossing.direction
        and trip.eta_us - TRIP_EARLY_US <= first <= trip.eta_us + TRIP_LATE_US
        and (crossing.ended_at_us is None or trip.accepted_at_us <= crossing.ended_at_us)
        and not used(trip.trip_number)
    )
    if not ranked:
        return None, ()
    best = [number for rank, number, _ in ranked if rank == ranked[0][0]]
    return (ranked[0][2], ()) if len(best) == 1 else (None, tuple(best))


def _rank(trip: Trip, read: set[str], first_us: int) -> tuple[int, int, int, int, int]:
    """Smaller is better: truck, driver and trailer matches, distance of the ETA, time of filing."""
    return (
        -int(trip.truck in read),
        -len(read.intersection(trip.drivers)),
        -sum(trailer.trailer in read for trailer in trip.trailers),
        abs(trip.eta_us - first_us),
        trip.filed_at_us,
    )


def _persons(known: tuple[Known, ...], trip: Trip | None) -> tuple[list[Link], list[str]]:
    """Links of everybody read or declared, and what does not fit."""
    links: list[Link] = []
    flags: list[str] = []
    read = {one.person: one.heard.subject for one in known if one.person is not None}
    drivers = trip.drivers if trip else ()
    passengers = trip.passengers if trip else ()
    driver_read = any(driver in read for driver in drivers)
    for person, subject in sorted(read.items()):
        role: PersonRole = "passenger"
        if person in drivers:
            role = "driver"
        elif person not in passengers:
            role = "person" if driver_read or len(read) > 1 else "driver"
            if trip is not None:
                flags.append("undeclared_occupant" if driver_read else "driver_mismatch")
        links.append(Link(role=role, id=person, basis="read", credential_id=subject))
    links.extend(
        Link(role="driver", id=one, basis="declared") for one in drivers if one not in read
    )
    links.extend(
        Link(role="passenger", id=one, basis="declared") for one in passengers if one not in read
    )
    for token in sorted({one.heard.token for one in known if one.credential is None}):
        links.append(Link(role="person", id=None, basis="read", credential_id=token))
        flags.append("unknown_card")
    if not any(link.role in ("driver", "person") for link in links):
        links.append(Link(role="driver", id=None, basis="missing"))
    return links, flags


def _equipment(
    role: Literal["truck", "trailer"], known: tuple[Known, ...], expected: tuple[str, ...]
) -> tuple[list[Link], list[str]]:
    """Links of the trucks or trailers read or declared, and what does not fit."""
    read = {
        one.credential.holder: one.heard.subject
        for one in known
        if one.credential is not None and one.credential.kind == f"{role}_tag"
    }
    links = [
        Link(role=role, id=holder, basis="read", credential_id=subject)
        for holder, subject in sorted(read.items())
    ]
    links.extend(Link(role=role, id=one, basis="declared") for one in expected if one not in read)
    if role == "truck" and not links:
        links.append(Link(role=role, id=None, basis="missing"))
    mismatch = bool(expected) and any(holder not in expected for holder in read)
    return links, [f"{role}_mismatch"] if mismatch else []


def _trip_link(trip: Trip | None, rivals: tuple[str, ...]) -> Link:
    if trip is not None:
        return Link(role="trip", id=trip.trip_number, basis="declared")
    if rivals:
        return Link(role="trip", id=None, basis="conflicting", candidates=rivals)
    return Link(role="trip", id=None, basis="missing")


def everything_read(joined: Joined) -> bool:
    """Whether all that the trip declares was heard; false without a trip."""
    if joined.trip is None:
        return False
    read = {one.credential.holder for one in joined.known if one.credential is not None}
    return read.issuperset(declared(joined.trip))
