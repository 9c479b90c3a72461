"""The reference tables of a process: who and what tokens stand for, what trips declare, how a site looks.

Rows are folded in as they come from the compacted reference topics. A stage only looks things up.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from schemas.message import Message
from schemas.policy import Policy
from schemas.ports import Port
from schemas.reference import Credential, Party, Person, Site, Trailer, Trip, Truck


class Reference:
    """The reference rows in force, with the reverse indexes that a join needs."""

    def __init__(self, ports: Mapping[str, Port] | None = None) -> None:
        """`ports`: the port table by pair id."""
        self.ports: Mapping[str, Port] = ports or {}
        self._credentials: dict[str, Credential] = {}
        self._parties: dict[str, Party | Person | Truck | Trailer] = {}
        self._trips: dict[str, Trip] = {}
        self._sites: dict[str, Site] = {}
        self._policies: dict[str, Policy] = {}
        self._trips_of: defaultdict[str, set[str]] = defaultdict(set)
        self._cards_of: defaultdict[str, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        """How many rows there are."""
        tables = (self._credentials, self._parties, self._trips, self._sites, self._policies)
        return sum(len(table) for table in tables)

    def fold(self, topic: str, key: str, message: Message | None) -> None:
        """Take a row; None deletes the key of the topic."""
        match message:
            case Credential():
                self._forget_credential(key)
                self._credentials[key] = message
                self._cards_of[message.holder].add(key)
            case Trip():
                self._forget_trip(key)
                self._trips[key] = message
                for thing in declared(message):
                    self._trips_of[thing].add(key)
            case Party() | Person() | Truck() | Trailer():
                self._parties[key] = message
            case Site():
                self._sites[key] = message
            case Policy():
                self._policies[key] = message
            case None:
                self._forget(topic, key)
            case _:
                raise TypeError(f"{type(message).__name__} is no reference row")

    def credential(self, token: str) -> Credential | None:
        """The card or tag of a token."""
        return self._credentials.get(token)

    def credentials_of(self, holder: str) -> list[Credential]:
        """The cards and tags of a person, truck or trailer, by token."""
        return [self._credentials[token] for token in sorted(self._cards_of.get(holder, ()))]

    def person(self, person: str) -> Person | None:
        """A person by id."""
        row = self._parties.get(person)
        return row if isinstance(row, Person) else None

    def truck(self, truck: str) -> Truck | None:
        """A truck by id."""
        row = self._parties.get(truck)
        return row if isinstance(row, Truck) else None

    def trailer(self, trailer: str) -> Trailer | None:
        """A trailer by id."""
        row = self._parties.get(trailer)
        return row if isinstance(row, Trailer) else None

    def party(self, party: str) -> Party | None:
        """A carrier, importer or manufacturer by id."""
        row = self._parties.get(party)
        return row if isinstance(row, Party) else None

    def trip(self, trip_number: str) -> Trip | None:
        """A trip by its number."""
        return self._trips.get(trip_number)

    def site(self, pair: str) -> Site | None:
        """The lay-out of a port pair."""
        return self._sites.get(pair)

    def policy(self, policy_id: str) -> Policy | None:
        """A policy by id; the caller looks at its kind and its effective times."""
        return self._policies.get(policy_id)

    def trips_declaring(self, things: Iterable[str]) -> list[Trip]:
        """Every trip that declares any of the persons, trucks or trailers, by trip number."""
        numbers = {number for thing in things for number in self._trips_of.get(thing, ())}
        return [self._trips[number] for number in sorted(numbers)]

    def _forget(self, topic: str, key: str) -> None:
        if topic == "credentials":
            self._forget_credential(key)
        elif topic == "trips":
            self._forget_trip(key)
        elif topic == "sites":
            self._sites.pop(key, None)
        elif topic == "policies":
            self._policies.pop(key, None)
        else:
            self._parties.pop(key, None)

    def _forget_credential(self, token: str) -> None:
        old = self._credentials.pop(token, None)
        if old is not None:
            self._cards_of[old.holder].discard(token)

    def _forget_trip(self, number: str) -> None:
        old = self._trips.pop(number, None)
        if old is not None:
            for thing in declared(old):
                self._trips_of[thing].discard(number)


def declared(trip: Trip) -> tuple[str, ...]:
    """The ids of everybody and everything that a trip declares to come."""
    truck = () if trip.truck is None else (trip.truck,)
    trailers = tuple(trailer.trailer for trailer in trip.trailers)
    return (*trip.drivers, *trip.passengers, *truck, *trailers)
