"""Readers driven from a world file, and officers: what a second start does."""

import asyncio
from pathlib import Path

import msgspec
import orjson
import pytest
import serial

from gateway.protocols.r200 import R200Decoder, R200Options
from gateway.reads import Read
from schemas.gate import Decision
from schemas.topics import TOPICS, partition_of
from schemas.wire import decode
from simulators.follow import now_us
from simulators.officer import run_officer
from simulators.site import PAIR
from simulators.traffic import TrafficSettings, run_traffic
from simulators.world_file import ReaderLine, StayLine, WorldFileError, end_line, passage_lines
from stream.log.contract import TopicPartition
from stream.log.open import open_log
from tests.simulators.made import SECOND, small_world, until

NOWHERE = ("127.0.0.1", 1)
GONE, HERE, LATER = ("E2" + digit * 22 for digit in "012")


def world_file(tmp_path: Path) -> Path:
    """A reader, a tag that has left, one that is there, and one that comes in a second."""
    now = now_us()
    spans = ((GONE, -9, -5), (HERE, -5, 60), (LATER, 1, 60))
    lines = [msgspec.json.encode(ReaderLine(id="r200-l01", protocol="r200"))]
    for epc, first, last in spans:
        stay = StayLine(
            from_us=now + first * SECOND,
            until_us=now + last * SECOND,
            reader="r200-l01",
            antenna=None,
            epc=epc,
            rssi_dbm=-50,
        )
        lines.append(msgspec.json.encode(stay))
    path = tmp_path / "world.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


async def test_readers_that_start_in_the_middle_hear_who_is_there_and_who_comes(
    tmp_path: Path,
) -> None:
    captures = tmp_path / "captures"
    captures.mkdir()
    settings = TrafficSettings(ports=tmp_path, broker=NOWHERE, captures=captures)
    running = asyncio.create_task(run_traffic(world_file(tmp_path), settings))
    port = tmp_path / "r200-l01"
    await until(port.exists)
    decoder = R200Decoder(R200Options())
    heard: list[str] = []
    with serial.Serial(str(port), 115200, timeout=5) as host:
        host.write(decoder.start())
        async with asyncio.timeout(20):
            while LATER not in heard:
                data = await asyncio.to_thread(host.read, 24)
                reads = decoder.feed(data, now_us())
                heard += [one.epc.hex().upper() for one in reads if isinstance(one, Read)]
    running.cancel()
    await asyncio.wait({running})
    assert heard[0] == HERE
    assert set(heard) == {HERE, LATER}
    capture = captures / "r200-l01.ndjson"
    assert capture.stat().st_mode & 0o777 == 0o600
    lines = [orjson.loads(line) for line in capture.read_bytes().splitlines()]
    assert [line["hex"] for line in lines if line["dir"] == "tx"] == ["BB00270003222710837E"]
    assert any(HERE in line["hex"] for line in lines if line["dir"] == "rx")


async def test_traffic_ends_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "world.ndjson"
    path.write_bytes(
        msgspec.json.encode(ReaderLine(id="r200-l01", protocol="r200")) + b"\n" + end_line()
    )
    async with asyncio.timeout(10):
        await run_traffic(path, TrafficSettings(ports=tmp_path, broker=NOWHERE))
    assert not (tmp_path / "r200-l01").is_symlink()


async def test_a_wrong_line_ends_the_traffic_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "world.ndjson"
    path.write_bytes(b'{"kind":"end"\n')
    async with asyncio.timeout(10):
        with pytest.raises(WorldFileError, match="line 1: "):
            await run_traffic(path, TrafficSettings(ports=tmp_path, broker=NOWHERE))


async def test_officers_that_start_again_repeat_the_same_decisions_in_the_same_order(
    tmp_path: Path,
) -> None:
    world = small_world()
    path, url = tmp_path / "world.ndjson", f"sqlite:{tmp_path / 'log.db'}"
    path.write_bytes(passage_lines(world.passages) + end_line())
    async with await open_log(url) as log:
        await log.create([TOPICS["gate-events"]])
        for _ in range(2):
            await run_officer(path, url)
        place = TopicPartition(
            "gate-events", partition_of(PAIR.encode(), TOPICS["gate-events"].partitions)
        )
        reader = await log.reader({place: 0})
        records = await reader.poll(1_000, 1)
    decisions = [decode(one.topic, one.value or b"") for one in records]
    wanted = sorted((one.decision for one in world.passages), key=lambda one: one.at_us)
    assert decisions == [*wanted, *wanted]
    assert all(isinstance(one, Decision) and one.lane is not None for one in decisions)
