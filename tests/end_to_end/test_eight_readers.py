"""One gateway and eight simulated readers of eight kinds at once: exactly the reads that were sent come out.

All are real processes: lines are pseudo-terminals, TCP and RFC 2217, the broker is mosquitto. Nobody talks before
it is started, but the TransCore reader, which cannot be started and sends again what is not acknowledged.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from paho.mqtt import publish

from gateway.identity import epc_token
from schemas.gate import Heartbeat, ReaderStatus, SightingGone
from simulators.load import Load
from simulators.readers import MQTT_KINDS
from tests.gateway.broker import Broker, find_mosquitto
from tests.gateway.rig import KEY, PAIR, ROOT, Events, gateway, make_topics
from tests.needs import missing

pytestmark = pytest.mark.timeout(180)

RATE: Final = 20
SECONDS: Final = 5
TOTAL: Final = RATE * SECONDS
NEW_EVERY: Final = 10

#: Name and place of each reader; `{folder}` and `{broker}` are filled in.
READERS: Final = {
    "r200": "pty:{folder}/r200",
    "mercury": "pty:{folder}/mercury",
    "uhfreader288": "tcp:0",
    "transcore_ecp": "pty:{folder}/transcore",
    "metratec_at": "rfc2217:0",
    "zebra_iotc": "mqtt:127.0.0.1:{broker}",
    "impinj_iot": "mqtt:127.0.0.1:{broker}",
    "keonn": "mqtt:127.0.0.1:{broker}",
}

HEAD: Final = """
[gateway]
id = "gw-1"
pair = "{pair}"
token_key_file = "{folder}/token.key"
heartbeat_ms = 500
[outbox]
path = "{folder}/outbox.db"
[log]
url = "sqlite:{folder}/log.db"
[[mqtt]]
id = "yard"
url = "mqtt://127.0.0.1:{broker}"
client_id = "gw-1"
topics = [{topics}]
"""
LANE: Final = """
[[lane]]
id = "{lane}"
direction = "MX>US"
glimpse_ms = 500
lost_ms = 800
{reader}
[[read_point]]
id = "{lane}-primary"
lane = "{lane}"
position = "primary"
reader = "{name}"
to_booth_s = 0
"""


class Simulated(NamedTuple):
    """A simulated reader: its process, the configuration that it prints, and its count file."""

    process: Process
    configuration: str
    counts: Path

    def counted(self) -> dict[str, object]:
        """What it has sent so far."""
        return dict(json.loads(self.counts.read_bytes()))


@asynccontextmanager
async def simulated(name: str, seed: int, place: str, folder: Path) -> AsyncIterator[Simulated]:
    """`gatebook simulate reader`, from its first words to its end."""
    counts = folder / f"{name}.json"
    command = [sys.executable, "-m", "gatebook", "simulate", "reader", "--protocol", name]
    command += ["--on", place, "--name", name, "--seed", str(seed), "--count-file", str(counts)]
    command += ["--rate", str(RATE), "--for", str(SECONDS), "--new-every", str(NEW_EVERY)]
    command += ["--stopped"] if name in MQTT_KINDS else []
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    try:
        assert process.stderr is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("options"):
            line = (await process.stderr.readline()).decode()
            assert line, f"{name} ended: {''.join(lines)}"
            lines.append(line)
        yield Simulated(process, "".join(lines), counts)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def configured(folder: Path, broker: int, readers: dict[str, Simulated]) -> Path:
    """A lane a reader, each as the simulator says it."""
    (folder / "token.key").write_text(f"{KEY.key_id}:{KEY.secret.hex()}\n")
    (folder / "token.key").chmod(0o600)
    topics = ", ".join(
        f'{{ filter = "readers/{name}/data", reader = "{name}" }}, '
        f'{{ filter = "readers/{name}/management", reader = "{name}", kind = "management" }}'
        for name in readers
        if name in MQTT_KINDS
    )
    text = HEAD.format(pair=PAIR, folder=folder, broker=broker, topics=topics)
    for number, (name, reader) in enumerate(readers.items(), 1):
        text += LANE.format(lane=f"L{number:02d}", name=name, reader=reader.configuration)
    path = folder / "gateway.toml"
    path.write_text(text)
    return path


def expected(seed: int) -> Counter[str]:
    """Reads by token."""
    tags = Load(rate=RATE, seed=seed, new_every=NEW_EVERY).tags(TOTAL)
    return Counter({str(epc_token(KEY, epc)): reads for epc, reads in tags.items()})


def found(events: Events, lane: str) -> Counter[str]:
    """Reads by token of the stays that are over."""
    reads: Counter[str] = Counter()
    for gone in {event.event_id: event for event in events.of(SightingGone)}.values():
        if gone.lane == lane:
            reads[gone.token] += gone.reads
    return reads


def all_gone(events: Events) -> bool:
    """Whether the stays of each reader have at least the reads that it sent."""
    lanes = range(1, len(READERS) + 1)
    return all(sum(found(events, f"L{lane:02d}").values()) >= TOTAL for lane in lanes)


def told(events: Events) -> bool:
    """Whether the gateway's own counters say that nothing is open."""
    last = events.of(Heartbeat)[-1]
    return last.reads_gone >= TOTAL * len(READERS) and not last.reads_open


async def start_mqtt(broker: int, events: Events) -> None:
    """What a technician does once the gateway listens: the readers' start, kept until they hear it."""

    def listening(seen: Events) -> bool:
        return {one.reader for one in seen.of(ReaderStatus) if one.up} >= set(MQTT_KINDS) & {
            *READERS
        }

    await events.until(listening, 40)
    rows: publish.MessagesList = [
        (f"readers/{name}/control", b"start", 1, True) for name in READERS if name in MQTT_KINDS
    ]
    await asyncio.to_thread(publish.multiple, rows, hostname="127.0.0.1", port=broker)


async def test_eight_readers_of_eight_kinds_lose_no_read_and_double_none(tmp_path: Path) -> None:
    program = find_mosquitto()
    if program is None:
        missing("mosquitto is not installed")
    broker = Broker(program, tmp_path)
    broker.start()
    events = Events(f"sqlite:{tmp_path}/log.db")
    try:
        await broker.ready()
        await make_topics(events.url)
        async with AsyncExitStack() as stack:
            readers = {
                name: await stack.enter_async_context(
                    simulated(
                        name, seed, place.format(folder=tmp_path, broker=broker.port), tmp_path
                    )
                )
                for seed, (name, place) in enumerate(READERS.items(), 1)
            }
            for name in set(READERS) - {"transcore_ecp"}:
                assert readers[name].counted()["taken"] == 0
            with gateway(configured(tmp_path, broker.port, readers)) as running:
                await start_mqtt(broker.port, events)
                await events.until(lambda seen: all_gone(seen) and told(seen), 60)
                async with asyncio.timeout(20):
                    for reader in readers.values():
                        assert await reader.process.wait() == 0
                assert running.terminate() == 0
    finally:
        broker.stop()
    for number, (name, reader) in enumerate(readers.items(), 1):
        counts = reader.counted()
        assert (counts["sent"], counts["lost"], counts["done"]) == (TOTAL, 0, True), name
        assert found(events, f"L{number:02d}") == expected(number), name
    balance = events.check_balance()
    assert balance.reads_gone == TOTAL * len(READERS)
