"""Bytes that real readers sent, through a pseudo-terminal and mosquitto, end as border records on Kafka.

Everything between is the real program in a process of its own, under its default thresholds.
"""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from gateway.identity import epc_token
from schemas.border import BorderRecord
from schemas.gate import Decision, Heartbeat, SightingGone, SightingSeen
from schemas.message import Message
from schemas.reference import Credential
from schemas.topics import TOPICS, topic_key
from schemas.wire import decode, encode
from stream.log.contract import Outgoing, TopicPartition
from stream.log.open import open_log
from tests.gateway.broker import Broker
from tests.gateway.rig import (
    KEY,
    PAIR,
    ROOT,
    START,
    Events,
    PtyReader,
    gateway,
    make_topics,
    write_config,
)

pytestmark = pytest.mark.timeout(120)

CAPTURES: Final = ROOT / "tests/captures"
LINE: Final = re.compile(r"^([0-9A-F]+) ; rx ; ")
#: The R200 frames that hold a tag.
R200_FRAMES: Final = [
    bytes.fromhex(found[1])
    for line in (CAPTURES / "r200_m100.txt").read_text().splitlines()
    if (found := LINE.match(line)) and found[1].startswith("BB0222")
]
R200_EPCS: Final = [frame[8:-4] for frame in R200_FRAMES]
ZEBRA_LINES: Final = [
    json.loads(line) for line in (CAPTURES / "zebra_iotc_tagdata.ndjson").read_text().splitlines()
]
ZEBRA_EPC: Final = bytes.fromhex("e2806894000040017790e471")


def card(epc: bytes, holder: str, kind: str = "driver_card") -> Credential:
    token = epc_token(KEY, epc)
    assert token is not None
    return Credential(token=token, credential_id=f"card:{epc.hex()[-4:]}", kind=kind, holder=holder)  # type: ignore[arg-type]


#: The tags of the captures, as if they belonged to a truck with two people and to a driver alone.
CARDS: Final = (
    card(R200_EPCS[0], "truck:1", "truck_tag"),
    card(R200_EPCS[1], "person:ana"),
    card(R200_EPCS[2], "person:ben"),
    card(ZEBRA_EPC, "person:eva"),
)


def configured(folder: Path, log: str, broker: Broker) -> Path:
    """An R200 at the booth of L01, a Zebra reader at the booth of L02, thresholds as they ship."""
    path = write_config(folder, log=log, heartbeat_ms=500)
    second = f"""
[[lane]]
id = "L02"
direction = "MX>US"
[[reader]]
id = "zebra"
link = "mqtt:yard"
protocol = "zebra_iotc"
[[read_point]]
id = "L02-primary"
lane = "L02"
position = "primary"
reader = "zebra"
to_booth_s = 0
[[mqtt]]
id = "yard"
url = "mqtt://127.0.0.1:{broker.port}"
client_id = "gw-1"
topics = [{{ filter = "queue/data", reader = "zebra" }}]
"""
    path.write_text(path.read_text() + second)
    return path


def renewed(times: int) -> Iterator[bytes]:
    """Each Zebra line so many times, with a new eventNum and timestamp and all else as it was."""
    number = 9000
    for line in ZEBRA_LINES:
        for _ in range(times):
            number += 1
            stamp = datetime.fromtimestamp(time.time(), UTC)
            text = stamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{stamp.microsecond // 1000:03d}+0000"
            data = {**line["data"], "eventNum": number}
            yield json.dumps({**line, "data": data, "timestamp": text}).encode()


async def write(url: str, *messages: Message) -> None:
    topics = {kind: topic.name for topic in TOPICS.values() for kind in topic.messages}
    async with await open_log(url) as log:
        appender = await log.appender()
        await appender.append(
            [Outgoing(topics[type(one)], topic_key(one).encode(), encode(one)) for one in messages]
        )
        await appender.aclose()


@contextlib.contextmanager
def stages(url: str, folder: Path) -> Iterator[None]:
    """Both workers, each a process."""
    command = [sys.executable, "-m", "gatebook", "stream", "run", "--log", url, "--stage"]
    with contextlib.ExitStack() as stack:
        for name in ("lanes", "ledger"):
            errors = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = stack.enter_context(
                subprocess.Popen([*command, name], stderr=errors, cwd=ROOT)
            )
            stack.callback(process.terminate)
        yield


async def records(url: str, count: int) -> list[BorderRecord]:
    """The first border records, as a read_committed reader sees them."""
    found: list[BorderRecord] = []
    async with await open_log(url) as log:
        reader = await log.reader({TopicPartition("border-records", n): 0 for n in range(6)})
        async with asyncio.timeout(40):
            while len(found) < count:
                for record in await reader.poll(100, 0.5):
                    message = decode("border-records", record.value or b"")
                    assert isinstance(message, BorderRecord)
                    found.append(message)
        await reader.aclose()
    return found


@pytest.fixture
async def yard(broker: Broker) -> Broker:
    """A mosquitto that answers."""
    broker.start()
    await broker.ready()
    return broker


def decision(seq: int, lane: str, at_us: int) -> Decision:
    return Decision(
        event_id=f"desk.e1.{seq}",
        pair=PAIR,
        at_us=at_us,
        country="US",
        authority="CBP",
        officer="officer-7",
        outcome="released",
        lane=lane,
    )


async def test_each_frame_three_times_gives_border_records(
    kafka_url: str, yard: Broker, pty_reader: PtyReader, tmp_path: Path
) -> None:
    await make_topics(kafka_url)
    await write(kafka_url, *CARDS)
    path = configured(tmp_path, kafka_url, yard)
    with gateway(path), stages(kafka_url, tmp_path):
        await pty_reader.command(START)
        for frame in R200_FRAMES:
            pty_reader.send(frame * 3)  # at once, so within 100 ms
        events = Events(kafka_url)
        await events.until(zebra_listens)
        await yard.publish(list(renewed(3)))
        seen = await events.until(lambda found: len(found.of(SightingSeen)) == 4, 30)
        now = max(one.last_us for one in seen.of(SightingSeen))
        await write(kafka_url, decision(1, "L01", now), decision(2, "L02", now))
        found = await records(kafka_url, 3)
    by_person = {one.person: one for one in found}
    assert set(by_person) == {"person:ana", "person:ben", "person:eva"}
    assert len(found) == 3
    assert by_person["person:ana"].crossing_id == by_person["person:ben"].crossing_id
    assert by_person["person:eva"].crossing_id != by_person["person:ana"].crossing_id
    for record in found:
        assert (record.entry.country, record.entry.office_code) == ("US", "2304")
        assert (record.exit.country, record.exit.office_code) == ("MX", "240")
        assert record.entry.at_us == record.exit.at_us == now


async def test_each_frame_once_gives_counted_glimpses_and_no_crossing(
    kafka_url: str, yard: Broker, pty_reader: PtyReader, tmp_path: Path
) -> None:
    await make_topics(kafka_url)
    await write(kafka_url, *CARDS)
    path = configured(tmp_path, kafka_url, yard)
    with gateway(path), stages(kafka_url, tmp_path):
        await pty_reader.command(START)
        for frame in R200_FRAMES:
            pty_reader.send(frame)
        events = await Events(kafka_url).until(lambda found: len(found.of(SightingGone)) == 3)
        assert [(one.observed, one.reads) for one in events.of(SightingGone)] == [(False, 1)] * 3
        # The Zebra lines as they are: four reads of one tag, seconds to minutes apart.
        await events.until(zebra_listens)
        await yard.publish([json.dumps(line).encode() for line in ZEBRA_LINES])
        await events.until(lambda found: len(found.of(SightingGone)) == 7)
        await events.until(lambda found: found.of(Heartbeat)[-1].glimpses == 7)
        assert not any(one.observed for one in events.of(SightingGone))
        assert events.of(SightingSeen) == []
        await consumed(kafka_url)
        async with await open_log(kafka_url) as log:
            for topic in ("arrivals", "unmatched", "border-records"):
                bounds = await log.bounds([TopicPartition(topic, n) for n in range(6)])
                assert all(first == end for first, end in bounds.values()), topic


def zebra_listens(events: Events) -> bool:
    """Whether the gateway says that the Zebra reader's topic is subscribed."""
    beats = events.of(Heartbeat)
    return bool(beats) and any(one.reader == "zebra" and one.up for one in beats[-1].readers)


async def consumed(url: str) -> None:
    """Wait until the lanes stage has committed all that stands in gate-events now."""
    async with await open_log(url) as log, asyncio.timeout(40):
        places = [TopicPartition("gate-events", n) for n in range(6)]
        left = {at: end for at, (_, end) in (await log.bounds(places)).items() if end}
        while left:
            at, end = next(iter(left.items()))
            # The last offset may hold a transaction's marker instead of a record.
            if (await log.committed("lanes", at) or 0) >= end - 1:
                del left[at]
            else:
                await asyncio.sleep(0.05)
