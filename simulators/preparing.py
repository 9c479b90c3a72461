"""Sets a demo's folder up, and waits until its programs are ready for trucks."""

import asyncio
import os
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Final

import orjson

from gateway.signing import key_row, make_signing_key
from schemas.topics import TOPICS
from simulators.fleet import Row
from simulators.follow import now_us
from simulators.layout import Places, gateway_toml, mosquitto_conf
from simulators.planning import demo_key, fleet, ndjson_rows, ndjson_truth
from simulators.site import GATEWAY, READERS
from simulators.supervise import Supervisor
from simulators.world import build_world
from simulators.world_file import end_line, passage_lines, reader_lines
from stream.load import write_rows
from stream.log.contract import EventLog

#: Looks at a condition so often.
LOOK_S: Final = 0.05
#: A demo whose programs are not ready after this will not become so.
READY_S: Final = 60.0
#: What a worker says when it owns its partitions.
TAKEN_OVER: Final = "taken over"


class DemoFailed(Exception):  # noqa: N818 - the text says what to look at
    """The demo could not begin or go on."""


def write_files(places: Places, seed: int, broker_port: int) -> Row:
    """Configurations, keys and the head of the world file; returns the row that tells the gateway's signing key."""
    places.make()
    places.signing_key.unlink(missing_ok=True)
    signer = make_signing_key(places.signing_key)
    key = demo_key(seed)
    secret = f"# A key for invented cards only.\n{key.key_id}:{key.secret.hex()}\n"
    _write_private(places.token_key, secret)
    places.gateway_toml.write_text(gateway_toml(places, broker_port), encoding="utf-8")
    conf = mosquitto_conf(places, broker_port, as_root=os.geteuid() == 0)
    places.mosquitto_conf.write_text(conf, encoding="utf-8")
    places.world.write_bytes(reader_lines(READERS))
    for path in (places.reference, places.truth, places.records):
        path.write_bytes(b"")
    return Row("policies", key_row(GATEWAY, signer, now_us()))


def write_world(root: Path, seed: int, *, for_s: float, start_in_s: float, port: int) -> int:
    """A whole world in a folder, with the gateway's configuration; return how many trucks come."""
    places = Places(root=root)
    key = write_files(places, seed, port)
    start_us = now_us() + round(start_in_s * 1e6)
    made = build_world(fleet(seed), start_us, round(for_s * 1e6))
    places.reference.write_bytes(ndjson_rows((key, *made.rows), start_us))
    append(places.world, passage_lines(made.passages) + end_line())
    places.truth.write_bytes(ndjson_truth([passage.expected for passage in made.passages]))
    return len(made.passages)


async def load(log: EventLog, places: Places, rows: tuple[Row, ...], at_us: int) -> None:
    """Load reference rows as `gatebook reference load` does, and keep them in the demo's folder."""
    lines = ndjson_rows(rows, at_us)
    append(places.reference, lines)
    await write_rows(log, BytesIO(lines))


async def make_topics(log: EventLog) -> None:
    """Make all topics."""
    await log.create(list(TOPICS.values()))


async def broker_ready(port: int) -> None:
    """Wait until somebody listens on the loopback port."""

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    deadline = time.monotonic() + READY_S
    while not await listens():
        await _again(deadline, "the MQTT broker does not listen")


async def ports_ready(places: Places) -> None:
    """Wait until all serial readers are plugged in."""
    names = [places.ports / one.id for one in READERS if one.protocol == "r200"]
    await _wait_for(lambda: all(name.exists() for name in names), "the readers have no ports")


async def worker_ready(programs: Supervisor, name: str) -> None:
    """Wait until a worker owns its partitions."""
    log = programs.log_of(name)
    await _wait_for(lambda: TAKEN_OVER in _text(log), f"the {name} worker owns no partition")


async def gateway_ready(places: Places) -> None:
    """Wait until the gateway has heard every reader."""
    status = places.outbox.with_name(places.outbox.name + ".status.json")
    await _wait_for(lambda: not _unheard(status), "the gateway does not hear all readers")


def append(path: Path, content: bytes) -> None:
    """Write at the end of a file."""
    with path.open("ab") as file:
        file.write(content)


def _text(path: Path) -> str:
    """What a file holds; nothing while it is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _unheard(status: Path) -> list[str]:
    """Readers that the gateway has not heard yet, by its status file."""
    try:
        found = orjson.loads(status.read_bytes())["readers"]
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError):
        found = {}
    return [one.id for one in READERS if not found.get(one.id, {}).get("last_heard_us")]


async def _wait_for(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + READY_S
    while not condition():
        await _again(deadline, otherwise)


async def _again(deadline: float, otherwise: str) -> None:
    if time.monotonic() > deadline:
        raise DemoFailed(
            f"{otherwise} after {READY_S:g} s; with --keep DIR the logs of the programs stay in DIR/logs"
        )
    await asyncio.sleep(LOOK_S)


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
