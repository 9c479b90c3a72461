"""The demo as a user runs it: every program is a real process."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.border import BorderRecord
from simulators.scoring import score_lines
from stream.ndjson import Line, parse_line
from tests.gateway.broker import find_mosquitto
from tests.needs import missing

PROGRAMS = ("broker", "traffic", "trips", "lanes", "watch", "ledger", "gateway", "officer", "sink")


class Demo:
    """A running demo: its lines of progress so far, and all that it prints."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.said: list[str] = []
        self.out = b""
        self._more = asyncio.Event()

    @property
    def pids(self) -> dict[str, int]:
        """The last pid that was said of each program."""
        words = [line.split() for line in self.said]
        return {one[0]: int(one[1]) for one in words if len(one) == 2 and one[1].isdigit()}

    async def hears(self, beginning: str) -> str:
        """Wait for a line of progress."""
        while True:
            for line in self.said:
                if line.startswith(beginning):
                    return line
            self._more.clear()
            await self._more.wait()

    async def prints(self, part: bytes) -> None:
        """Wait for something on stdout."""
        while part not in self.out:
            self._more.clear()
            await self._more.wait()

    async def kill(self, name: str) -> None:
        """kill -9 by the pid that was said; returns when it was started again."""
        first = self.pids[name]
        os.kill(first, signal.SIGKILL)
        while self.pids[name] == first:
            self._more.clear()
            await self._more.wait()

    async def read(self) -> None:
        """Take what it says to the end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._errors())
            group.create_task(self._outputs())

    async def _errors(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.said.append(line.decode().rstrip("\n"))
            self._more.set()

    async def _outputs(self) -> None:
        assert self.process.stdout is not None
        while piece := await self.process.stdout.read(1 << 16):
            self.out += piece
            self._more.set()


@asynccontextmanager
async def demo(tmp_path: Path, *arguments: str) -> AsyncIterator[Demo]:
    """A demo that is killed if the test ends before it does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gatebook", "demo", "--headless", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    found = Demo(process)
    reading = asyncio.create_task(found.read())
    try:
        yield found
        await reading
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        reading.cancel()
        await asyncio.wait({reading})


def printed(out: bytes) -> list[Line]:
    """The lines on stdout; each must be one of a recording."""
    lines = [parse_line(at, text) for at, text in enumerate(out.splitlines(), start=1)]
    assert all(isinstance(line, Line) for line in lines)
    return [line for line in lines if isinstance(line, Line)]


def alive(pids: Sequence[int]) -> list[int]:
    """Which of these processes still run."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
        except OSError:
            continue
        if ") Z " not in state:
            found.append(pid)
    return found


async def gone(pids: Sequence[int]) -> None:
    async with asyncio.timeout(10):
        while alive(pids):  # noqa: ASYNC110 - other processes' ends are no event of this loop
            await asyncio.sleep(0.02)


def read(path: Path) -> bytes:
    return path.read_bytes()


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def needs_mosquitto() -> None:
    if find_mosquitto() is None:
        missing("mosquitto is not on this machine (Debian: apt-get install mosquitto)")


@pytest.mark.timeout(180)
async def test_kill_9_of_gateway_lanes_and_ledger_in_a_demo_loses_nothing_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    needs_mosquitto()
    kept = tmp_path / "kept"
    async with demo(tmp_path, "--for", "30", "--keep", str(kept), "--noise") as run:
        await run.hears("ready: ")
        assert set(run.pids) == set(PROGRAMS)
        # Trucks are on their way or at the booth at each of these moments.
        await run.prints(b'"at_primary"')
        await run.kill("gateway")
        await run.prints(b'"border_record"')
        await run.kill("lanes")
        await run.prints(b'"refused"')
        await run.kill("ledger")
    assert run.process.returncode == 0, run.said
    assert run.said[-1].endswith("3 restarts, lost 0, doubled 0: as the truth says")
    assert [line for line in run.said if "ended (SIGKILL); start 2" in line] == [
        f"{name} ended (SIGKILL); start 2" for name in ("gateway", "lanes", "ledger")
    ]
    lines = printed(run.out)
    counts = Counter(line.topic for line in lines)
    assert set(counts) == {"arrivals", "border-records", "unmatched"}
    assert len({line.key for line in lines if line.topic == "arrivals"}) >= 8
    lanes = {one.message.entry.lane for one in lines if isinstance(one.message, BorderRecord)}
    assert lanes == {"L01", "L02", "L03", "L04"}
    truth, records = (read(kept / name) for name in ("truth.ndjson", "records.ndjson"))
    assert score_lines(truth, run.out).lines == []
    assert score_lines(truth, records).lines == []


@pytest.mark.timeout(120)
async def test_a_sighting_that_is_dropped_on_purpose_is_named_and_ends_with_1(
    tmp_path: Path,
) -> None:
    async with demo(tmp_path, "--for", "10", "--drop-sighting") as run:
        pass
    assert run.process.returncode == 1
    dropped = (await run.hears("demo: no reader at the booth")).split()[-1]
    await run.hears(f"missing: border record of {dropped} ")
    await run.hears(f"extra: unmatched declared_not_seen of {dropped}")
    assert "lost 1, doubled 0: 3 differences from the truth" in run.said[-1]
    assert left_in(tmp_path) == []


@pytest.mark.timeout(120)
async def test_ctrl_c_ends_a_demo_without_end_with_a_verdict_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    async with demo(tmp_path) as run:
        await run.prints(b'"border_record"')
        run.process.send_signal(signal.SIGINT)
    assert run.process.returncode == 0, run.said
    assert run.said[-1].endswith("as the truth says")
    assert alive(list(run.pids.values())) == []
    assert left_in(tmp_path) == []


@pytest.mark.timeout(120)
async def test_a_demo_that_is_killed_takes_its_programs_with_it(tmp_path: Path) -> None:
    async with demo(tmp_path) as run:
        await run.hears("ready: ")
        run.process.kill()
    assert run.process.returncode == -signal.SIGKILL
    assert set(run.pids) == set(PROGRAMS)
    await gone(list(run.pids.values()))


@pytest.mark.timeout(120)
async def test_without_mosquitto_the_demo_says_which_broker_it_uses_and_works_alike(
    tmp_path: Path,
) -> None:
    async with demo(tmp_path, "--for", "12", "--broker", "amqtt") as run:
        await run.prints(b'"at_primary"')
        await run.kill("gateway")
    assert run.process.returncode == 0, run.said
    assert "kill -9 on MQTT is proven with mosquitto only" in await run.hears("MQTT broker: amqtt")
    assert "1 restart, lost 0, doubled 0" in run.said[-1]
