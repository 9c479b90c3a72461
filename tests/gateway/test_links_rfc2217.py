"""RFC 2217 against pyserial's own server side, which stands before a pseudo-terminal as a terminal server does."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import serial
from serial import rfc2217

from gateway.link import Rfc2217Url, Said
from gateway.links.rfc2217 import Rfc2217Link
from gateway.now import anchored_clock
from tests.gateway.heard import Heard, hearing
from tests.gateway.rig import START, PtyReader

# pyserial 3.5 starts its thread in a way that Python calls old.
pytestmark = pytest.mark.filterwarnings(r"ignore:set(Daemon|Name)\(\) is deprecated")


class PtyPort(serial.Serial):
    """A pseudo-terminal has no modem lines."""

    cts = dsr = ri = cd = False

    def _update_dtr_state(self) -> None:
        """Nothing."""

    def _update_rts_state(self) -> None:
        """Nothing."""


class Connection:
    """What `PortManager` writes to."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        with self._lock:
            self._sock.sendall(data)


class TerminalServer:
    """One serial port on the network; a thread each way, one connection after the other."""

    def __init__(self, port: str) -> None:
        self._serial = PtyPort(port, timeout=0.05)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._client: socket.socket | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def baud(self) -> int:
        return int(self._serial.baudrate)

    def send_raw(self, data: bytes) -> None:
        """Bytes as they are, telnet and all."""
        assert self._client is not None
        self._client.sendall(data)

    def drop(self) -> None:
        """Cut the connection."""
        assert self._client is not None
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._closed.set()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        if self._client is not None:
            self.drop()
        self._thread.join(5)
        self._server.close()
        self._serial.close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client:
                self._client = client
                self._bridge(client)

    def _bridge(self, client: socket.socket) -> None:
        # Their types know only the client's own class.
        manager = rfc2217.PortManager(self._serial, Connection(client))  # type: ignore[arg-type]
        over = threading.Event()
        upward = threading.Thread(target=self._upward, args=(client, manager, over), daemon=True)
        upward.start()
        with suppress(OSError):
            while data := client.recv(1024):
                self._serial.write(b"".join(manager.filter(data)))
        over.set()
        upward.join(5)

    def _upward(
        self, client: socket.socket, manager: rfc2217.PortManager, over: threading.Event
    ) -> None:
        with suppress(OSError):
            while not over.is_set():
                if data := self._serial.read(self._serial.in_waiting or 1):
                    client.sendall(b"".join(manager.escape(data)))


@pytest.fixture
def server(pty_reader: PtyReader) -> Iterator[TerminalServer]:
    server = TerminalServer(str(pty_reader.name))
    yield server
    server.close()


def link_to(port: int, baud: int = 57_600) -> Rfc2217Link:
    return Rfc2217Link("booth", Rfc2217Url("127.0.0.1", port, baud), anchored_clock())


async def test_every_byte_comes_through_both_ways_and_the_speed_is_set(
    pty_reader: PtyReader, server: TerminalServer
) -> None:
    """255 is telnet's own sign, so it is doubled on the way."""
    link = link_to(server.port)
    assert not await link.write("booth", START)
    async with hearing(link) as heard:
        await heard.until(heard.ups)
        assert server.baud == 57_600
        pty_reader.send(bytes(range(256)))
        await heard.until(lambda: len(heard.bytes()) == 256)
        assert heard.bytes() == bytes(range(256))
        assert await link.write("booth", START + b"\xff\x00")
        await pty_reader.command(START + b"\xff\x00")
        times = [said.at_us for said in heard.all]
        assert times == sorted(times)
    assert not await link.write("booth", START)


async def test_a_connection_that_ends_is_an_outage_from_then_to_the_next_one(
    pty_reader: PtyReader, server: TerminalServer
) -> None:
    link = link_to(server.port)
    async with hearing(link) as heard:
        await heard.until(heard.ups)
        server.drop()
        await heard.until(heard.downs)
        assert "closed the connection" in heard.causes()[0]
        await heard.until(lambda: heard.ups() == 2)
        pty_reader.send(b"again")
        await heard.until(lambda: heard.bytes() == b"again")


async def test_what_came_before_the_end_of_a_connection_is_heard(
    pty_reader: PtyReader, server: TerminalServer
) -> None:
    async with hearing(link_to(server.port)) as heard:
        await heard.until(heard.ups)
        server.send_raw(b"x" * 3_000)
        server.drop()
        await heard.until(heard.downs)
        assert heard.bytes() == b"x" * 3_000


async def test_nothing_is_read_while_the_gateway_cannot_take_more(
    pty_reader: PtyReader, server: TerminalServer
) -> None:
    """The terminal server has to wait, and nothing is lost when the gateway goes on."""
    go_on = asyncio.Event()
    heard = Heard()

    async def tell(said: Said) -> None:
        await heard.tell(said)
        if heard.chunks():
            await go_on.wait()

    task = asyncio.create_task(link_to(server.port).run(tell))
    await heard.until(heard.ups)
    sent = await asyncio.to_thread(fill, server)
    assert sent < 16 << 20
    assert len(heard.chunks()) == 1
    go_on.set()
    await heard.until(lambda: len(heard.bytes()) >= sent)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def fill(server: TerminalServer) -> int:
    """Send until nobody takes any more; return how many bytes."""
    client = server._client
    assert client is not None
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    client.settimeout(1)
    sent = 0
    try:
        while sent < 16 << 20:
            sent += client.send(bytes(4_096))
    except TimeoutError:
        pass
    client.settimeout(None)
    return sent


async def test_an_end_while_nothing_more_is_taken_is_quick(
    pty_reader: PtyReader, server: TerminalServer
) -> None:
    async def tell(said: Said) -> None:
        await heard.tell(said)
        if heard.chunks():
            await asyncio.Event().wait()

    heard = Heard()
    task = asyncio.create_task(link_to(server.port).run(tell))
    await heard.until(heard.ups)
    await asyncio.to_thread(fill, server)
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not any("rfc2217" in thread.name for thread in threading.enumerate())


async def test_telnet_that_makes_no_sense_is_an_outage_and_stops_nothing(
    pty_reader: PtyReader, server: TerminalServer
) -> None:
    async with hearing(link_to(server.port)) as heard:
        await heard.until(heard.ups)
        server.send_raw(b"\xff\xf0")
        await heard.until(lambda: heard.ups() == 2)
        pty_reader.send(b"again")
        await heard.until(lambda: heard.bytes() == b"again")


async def test_a_server_that_speaks_no_rfc_2217_is_told_from_one_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with hearing(link_to(port)) as heard:
            await heard.until(heard.downs)
            assert "does not speak RFC 2217" in heard.causes()[0]
    async with hearing(link_to(port)) as heard:
        await heard.until(heard.downs)
        assert heard.causes()[0].endswith(
            f"at 127.0.0.1:{port} cannot be opened: Connection refused"
        )
