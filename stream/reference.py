"""The reference tables of a process: who and what tokens stand for, what trips declare, how a site looks.

Rows are folded in as they come from the compacted reference topics. A stage only looks things up.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, TypeVar, cast

from schemas.message import Message
from schemas.policy import GatewayKey, Policy
from schemas.ports import Port
from schemas.reference import Credential, Party, Person, Site, Trailer, Trip, TripVersion, Truck
from schemas.watch import CredentialFlag

_P = TypeVar("_P", bound=Policy)


class Reference:
    """The reference rows in force, with the reverse indexes that a join needs."""

    def __init__(
        self, ports: Mapping[str, Port] | None = None, *, random_key: bytes | None = None
    ) -> None:
        """`ports`: the port table by pair id. `random_key` draws random checks; it is on no topic."""
        self.random_key: Final = random_key
        self.ports: Mapping[str, Port] = ports or {}
        self._credentials: dict[str, Credential] = {}
        self._parties: dict[str, Party | Person | Truck | Trailer] = {}
        self._trips: dict[str, Trip] = {}
        self._sites: dict[str, Site] = {}
        self._policies: dict[str, Policy] = {}
        self._gateway_keys: dict[str, tuple[GatewayKey, ...]] = {}
        self._kinds: dict[type[Policy], tuple[Policy, ...]] = {}
        self._flags: dict[str, CredentialFlag] = {}
        self._trips_of: defaultdict[str, set[str]] = defaultdict(set)
        self._cards_of: defaultdict[str, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        """How many rows there are."""
        tables = (
            self._credentials,
            self._parties,
            self._trips,
            self._sites,
            self._policies,
            self._flags,
        )
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
                for thing in _ever_declared(message):
                    self._trips_of[thing].add(key)
            case Party() | Person() | Truck() | Trailer():
                self._parties[key] = message
            case Site():
                self._sites[key] = message
            case Policy():
                self._forget_policy(key)
                self._policies[key] = message
                self._kinds = {}
                if isinstance(message, GatewayKey):
                    self._list_keys(message.gateway)
            case CredentialFlag():
                self._flags[key] = message
            case None:
                self._forget(topic, key)
            case _:
                raise TypeError(f"{type(message).__name__} is no reference row")

    def credential(self, token: str) -> Credential | None:
        """The card or tag of a token."""
        return self._credentials.get(token)

    def credential_flag(self, credential_id: str) -> CredentialFlag | None:
        """What the watch stage says of a card, None when nothing."""
        return self._flags.get(credential_id)

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

    def resolvable(self) -> Iterator[Credential | Truck | Trailer]:
        """The rows that filings are resolved by: every card, truck and trailer."""
        yield from self._credentials.values()
        for row in self._parties.values():
            if isinstance(row, Truck | Trailer):
                yield row

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

    def gateway_keys(self, gateway: str) -> tuple[GatewayKey, ...]:
        """The signing keys of a gateway, whenever they are in force, by key id."""
        return self._gateway_keys.get(gateway, ())

    def policy(self, policy_id: str) -> Policy | None:
        """A policy by id; the caller looks at its kind and its effective times."""
        return self._policies.get(policy_id)

    def policies(self, kind: type[_P]) -> tuple[_P, ...]:
        """Every policy of a kind, by id; the caller looks at its effective times."""
        found = self._kinds.get(kind)
        if found is None:
            rows = [row for row in self._policies.values() if isinstance(row, kind)]
            found = tuple(sorted(rows, key=lambda row: row.policy_id))
            self._kinds[kind] = found
        return cast("tuple[_P, ...]", found)

    def trips_declaring(self, things: Collection[str]) -> list[Trip]:
        """Every trip that declares any of the persons, trucks or trailers, by trip number."""
        every = self.trips_ever_declaring(things)
        return [trip for trip in every if any(thing in things for thing in declared(trip))]

    def trips_ever_declaring(self, things: Iterable[str]) -> list[Trip]:
        """Every trip of which any version declares any of them, by trip number."""
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
            self._forget_policy(key)
        elif topic == "credential-flags":
            self._flags.pop(key, None)
        else:
            self._parties.pop(key, None)

    def _forget_policy(self, key: str) -> None:
        old = self._policies.pop(key, None)
        self._kinds = {}
        if isinstance(old, GatewayKey):
            self._list_keys(old.gateway)

    def _list_keys(self, gateway: str) -> None:
        rows = [one for one in self._policies.values() if isinstance(one, GatewayKey)]
        keys = sorted((one for one in rows if one.gateway == gateway), key=lambda one: one.key_id)
        self._gateway_keys[gateway] = tuple(keys)

    def _forget_credential(self, token: str) -> None:
        old = self._credentials.pop(token, None)
        if old is not None:
            self._cards_of[old.holder].discard(token)

    def _forget_trip(self, number: str) -> None:
        old = self._trips.pop(number, None)
        if old is not None:
            for thing in _ever_declared(old):
                self._trips_of[thing].discard(number)


def _ever_declared(trip: Trip) -> set[str]:
    """The ids that a trip declares or declared."""
    found = set(declared(trip))
    for version in trip.history:
        found.update(declared(version))
    return found


def declared(trip: Trip | TripVersion) -> tuple[str, ...]:
    """The ids of everybody and everything that a trip declares to come."""
    truck = () if trip.truck is None else (trip.truck,)
    trailers = tuple(trailer.trailer for trailer in trip.trailers)
    return (*trip.drivers, *trip.passengers, *truck, *trailers)
