"""What systemd is told, on a real datagram socket."""

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.notify import Notifier
from tests.gateway.rig import ROOT
from tests.needs import missing


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd has one, and how it is named in the environment."""
    name = f"@{secrets.token_hex(8)}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind("\0" + name[1:] if name.startswith("@") else name)
        server.setblocking(False)
        yield server, name


def said(server: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(server.recv(4096).decode())
        except BlockingIOError:
            return found


def test_each_word_is_one_datagram(systemd: tuple[socket.socket, str]) -> None:
    server, name = systemd
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready("2 readers")
    notifier.reloading()
    notifier.stopping()
    ready, reloading, stopping = said(server)
    assert ready == "READY=1\nSTATUS=2 readers"
    word, _, rest = reloading.partition("\nMONOTONIC_USEC=")
    assert word == "RELOADING=1"
    assert int(rest) > 0
    assert stopping.startswith("STOPPING=1")


async def test_the_watchdog_is_fed_while_work_goes_on_and_starves_once_it_stalls(
    systemd: tuple[socket.socket, str],
) -> None:
    server, name = systemd
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "80000"})
    asked = 0

    def progress() -> int:
        """Goes on for five looks, then stalls."""
        nonlocal asked
        asked += 1
        return min(asked, 5)

    task = asyncio.create_task(notifier.watch(progress))
    async with asyncio.timeout(20):
        while asked < 12:  # noqa: ASYNC110 - the watchdog is the clock here
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert said(server) == ["WATCHDOG=1"] * 5


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "relative", "WATCHDOG_USEC": "1000"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "nothing"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
    ],
)
async def test_where_nobody_watches_there_are_no_pings(environment: dict[str, str]) -> None:
    assert os.getpid() != 1
    notifier = Notifier(environment)
    assert notifier.watchdog_s is None
    await notifier.watch(lambda: 0)


def test_a_socket_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("")


def test_systemd_itself_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        missing("systemd-analyze")
    unit = (ROOT / "ops/systemd/gatebook-gateway.service").read_text()
    assert "\nType=notify\n" in unit
    copy = tmp_path / "gatebook-gateway.service"
    copy.write_text(unit.replace("/opt/gatebook/bin/gatebook", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
