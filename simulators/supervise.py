"""Runs programs as children: their pids are said, and a child that ends is started again and counted.

None outlives its parent, however that ends.
"""

import asyncio
import ctypes
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

#: Between the end of a child and its next start; doubled while it keeps ending at once.
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 2.0
#: A child that lived this long is not ending at once.
LIVED_S: Final = 3.0
#: Ends at once, one after the other, after which it is given up.
MAX_FAILURES: Final = 6
#: After SIGTERM a child has so long to end.
STOP_S: Final = 5.0
#: Lines of a child's log that are shown when it is given up.
TAIL_LINES: Final = 5

_PR_SET_PDEATHSIG: Final = 1

Say = Callable[[str], None]


class ProgramFailed(Exception):  # noqa: N818 - named by what happened
    """A program ends at once whenever it is started; the text has the end of its log."""


@dataclass(slots=True, kw_only=True)
class Program:
    """A program, and how it is doing."""

    name: str
    argv: Sequence[str]
    pid: int | None = None
    restarts: int = 0
    state: Literal["waiting", "running", "ended"] = "waiting"
    started: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Keeps programs running. Use as an async context manager; at its end all of them are stopped.

    Attributes:
        programs: by name, in the order of their start.
    """

    def __init__(self, logs: Path, say: Say, *, stop_s: float = STOP_S) -> None:
        """`logs`: folder for what the programs write to stdout and stderr, a file each."""
        self._stop_s = stop_s
        self.programs: dict[str, Program] = {}
        self._logs = logs
        self._say = say
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] | None = None

    async def __aenter__(self) -> "Supervisor":
        """Nothing runs yet."""
        self._failed = asyncio.get_running_loop().create_future()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop all programs: SIGTERM, and SIGKILL for what does not end by itself."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._failed is not None and self._failed.done():
            self._failed.exception()

    @property
    def restarts(self) -> int:
        """How often programs were started again."""
        return sum(program.restarts for program in self.programs.values())

    def start(self, name: str, argv: Sequence[str]) -> Program:
        """Run a program from now on."""
        program = Program(name=name, argv=argv)
        self.programs[name] = program
        self._tasks.add(asyncio.create_task(self._keep(program), name=f"keep {name}"))
        return program

    async def failed(self) -> None:
        """Wait until a program is given up, and raise `ProgramFailed` then."""
        if self._failed is not None:
            await asyncio.shield(self._failed)

    def check(self) -> None:
        """Raises `ProgramFailed` when a program was given up."""
        if self._failed is not None and self._failed.done():
            self._failed.result()

    def log_of(self, name: str) -> Path:
        """The file of what a program says."""
        return self._logs / f"{name}.log"

    async def _keep(self, program: Program) -> None:
        try:
            await self._keep_running(program)
        except Exception as error:  # noqa: BLE001 - whatever it is, the whole run must learn of it
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)

    async def _keep_running(self, program: Program) -> None:
        wait_s, failures = FIRST_WAIT_S, 0
        while True:
            began = time.monotonic()
            code = await self._run_once(program)
            program.restarts += 1
            self._say(f"{program.name} ended ({_ended(code)}); start {program.restarts + 1}")
            if time.monotonic() - began >= LIVED_S:
                wait_s, failures = FIRST_WAIT_S, 0
            failures += 1
            if failures >= MAX_FAILURES:
                raise ProgramFailed(
                    f"{program.name} keeps ending ({_ended(code)})\n{self._tail(program)}"
                )
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _run_once(self, program: Program) -> int:
        """One life of the program; when cancelled it is stopped."""
        with self.log_of(program.name).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *program.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Of its own session: Ctrl-C reaches the parent alone, which then stops the children.
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid()),
            )
        program.pid, program.state = process.pid, "running"
        self._say(f"{program.name} {process.pid}")
        program.started.set()
        try:
            return await process.wait()
        finally:
            program.state = "ended"
            await _stop(process, self._stop_s)

    def _tail(self, program: Program) -> str:
        lines = self.log_of(program.name).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line[:300]}" for line in lines[-TAIL_LINES:])


async def _stop(process: Process, wait_s: float) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(wait_s):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _ended(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """What a child does before its program begins: ask the kernel to be killed when the parent ends.

    Only Linux can do that (prctl, PR_SET_PDEATHSIG); elsewhere a killed parent leaves its children behind.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return ask
