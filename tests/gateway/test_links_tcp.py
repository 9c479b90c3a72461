"""Raw TCP against a real server: heard, cut off, found again, held back, and mistakes told apart."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial

import pytest

from gateway.link import Said, TcpUrl
from gateway.links.tcp import TcpLink
from gateway.network import FIRST_WAIT_S, IDLE_S
from gateway.now import anchored_clock
from tests.gateway.heard import Heard, hearing

START = b"\xbb\x00\x27\x7e"


class Terminal:
    """A reader, or a terminal server, on a TCP port."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.came = b""
        self.clients: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self._more = asyncio.Event()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.clients.append(writer)
        self._more.set()
        try:
            while data := await stream.read(4096):
                self.came += data
                self._more.set()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def until(self, wanted: bytes) -> None:
        async with asyncio.timeout(15):
            while wanted not in self.came:
                self._more.clear()
                await self._more.wait()

    async def client(self, number: int = 1) -> asyncio.StreamWriter:
        """The newest connection, once there have been so many."""
        async with asyncio.timeout(15):
            while len(self.clients) < number:
                self._more.clear()
                await self._more.wait()
        return self.clients[-1]

    async def close(self) -> None:
        """Go away, as a device that is switched off in good order."""
        if self._server is not None:
            self._server.close()
            for writer in self.clients:
                writer.transport.abort()
            self.clients.clear()
            await self._server.wait_closed()
            self._server = None


@asynccontextmanager
async def terminal(port: int = 0) -> AsyncIterator[Terminal]:
    server = Terminal(port)
    await server.open()
    try:
        yield server
    finally:
        await server.close()


def link_to(port: int, host: str = "127.0.0.1") -> TcpLink:
    return TcpLink("booth", TcpUrl(host, port), anchored_clock())


def free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_what_a_reader_sends_is_heard_with_rising_times() -> None:
    async with terminal() as server, hearing(link_to(server.port)) as heard:
        writer = await server.client()
        for number in range(5):
            writer.write(bytes([number]) * 1_000)
        await heard.until(lambda: len(heard.bytes()) == 5_000)
        assert heard.bytes() == b"".join(bytes([number]) * 1_000 for number in range(5))
        times = [said.at_us for said in heard.all]
        assert times == sorted(times)


async def test_commands_go_out_to_the_reader_and_only_while_it_is_there() -> None:
    async with terminal() as server:
        link = link_to(server.port)
        assert not await link.write("booth", START)
        async with hearing(link) as heard:
            await heard.until(heard.ups)
            assert await link.write("booth", START)
            await server.until(START)
        assert not await link.write("booth", START)


async def test_a_connection_that_ends_is_an_outage_from_then_to_the_next_one() -> None:
    async with terminal() as server, hearing(link_to(server.port)) as heard:
        await heard.until(heard.ups)
        await server.client()
        await server.close()
        await heard.until(heard.downs)
        await heard.until(lambda: any("nobody listens" in cause for cause in heard.causes()))
        await server.open()
        await heard.until(lambda: heard.ups() == 2)
        (await server.client()).write(b"again")
        await heard.until(lambda: heard.bytes() == b"again")
        times = [said.at_us for said in heard.all]
        assert times == sorted(times)


async def test_a_device_that_closes_is_told_from_one_that_resets() -> None:
    async with terminal() as server, hearing(link_to(server.port)) as heard:
        (await server.client()).close()
        await heard.until(heard.downs)
        assert "closed the connection" in heard.causes()[0]
        writer = await server.client(2)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
        )
        writer.transport.abort()
        await heard.until(lambda: heard.downs() == 2)
        assert "broke: Connection reset" in heard.causes()[1]


async def test_a_terminal_server_that_accepts_and_closes_is_asked_less_and_less() -> None:
    """One that serves another program does that; each attempt would be an event for staff."""
    async with terminal() as server:
        link = link_to(server.port)
        async with hearing(link) as heard:
            for number in range(1, 4):
                (await server.client(number)).close()
                await heard.until(partial(after, heard, number))
            # Each failure doubles the next wait, and an open connection alone does not take it back.
            assert link._retry._next_s >= 4 * FIRST_WAIT_S


def after(heard: Heard, downs: int) -> bool:
    return heard.downs() >= downs


async def test_a_port_where_nobody_listens_is_waited_for() -> None:
    port = free_port()
    async with hearing(link_to(port)) as heard:
        await heard.until(heard.downs)
        assert heard.causes()[0].startswith(f"nobody listens at 127.0.0.1:{port}")
        async with terminal(port):
            await heard.until(heard.ups)


async def test_a_name_that_is_no_host_is_named() -> None:
    for host, text in (("no-such.invalid", "no host is called no-such"), ("x" * 80, "too long")):
        async with hearing(link_to(9, host)) as heard:
            await heard.until(heard.downs)
            assert text in heard.causes()[0]


async def test_nothing_is_read_while_the_gateway_cannot_take_more() -> None:
    """The sender's own buffer fills: TCP makes it wait, and nothing is lost when the gateway goes on."""
    go_on = asyncio.Event()
    heard = Heard()

    async def tell(said: Said) -> None:
        await heard.tell(said)
        await go_on.wait()

    async with terminal() as server:
        task = asyncio.create_task(link_to(server.port).run(tell))
        writer = await server.client()
        sent = await fill(writer)
        assert len(heard.all) == 1
        go_on.set()
        await heard.until(lambda: len(heard.bytes()) == sent)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def fill(writer: asyncio.StreamWriter) -> int:
    """Send until nobody takes any more; return how many bytes."""
    writer.transport.set_write_buffer_limits(high=0)
    sent = 0
    while sent < 64 << 20:
        writer.write(bytes(1 << 20))
        sent += 1 << 20
        try:
            async with asyncio.timeout(0.5):
                await writer.drain()
        except TimeoutError:
            return sent
    raise AssertionError("everything was taken")


async def test_a_reader_that_takes_nothing_does_not_hold_the_gateway_and_is_left() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        link = link_to(server.getsockname()[1])
        async with hearing(link) as heard:
            await heard.until(heard.ups)
            writer = link._writer
            assert writer is not None
            while await link.write("booth", bytes(32_768)):
                assert writer.transport.get_write_buffer_size() == 0
            await heard.until(heard.downs)


async def test_the_kernel_is_asked_to_notice_a_pulled_cable() -> None:
    async with terminal() as server:
        link = link_to(server.port)
        async with hearing(link) as heard:
            await heard.until(heard.ups)
            assert link._writer is not None
            sock = link._writer.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == IDLE_S


async def test_two_ends_of_one_run_leave_no_connection() -> None:
    async with terminal() as server:
        async with hearing(link_to(server.port)) as heard:
            await heard.until(heard.ups)
            writer = await server.client()
        async with asyncio.timeout(15):
            await writer.wait_closed()
