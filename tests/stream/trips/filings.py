"""Filings of an invented carrier, and the trips stage as its worker would run it."""

from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from schemas.alert import Alert, Rejected
from schemas.gate import Tick
from schemas.message import Message
from schemas.reference import Shipment, Trip
from schemas.topics import partition_of, topic_key
from schemas.trips import DeclaredPerson, DeclaredTrailer, DeclaredTruck, TripFiling, TripUse
from schemas.wire import decode, encode
from stream.log.contract import Record
from stream.reference import Reference
from stream.stage import Output, Step, advance, encode_change
from stream.state import KeyedState
from stream.trips.step import TRIPS
from tests.stream.border import PORTS, at

NUMBER = "ABCD0001"
HOUR = 3_600


def filing(**changes: Any) -> TripFiling:
    """A filing with which nothing is wrong."""
    usual = TripFiling(
        filing_id=f"f-{changes.get('action', 'file')}-{changes.get('version', 1)}",
        trip_number=NUMBER,
        action="file",
        filed_at_us=at(-7200),
        carrier="party:carrier-1",
        carrier_code="ABCD",
        port_code="2304",
        direction="MX>US",
        eta_us=at(60),
        drivers=(DeclaredPerson(id="person:ana"),),
        truck=DeclaredTruck(id="truck:1"),
        trailers=(DeclaredTrailer(id="trailer:1", seals=("S-1",), load="loaded"),),
        shipments=(Shipment(control_number="ABCD000101"),),
    )
    return replace(usual, **changes)


def amended(version: int = 2, **changes: Any) -> TripFiling:
    return filing(
        **{"action": "amend", "version": version, "filed_at_us": at(-7200 + version), **changes}
    )


def used(crossing: str = "c1", revision: int = 1, when: float = 100, **changes: Any) -> TripUse:
    usual = TripUse(
        trip_number=NUMBER,
        crossing_id=crossing,
        pair="lar-wtb",
        how="used",
        revision=revision,
        at_us=at(when),
        source_event_id=f"gw1.e1.{revision}",
    )
    return replace(usual, **changes)


def tick(when: float, number: str = NUMBER) -> Tick:
    return Tick(partition=partition_of(number.encode(), 6), at_us=at(when))


@dataclass
class Office:
    """The trips stage, record by record, killed and restored before each one."""

    outputs: list[Output] = field(default_factory=list)
    state: KeyedState = field(default_factory=TRIPS.new_state)
    _changelog: dict[str, bytes | None] = field(default_factory=dict)
    _offset: int = 0

    def take(self, *messages: Message) -> "Office":
        for message in messages:
            self.take_raw(encode(message), topic_key(message))
        return self

    def take_raw(self, value: bytes, key: str) -> Step:
        self.state = TRIPS.new_state()
        for name, row in reversed(self._changelog.items()):
            self.state.load(name, row)
        number = partition_of((NUMBER if key == "tick" else key).encode(), 6)
        record = Record(TRIPS.input, number, self._offset, key.encode(), value, (), 0)
        self._offset += 1
        (step,) = advance(TRIPS, self.state, Reference(PORTS), record)
        self.state.apply(step.changes)
        self._changelog |= {change.key: encode_change(change) for change in step.changes}
        for topic, message in step.outputs:
            self.outputs.append(Output(topic, decode(topic, encode(message))))
        return step

    def trips(self, number: str = NUMBER) -> list[Trip]:
        written = [output.message for output in self.outputs]
        return [one for one in written if isinstance(one, Trip) and one.trip_number == number]

    @property
    def trip(self) -> Trip:
        return self.trips()[-1]

    def refused(self) -> list[str]:
        written = [output.message for output in self.outputs]
        return [one.detail for one in written if isinstance(one, Rejected)]

    def alerts(self) -> list[Alert]:
        written = [output.message for output in self.outputs]
        return [one for one in written if isinstance(one, Alert)]
