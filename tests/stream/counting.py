"""A small stage for tests of the worker, and how such tests write and read a log.

It counts the sightings of each token and writes each count as an alert, so an output is right only if the
state was. It looks tokens up, and says so when their card changes: what late reference rows do.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import msgspec

from schemas.alert import Alert
from schemas.gate import SightingSeen
from schemas.message import Message
from schemas.reference import Credential
from schemas.topics import TOPICS, partition_of, topic_key
from schemas.wire import decode, encode
from stream.log.contract import EventLog, Outgoing, Record, TopicPartition
from stream.reference import Reference
from stream.stage import Given, Input, Output, ReferenceChanged, Step, TakenOver
from stream.state import Change, KeyedState
from stream.worker import Worker

#: Pairs whose partitions differ: 0, 1, 2.
PAIRS = ("pair-16", "pair-5", "pair-13")


class Count(msgspec.Struct, frozen=True, kw_only=True, tag="count"):
    """What is known of a token."""

    pair: str
    seen: int
    card: str | None


class Counting:
    """Counts sightings."""

    name = "lanes"
    input = "gate-events"
    changelog = "lanes-changelog"
    references: tuple[str, ...] = ("credentials",)

    def __init__(self, *, ticks: bool = False, fill: int = 0) -> None:
        """`fill`: bytes that the card of token `huge` makes an output too large by."""
        self.ticks = ticks
        self._fill = fill

    def new_state(self) -> KeyedState:
        return KeyedState(Count)

    def step(self, state: KeyedState, reference: Reference, given: Given) -> Step:
        match given:
            case Input(message=SightingSeen() as seen):
                return self._seen(state, reference, seen)
            case ReferenceChanged(key=key):
                return _looked_up(state, reference, [key])
            case TakenOver():
                return _looked_up(state, reference, [key for key, _ in state.items()])
            case _:
                return Step([], [])

    def _seen(self, state: KeyedState, reference: Reference, seen: SightingSeen) -> Step:
        old = state.get(seen.token)
        number = 1 + (old.seen if isinstance(old, Count) else 0)
        new = Count(pair=seen.pair, seen=number, card=_card(reference, seen.token))
        evidence = ("x" * self._fill,) if seen.token == "huge" else ()
        return Step(
            [Change(seen.token, new)],
            [Output("alerts", _alert(seen.event_id, seen.token, seen.at_us, new, evidence))],
        )


def _looked_up(state: KeyedState, reference: Reference, tokens: Iterable[str]) -> Step:
    changes, outputs = [], []
    for token in tokens:
        old = state.get(token)
        card = _card(reference, token)
        if isinstance(old, Count) and old.card != card:
            new = Count(pair=old.pair, seen=old.seen, card=card)
            changes.append(Change(token, new))
            outputs.append(Output("alerts", _alert(f"{token}:{card}", token, 0, new, ())))
    return Step(changes, outputs)


def _card(reference: Reference, token: str) -> str | None:
    credential = reference.credential(token)
    return None if credential is None else credential.credential_id


def _alert(
    alert_id: str, subject: str, at_us: int, count: Count, evidence: tuple[str, ...]
) -> Alert:
    return Alert(
        alert_id=alert_id,
        kind="sequence_gap",
        severity="info",
        subject=subject,
        pair=count.pair,
        at_us=at_us,
        evidence=evidence,
        what_to_do=f"seen {count.seen}, card {count.card}",
    )


def seen(seq: int, token: str, pair: str = PAIRS[0]) -> SightingSeen:
    return SightingSeen(
        event_id=f"gw.e1.{seq}",
        pair=pair,
        lane="L01",
        read_point="L01-primary",
        position="primary",
        to_booth_s=0,
        direction="MX>US",
        token=token,
        first_us=seq,
        last_us=seq,
        at_us=seq,
        reads=1,
        clock_source="received",
    )


def card(token: str, number: str) -> Credential:
    return Credential(token=token, credential_id=number, kind="driver_card", holder="person:7")


def outgoing(topic: str, message: Message) -> Outgoing:
    return Outgoing(topic, topic_key(message).encode(), encode(message))


def partition(pair: str) -> int:
    return partition_of(pair.encode(), 6)


async def create_all(log: EventLog) -> None:
    await log.create(list(TOPICS.values()))


async def append(log: EventLog, records: Sequence[Outgoing]) -> None:
    appender = await log.appender()
    try:
        await appender.append(records)
    finally:
        await appender.aclose()


async def give(log: EventLog, *messages: Message) -> None:
    """Write messages into the one topic that each may stand in."""
    topic_of = {kind: topic.name for topic in TOPICS.values() for kind in topic.messages}
    await append(log, [outgoing(topic_of[type(message)], message) for message in messages])


async def everything(log: EventLog, topic: str) -> list[Record]:
    """All committed records of a topic, partition by partition."""
    places = [TopicPartition(topic, number) for number in range(TOPICS[topic].partitions)]
    bounds = await log.bounds(places)
    reader = await log.reader({place: first for place, (first, _) in bounds.items()})
    found: list[Record] = []
    try:
        async with asyncio.timeout(30):
            while any(reader.positions()[place] < end for place, (_, end) in bounds.items()):
                found += await reader.poll(1_000, 1.0)
    finally:
        await reader.aclose()
    return sorted(found, key=lambda record: (record.partition, record.offset))


async def messages(log: EventLog, topic: str) -> list[Message]:
    return [decode(topic, record.value or b"") for record in await everything(log, topic)]


async def said(log: EventLog) -> list[str]:
    """What the counting stage has written, as `token: seen n, card c`, in order of token."""
    alerts = [one for one in await messages(log, "alerts") if isinstance(one, Alert)]
    return sorted(f"{one.subject}: {one.what_to_do}" for one in alerts)


async def until(done: Callable[[], bool]) -> None:
    """Wait for what a worker counts."""
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110 - counts are plain numbers, without an event to wait for
            await asyncio.sleep(0.001)


async def until_committed(log: EventLog, place: TopicPartition, offset: int) -> None:
    """Wait until a process, this one or another, has committed a position of the lanes stage."""
    async with asyncio.timeout(60):
        while await log.committed("lanes", place) != offset:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)


async def work_until(worker: Worker, done: Callable[[], bool]) -> None:
    """Run a worker until the condition holds between two rounds, then stop it cleanly."""
    stop = asyncio.Event()

    async def watch() -> None:
        await until(done)
        stop.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        group.create_task(worker.run(stop))
