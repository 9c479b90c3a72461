"""The reference tables of a process: who and what tokens stand for, what trips declare, how a site looks.

Rows are folded in as they come from the compacted reference topics. A stage only looks things up.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from schemas.message import Message
from schemas.ports import Port
from schemas.reference import Credential, Party, Person, Site, Trailer, Trip, Truck


class Reference:
    """The reference rows in force, with the reverse indexes that a join needs."""

    def __init__(self, ports: Mapping[str, Port] | None = None) -> None:
        """`ports`: the port table by pair id."""
        self.ports: Mapping[str, Port] = ports or {}
        self._rows: dict[tuple[str, str], Message] = {}
        self._trips_of: defaultdict[str, set[str]] = defaultdict(set)
        self._cards_of: defaultdict[str, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def fold(self, topic: str, key: str, message: Message | None) -> None:
        """Take a row; None deletes the key."""
        old = self._rows.get((topic, key))
        if isinstance(old, Trip):
            for thing in declared(old):
                self._trips_of[thing].discard(key)
        elif isinstance(old, Credential):
            self._cards_of[old.holder].discard(key)
        if message is None:
            self._rows.pop((topic, key), None)
            return
        self._rows[topic, key] = message
        if isinstance(message, Trip):
            for thing in declared(message):
                self._trips_of[thing].add(key)
        elif isinstance(message, Credential):
            self._cards_of[message.holder].add(key)

    def credential(self, token: str) -> Credential | None:
        """The card or tag of a token."""
        row = self._rows.get(("credentials", token))
        return row if isinstance(row, Credential) else None

    def credentials_of(self, holder: str) -> list[Credential]:
        """The cards and tags of a person, truck or trailer, by token."""
        tokens = sorted(self._cards_of.get(holder, ()))
        return [row for token in tokens if (row := self.credential(token)) is not None]

    def person(self, person: str) -> Person | None:
        """A person by id."""
        row = self._rows.get(("parties", person))
        return row if isinstance(row, Person) else None

    def truck(self, truck: str) -> Truck | None:
        """A truck by id."""
        row = self._rows.get(("parties", truck))
        return row if isinstance(row, Truck) else None

    def trailer(self, trailer: str) -> Trailer | None:
        """A trailer by id."""
        row = self._rows.get(("parties", trailer))
        return row if isinstance(row, Trailer) else None

    def party(self, party: str) -> Party | None:
        """A carrier, importer or manufacturer by id."""
        row = self._rows.get(("parties", party))
        return row if isinstance(row, Party) else None

    def trip(self, trip_number: str) -> Trip | None:
        """A trip by its number."""
        row = self._rows.get(("trips", trip_number))
        return row if isinstance(row, Trip) else None

    def site(self, pair: str) -> Site | None:
        """The lay-out of a port pair."""
        row = self._rows.get(("sites", pair))
        return row if isinstance(row, Site) else None

    def trips_declaring(self, things: Iterable[str]) -> list[Trip]:
        """Every trip that declares any of the persons, trucks or trailers, by trip number."""
        numbers = {number for thing in things for number in self._trips_of.get(thing, ())}
        return [trip for number in sorted(numbers) if (trip := self.trip(number)) is not None]


def declared(trip: Trip) -> tuple[str, ...]:
    """The ids of everybody and everything that a trip declares to come."""
    truck = () if trip.truck is None else (trip.truck,)
    trailers = tuple(trailer.trailer for trailer in trip.trailers)
    return (*trip.drivers, *trip.passengers, *truck, *trailers)
