"""The demo's supervisor: programs are restarted and counted, and none outlives it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from simulators.supervise import MAX_FAILURES, ProgramFailed, Supervisor
from tests.simulators.made import until

SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
    "signal.pause(); signal.pause()",
]
ORPHAN = """
import asyncio, pathlib, sys
from simulators.supervise import Supervisor

async def main():
    async with Supervisor(pathlib.Path(sys.argv[1]), lambda text: print(text, flush=True)) as running:
        running.start("sleeper", [sys.executable, "-c", "import signal; signal.pause()"])
        await asyncio.Event().wait()

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be collected does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False


async def test_a_program_that_is_killed_is_started_again_and_counted(tmp_path: Path) -> None:
    said: list[str] = []
    async with Supervisor(tmp_path, said.append) as running:
        program = running.start("sleeper", SLEEPER)
        await program.started.wait()
        first = program.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: program.restarts == 1 and program.pid != first)
        assert program.state == "running"
        assert running.restarts == 1
        second = program.pid
    assert second is not None
    assert said == [f"sleeper {first}", "sleeper ended (SIGKILL); start 2", f"sleeper {second}"]
    assert not alive(second)


@pytest.mark.timeout(90)
async def test_a_program_that_keeps_ending_is_given_up_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    broken = [sys.executable, "-c", "import sys; sys.exit('no such thing')"]
    async with Supervisor(tmp_path, said.append) as running:
        program = running.start("broken", broken)
        async with asyncio.timeout(60):
            with pytest.raises(
                ProgramFailed, match=r"broken keeps ending .exit 1.\n  no such thing"
            ):
                await running.failed()
        with pytest.raises(ProgramFailed):
            running.check()
        assert program.restarts == MAX_FAILURES


async def test_a_program_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, lambda _: None) as running:
        running.start("ghost", [str(tmp_path / "ghost")])
        async with asyncio.timeout(10):
            with pytest.raises(FileNotFoundError):
                await running.failed()


async def test_a_program_that_does_not_listen_is_killed_at_the_end(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, lambda _: None, stop_s=0.2) as running:
        program = running.start("stubborn", STUBBORN)
        await program.started.wait()
        await until(lambda: "deaf" in running.log_of("stubborn").read_text(encoding="utf-8"))
    assert program.pid is not None
    assert not alive(program.pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux kills orphans")
async def test_no_program_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHAN, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    line = (await parent.stdout.readline()).decode()
    pid = int(line.removeprefix("sleeper "))
    assert alive(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(pid))
