"""A small invented border for tests of the stages: its rows, its events, and a driver without a worker."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord, Unmatched
from schemas.gate import (
    Correction,
    Decision,
    Heartbeat,
    ManualRead,
    SightingGone,
    SightingSeen,
    Tick,
)
from schemas.message import Message, Position
from schemas.ports import parse_ports
from schemas.reference import (
    Credential,
    Site,
    SiteLane,
    SiteOffice,
    SiteReadPoint,
    Trip,
    TripTrailer,
)
from schemas.topics import TOPICS, partition_of, topic_key
from schemas.wire import decode, encode
from stream.lanes.step import LANES
from stream.ledger.step import LEDGER
from stream.log.contract import Record
from stream.reference import Reference
from stream.stage import ReferenceChanged, Stage, Step, TakenOver, advance, encode_change
from stream.state import KeyedState

PAIR = "lar-wtb"
SECOND = 1_000_000
#: 2026-03-02 14:00 UTC; any moment would do.
NOON = 1_772_460_000 * SECOND
#: Seconds from each read point to the booth.
BOOTH_S: dict[Position, int | None] = {"queue": 60, "primary": 0, "exit": None}
PORTS = parse_ports(
    "pair_id,name,us_port_code,us_wait_id,us_office_name,other_country,other_office_name,"
    "other_office_code,other_code_verified,commercial_lanes,trucks_into_us_2024,peak_month_trucks,"
    "us_timezone,other_timezone\n"
    "lar-wtb,Laredo World Trade Bridge,2304,230404,Laredo,MX,Nuevo Laredo,240,true,15,2288051,205414,"
    "America/Chicago,America/Matamoros\n"
)


def at(seconds: float) -> int:
    return NOON + round(seconds * SECOND)


def site() -> Site:
    lanes = ("L01", "L02")
    points = [
        SiteReadPoint(id=f"{lane}-{position}", lane=lane, position=position, to_booth_s=to_booth)
        for lane in lanes
        for position, to_booth in BOOTH_S.items()
    ]
    return Site(
        pair=PAIR,
        effective_from_us=0,
        offices=(
            SiteOffice(
                country="US", office_code="2304", authority="CBP", timezone="America/Chicago"
            ),
            SiteOffice(
                country="MX", office_code="240", authority="ANAM", timezone="America/Matamoros"
            ),
        ),
        lanes=tuple(SiteLane(id=lane, direction="MX>US", group="ALL") for lane in lanes),
        read_points=tuple(points),
    )


def card(token: str, holder: str, kind: str = "driver_card") -> Credential:
    return Credential(token=token, credential_id=f"cr-{token}", kind=kind, holder=holder)  # type: ignore[arg-type]


def trip(number: str = "ABCD0001", **changes: Any) -> Trip:
    usual = Trip(
        trip_number=number,
        carrier="party:carrier-1",
        port_code="2304",
        direction="MX>US",
        eta_us=at(60),
        filed_at_us=at(-7200),
        accepted_at_us=at(-7100),
        drivers=("person:ana",),
        truck="truck:1",
        trailers=(TripTrailer(trailer="trailer:1", load="loaded"),),
    )
    return msgspec.structs.replace(usual, **changes)


#: A driver's card, a truck tag and a trailer tag, and the trip that declares them.
ROWS: tuple[Message, ...] = (
    site(),
    card("k1.ana", "person:ana"),
    card("k1.ben", "person:ben"),
    card("k1.truck1", "truck:1", "truck_tag"),
    card("k1.trailer1", "trailer:1", "trailer_tag"),
    card("k1.truck2", "truck:2", "truck_tag"),
    trip(),
)

TOPIC_OF = {kind: topic.name for topic in TOPICS.values() for kind in topic.messages}


@dataclass
class Desk:
    """Numbers the events of one writer."""

    writer: str = "gw1"
    seq: int = 0

    def next_id(self) -> str:
        self.seq += 1
        return f"{self.writer}.e1.{self.seq}"

    def seen(self, token: str, point: str, first: float, **changes: Any) -> SightingSeen:
        lane, position = point.split("-")
        usual = SightingSeen(
            event_id=self.next_id(),
            pair=PAIR,
            lane=lane,
            read_point=point,
            position=position,  # type: ignore[arg-type]
            to_booth_s=BOOTH_S.get(position),  # type: ignore[call-overload]
            direction="MX>US",
            token=token,
            first_us=at(first),
            last_us=at(first + 0.2),
            at_us=at(first + 0.3),
            reads=3,
            clock_source="received",
        )
        return msgspec.structs.replace(usual, **changes)

    def gone(self, seen: SightingSeen, last: float, *, observed: bool = True) -> SightingGone:
        plain = {
            name: getattr(seen, name)
            for name in seen.__struct_fields__
            if name not in ("event_id", "last_us", "at_us", "reads", "v", "moved_from")
        }
        return SightingGone(
            **plain,
            event_id=self.next_id(),
            last_us=at(last),
            at_us=at(last + 5),
            reads=40,
            observed=observed,
            seen_event_id=seen.event_id if observed else None,
            reason="lost",
        )

    def decision(
        self, outcome: str, when: float, lane: str | None = "L01", **changes: Any
    ) -> Decision:
        usual = Decision(
            event_id=self.next_id(),
            pair=PAIR,
            at_us=at(when),
            country="US",
            authority="CBP",
            officer="officer-7",
            outcome=outcome,  # type: ignore[arg-type]
            lane=lane,
        )
        return msgspec.structs.replace(usual, **changes)

    def keyed(
        self, subject: str, when: float, lane: str | None = "L01", **changes: Any
    ) -> ManualRead:
        usual = ManualRead(
            event_id=self.next_id(),
            pair=PAIR,
            at_us=at(when),
            country="US",
            authority="CBP",
            officer="officer-7",
            subject=subject,
            lane=lane,
        )
        return msgspec.structs.replace(usual, **changes)

    def correction(
        self, crossing: str, what: str, person: str, when: float, **changes: Any
    ) -> Correction:
        usual = Correction(
            event_id=self.next_id(),
            pair=PAIR,
            at_us=at(when),
            country="US",
            authority="CBP",
            officer="officer-7",
            crossing_id=crossing,
            what=what,  # type: ignore[arg-type]
            person=person,
            reason="looked at the document again",
        )
        return msgspec.structs.replace(usual, **changes)

    def beat(self, when: float, *, outbox_age_ms: int = 0) -> Heartbeat:
        return Heartbeat(
            event_id=self.next_id(),
            pair=PAIR,
            at_us=at(when),
            outbox_depth=0,
            outbox_age_ms=outbox_age_ms,
            reads=0,
            reads_gone=0,
            reads_open=0,
            reads_duplicate=0,
            reads_rejected=0,
            glimpses=0,
        )


def tick(when: float) -> Tick:
    return Tick(partition=partition_of(PAIR.encode(), 6), at_us=at(when))


@dataclass
class Border:
    """Lanes and ledger in one process, record by record, as the workers would run them."""

    rows: tuple[Message, ...] = ROWS
    #: Serialise and restore each state before each record, as if the worker were killed there.
    killed_everywhere: bool = False
    reference: Reference = field(init=False)
    outputs: list[tuple[str, Message]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reference = Reference(PORTS)
        for row in self.rows:
            self.reference.fold(TOPIC_OF[type(row)], topic_key(row), row)
        self._states = {stage.name: stage.new_state() for stage in (LANES, LEDGER)}
        self._changelog: dict[str, dict[str, bytes | None]] = {"lanes": {}, "ledger": {}}
        self._offset = 0

    def feed(self, *messages: Message) -> "Border":
        for message in messages:
            self._record(LANES, "gate-events", encode(message), topic_key(message))
        return self

    def feed_raw(self, value: bytes | None, key: str = PAIR) -> "Border":
        self._record(LANES, "gate-events", value, key)
        return self

    def change_row(self, row: Message) -> "Border":
        topic, key = TOPIC_OF[type(row)], topic_key(row)
        self.reference.fold(topic, key, row)
        given = ReferenceChanged(topic, key, row)
        self._done(LANES, LANES.step(self._states["lanes"], self.reference, given))
        return self

    def delete_row(self, topic: str, key: str) -> "Border":
        self.reference.fold(topic, key, None)
        given = ReferenceChanged(topic, key, None)
        self._done(LANES, LANES.step(self._states["lanes"], self.reference, given))
        return self

    def take_over(self) -> "Border":
        self._restore(LANES)
        self._done(LANES, LANES.step(self._states["lanes"], self.reference, TakenOver()))
        return self

    def written(self, topic: str) -> list[Any]:
        return [message for where, message in self.outputs if where == topic]

    def last_notices(self) -> dict[str, ArrivalNotice]:
        return {notice.crossing_id: notice for notice in self.written("arrivals")}

    def notice(self) -> ArrivalNotice:
        (only,) = self.last_notices().values()
        return only

    def records(self) -> dict[str, BorderRecord]:
        return {record.record_id: record for record in self.written("border-records")}

    def unmatched(self) -> dict[str, Unmatched]:
        last = {row.unmatched_id: row for row in self.written("unmatched")}
        return {name: row for name, row in last.items() if row.closed_by is None}

    def state_of(self, stage: str) -> KeyedState:
        return self._states[stage]

    def digests(self) -> dict[str, str]:
        return {name: state.digest() for name, state in self._states.items()}

    def _record(self, stage: Stage, topic: str, value: bytes | None, key: str) -> None:
        if self.killed_everywhere:
            self._restore(stage)
        partition = (
            partition_of(PAIR.encode(), 6) if key == "tick" else partition_of(key.encode(), 6)
        )
        record = Record(topic, partition, self._offset, key.encode(), value, (), 0)
        self._offset += 1
        for step in advance(stage, self._states[stage.name], self.reference, record):
            self._done(stage, step)

    def _done(self, stage: Stage, step: Step) -> None:
        self._states[stage.name].apply(step.changes)
        for change in step.changes:
            self._changelog[stage.name][change.key] = encode_change(change)
        for topic, message in step.outputs:
            copied = decode(topic, encode(message))
            self.outputs.append((topic, copied))
            if topic == LEDGER.input:
                self._record(LEDGER, topic, encode(message), topic_key(message))

    def _restore(self, stage: Stage) -> None:
        state = stage.new_state()
        # Compaction may keep the rows of a changelog in any order of their keys.
        for key, row in reversed(self._changelog[stage.name].items()):
            state.load(key, row)
        self._states[stage.name] = state
