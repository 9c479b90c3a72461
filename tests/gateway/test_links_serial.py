"""Serial ports on real pseudo-terminals: heard, lost, found again, and shared with another program."""

import asyncio
import os
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.link import SerialUrl
from gateway.links.serial import LOCKED, SerialLink, cause_of, users_of
from gateway.now import anchored_clock
from tests.gateway.heard import hearing
from tests.gateway.rig import START, PtyReader

HOLD = (
    "import serial, sys; port = serial.Serial(sys.argv[1], exclusive=True)\n"
    "print('open', flush=True); sys.stdin.read()"
)


def link_to(name: Path) -> SerialLink:
    return SerialLink("booth", SerialUrl(str(name), 115_200), anchored_clock())


@contextmanager
def another_program(name: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that has the port open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        yield other
        other.kill()


async def test_what_a_reader_sends_is_heard_with_rising_times(pty_reader: PtyReader) -> None:
    async with hearing(link_to(pty_reader.name)) as heard:
        await heard.until(heard.ups)
        for number in range(5):
            pty_reader.send(bytes([number]) * 1_000)
        await heard.until(lambda: len(heard.bytes()) == 5_000)
        assert heard.bytes() == b"".join(bytes([number]) * 1_000 for number in range(5))
        times = [said.at_us for said in heard.all]
        assert times == sorted(times)


async def test_commands_go_out_to_the_reader(pty_reader: PtyReader) -> None:
    link = link_to(pty_reader.name)
    async with hearing(link) as heard:
        assert not await link.write("booth", START)
        await heard.until(heard.ups)
        assert await link.write("booth", START)
        await pty_reader.command(START)


async def test_a_line_that_takes_nothing_does_not_hold_the_gateway(pty_reader: PtyReader) -> None:
    link = link_to(pty_reader.name)
    async with hearing(link) as heard:
        await heard.until(heard.ups)
        assert not await link.write("booth", b"x" * 1_000_000)


async def test_an_unplugged_port_is_named_so_and_found_again_by_its_name(
    pty_reader: PtyReader,
) -> None:
    async with hearing(link_to(pty_reader.name)) as heard:
        await heard.until(heard.ups)
        pty_reader.unplug()
        await heard.until(heard.downs)
        assert heard.causes() == [f"{pty_reader.name} is gone: unplugged"]
        pty_reader.plug()
        await heard.until(lambda: heard.ups() == 2)
        pty_reader.send(b"again")
        await heard.until(lambda: heard.bytes() == b"again")


async def test_a_port_that_was_never_there_is_waited_for(tmp_path: Path) -> None:
    async with hearing(link_to(tmp_path / "port")) as heard:
        await heard.until(heard.downs)
        assert "is not there" in heard.causes()[0]
        reader = PtyReader(tmp_path)
        await heard.until(heard.ups)
        reader.close()


async def test_a_second_program_on_the_port_is_told_from_an_unplugged_one_and_named(
    pty_reader: PtyReader,
) -> None:
    with another_program(pty_reader.name) as other:
        async with hearing(link_to(pty_reader.name)) as heard:
            await heard.until(heard.downs)
            assert f"(process {other.pid})" in heard.causes()[0]
            assert "python" in heard.causes()[0]
            assert "unplugged" not in heard.causes()[0]
            other.kill()
            await heard.until(heard.ups)


async def test_a_second_reader_is_locked_out_while_the_gateway_hears(pty_reader: PtyReader) -> None:
    async with hearing(link_to(pty_reader.name)) as heard:
        await heard.until(heard.ups)
        result = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", HOLD, str(pty_reader.name)],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert result.returncode != 0
        assert b"exclusively lock" in result.stderr


async def test_missing_rights_are_named_with_what_to_do(pty_reader: PtyReader) -> None:
    node = pty_reader.name.resolve()
    node.chmod(0)
    was_root = os.geteuid() == 0
    try:
        if was_root:
            os.seteuid(65_534)
        async with hearing(link_to(node)) as heard:
            await heard.until(heard.downs)
            assert "no right to open" in heard.causes()[0]
            assert "dialout" in heard.causes()[0]
    finally:
        if was_root:
            os.seteuid(0)


def test_who_uses_a_device_leaves_us_out(pty_reader: PtyReader) -> None:
    assert users_of(str(pty_reader.name)) == []
    assert users_of("/nowhere") == []


async def test_a_killed_gateway_leaves_a_pseudo_terminal_usable(pty_reader: PtyReader) -> None:
    with another_program(pty_reader.name) as other:
        other.kill()
    async with hearing(link_to(pty_reader.name)) as heard:
        await heard.until(heard.ups)
        assert heard.causes() == []


async def test_flow_control_by_xon_and_xoff_is_set_where_the_link_asks_for_it(
    pty_reader: PtyReader,
) -> None:
    for asked in (False, True):
        url = SerialUrl(str(pty_reader.name), 115_200, xonxoff=asked)
        async with hearing(SerialLink("booth", url, anchored_clock())) as heard:
            await heard.until(heard.ups)
            with pty_reader.name.open("rb", buffering=0) as port:
                mode = termios.tcgetattr(port)[0]
            assert bool(mode & termios.IXON) is asked
            assert bool(mode & termios.IXOFF) is asked


def test_a_lock_whose_owner_cannot_be_seen_is_told_with_the_way_to_find_it(
    pty_reader: PtyReader,
) -> None:
    cause = cause_of(str(pty_reader.name), LOCKED)
    assert "locked by another program that this user may not see" in cause
    assert f"sudo fuser -v {pty_reader.name}" in cause
