"""While nothing can be stored, readers behind TCP and a broker wait, and nothing of theirs is lost."""

import asyncio
import secrets
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from gateway.config import read_config
from gateway.links.mqtt import HAND_OVER
from gateway.tap import Wish
from schemas.gate import Heartbeat, ReaderStatus
from tests.gateway.broker import Broker
from tests.gateway.rig import CARD_FRAME, Events, config_text, daemon, make_topics
from tests.gateway.test_daemon import zebra
from tests.gateway.watching import free_port, health_until, looking_on

#: Reports that wait in the pump here: the real number would take many megabytes to fill.
WAITING = 20

#: So long nobody must have taken a byte.
BLOCKED_S = 1.5

MESSAGES = 1_000


class TcpReader:
    """A reader with a network port, which sends as fast as it can."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._line: socket.socket | None = None
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0

    async def accept(self) -> None:
        async with asyncio.timeout(20):
            line, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        self._line = line

    async def send_until_blocked(self) -> None:
        """Send frames until nobody takes them any more."""
        loop = asyncio.get_running_loop()
        stream = CARD_FRAME * 100
        while True:
            try:
                async with asyncio.timeout(BLOCKED_S):
                    await self._writable(loop)
            except TimeoutError:
                return
            assert self._line is not None
            self.sent += self._line.send(stream[self.sent % len(CARD_FRAME) :])
            assert self.sent < 50_000_000, "the gateway reads on"

    async def finish(self) -> int:
        """Send the rest of the last frame; returns how many frames there were."""
        assert self._line is not None
        rest = CARD_FRAME[self.sent % len(CARD_FRAME) :] + CARD_FRAME
        async with asyncio.timeout(20):
            await asyncio.get_running_loop().sock_sendall(self._line, rest)
        self.sent += len(rest)
        return self.sent // len(CARD_FRAME)

    async def _writable(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._line is not None
        ready = asyncio.Event()
        loop.add_writer(self._line, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._line)

    def close(self) -> None:
        self._listener.close()
        if self._line is not None:
            self._line.close()


async def test_while_the_outbox_takes_nothing_tcp_and_the_broker_wait_and_all_comes_afterwards(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.pump.QUEUE", WAITING)
    broker.start()
    await broker.ready()
    reader, port = TcpReader(), free_port()
    url = f"memory:{secrets.token_hex(4)}"
    await make_topics(url)
    text = config_text(tmp_path, log=url, broker=broker.port, heartbeat_ms=100)
    text = text.replace(f"serial://{tmp_path}/port", f"tcp://127.0.0.1:{reader.port}")
    settings = read_config(f'{text}\n[health]\nlisten = "127.0.0.1:{port}"\nclock_check = false\n')
    try:
        async with daemon(settings):
            await reader.accept()
            events = await Events(url).until(
                lambda events: (
                    {one.reader for one in events.of(ReaderStatus) if one.up} == {"booth", "queue"}
                )
            )
            async with looking_on(settings, Wish(want="capture", reader="queue")) as onlooker:
                with sqlite3.connect(settings.outbox.path, isolation_level=None) as other:
                    other.execute("BEGIN IMMEDIATE")
                    await broker.publish([zebra(number) for number in range(MESSAGES)])
                    await reader.send_until_blocked()
                    await health_until(
                        port,
                        lambda shown: (
                            "outbox_not_written" in {one["what"] for one in shown["reasons"]}
                        ),
                    )
                    free_us = time.time_ns() // 1_000
                    other.execute("ROLLBACK")
                frames = await reader.finish()
                await events.until(
                    lambda events: events.of(Heartbeat)[-1].reads == frames + MESSAGES, 40
                )
                rows = await onlooker.until(lambda rows: len(rows) == MESSAGES + 1)
    finally:
        reader.close()
    early = sum(row.get("at_us", free_us) < free_us for row in rows)
    assert 0 < early <= WAITING + HAND_OVER + 1 < MESSAGES, "the broker kept the rest"
    last = events.check_balance()
    assert (last.reads, last.reads_duplicate, last.reads_rejected) == (frames + MESSAGES, 0, 0)
    assert all(status.gap_from_us is None for status in events.of(ReaderStatus))
