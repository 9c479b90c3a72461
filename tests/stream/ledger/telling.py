"""An invented border for tests of the exchange: ends of crossings whose every field is marked, and who is told what."""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.border import CrossingEnded, Side
from schemas.message import Country, Message
from schemas.ports import parse_ports
from schemas.reference import Person, Site, SiteLane, SiteOffice
from schemas.topics import topic_key
from schemas.wire import encode
from stream.ledger.step import LEDGER
from stream.reference import Reference
from stream.stage import Input, Output, ReferenceChanged, Step, TakenOver

AT = 1_772_460_000_000_000
#: In every value that no country may be told.
MARK = "LEAK"
AUTHORITY = {"US": "CBP-LEAK", "CA": "CBSA-LEAK", "MX": "ANAM-LEAK"}
HEAD = (
    "pair_id,name,us_port_code,us_wait_id,us_office_name,other_country,other_office_name,"
    "other_office_code,other_code_verified,commercial_lanes,trucks_into_us_2024,peak_month_trucks,"
    "us_timezone,other_timezone\n"
)
PORTS = parse_ports(
    HEAD
    + "lar-wtb,LEAK,2304,LEAK,Laredo,MX,Nuevo Laredo,240,true,,,,America/Chicago,America/Matamoros\n"
    + "hou-woo,LEAK,0106,LEAK,Houlton,CA,Woodstock Road,,false,,,,America/New_York,America/Moncton\n"
)
OTHER: dict[str, Country] = {"lar-wtb": "MX", "hou-woo": "CA"}
CODES: dict[tuple[str, str], str | None] = {
    ("lar-wtb", "US"): "2304",
    ("lar-wtb", "MX"): "240",
    ("hou-woo", "US"): "0106",
    ("hou-woo", "CA"): None,
}


def side(pair: str, country: Country) -> Side:
    return Side(
        country=country,
        office_code=CODES.get((pair, country)),
        authority=AUTHORITY[country],
        lane=f"lane-{MARK}",
    )


def ended(
    person: str = "ana", pair: str = "lar-wtb", north: bool = True, **changes: Any
) -> CrossingEnded:
    enters: Country = "US" if north else OTHER[pair]
    leaves: Country = OTHER[pair] if north else "US"
    usual = CrossingEnded(
        crossing_id=f"crossing-{MARK}-1",
        person=f"person:{MARK}-{person}",
        role="driver",
        revision=1,
        how="entered",
        pair=pair,
        entered=side(pair, enters),
        left=side(pair, leaves),
        at_us=AT,
        source_event_ids=(f"gw-{MARK}.e1.1",),
    )
    return msgspec.structs.replace(usual, **changes)


def person(name: str = "ana", s92: bytes | None = b"sealed-1", **changes: Any) -> Person:
    usual = Person(
        id=f"person:{MARK}-{name}", key_id="seal-1", s92=s92, rest=f"rest-{MARK}".encode()
    )
    return msgspec.structs.replace(usual, **changes)


def site(pair: str = "lar-wtb", **zones: str) -> Site:
    countries: tuple[Country, ...] = ("US", OTHER[pair])
    return Site(
        pair=pair,
        effective_from_us=0,
        offices=tuple(
            SiteOffice(
                country=one,
                office_code=f"code-{MARK}",
                authority=AUTHORITY[one],
                timezone=zones.get(one, "Etc/UTC"),
            )
            for one in countries
        ),
        lanes=(SiteLane(id=f"lane-{MARK}", direction="MX>US", group=MARK),),
        read_points=(),
    )


class Border:
    """The ledger stage of one partition, with everything that it wrote."""

    def __init__(self) -> None:
        self.reference = Reference(PORTS)
        self.state = LEDGER.new_state()
        self.written: list[Output] = []

    def give(self, *messages: Message) -> list[Output]:
        """Reference rows and inputs, in order; what follows from them."""
        before = len(self.written)
        for one in messages:
            if isinstance(one, Person):
                self._row("parties", one)
            elif isinstance(one, Site):
                self._row("sites", one)
            else:
                self._take(LEDGER.step(self.state, self.reference, Input(0, 0, one)))
        return self.written[before:]

    def delete(self, key: str) -> list[Output]:
        """Delete a row of `parties`."""
        before = len(self.written)
        self.reference.fold("parties", key, None)
        self._take(LEDGER.step(self.state, self.reference, ReferenceChanged("parties", key, None)))
        return self.written[before:]

    def restart(self, *changed_meanwhile: Person | Site) -> list[Output]:
        """A new owner: the state out of its rows, and reference rows that nobody was there to see."""
        before = len(self.written)
        rows = [(key, msgspec.msgpack.encode(row)) for key, row in self.state.items()]
        self.state = LEDGER.new_state()
        for key, row in rows:
            self.state.load(key, row)
        for one in changed_meanwhile:
            topic = "parties" if isinstance(one, Person) else "sites"
            self.reference.fold(topic, topic_key(one), one)
        self._take(LEDGER.step(self.state, self.reference, TakenOver()))
        return self.written[before:]

    def _row(self, topic: str, row: Person | Site) -> None:
        key = topic_key(row)
        self.reference.fold(topic, key, row)
        self._take(LEDGER.step(self.state, self.reference, ReferenceChanged(topic, key, row)))

    def _take(self, step: Step) -> None:
        self.state.apply(step.changes)
        self.written += step.outputs


def on_exchange(outputs: Iterable[Output]) -> list[tuple[str, Message]]:
    """Whom something was said to, and what."""
    return [
        (one.topic.removeprefix("exchange-").upper(), one.message)
        for one in outputs
        if one.topic.startswith("exchange-")
    ]


def raw(outputs: Iterable[Output]) -> bytes:
    """All bytes of the exchange topics, values and keys."""
    found = [one for one in outputs if one.topic.startswith("exchange-")]
    return b"\0".join(encode(one.message) + topic_key(one.message).encode() for one in found)
