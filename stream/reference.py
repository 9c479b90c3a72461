"""The reference tables of a process: who and what tokens stand for, what trips declare, how a site looks.

Rows are folded in as they come from the compacted reference topics. A stage only looks things up.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, TypeVar, cast

from schemas.audit import digest_of
from schemas.message import Message
from schemas.policy import GatewayKey, Policy
from schemas.ports import Port
from schemas.reference import Credential, Party, Person, Site, Trailer, Trip, TripVersion, Truck
from schemas.restricted import WatchListEntry
from schemas.watch import CredentialFlag

_P = TypeVar("_P", bound=Policy)


class CardIndex:
    """From cards to their tokens. Made when it is first asked for: only watch lists need it, and it costs room."""

    def __init__(self, credentials: Mapping[str, Credential]) -> None:
        """`credentials`: by token, as they are whenever it is asked."""
        self._credentials = credentials
        self._tokens: dict[str, tuple[str, ...]] | None = None

    def tokens(self, credential_id: str) -> list[str]:
        """The tokens of a card, sorted."""
        if self._tokens is None:
            self._tokens = {}
            for token, row in self._credentials.items():
                self.add(token, row.credential_id)
        return sorted(self._tokens.get(credential_id, ()))

    def add(self, token: str, credential_id: str) -> None:
        """A token of the card came."""
        if self._tokens is not None:
            self._tokens[credential_id] = (*self._tokens.get(credential_id, ()), token)

    def remove(self, token: str, credential_id: str) -> None:
        """A token of the card went."""
        if self._tokens is not None:
            left = tuple(one for one in self._tokens.pop(credential_id, ()) if one != token)
            if left:
                self._tokens[credential_id] = left


class PartyIndex:
    """From carriers, importers, manufacturers and trucks to the trips that name them. Made when it is first asked for."""

    def __init__(self, trips: Mapping[str, Trip]) -> None:
        """`trips`: by number, as they are whenever it is asked."""
        self._trips = trips
        self._numbers: dict[str, set[str]] | None = None

    def trips(self, party: str) -> list[str]:
        """The numbers of the trips, sorted."""
        if self._numbers is None:
            self._numbers = {}
            for row in self._trips.values():
                self.add(row)
        return sorted(self._numbers.get(party, ()))

    def add(self, trip: Trip) -> None:
        """A trip came."""
        if self._numbers is not None:
            for name in _parties_of(trip):
                self._numbers.setdefault(name, set()).add(trip.trip_number)

    def remove(self, trip: Trip) -> None:
        """A trip went."""
        if self._numbers is not None:
            for name in _parties_of(trip):
                left = self._numbers.get(name, set())
                left.discard(trip.trip_number)
                if not left:
                    self._numbers.pop(name, None)


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
        self._digests: dict[str, str] = {}
        self._kinds: dict[type[Policy], tuple[Policy, ...]] = {}
        self._turns: tuple[int, ...] | None = None
        self._flags: dict[str, CredentialFlag] = {}
        self._listed: dict[str, WatchListEntry] = {}
        self._cards = CardIndex(self._credentials)
        self._naming = PartyIndex(self._trips)
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
            self._listed,
        )
        return sum(len(table) for table in tables)

    def fold(self, topic: str, key: str, message: Message | None) -> None:
        """Take a row; None deletes the key of the topic."""
        match message:
            case Credential():
                self._forget_credential(key)
                self._credentials[key] = message
                self._cards.add(key, message.credential_id)
                self._cards_of[message.holder].add(key)
            case Trip():
                self._forget_trip(key)
                self._trips[key] = message
                self._naming.add(message)
                for thing in _ever_declared(message):
                    self._trips_of[thing].add(key)
            case Party() | Person() | Truck() | Trailer():
                self._parties[key] = message
            case Site():
                self._sites[key] = message
            case Policy():
                self._take_policy(key, message)
            case CredentialFlag():
                self._flags[key] = message
            case WatchListEntry():
                self._listed[key] = message
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

    @property
    def has_watch_lists(self) -> bool:
        """Whether any card is on a watch list."""
        return bool(self._listed)

    def watch_list_entry(self, credential_id: str) -> WatchListEntry | None:
        """What watch lists say of a card (an unknown one: of its token); only for what cleared readers get."""
        return self._listed.get(credential_id)

    def tokens_of(self, credential_id: str) -> list[str]:
        """Every token of a card or tag, sorted."""
        return self._cards.tokens(credential_id)

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

    def policy_name(self, policy_id: str) -> str:
        """A policy row by its id and by what it says: `ID@` with 16 hex digits of its digest."""
        found = self._digests.get(policy_id)
        if found is None:
            found = f"{policy_id}@{digest_of(self._policies[policy_id]).hex()[:16]}"
            self._digests[policy_id] = found
        return found

    def policies(self, kind: type[_P]) -> tuple[_P, ...]:
        """Every policy of a kind, by id; the caller looks at its effective times."""
        found = self._kinds.get(kind)
        if found is None:
            rows = [row for row in self._policies.values() if isinstance(row, kind)]
            found = tuple(sorted(rows, key=lambda row: row.policy_id))
            self._kinds[kind] = found
        return cast("tuple[_P, ...]", found)

    def policy_turns(self) -> tuple[int, ...]:
        """The moments at which any policy comes into force or ends, in order; keys of gateways left out."""
        if self._turns is None:
            found: set[int] = set()
            for row in self._policies.values():
                if not isinstance(row, GatewayKey):
                    found.add(row.effective_from_us)
                    if row.effective_to_us is not None:
                        found.add(row.effective_to_us)
            self._turns = tuple(sorted(found))
        return self._turns

    def trips_naming(self, party: str) -> list[str]:
        """The numbers of the trips of which any version names the party or the truck, in order."""
        return self._naming.trips(party)

    def trips_declaring(self, things: Collection[str]) -> list[Trip]:
        """Every trip that declares any of the persons, trucks or trailers, by trip number."""
        every = self.trips_ever_declaring(things)
        return [trip for trip in every if any(thing in things for thing in declared(trip))]

    def trips_ever_declaring(self, things: Iterable[str]) -> list[Trip]:
        """Every trip of which any version declares any of them, by trip number."""
        numbers: set[str] = set()
        for thing in things:
            numbers.update(self._trips_of.get(thing, ()))
        if len(numbers) < 2:
            return [self._trips[number] for number in numbers]
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
        elif topic == "watch-lists":
            self._listed.pop(key, None)
        else:
            self._parties.pop(key, None)

    def _take_policy(self, key: str, row: Policy) -> None:
        self._forget_policy(key)
        self._policies[key] = row
        self._kinds = {}
        self._turns = None
        if isinstance(row, GatewayKey):
            self._list_keys(row.gateway)

    def _forget_policy(self, key: str) -> None:
        old = self._policies.pop(key, None)
        self._digests.pop(key, None)
        self._kinds = {}
        self._turns = None
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
            self._cards.remove(token, old.credential_id)

    def _forget_trip(self, number: str) -> None:
        old = self._trips.pop(number, None)
        if old is not None:
            self._naming.remove(old)
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
    trailers = [trailer.trailer for trailer in trip.trailers]
    return (*trip.drivers, *trip.passengers, *truck, *trailers)


def _parties_of(trip: Trip) -> set[str]:
    """The parties and trucks that any version of a trip names. The carrier is the same in all."""
    found = {trip.carrier}
    versions: tuple[Trip | TripVersion, ...] = (trip, *trip.history)
    for version in versions:
        named = [version.truck]
        for shipment in version.shipments or ():
            named += (shipment.importer, shipment.manufacturer)
        found.update([one for one in named if one is not None])
    return found
