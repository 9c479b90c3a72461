"""Outbox to event log: in order, byte for byte, for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from gateway.batch import Batch, EventRow, Totals
from gateway.best_lane import Voice
from gateway.outbox import Outbox, Owner
from gateway.publisher import USUAL_BYTES, Publisher, traceparent
from gateway.sightings import Sightings
from gateway.tables import MAX_NEIGHBOURS
from gateway.tracker import MAX_ANTENNAS, Stay
from schemas.gate import Heartbeat, ReaderHealth, Skipped
from schemas.topics import MAX_VALUE_BYTES, partition_of
from schemas.wire import encode
from stream.log.contract import EventLog
from stream.log.open import open_log
from tests.gateway.outbox_rig import SIGNER, spoil, verify_chain
from tests.gateway.rig import KEY, PAIR, Events, make_topics
from tests.gateway.test_tracker import POINT


def beat(outbox: Outbox, seq: int, readers: int = 0) -> EventRow:
    event = Heartbeat(
        event_id=outbox.event_id(seq),
        pair=PAIR,
        at_us=seq,
        outbox_depth=0,
        outbox_age_ms=0,
        reads=0,
        reads_gone=0,
        reads_open=0,
        reads_duplicate=0,
        reads_rejected=0,
        glimpses=0,
        readers=(ReaderHealth(reader="r" * 100, up=True, last_heard_us=None, reads=0),) * readers,
    )
    return EventRow(seq, seq, encode(event))


async def store(outbox: Outbox, *rows: EventRow) -> None:
    await outbox.store(Batch(rows, {}, [], [], msgspec.msgpack.encode(Totals()), {}))


@asynccontextmanager
async def outbox_at(path: Path) -> AsyncIterator[Outbox]:
    outbox = await Outbox.open(path, Owner("gw-1", PAIR))
    try:
        yield outbox
    finally:
        await outbox.aclose()


@asynccontextmanager
async def publishing(outbox: Outbox, url: str) -> AsyncIterator[list[int]]:
    """A publisher at work; what it says was refused."""
    refused: list[int] = []
    publisher = Publisher(outbox, url, gateway="gw-1", pair=PAIR, refused=refused.append)
    task = asyncio.create_task(publisher.run())
    try:
        yield refused
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_events_arrive_in_order_as_the_bytes_that_were_stored(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    async with outbox_at(tmp_path / "outbox.db") as outbox, publishing(outbox, url):
        rows = [beat(outbox, seq) for seq in range(1, 1_200)]
        await store(outbox, *rows[:100])
        await store(outbox, *rows[100:])
        events = await Events(url).until(lambda events: len(events.records) == len(rows))
        await outbox.empty.wait()
        assert await outbox.head(1) == []
        assert [record.value for record in events.records] == [row.value for row in rows]
        assert {record.key for record in events.records} == {PAIR.encode()}
        assert {record.partition for record in events.records} == {partition_of(PAIR.encode(), 6)}


async def test_an_event_carries_its_headers(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    async with outbox_at(tmp_path / "outbox.db") as outbox, publishing(outbox, url):
        await store(outbox, beat(outbox, 1))
        events = await Events(url).until(lambda events: events.records)
        headers = dict(events.records[0].headers)
        assert headers["ce_id"] == outbox.event_id(1).encode()
        assert headers["ce_type"] == b"gatebook.heartbeat"
        assert headers["ce_source"] == b"gatebook/gateway/gw-1"
        assert headers["content-type"] == b"application/vnd.msgpack"
        assert headers["traceparent"] == traceparent(outbox.event_id(1))


async def test_the_records_of_the_log_verify_as_one_chain_though_an_event_was_skipped(
    tmp_path: Path,
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    outbox = await Outbox.open(tmp_path / "outbox.db", Owner("gw-1", PAIR, SIGNER))
    try:
        for first in range(1, 31, 5):
            await store(outbox, *(beat(outbox, seq) for seq in range(first, first + 5)))
        changed = beat(outbox, 12)._replace(value=beat(outbox, 12, readers=1).value)
        spoil(tmp_path / "outbox.db", "UPDATE events SET value = ? WHERE seq = 12", changed.value)
        spoil(tmp_path / "outbox.db", "UPDATE events SET value = ? WHERE seq = 20", b"\xc1")
        async with publishing(outbox, url) as refused:
            events = await Events(url).until(lambda events: len(events.distinct()) == 30)
            assert refused == [1, 1]
            await outbox.empty.wait()
    finally:
        await outbox.aclose()
    events.check_sequence()
    assert [skipped.from_seq for skipped in events.of(Skipped)] == [12, 20]
    sent = []
    for seq, record in enumerate(events.records, 1):
        found = dict(record.headers)
        sent.append((seq, record.value or b"", found["chain"], found.get("signature")))
    epoch, key = outbox.kept.epoch, SIGNER.public_key
    assert verify_chain(sent, gateway="gw-1", epoch=epoch, first_key=key, keys=[key]) == 30
    assert sum(signature is not None for *_, signature in sent) == 6


def test_a_trace_context_is_the_same_for_the_same_event_and_well_formed() -> None:
    version, trace, span, flags = traceparent("gw-1.e.1").decode().split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert traceparent("gw-1.e.1") == traceparent("gw-1.e.1") != traceparent("gw-1.e.2")


async def test_a_log_that_is_away_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    url = f"sqlite:{folder}/log.db"
    async with outbox_at(tmp_path / "outbox.db") as outbox, publishing(outbox, url):
        await store(outbox, beat(outbox, 1))
        assert not folder.exists()
        folder.mkdir()
        await make_topics(url)
        await store(outbox, beat(outbox, 2))
        await Events(url).until(lambda events: len(events.records) == 2)


async def test_a_fault_of_the_log_adapter_is_waited_out_and_stops_nothing(tmp_path: Path) -> None:
    url, attempts = f"sqlite:{tmp_path}/log.db", []
    await make_topics(url)

    async def connect(wanted: str) -> EventLog:
        attempts.append(wanted)
        if len(attempts) < 3:
            raise ZeroDivisionError
        return await open_log(wanted)

    async with outbox_at(tmp_path / "outbox.db") as outbox:
        await store(outbox, beat(outbox, 1))
        publisher = Publisher(
            outbox, url, gateway="gw-1", pair=PAIR, refused=lambda _: None, connect=connect
        )
        task = asyncio.create_task(publisher.run())
        await Events(url).until(lambda events: events.records)
        task.cancel()
        await asyncio.wait([task])
    assert attempts == [url] * 3


async def test_topics_that_are_missing_are_waited_for(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    async with outbox_at(tmp_path / "outbox.db") as outbox, publishing(outbox, url):
        await store(outbox, beat(outbox, 1))
        async with await open_log(url) as log:
            assert (await log.describe(["gate-events"]))["gate-events"] is None
        await make_topics(url)
        await Events(url).until(lambda events: events.records)


async def test_an_event_that_is_too_large_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    async with outbox_at(tmp_path / "outbox.db") as outbox, publishing(outbox, url) as refused:
        large = beat(outbox, 2, readers=MAX_VALUE_BYTES // 100)
        await store(outbox, beat(outbox, 1), large, beat(outbox, 3))
        events = await Events(url).until(lambda events: len(events.distinct()) == 3)
        events.check_sequence()
        (skipped,) = events.of(Skipped)
        assert (skipped.from_seq, skipped.to_seq, skipped.pair) == (2, 2, PAIR)
        assert skipped.event_id == outbox.event_id(2)
        assert "bytes" in skipped.cause
        assert refused == [1]
        await outbox.empty.wait()


async def test_a_row_that_is_damaged_is_skipped_in_the_open(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    async with outbox_at(tmp_path / "outbox.db") as outbox, publishing(outbox, url) as refused:
        await store(outbox, beat(outbox, 1), EventRow(2, 2, b"\xc1 damaged"), beat(outbox, 3))
        events = await Events(url).until(lambda events: len(events.distinct()) == 3)
        (skipped,) = events.of(Skipped)
        assert skipped.cause.startswith("damaged in the outbox")
        assert refused == [1]


def test_no_sighting_is_so_large_that_it_could_be_skipped() -> None:
    """Waiting for a broker to be put right loses nothing; skipping would lose every card."""
    name = "x" * 40
    point = msgspec.structs.replace(POINT, id=name, lane=name, to_booth_s=86_400)
    stay = Stay(
        point=point,
        epc=b"x" * 62,
        tid=b"x" * 62,
        first_us=-(2**62),
        last_us=2**62,
        heard_us=2**62,
        reads=2**62,
        peak_rssi_dbm=-55.5,
        antennas=tuple(range(200, 200 + MAX_ANTENNAS)),
        clock_source="estimated",
        clock_offset_us=2**62,
        replayed=True,
        seen_event_id=f"{name}.{name}.{2**62}",
        voices=[
            Voice(point=name, lane=f"{n}{name[1:]}", last_us=0, reads=1)
            for n in range(MAX_NEIGHBOURS)
        ],
    )
    largest = Sightings(name, KEY).gone(f"{name}.{name}.{2**62}", stay, 2**62, "overflow")
    assert len(encode(largest)) < USUAL_BYTES / 2
