"""The daemon as one who looks after it sees it: its pages, systemd, and a stop under load."""

import asyncio
import json
import secrets
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

from gateway.config import read_config
from schemas.gate import Heartbeat, ReaderStatus, SightingGone, SightingSeen
from tests.gateway.rig import (
    CARD,
    CARD_FRAME,
    START,
    TRUCK,
    TRUCK_FRAME,
    Events,
    PtyReader,
    config_text,
    gateway,
    make_topics,
    write_config,
)
from tests.gateway.test_metrics import values
from tests.gateway.watching import free_port, health_until, operated, page


def memory() -> str:
    return f"memory:{secrets.token_hex(4)}"


def served(text: str, port: int, more: str = "") -> str:
    return f'{text}\n[health]\nlisten = "127.0.0.1:{port}"\n{more}\n'


async def test_health_is_503_with_the_cause_while_a_reader_is_away_and_200_after(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url, port = memory(), free_port()
    await make_topics(url)
    async with operated(read_config(served(config_text(tmp_path, log=url), port))):
        await pty_reader.command(START)
        status, shown = await health_until(port, lambda shown: shown["status"] == "ok")
        assert (status, shown["reasons"], shown["readers"]) == (200, [], {"booth": True})
        pty_reader.unplug()
        status, shown = await health_until(port, lambda shown: shown["status"] != "ok")
        (reason,) = shown["reasons"]
        assert (status, reason["what"], reason["reader"]) == (503, "reader_down", "booth")
        assert "unplugged" in reason["detail"]
        pty_reader.plug()
        await health_until(port, lambda shown: shown["status"] == "ok")


async def test_metrics_count_what_was_heard_sent_and_stored(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url, port = memory(), free_port()
    await make_topics(url)
    text = config_text(tmp_path, log=url, lane="glimpse_ms = 300\nlost_ms = 600")
    async with operated(read_config(served(text, port))):
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3 + TRUCK_FRAME + b"noise" + CARD_FRAME[:-1] + b"\x00")
        await Events(url).until(lambda events: len(events.of(SightingGone)) == 2)
        async with asyncio.timeout(10):
            while True:
                status, body = await page(port, "/metrics")
                found = values(body)
                if found["gatebook_outbox_events",] == 0:
                    break
    assert status == 200
    assert found["gatebook_reader_reads_total", "booth"] == 4
    assert found["gatebook_reads_gone_total",] == 4
    assert found["gatebook_glimpses_total",] == 1
    assert found["gatebook_events_sent_total",] >= 4
    assert found["gatebook_commit_seconds_count",] >= 1
    assert found["gatebook_log_connected",] == 1
    assert sum(value for key, value in found.items() if "reader_rejects_total" in key[0]) >= 1
    text = body.decode().lower()
    assert CARD.hex() not in text
    assert TRUCK.hex() not in text


async def test_a_log_that_is_away_is_a_reason_only_after_the_time_that_is_allowed(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    port = free_port()
    url = f"sqlite:{tmp_path}/later/log.db"
    text = served(config_text(tmp_path, log=url), port, "log_away_ms = 1500")
    async with operated(read_config(text)):
        await pty_reader.command(START)
        _, shown = await health_until(port, lambda shown: shown["readers"]["booth"])
        assert [one["what"] for one in shown["warnings"] + shown["reasons"]] == ["log_away"]
        status, shown = await health_until(port, lambda shown: shown["reasons"])
        assert (status, shown["reasons"][0]["what"]) == (503, "log_away")
        (tmp_path / "later").mkdir()
        await make_topics(url)
        await health_until(port, lambda shown: shown["status"] == "ok")


async def test_an_outbox_that_cannot_be_written_is_said_and_the_reads_come_once_it_can(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url, port = memory(), free_port()
    await make_topics(url)
    settings = read_config(served(config_text(tmp_path, log=url), port))
    async with operated(settings):
        await pty_reader.command(START)
        await health_until(port, lambda shown: shown["status"] == "ok")
        with sqlite3.connect(settings.outbox.path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            pty_reader.send(CARD_FRAME * 3)
            status, _ = await health_until(
                port,
                lambda shown: any(one["what"].startswith("outbox") for one in shown["reasons"]),
            )
            assert status == 503
            other.execute("ROLLBACK")
        await health_until(port, lambda shown: shown["status"] == "ok")
        events = await Events(url).until(lambda events: events.of(SightingSeen))
    assert events.of(SightingSeen)[0].reads == 3


# ---- systemd


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.name)
        self._socket.setblocking(False)
        self.said: list[str] = []

    async def until(self, enough: Callable[[list[str]], object]) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20):
            while not enough(self.said):
                self.said.append((await loop.sock_recv(self._socket, 4096)).decode())

    def close(self) -> None:
        self._socket.close()


async def test_systemd_hears_ready_pings_reload_and_stop(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    path = write_config(tmp_path)
    systemd = Systemd(tmp_path)
    known = {"NOTIFY_SOCKET": systemd.name, "WATCHDOG_USEC": "400000"}
    with gateway(path, known) as running:
        await systemd.until(lambda said: said.count("WATCHDOG=1") >= 3)
        assert next(one for one in systemd.said if one.startswith("READY=1")).endswith("1 readers")
        await pty_reader.command(START)
        running.hang_up()
        await systemd.until(
            lambda said: [one for one in said if "READY" in one or "RELOADING" in one][1:]
        )
        await systemd.until(lambda said: sum("READY=1" in one for one in said) == 2)
        with sqlite3.connect(tmp_path / "outbox.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            pty_reader.send(CARD_FRAME * 3)
            await until(lambda: b"no_progress" in running.text())
            other.execute("ROLLBACK")
        pings = systemd.said.count("WATCHDOG=1")
        await systemd.until(lambda said: said.count("WATCHDOG=1") > pings + 2)
        assert running.terminate() == 0
        await systemd.until(lambda said: any("STOPPING=1" in one for one in said))
    systemd.close()


async def until(enough: Callable[[], object]) -> None:
    """Look at files until they show what is waited for."""
    async with asyncio.timeout(20):
        while not enough():  # noqa: ASYNC110 - a file wakes nobody
            await asyncio.sleep(0.02)


# ---- stopped under load, and what is in the log


async def test_a_process_that_is_stopped_under_load_drains_and_its_log_holds_no_number(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    path = write_config(tmp_path, lane="glimpse_ms = 300\nlost_ms = 600", heartbeat_ms=100)
    done = asyncio.Event()

    async def flood() -> None:
        while not done.is_set():
            pty_reader.send_if_room(CARD_FRAME * 4 + TRUCK_FRAME * 4 + b"\xbb" + CARD[:7])
            await asyncio.sleep(0)

    with gateway(path) as running:
        await pty_reader.command(START)
        async with asyncio.TaskGroup() as group:
            group.create_task(flood())
            events = await Events(url).until(
                lambda events: events.of(Heartbeat) and events.of(Heartbeat)[-1].reads > 2_000
            )
            assert await asyncio.to_thread(running.terminate) == 0
            done.set()
        text = running.text().lower()
    await events.until(lambda events: events.of(ReaderStatus)[-1].cause == "stopped")
    events.check_sequence()
    assert events.check_balance().reads > 2_000
    with sqlite3.connect(tmp_path / "outbox.db") as outbox:
        assert outbox.execute("SELECT count(*) FROM events").fetchone() == (0,)
    written = text + (tmp_path / "outbox.db.status.json").read_bytes().lower()
    tokens = {seen.token for seen in events.of(SightingSeen)}
    assert tokens
    for secret in (CARD.hex(), TRUCK.hex(), *(token[3:] for token in tokens)):
        assert secret.lower().encode() not in written
    assert all(json.loads(line) for line in running.text().splitlines())
