"""The join: what the cards and tags of a crossing stand for, and which trip declares them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from schemas.arrival import Link, Role
from schemas.border import PersonRole
from schemas.reference import Credential, CredentialKind, Trip
from stream.lanes.crossing import country_entered, forward, primary_us
from stream.lanes.grouping import TRIP_EARLY_US, TRIP_LATE_US
from stream.lanes.rows import Crossing, Heard, Keyed
from stream.lanes.seals import seal_flags
from stream.reference import Reference, declared
from stream.trips.versions import usable_by

#: Read points at which a card in the truck's own lane counts for its holder's border record.
NEAR: Final = ("approach", "primary", "secondary", "exit")


class Known(NamedTuple):
    """A card or tag of a crossing and the credential it stands for, None when there is none."""

    heard: Heard
    credential: Credential | None
    #: The officer's word that stands for it, when no reader heard it.
    keyed_by: str | None = None

    @property
    def card(self) -> str | None:
        """Its credential id, for an unknown one its token; None for what was keyed."""
        if self.keyed_by is not None:
            return None
        return self.heard.token if self.credential is None else self.credential.credential_id

    @property
    def is_truck(self) -> bool:
        """Whether it is a truck's tag."""
        return self.credential is not None and self.credential.kind == "truck_tag"

    @property
    def person(self) -> str | None:
        """The card's holder, when it is a person's card."""
        if self.credential is None or self.credential.kind != "driver_card":
            return None
        return self.credential.holder if not self.is_odd else None

    @property
    def is_odd(self) -> bool:
        """Whether it is a person's card whose row names something else as its holder."""
        card = self.credential
        return (
            card is not None
            and card.kind == "driver_card"
            and not card.holder.startswith("person:")
        )


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

    def role_of(self, person: str) -> PersonRole:
        """A person's part in the trip; `person` when the trip does not name them."""
        if self.trip is not None and person in self.trip.drivers:
            return "driver"
        return "passenger" if self.trip is not None and person in self.trip.passengers else "person"


def know(crossing: Crossing, reference: Reference) -> tuple[Known, ...]:
    """What each card and tag of the crossing stands for, and what officers of the entered country keyed."""
    found = [Known(heard, reference.credential(heard.token)) for heard in forward(crossing)]
    if crossing.keyed:
        here = country_entered(crossing)
        found += [
            one
            for word in crossing.keyed
            if word.country == here and (one := _keyed(word, crossing)) is not None
        ]
    return tuple(found)


def _keyed(word: Keyed, crossing: Crossing) -> Known | None:
    """A keyed person, truck or trailer, as if its card had been read at the booth."""
    kind = _KINDS.get(word.subject.partition(":")[0])
    if kind is None:
        return None
    heard = Heard(
        token=word.event_id,
        who=word.subject,
        read_point="",
        lane=crossing.lane,
        position="primary",
        direction=crossing.direction,
        to_booth_s=None,
        first_us=word.at_us,
        last_us=word.at_us,
        gone=True,
        event_ids=(word.event_id,),
    )
    credential = Credential(
        token=word.event_id, credential_id=word.event_id, kind=kind, holder=word.subject
    )
    return Known(heard, credential, word.event_id)


_KINDS: Final[dict[str, CredentialKind]] = {
    "person": "driver_card",
    "truck": "truck_tag",
    "trailer": "trailer_tag",
}


def _read(role: Role, one: Known) -> Link:
    holder = None if one.credential is None else one.credential.holder
    return Link(role=role, id=holder, basis="read", credential_id=one.card, keyed_by=one.keyed_by)


def _by_id(pair: tuple[str | None, Known]) -> str:
    return pair[0] or ""


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
    heard = [one.credential for one in known if one.credential and one.keyed_by is None]
    seals = seal_flags(heard, trip, reference, at_primary=primary_us(crossing) is not None)
    flags = {*person_flags, *truck_flags, *trailer_flags, *seals}
    if trip is None:
        flags.add("trip_conflict" if rivals else "no_manifest")
    return Joined(
        known=known,
        trip=trip,
        rivals=rivals,
        links=(
            *_with_unresolved((*persons, *trucks, *trailers), trip),
            _trip_link(trip, rivals),
        ),
        flags=tuple(sorted(flags)),
    )


def _choose_trip(
    crossing: Crossing,
    known: tuple[Known, ...],
    reference: Reference,
    used: Callable[[str], bool],
) -> tuple[Trip | None, tuple[str, ...]]:
    """The best candidate, or the one that an officer keyed; none and the rivals when several are equally good."""
    for word in reversed(crossing.keyed):
        named = reference.trip(word.subject)
        if named is not None and word.country == country_entered(crossing):
            return named, ()
    read = {one.credential.holder for one in known if one.credential is not None}
    first = crossing.first_us
    ranked = sorted(
        (_rank(trip, read, first), trip.trip_number, trip)
        for trip in _in_force(crossing, read, reference)
        if trip.direction == crossing.direction
        and trip.eta_us - TRIP_EARLY_US <= first <= trip.eta_us + TRIP_LATE_US
        and not used(trip.trip_number)
    )
    if not ranked:
        return None, ()
    best = [number for rank, number, _ in ranked if rank == ranked[0][0]]
    return (ranked[0][2], ()) if len(best) == 1 else (None, tuple(best))


def _in_force(crossing: Crossing, read: set[str], reference: Reference) -> Iterator[Trip]:
    """Trips that declare something that was read, each in the version that counts for the crossing."""
    for trip in reference.trips_ever_declaring(read):
        found = usable_by(trip, crossing.crossing_id, crossing.ended_at_us)
        if found is not None and not read.isdisjoint(declared(found)):
            yield found


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
    read = {one.person: one for one in known if one.person is not None}
    drivers = trip.drivers if trip else ()
    passengers = trip.passengers if trip else ()
    driver_read = any(driver in read for driver in drivers)
    for person, one in sorted(read.items(), key=_by_id):
        role: PersonRole = "passenger"
        if person in drivers:
            role = "driver"
        elif person not in passengers:
            role = "person" if driver_read or len(read) > 1 else "driver"
            if trip is not None:
                flags.append("undeclared_occupant" if driver_read else "driver_mismatch")
        links.append(_read(role, one))
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
        one.credential.holder: one
        for one in known
        if one.credential is not None and one.credential.kind == f"{role}_tag"
    }
    links = [_read(role, one) for _, one in sorted(read.items(), key=_by_id)]
    links.extend(Link(role=role, id=one, basis="declared") for one in expected if one not in read)
    if role == "truck" and not links:
        links.append(Link(role=role, id=None, basis="missing"))
    mismatch = bool(expected) and any(holder not in expected for holder in read)
    return links, [f"{role}_mismatch"] if mismatch else []


def _with_unresolved(links: tuple[Link, ...], trip: Trip | None) -> Iterator[Link]:
    """The links, and one `declared` without id for each that the trip declares and nobody knows."""
    unresolved = trip.unresolved if trip is not None else ()
    for link in links:
        if link.basis != "missing" or link.role not in unresolved:
            yield link
    for role in unresolved:
        yield Link(role=role, id=None, basis="declared")


def _trip_link(trip: Trip | None, rivals: tuple[str, ...]) -> Link:
    if trip is not None:
        return Link(role="trip", id=trip.trip_number, basis="declared")
    if rivals:
        return Link(role="trip", id=None, basis="conflicting", candidates=rivals)
    return Link(role="trip", id=None, basis="missing")


def everything_read(joined: Joined) -> bool:
    """Whether all that the trip declares was heard; false without a trip."""
    if joined.trip is None or joined.trip.unresolved:
        return False
    read = {one.credential.holder for one in joined.known if one.credential is not None}
    return read.issuperset(declared(joined.trip))
