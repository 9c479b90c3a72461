"""Sightings of invented cards at two ports far apart, and the watch stage as its worker would run it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from schemas.alert import Alert
from schemas.gate import Tick
from schemas.message import Message
from schemas.ports import Port
from schemas.reference import (
    Credential,
    CredentialState,
    CredentialStatus,
    Site,
    SiteCoordinates,
    SiteLane,
)
from schemas.topics import partition_of, topic_key
from schemas.watch import CredentialFlag, CredentialSighting, LastPlace
from schemas.wire import decode, encode
from stream.log.contract import Record
from stream.reference import Reference
from stream.stage import (
    Given,
    Output,
    ReferenceChanged,
    Step,
    TakenOver,
    advance,
    encode_change,
)
from stream.state import KeyedState
from stream.watch.step import WATCH
from tests.stream.border import PORTS, TOPIC_OF, at, card, site

CARD = "cr-k1.ana"
LAREDO = SiteCoordinates(latitude=27.6, longitude=-99.54, source="an invented survey")
DETROIT = SiteCoordinates(latitude=42.31, longitude=-83.07, source="an invented survey")
HOUR = 3_600
DAY = 24 * HOUR


def place(pair: str, where: SiteCoordinates | None, **changes: Any) -> Site:
    """A site of three lanes, of which the first two are neighbours."""
    lanes = (
        SiteLane(id="L01", direction="MX>US", neighbours=("L02",)),
        SiteLane(id="L02", direction="MX>US"),
        SiteLane(id="L03", direction="MX>US"),
    )
    return replace(site(), pair=pair, coordinates=where, lanes=lanes, **changes)


SITES = (place("lar-wtb", LAREDO), place("det-amb", DETROIT))
ROWS = (*SITES, card("k1.ana", "person:ana"), card("k1.trailer1", "trailer:1", "trailer_tag"))


def heard(
    when: float, last: float | None = None, *, seq: int | None = None, **changes: Any
) -> CredentialSighting:
    """A sighting of Ana's card in lane L01 at Laredo; `seq` is made of its time."""
    pair = changes.get("pair", "lar-wtb")
    lane = changes.get("lane", "L01")
    number = seq if seq is not None else round(abs(when) * 10) + 1
    usual = CredentialSighting(
        credential_id=CARD,
        token="k1.ana",
        pair=pair,
        lane=lane,
        read_point=f"{lane}-primary",
        position="primary",
        direction="MX>US",
        first_us=at(when),
        last_us=at(when + 0.2 if last is None else last),
        at_us=at(when + 0.3 if last is None else last + 5),
        clock_source="received",
        source_event_id=f"gw-{pair}-{lane}.e1.{number}",
        crossing_id=f"c-{pair}-{lane}",
    )
    return replace(usual, **changes)


def status(
    state: CredentialState, since: float, known: float | None = None, **changes: Any
) -> Credential:
    """Ana's card with a status that holds `since` and was accepted then, or when it was `known`."""
    one = CredentialStatus(
        state=state,
        effective_from_us=at(since),
        accepted_at_us=at(since if known is None else known),
    )
    return replace(card("k1.ana", "person:ana"), statuses=(one,), **changes)


@dataclass
class Post:
    """The watch stage, record by record, killed and restored before each one."""

    rows: tuple[Message, ...] = ROWS
    ports: Mapping[str, Port] = field(default_factory=lambda: PORTS)
    outputs: list[Output] = field(default_factory=list)
    state: KeyedState = field(default_factory=WATCH.new_state)
    _changelog: dict[str, bytes | None] = field(default_factory=dict)
    _offset: int = 0

    def __post_init__(self) -> None:
        self.reference = Reference(self.ports)
        for row in self.rows:
            self.reference.fold(TOPIC_OF[type(row)], topic_key(row), row)

    def take(self, *messages: Message) -> "Post":
        """Sightings and reference rows, in the order in which they come."""
        for message in messages:
            if isinstance(message, CredentialSighting):
                self._record(encode(message), message.credential_id)
            else:
                self._row(message)
        return self

    def tick(self, when: float) -> "Post":
        number = partition_of(CARD.encode(), 6)
        self._record(encode(Tick(partition=number, at_us=at(when))), "tick")
        return self

    def forget_row(self, topic: str, key: str) -> "Post":
        self.reference.fold(topic, key, None)
        return self._given(ReferenceChanged(topic, key, None))

    def take_over(self) -> "Post":
        return self._given(TakenOver())

    def _row(self, row: Message) -> None:
        topic, key = TOPIC_OF[type(row)], topic_key(row)
        self.reference.fold(topic, key, row)
        self._given(ReferenceChanged(topic, key, row))

    def _given(self, given: Given) -> "Post":
        self._restore()
        self._done(WATCH.step(self.state, self.reference, given))
        return self

    def _record(self, value: bytes, key: str) -> None:
        self._restore()
        number = partition_of((CARD if key == "tick" else key).encode(), 6)
        record = Record(WATCH.input, number, self._offset, key.encode(), value, (), 0)
        self._offset += 1
        for step in advance(WATCH, self.state, self.reference, record):
            self._done(step)

    def _restore(self) -> None:
        before = self.state.digest()
        self.state = WATCH.new_state()
        for key, row in reversed(self._changelog.items()):
            self.state.load(key, row)
        assert self.state.digest() == before

    def _done(self, step: Step) -> None:
        self.state.apply(step.changes)
        self._changelog |= {change.key: encode_change(change) for change in step.changes}
        for topic, message in step.outputs:
            copied = decode(topic, encode(message))
            self.outputs.append(Output(topic, copied))
            if isinstance(copied, CredentialSighting):
                self.take(copied)

    def written(self, topic: str) -> list[Any]:
        return [output.message for output in self.outputs if output.topic == topic]

    def flag(self, credential_id: str = CARD) -> CredentialFlag | None:
        """The last row of a card's flag, as compaction keeps it."""
        rows: list[CredentialFlag] = self.written("credential-flags")
        return next((one for one in reversed(rows) if one.credential_id == credential_id), None)

    def kinds(self, credential_id: str = CARD) -> list[str]:
        found = self.flag(credential_id)
        return [] if found is None else [proof.kind for proof in found.proofs]

    def alerts(self) -> list[tuple[str, str]]:
        told: list[Alert] = self.written("alerts")
        return [(one.kind, one.pair) for one in told]

    def places(self) -> list[LastPlace]:
        return self.written("last-places")
