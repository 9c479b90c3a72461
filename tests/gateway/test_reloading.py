"""Another configuration for a running gateway: nothing lost, nothing doubled, and the last good one kept."""

import asyncio
import json
import secrets
from collections.abc import Callable
from pathlib import Path

from gateway.config import read_config
from gateway.tables import Config
from schemas.gate import Heartbeat, ReaderStatus, SightingGone, SightingSeen
from tests.gateway.broker import Broker
from tests.gateway.rig import (
    CARD_FRAME,
    START,
    STOP,
    TRUCK_FRAME,
    Events,
    PtyReader,
    config_text,
    gateway,
    make_topics,
    write_config,
)
from tests.gateway.test_daemon import zebra
from tests.gateway.watching import free_port, health_until, operated

#: However slow the machine is, no stay ends by itself.
LONG = "lost_ms = 600000"


def memory() -> str:
    return f"memory:{secrets.token_hex(4)}"


class File:
    """A configuration file as it is rewritten."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self) -> Config:
        return read_config(self.text)

    def replace(self, old: str, new: str) -> None:
        assert self.text.count(old) == 1
        self.text = self.text.replace(old, new)


def logged(port: int) -> str:
    return f'\n[health]\nlisten = "127.0.0.1:{port}"\n'


async def test_a_busy_reader_loses_and_doubles_no_read_while_lanes_are_changed_again_and_again(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    file = File(config_text(tmp_path, log=url, lane=LONG, heartbeat_ms=100))
    sent, done = 0, asyncio.Event()

    async def talk() -> None:
        nonlocal sent
        while not done.is_set():
            sent += pty_reader.send_if_room(CARD_FRAME)
            await asyncio.sleep(0.001)

    async with operated(file.read(), file.read) as (daemon, _):
        await pty_reader.command(START)
        events = Events(url)
        async with asyncio.TaskGroup() as group:
            group.create_task(talk())
            for number in range(1, 9):
                before, heard = daemon.reloads, sent
                await until(lambda heard=heard: sent >= heard + 30)  # type: ignore[misc]
                file.replace(f"to_booth_s = {number - 1}", f"to_booth_s = {number}")
                daemon.hang_up.set()
                await until(lambda before=before: daemon.reloads > before)  # type: ignore[misc]
            done.set()
        await events.until(
            lambda events: events.of(Heartbeat) and events.of(Heartbeat)[-1].reads == sent
        )
        pty_reader.send(TRUCK_FRAME * 3)
        await events.until(lambda events: len(events.of(SightingSeen)) == 2)
        beats = len(events.of(Heartbeat))
        await events.until(lambda events: len(events.of(Heartbeat)) > beats)
        assert events.of(Heartbeat)[-1].readers[0].up
    await events.until(lambda events: events.of(ReaderStatus)[-1].cause == "stopped")
    assert sent > 240
    assert events.check_balance().reads == sent + 3
    card, truck = events.of(SightingSeen)
    assert (card.to_booth_s, truck.to_booth_s) == (0, 8)
    assert events.of(SightingGone) == []
    assert [status.cause for status in events.of(ReaderStatus)] == ["connected", "stopped"]
    events.check_sequence()


async def until(enough: Callable[[], object]) -> None:
    """Wait for something in this process or in a file."""
    async with asyncio.timeout(20):
        while not enough():  # noqa: ASYNC110 - nobody wakes us
            await asyncio.sleep(0.005)


async def test_a_reader_whose_port_is_changed_is_stopped_and_the_new_one_started_with_the_gap_said(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    file = File(config_text(tmp_path, log=url, lane=LONG, heartbeat_ms=100))
    (tmp_path / "second").mkdir()
    other = PtyReader(tmp_path / "second")
    async with operated(file.read(), file.read) as (daemon, _):
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3)
        events = await Events(url).until(lambda events: events.of(SightingSeen))
        file.replace(f"serial://{tmp_path}/port", f"serial://{tmp_path}/second/port")
        daemon.hang_up.set()
        await pty_reader.command(STOP)
        await other.command(START)
        other.send(CARD_FRAME * 2)
        await events.until(lambda events: events.of(Heartbeat)[-1].reads == 5)
    other.close()
    await events.until(lambda events: events.of(ReaderStatus)[-1].cause == "stopped")
    _, down, up, _ = events.of(ReaderStatus)
    assert (down.up, down.cause) == (False, "the configuration was changed")
    assert (up.up, up.gap_from_us, up.gap_to_us) == (True, down.at_us, up.at_us)
    assert len(events.of(SightingSeen)) == 1
    assert events.check_balance().reads_open == 5
    events.check_sequence()


async def test_messages_of_a_broker_come_once_over_a_change_of_their_connection(
    tmp_path: Path, broker: Broker
) -> None:
    broker.start()
    await broker.ready()
    url = memory()
    await make_topics(url)
    text = config_text(
        tmp_path, log=url, lane=LONG, broker=broker.port, serial=False, heartbeat_ms=100
    )
    file = File(text)
    async with operated(file.read(), file.read) as (daemon, _):
        events = await Events(url).until(lambda events: events.of(ReaderStatus))
        for number in range(4):
            before = daemon.reloads
            async with asyncio.TaskGroup() as group:
                messages = [zebra(n) for n in range(number * 50, number * 50 + 50)]
                group.create_task(broker.publish(messages))
                old = "" if number == 0 else f"unused/{number - 1}"
                row = f'{{ filter = "unused/{number}", reader = "queue" }},'
                if old:
                    file.replace(old, f"unused/{number}")
                else:
                    file.replace("topics = [", f"topics = [\n  {row}")
                daemon.hang_up.set()
            await until(lambda before=before: daemon.reloads > before)  # type: ignore[misc]
        await events.until(
            lambda events: (last := events.of(Heartbeat)[-1]).reads - last.reads_duplicate == 200
        )
    await events.until(lambda events: events.of(ReaderStatus)[-1].cause == "stopped")
    last = events.check_balance()
    assert last.reads - last.reads_duplicate == last.reads_open == 200
    assert len(events.of(SightingSeen)) == 1
    events.check_sequence()


async def test_a_lane_that_is_taken_away_ends_its_sightings_and_a_new_reader_is_heard(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    file = File(config_text(tmp_path, log=url, lane=LONG, heartbeat_ms=100))
    async with operated(file.read(), file.read) as (daemon, _):
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3)
        events = await Events(url).until(lambda events: events.of(SightingSeen))
        file.replace('id = "L01-primary"', 'id = "L01-booth"')
        daemon.hang_up.set()
        await events.until(lambda events: events.of(SightingGone))
        pty_reader.send(CARD_FRAME * 3)
        await events.until(lambda events: len(events.of(SightingSeen)) == 2)
    (gone,) = events.of(SightingGone)
    assert (gone.read_point, gone.reason, gone.reads) == ("L01-primary", "stopped", 3)
    assert events.of(SightingSeen)[1].read_point == "L01-booth"
    events.check_sequence()


async def test_a_bad_file_changes_nothing_and_is_said_until_a_good_one_comes(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url, port = memory(), free_port()
    await make_topics(url)
    file = File(config_text(tmp_path, log=url, lane=LONG) + logged(port))
    good = file.text
    async with operated(file.read(), file.read) as (daemon, _):
        await pty_reader.command(START)
        for bad, words in (
            (good.replace("observe_reads", "x") + "\n[[lane]]\nid = 5\n", "lane[1]"),
            (good.replace('id = "gw-1"', 'id = "gw-2"'), "gateway.id"),
            ("not toml", "not TOML"),
        ):
            file.text = bad
            daemon.hang_up.set()
            status, _ = await health_until(
                port,
                lambda shown, words=words: any(  # type: ignore[misc]
                    words in one["detail"] for one in shown["warnings"]
                ),
            )
            assert status == 200
        pty_reader.send(CARD_FRAME * 3)
        await Events(url).until(lambda events: events.of(SightingSeen))
        file.text = good
        daemon.hang_up.set()
        await health_until(port, lambda shown: not shown["warnings"])


async def test_a_stop_in_the_middle_of_a_reload_ends_everything_and_loses_nothing_that_was_stored(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    file = File(config_text(tmp_path, log=url, lane=LONG, heartbeat_ms=100))
    async with operated(file.read(), file.read) as (daemon, stop):
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3)
        events = await Events(url).until(lambda events: events.of(SightingSeen))
        file.text = file.text.replace('"booth"', '"booth-2"')
        daemon.hang_up.set()
        await pty_reader.command(
            STOP
        )  # the reload has begun, and waits for the reader's last words
        stop.set()
        async with asyncio.timeout(20):
            await daemon.stopped.wait()
    assert daemon.reloads == 0
    async with operated(file.read(), file.read):
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME)
        await events.until(lambda events: events.of(Heartbeat)[-1].reads == 4)
    await events.until(lambda events: events.of(ReaderStatus)[-1].cause == "stopped")
    assert len({seen.event_id for seen in events.of(SightingSeen)}) == 1
    events.check_balance()
    events.check_sequence()


async def test_sighup_reads_the_file_anew_and_a_bad_one_is_named_in_the_log(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    path = write_config(tmp_path, lane=LONG, heartbeat_ms=100)
    good = path.read_text()
    with gateway(path) as running:
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3)
        events = await Events(url).until(lambda events: events.of(SightingSeen))
        path.write_text(good.replace("to_booth_s = 0", "to_booth_s = -4"))
        running.hang_up()
        await until(lambda: b"reload_refused" in running.text())
        path.write_text(good.replace("to_booth_s = 0", "to_booth_s = 7"))
        running.hang_up()
        await until(lambda: b'"reloaded"' in running.text())
        pty_reader.send(TRUCK_FRAME * 3)
        await events.until(lambda events: len(events.of(SightingSeen)) == 2)
        assert running.terminate() == 0
    assert events.of(SightingSeen)[1].to_booth_s == 7
    (refused,) = [line for line in running.log() if line["event"] == "reload_refused"]
    assert "read_point[0].to_booth_s" in json.dumps(refused["findings"])
