"""From what a filing declares (a card, a VIN, a plate) to the ids of persons, trucks and trailers."""

from collections import defaultdict
from typing import Final

from msgspec.structs import replace

from schemas.message import Message
from schemas.reference import Credential, Plate, Trailer, Truck
from schemas.trips import DeclaredPerson, DeclaredTrailer, DeclaredTruck, TripFiling

_SEPARATORS: Final = str.maketrans("", "", " -")


class Register:
    """The rows that filings are resolved by. What more than one row answers to stays unresolved."""

    def __init__(self) -> None:
        """Empty: nothing is resolved."""
        self._holders: dict[str, str] = {}
        self._vehicles: dict[str, Truck | Trailer] = {}
        self._index: dict[str, set[str]] | None = None

    def add(self, message: Message, *, newer: bool = True) -> None:
        """Take a row; others than cards, trucks and trailers do not matter. `newer`: it replaces its like."""
        match message:
            case Credential(kind="driver_card"):
                if newer or message.credential_id not in self._holders:
                    self._holders[message.credential_id] = message.holder
            case Truck() | Trailer():
                if newer or message.id not in self._vehicles:
                    self._vehicles[message.id] = message
                    self._index = None
            case _:
                pass

    def resolve(self, filing: TripFiling) -> TripFiling:
        """The filing with ids where they were missing and one row answers; the rest as it came."""
        truck = filing.truck
        return replace(
            filing,
            drivers=tuple(self._person(one) for one in filing.drivers),
            passengers=tuple(self._person(one) for one in filing.passengers),
            truck=None if truck is None else self._truck(truck),
            trailers=tuple(self._trailer(one) for one in filing.trailers),
        )

    def _person(self, one: DeclaredPerson) -> DeclaredPerson:
        if one.id is not None or one.credential_id is None:
            return one
        return replace(one, id=self._holders.get(one.credential_id))

    def _truck(self, truck: DeclaredTruck) -> DeclaredTruck:
        if truck.id is not None:
            return truck
        keys = [f"vin {truck.vin}"] if truck.vin else []
        keys += [_plate_key("truck", truck.plate)] if truck.plate else []
        return replace(truck, id=self._only(keys))

    def _trailer(self, trailer: DeclaredTrailer) -> DeclaredTrailer:
        if trailer.id is not None or trailer.plate is None:
            return trailer
        return replace(trailer, id=self._only([_plate_key("trailer", trailer.plate)]))

    def _only(self, keys: list[str]) -> str | None:
        """The one vehicle that answers to the first key that any answers to."""
        if self._index is None:
            self._index = _indexed(self._vehicles)
        for key in keys:
            found = self._index.get(key)
            if found:
                return next(iter(found)) if len(found) == 1 else None
        return None


def _indexed(vehicles: dict[str, Truck | Trailer]) -> dict[str, set[str]]:
    index: defaultdict[str, set[str]] = defaultdict(set)
    for one in vehicles.values():
        match one:
            case Truck(vin=vin, plates=plates):
                if vin is not None:
                    index[f"vin {vin}"].add(one.id)
                for plate in plates:
                    index[_plate_key("truck", plate)].add(one.id)
            case Trailer(plate=Plate() as plate):
                index[_plate_key("trailer", plate)].add(one.id)
            case Trailer():
                pass
    return dict(index)


def _plate_key(kind: str, plate: Plate) -> str:
    """Plates are compared without spaces, hyphens and case; states are not, since many filings lack them."""
    return f"{kind} {plate.country} {plate.number.translate(_SEPARATORS).upper()}"
