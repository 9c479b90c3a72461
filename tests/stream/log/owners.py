"""Run `owner.py` as a real process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

OWNER: Final = Path(__file__).with_name("owner.py")
ROOT: Final = OWNER.parents[3]


class OwnerProcess:
    """A process that owns a partition."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._in = process.stdin
        self._out = process.stdout

    async def answer(self) -> str:
        """The next line that it says; empty when it has ended."""
        async with asyncio.timeout(40):
            return (await self._out.readline()).decode().strip()

    async def tell(self, value: str, position: int) -> None:
        """Make it commit."""
        self._in.write(f"{value} {position}\n".encode())
        await self._in.drain()

    async def ended(self) -> int:
        """Wait until it has ended; return how."""
        async with asyncio.timeout(40):
            return await self.process.wait()

    async def stopped(self) -> None:
        """Wait until it was stopped by SIGSTOP."""
        async with asyncio.timeout(40):
            _, status = await asyncio.to_thread(os.waitpid, self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def owner_process(url: str, crash_at: str = "") -> AsyncIterator[OwnerProcess]:
    """A process that is going to own partition 1 of `reads`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GATEBOOK_CRASH_AT": crash_at}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(OWNER),
        url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        yield OwnerProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        assert process.stdin is not None
        process.stdin.close()
