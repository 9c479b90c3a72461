"""A simulated serial reader on a real pseudo-terminal, opened by the real pyserial."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import serial

from gateway.protocols.r200 import R200Decoder, R200Options
from gateway.reads import Read
from simulators.device import Tag
from simulators.follow import now_us
from simulators.pty_port import LINE_BUFFER, PtyPort
from simulators.readers.r200 import R200Reader
from tests.simulators.made import until

CARD = bytes.fromhex("E200BB022200117E00112233")
MULTIPLE_POLL = bytes.fromhex("BB00270003222710837E")
SINGLE_POLL = bytes.fromhex("BB00220000227E")
STOP = bytes.fromhex("BB00280000287E")
STOPPED = bytes.fromhex("BB01280001002A7E")
NO_TAG = bytes.fromhex("BB01FF000115167E")

HOLD_PORT = """
import sys, serial
port = serial.Serial(sys.argv[1], 115200, exclusive=True)
port.write(bytes.fromhex(sys.argv[2]))
print(port.read(8).hex(), flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def plugged(path: Path, reader: R200Reader) -> AsyncIterator[PtyPort]:
    with PtyPort(path, reader, now_us) as port:
        running = asyncio.create_task(port.run())
        try:
            yield port
        finally:
            running.cancel()
            await asyncio.wait({running})


async def read(port: serial.Serial, size: int) -> bytes:
    """So many bytes, while the simulated reader goes on."""
    data: bytes = await asyncio.to_thread(port.read, size)
    return data


def opened(path: Path) -> serial.Serial:
    return serial.Serial(str(path), 115200, timeout=10, exclusive=True)


async def test_a_host_hears_nothing_before_the_start_command_and_the_tag_after_it(
    tmp_path: Path,
) -> None:
    reader = R200Reader()
    reader.field.enter(Tag(CARD, None, -50), now_us() + 60_000_000)
    async with plugged(tmp_path / "port", reader):
        with opened(tmp_path / "port") as host:
            host.write(SINGLE_POLL)
            first = await read(host, 24)
            # Had it talked by itself, more than the one answer would be there.
            assert host.in_waiting == 0
            host.write(MULTIPLE_POLL)
            rest = await read(host, 72)
    outcomes = R200Decoder(R200Options()).feed(first + rest, now_us())
    assert [one.epc for one in outcomes if isinstance(one, Read)] == [CARD] * 4


async def test_frames_are_not_echoed_back_as_commands(tmp_path: Path) -> None:
    reader = R200Reader()
    async with plugged(tmp_path / "port", reader):
        with opened(tmp_path / "port") as host:
            host.write(MULTIPLE_POLL)
            assert await read(host, 24) == NO_TAG * 3
            host.write(STOP)
            data = b""
            async with asyncio.timeout(10):
                while not data.endswith(STOPPED):
                    data += await read(host, 8)
    assert data.replace(NO_TAG, b"") == STOPPED


async def test_what_nobody_reads_is_dropped_beyond_the_line_buffer_and_nobody_waits(
    tmp_path: Path,
) -> None:
    reader = R200Reader(poll_us=100)
    async with plugged(tmp_path / "port", reader) as port:
        with opened(tmp_path / "port") as host:
            host.write(MULTIPLE_POLL)
            await until(lambda: port.dropped > 2 * LINE_BUFFER)
            assert host.in_waiting <= LINE_BUFFER
            # It goes on as before once it is read.
            host.reset_input_buffer()
            data = await read(host, 80)
    assert data.count(NO_TAG) >= 9


async def test_a_host_that_is_killed_leaves_the_port_as_it_was(tmp_path: Path) -> None:
    reader = R200Reader()
    async with plugged(tmp_path / "port", reader):
        command = [sys.executable, "-c", HOLD_PORT, str(tmp_path / "port"), MULTIPLE_POLL.hex()]
        host = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert host.stdout is not None
        heard = await host.stdout.readline()
        assert heard.decode().strip() == NO_TAG.hex()
        host.kill()
        assert await host.wait() == -signal.SIGKILL
        with opened(tmp_path / "port") as again:
            # The device has not noticed: it still polls, and a new start command is welcome.
            assert reader.polling
            again.write(MULTIPLE_POLL)
            data = await read(again, 80)
    assert data.count(NO_TAG) >= 9


async def test_the_name_is_there_while_it_is_plugged_in_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "port"
    path.symlink_to(tmp_path / "left over")
    async with plugged(path, R200Reader()):
        assert path.resolve().is_char_device()
    assert not path.is_symlink()


async def test_unplugging_is_seen_by_the_host_at_once(tmp_path: Path) -> None:
    async with plugged(tmp_path / "port", R200Reader()):
        host = opened(tmp_path / "port")
    began = time.monotonic()
    with pytest.raises((serial.SerialException, OSError)):
        host.read(1)
    assert time.monotonic() - began < 9
    host.close()
