"""A simulated serial reader behind a TCP port, heard by real clients."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import serial

from gateway.protocols.mercury import MercuryDecoder, MercuryOptions, encode_start
from gateway.reads import Read
from simulators.follow import now_us
from simulators.load import Load, LoadField
from simulators.readers.mercury import MercuryReader
from simulators.tcp_port import TcpPort
from tests.simulators.made import until

LOAD = Load(rate=500, total=200, seed=5)


@asynccontextmanager
async def listening(load: Load, *, telnet: bool = False) -> AsyncIterator[TcpPort]:
    reader = MercuryReader()
    reader.field = LoadField(load)
    async with TcpPort(0, reader, now_us, telnet=telnet) as port:
        running = asyncio.create_task(port.run())
        try:
            yield port
        finally:
            running.cancel()
            await asyncio.wait({running})


def epcs(data: bytes) -> list[bytes]:
    decoder = MercuryDecoder(MercuryOptions())
    return [one.epc for one in decoder.feed(data, now_us()) if isinstance(one, Read)]


async def test_a_client_hears_every_read_once_the_reader_is_started() -> None:
    async with listening(LOAD) as port:
        heard, client = await asyncio.open_connection("127.0.0.1", port.port)
        client.write(encode_start())
        data = b""
        async with asyncio.timeout(20):
            while len(epcs(data)) < 200:
                data += await heard.read(4096)
        client.close()
    assert epcs(data) == [LOAD.epc(number) for number in range(200)]
    assert port.lost == 0


@pytest.mark.filterwarnings(r"ignore:set(Daemon|Name)\(\) is deprecated")
async def test_the_real_pyserial_hears_the_same_by_rfc_2217() -> None:
    async with listening(LOAD, telnet=True) as port:
        url = f"rfc2217://127.0.0.1:{port.port}"
        host = await asyncio.to_thread(serial.serial_for_url, url, 115200, timeout=5)
        try:
            await asyncio.to_thread(host.write, encode_start())
            data = b""
            async with asyncio.timeout(20):
                while len(epcs(data)) < 200:
                    data += await asyncio.to_thread(host.read, max(1, host.in_waiting))
        finally:
            await asyncio.to_thread(host.close)
    assert epcs(data) == [LOAD.epc(number) for number in range(200)]


async def test_what_nobody_hears_is_counted_as_lost_and_the_reader_goes_on() -> None:
    async with listening(LOAD) as port:
        _, client = await asyncio.open_connection("127.0.0.1", port.port)
        client.write(encode_start())
        await until(lambda: port.reader.field.taken > 0)
        client.close()
        await until(lambda: port.reader.field.taken == 200)
    assert 0 < port.lost <= 200


async def test_a_client_that_does_not_read_never_makes_the_reader_wait() -> None:
    async with listening(Load(rate=100_000, total=200_000)) as port:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.connect(("127.0.0.1", port.port))
            client.sendall(encode_start())
            await until(lambda: port.lost > 0)
            taken = port.reader.field.taken
            await until(lambda: port.reader.field.taken > taken)
            assert port.dropped > 0


async def test_a_newer_client_takes_the_place_of_the_older_one() -> None:
    async with listening(Load(rate=500)) as port:
        first_heard, first = await asyncio.open_connection("127.0.0.1", port.port)
        first.write(encode_start())
        assert await first_heard.read(1)
        second_heard, second = await asyncio.open_connection("127.0.0.1", port.port)
        async with asyncio.timeout(10):
            while await first_heard.read(4096):
                pass
            assert await second_heard.read(1)
        first.close()
        second.close()
