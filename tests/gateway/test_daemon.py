"""The whole daemon on real pseudo-terminals and a real broker: killed, stopped, starved, flooded."""

import asyncio
import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import read_config
from gateway.health import status_path
from schemas.gate import Heartbeat, ReaderStatus, SightingGone, SightingSeen
from tests.gateway.broker import Broker
from tests.gateway.rig import (
    CARD,
    CARD_FRAME,
    NO_TAG_FRAME,
    START,
    STOP,
    TRUCK,
    TRUCK_FRAME,
    Events,
    PtyReader,
    config,
    daemon,
    gateway,
    make_topics,
    write_config,
)

#: Sightings end soon, so that tests need not wait.
QUICK = "glimpse_ms = 300\nlost_ms = 600"


def zebra(number: int, epc: bytes = CARD, at: str = "12:50:55.513") -> bytes:
    """A tag event as the reader sends it; its own clock is months old, so it is `replayed`."""
    data = {"antenna": 1, "eventNum": number, "format": "epc", "idHex": epc.hex(), "reads": 1}
    row = {"data": data, "timestamp": f"2026-09-07T{at}+0000", "type": "INVENTORY"}
    return json.dumps(row).encode()


def memory() -> str:
    return f"memory:{secrets.token_hex(4)}"


async def test_three_frames_in_100_ms_are_seen_and_one_is_a_glimpse(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    async with daemon(config(tmp_path, log=url, lane=QUICK)):
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3 + TRUCK_FRAME)
        events = await Events(url).until(lambda events: len(events.of(SightingGone)) == 2)
    (seen,) = events.of(SightingSeen)
    assert (seen.reads, seen.peak_rssi_dbm, seen.clock_source) == (3, -55.0, "received")
    glimpse, gone = sorted(events.of(SightingGone), key=lambda gone: gone.reads)
    assert (glimpse.observed, glimpse.reads, glimpse.peak_rssi_dbm) == (False, 1, -60.0)
    assert (gone.observed, gone.seen_event_id) == (True, seen.event_id)
    events.check_sequence()


async def test_garbage_and_cut_frames_are_counted_and_stop_nothing(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    async with daemon(config(tmp_path, log=url, heartbeat_ms=100)):
        await pty_reader.command(START)
        broken = CARD_FRAME[:-2] + b"\x00\x7e"
        pty_reader.send(b"noise" + NO_TAG_FRAME + CARD_FRAME + broken + CARD_FRAME * 3)
        events = await Events(url).until(
            lambda events: events.of(SightingSeen) and events.of(Heartbeat)[-1].reads == 4
        )
    health = events.of(Heartbeat)[-1].readers[0]
    assert health.reads == 4
    assert sum(health.rejects.values()) == 2


async def test_unplugging_is_an_outage_with_its_span_and_the_reader_goes_on(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    async with daemon(config(tmp_path, log=url)):
        await pty_reader.command(START)
        pty_reader.unplug()
        events = await Events(url).until(lambda events: len(events.of(ReaderStatus)) == 2)
        pty_reader.plug()
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3)
        await events.until(lambda events: events.of(SightingSeen))
    first, down, up = events.of(ReaderStatus)[:3]
    assert (first.up, first.gap_from_us) == (True, None)
    assert (down.up, down.cause) == (False, f"{pty_reader.name} is gone: unplugged")
    assert (up.up, up.gap_from_us, up.gap_to_us) == (True, down.at_us, up.at_us)


async def test_a_stop_silences_the_reader_keeps_open_sightings_and_sends_the_rest(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    settings = config(tmp_path, log=url)
    async with daemon(settings) as stop:
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3)
        events = await Events(url).until(lambda events: events.of(SightingSeen))
        stop.set()
        await pty_reader.command(STOP)
    await events.until(lambda events: events.of(ReaderStatus)[-1].cause == "stopped")
    assert events.of(SightingGone) == []
    assert events.check_balance().reads_open == 3
    async with daemon(settings):
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME)
        await events.until(lambda events: events.of(ReaderStatus)[-1].cause == "restart")
    stopped, restarted = events.of(ReaderStatus)[1:3]
    assert restarted.gap_from_us == stopped.at_us
    assert len(events.of(SightingSeen)) == 1
    events.check_sequence()


async def test_a_daemon_under_load_stops_in_time_and_its_balance_closes(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    done = asyncio.Event()

    async def flood() -> None:
        while not done.is_set():
            pty_reader.send_if_room(CARD_FRAME * 20 + TRUCK_FRAME)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        settings = config(tmp_path, log=url, lane=QUICK, heartbeat_ms=100)
        async with asyncio.timeout(30), daemon(settings) as stop:
            await pty_reader.command(START)
            group.create_task(flood())
            events = await Events(url).until(
                lambda events: events.of(Heartbeat) and events.of(Heartbeat)[-1].reads > 1_000
            )
            stop.set()
        done.set()
    await events.until(lambda events: events.of(ReaderStatus)[-1].cause == "stopped")
    events.check_sequence()
    events.check_balance()


async def test_it_starts_without_log_reader_and_broker_and_says_so(
    tmp_path: Path, broker: Broker
) -> None:
    folder = tmp_path / "later"
    url = f"sqlite:{folder}/log.db"
    settings = config(tmp_path, log=url, broker=broker.port, heartbeat_ms=100)
    status = status_path(Path(settings.outbox.path))
    async with daemon(settings):
        await until(lambda: status.exists() and len(down(status)) == 2)
        assert json.loads(status.read_bytes())["log_connected"] is False
        folder.mkdir()
        await make_topics(url)
        broker.start()
        reader = PtyReader(tmp_path)
        await reader.command(START)
        reader.send(CARD_FRAME * 3)
        await broker.ready()
        events = Events(url)
        await events.until(lambda events: any(one.up for one in events.of(ReaderStatus)))
        await events.until(lambda events: events.of(SightingSeen))
        await until(lambda: not down(status))
        reader.close()
    causes = {one.cause for one in events.of(ReaderStatus) if not one.up}
    assert any("is not there" in cause for cause in causes)
    assert any("no broker answers" in cause for cause in causes)


async def until(enough: Callable[[], object]) -> None:
    """Look at files until they show what is waited for."""
    async with asyncio.timeout(20):
        while not enough():  # noqa: ASYNC110 - a file wakes nobody
            await asyncio.sleep(0.02)


def down(status: Path) -> list[str]:
    readers = json.loads(status.read_bytes())["readers"]
    return [name for name, reader in readers.items() if not reader["up"] and reader["cause"]]


async def test_non_json_and_too_large_messages_are_rejected_and_acknowledged(
    tmp_path: Path, broker: Broker
) -> None:
    broker.start()
    await broker.ready()
    url = memory()
    await make_topics(url)
    settings = config(tmp_path, log=url, broker=broker.port, serial=False, heartbeat_ms=100)
    async with daemon(settings):
        events = await Events(url).until(lambda events: events.of(ReaderStatus))
        await broker.publish([b"no json", b"x" * 1_100_000, *[zebra(n) for n in range(3)]])
        await events.until(lambda events: events.of(SightingSeen))
        await broker.publish([zebra(n) for n in range(100, 160)])
        await events.until(lambda events: events.of(Heartbeat)[-1].reads == 63)
    rejects = events.of(Heartbeat)[-1].readers[0].rejects
    assert rejects == {"not_json": 1, "payload_too_large": 1}


# ---- killed


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_message_that_was_committed_but_not_acknowledged_gives_no_second_read(
    tmp_path: Path, broker: Broker, version: str
) -> None:
    broker.start()
    await broker.ready()
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    mqtt = f'version = "{version}"'
    path = write_config(tmp_path, broker=broker.port, mqtt=mqtt, serial=False, heartbeat_ms=200)
    with gateway(path, {"GATEBOOK_CRASH_AT": "gateway.ack.before:1"}) as running:
        events = await Events(url).until(lambda events: events.of(ReaderStatus))
        await broker.publish([zebra(7), zebra(8)])
        assert await running.died() == -9
    with gateway(path) as running:
        await broker.publish([zebra(9)])
        await events.until(lambda events: events.of(SightingSeen))
        await events.until(lambda events: events.of(Heartbeat)[-1].reads_duplicate)
        assert running.terminate() == 0
    await events.until(lambda events: events.of(ReaderStatus)[-1].cause == "stopped")
    assert [seen.reads for seen in events.of(SightingSeen)] == [3]
    last = events.check_balance()
    assert last.reads - last.reads_duplicate == 3
    assert all(status.gap_from_us is None for status in events.of(ReaderStatus))
    events.check_sequence()


async def test_a_kill_in_the_middle_of_a_frame_is_one_gap_and_the_same_sighting_goes_on(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    # However long the restart takes on a busy machine, the stay must not end meanwhile.
    path = write_config(tmp_path, lane="lost_ms = 600000", heartbeat_ms=100)
    with gateway(path) as running:
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3)
        events = await Events(url).until(lambda events: events.of(SightingSeen))
        pty_reader.send(CARD_FRAME[:11])
        running.kill()
    pty_reader.forget()
    with gateway(path) as running:
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME[11:] + CARD_FRAME * 2)
        await events.until(lambda events: events.of(Heartbeat)[-1].reads_open == 5)
        assert running.terminate() == 0
    await events.until(lambda events: events.of(ReaderStatus)[-1].cause == "stopped")
    # Killed after it was sent and before it was removed, it is sent again, under the same id.
    assert len({seen.event_id for seen in events.of(SightingSeen)}) == 1
    assert events.of(SightingGone) == []
    gaps = [status for status in events.of(ReaderStatus) if status.gap_from_us is not None]
    assert [gap.cause for gap in gaps] == ["restart"]
    events.check_sequence()
    events.check_balance()


@pytest.mark.parametrize(
    "point", ["gateway.commit.before:2", "gateway.commit.after:3", "gateway.sent:2"]
)
async def test_a_kill_at_a_named_point_loses_and_doubles_no_event(
    tmp_path: Path, pty_reader: PtyReader, point: str
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    path = write_config(tmp_path, lane=QUICK, heartbeat_ms=200)
    with gateway(path, {"GATEBOOK_CRASH_AT": point}) as running:
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3)
        assert await running.died() == -9
    pty_reader.forget()
    with gateway(path) as running:
        await pty_reader.command(START)
        pty_reader.send(TRUCK_FRAME * 3)
        events = await Events(url).until(
            lambda events: {gone.peak_rssi_dbm for gone in events.of(SightingGone)} >= {-60.0}
        )
        assert running.terminate() == 0
    await events.until(lambda events: events.of(ReaderStatus)[-1].cause == "stopped")
    events.check_sequence()
    events.check_balance()
    seen = {seen.event_id for seen in events.of(SightingSeen)}
    assert len(seen) == len({seen.token for seen in events.of(SightingSeen)})
    if point.startswith("gateway.sent"):
        assert len(events.records) > len(events.distinct())


async def test_kills_at_random_moments_keep_sequence_and_balance(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    path = write_config(tmp_path, lane=QUICK, heartbeat_ms=100)
    events = Events(url)
    for frames in (40, 300, 3, 150):
        with gateway(path) as running:
            await pty_reader.command(START)
            for _ in range(frames):
                pty_reader.send_if_room(CARD_FRAME + TRUCK_FRAME)
                await asyncio.sleep(0.001)
            running.kill()
        pty_reader.forget()
    with gateway(path) as running:
        await pty_reader.command(START)
        assert running.terminate() == 0
    await events.until(
        lambda events: events.of(ReaderStatus) and events.of(ReaderStatus)[-1].cause == "stopped"
    )
    events.check_sequence()
    assert events.check_balance().reads > 0
    restarts = [status for status in events.of(ReaderStatus) if status.cause == "restart"]
    assert 1 <= len(restarts) <= 4  # a kill before the first commit leaves nothing to tell of


async def test_no_card_number_and_no_token_is_ever_logged(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    path = write_config(tmp_path, lane=QUICK, heartbeat_ms=100)
    with gateway(path) as running:
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3 + TRUCK_FRAME + b"noise" + CARD_FRAME[:12])
        events = await Events(url).until(lambda events: len(events.of(SightingGone)) == 2)
        assert running.terminate() == 0
    written = json.dumps(running.log()).lower() + (tmp_path / "outbox.db.status.json").read_text()
    for secret in (CARD.hex(), TRUCK.hex(), *(seen.token[3:] for seen in events.of(SightingSeen))):
        assert secret.lower() not in written
    assert {line["event"] for line in running.log()} >= {
        "gateway_started",
        "reader_up",
        "log_connected",
        "alive",
        "gateway_stopped",
    }


async def test_a_capture_is_played_as_a_reader(tmp_path: Path) -> None:
    lines = [
        {"at_us": number * 20_000, "dir": "rx", "hex": CARD_FRAME.hex()} for number in range(3)
    ]
    lines.insert(1, {"at_us": 0, "dir": "tx", "hex": START.hex()})
    text = "".join(json.dumps(line) + "\n" for line in lines) + "{cut\n"
    (tmp_path / "booth.ndjson").write_text(text)
    url = memory()
    await make_topics(url)
    path = write_config(tmp_path, log=url)
    path.write_text(
        path.read_text().replace("serial:///", "capture:///").replace("/port", "/booth.ndjson")
    )
    async with daemon(read_config(path.read_text())):
        events = await Events(url).until(
            lambda events: events.of(SightingSeen) and len(events.of(ReaderStatus)) == 2
        )
    assert events.of(SightingSeen)[0].reads == 3
    assert events.of(ReaderStatus)[1].cause == "the capture has ended (1 lines could not be read)"
