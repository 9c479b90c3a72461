"""What a gateway depends on goes away under load and comes back: readers, broker, event log, room on the disk."""

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final

from tests.gateway.rig import Running
from tests.needs import missing
from tests.soak.account import Say
from tests.soak.killed import let_end
from tests.soak.proof import Proof
from tests.soak.yard import Yard, until

#: Reads of all readers between two outages.
BETWEEN: Final = 2_000

#: An outbox of `QUOTA_MB` fits on it, which holds what comes in more than a minute.
DISK: Final = "160m"
QUOTA_MB: Final = 96

LogAway = Callable[[], AbstractContextManager[None]]
"""While the block runs the event log cannot be written."""


async def all_away(yard: Yard, seconds: float, log_away: LogAway, disk: Path, say: Say) -> Proof:
    """One outage of each kind, `seconds` each, and a balance after each; `disk` holds the outbox."""
    proof = Proof(yard.log, yard.public_key)
    # Writes the configuration; nobody has started these readers, so they say nothing.
    async with yard.simulators():
        pass
    say("what was away | decoded =    gone + open +  dup + rejected | events | gaps, longest")
    with yard.gateway() as running:
        async with yard.simulators():
            await yard.listening()
            await yard.start_mqtt()
            await _under_load(yard)
        await until(lambda: not yard.up_of("pty", "tcp"), 20, "the lines are down")
        await asyncio.sleep(seconds)
        async with yard.simulators() as process:
            await _over(yard, proof, "readers", say)
            for what, outage in _outages(yard, running, seconds, log_away, disk):
                await _under_load(yard)
                await outage
                await _over(yard, proof, what, say)
            await _under_load(yard)
            await let_end(yard, process, proof)
        assert running.terminate() == 0
    await proof.catch_up()
    return proof


def _outages(
    yard: Yard, running: Running, seconds: float, log_away: LogAway, disk: Path
) -> Iterator[tuple[str, Awaitable[None]]]:
    yield "broker", _broker_away(yard, seconds)
    yield "event log", _log_away(running, seconds, log_away)
    yield "disk", _disk_full(yard, running, seconds, log_away, disk)


async def _broker_away(yard: Yard, seconds: float) -> None:
    yard.broker.stop()
    await until(lambda: not yard.up_of("mqtt"), 20, "the broker is missed")
    await asyncio.sleep(seconds)
    yard.broker.start()
    await yard.broker.ready()


async def _log_away(running: Running, seconds: float, log_away: LogAway) -> None:
    before = _said(running, "log_away")
    with log_away():
        await until(lambda: _said(running, "log_away") > before, 40, "the log is missed")
        await asyncio.sleep(seconds)


async def _disk_full(
    yard: Yard, running: Running, seconds: float, log_away: LogAway, disk: Path
) -> None:
    """The log is away too: else what is sent makes room for what is heard."""
    before = _said(running, "outbox_not_written")
    with log_away():
        loop = asyncio.get_running_loop()
        until_s = None
        async with asyncio.timeout(60 + seconds):
            while until_s is None or loop.time() < until_s:
                os.truncate(yard.outbox.with_name(yard.outbox.name + ".reserve"), 0)
                occupy(disk)
                await asyncio.sleep(0.05)
                if until_s is None and _said(running, "outbox_not_written") > before:
                    until_s = loop.time() + seconds
        (disk / "others").unlink()


async def _under_load(yard: Yard) -> None:
    """Until some more reads were sent."""
    wanted = _taken(yard) + BETWEEN
    await until(lambda: _taken(yard) >= wanted, 60, "the readers read")


def _taken(yard: Yard) -> int:
    return sum(counts.taken for counts in yard.counts().values())


async def _over(yard: Yard, proof: Proof, what: str, say: Say) -> None:
    """Wait until everybody is heard and what waited is sent, and print what the gateway then says."""
    await yard.listening(60)
    now_us = _at_us(yard)
    await until(lambda: _at_us(yard) > now_us and _depth(yard) < 500, 120, f"after {what}")
    gaps = sum(map(len, proof.gaps.values()))
    async with asyncio.timeout(60):
        while proof.beat is None or proof.beat.at_us <= now_us:
            await asyncio.sleep(0.1)
            await proof.catch_up()
    every = [gap for found in proof.gaps.values() for gap in found]
    longest = max((gap.to_us - gap.from_us for gap in every), default=0) / 1e6
    beat = proof.beat
    say(
        f"{what:13} | {beat.reads:7} = {beat.reads_gone:7} + {beat.reads_open:4} + "
        f"{beat.reads_duplicate:4} + {beat.reads_rejected:8} | {proof.events:6} | "
        f"{len(every) - gaps}, {longest:.1f} s"
    )


def _at_us(yard: Yard) -> int:
    at_us = yard.status()["at_us"]
    assert isinstance(at_us, int)
    return at_us


def _depth(yard: Yard) -> int:
    depth = yard.status()["outbox_depth"]
    assert isinstance(depth, int)
    return depth


def _said(running: Running, what: str) -> int:
    return sum(line["event"] == what for line in running.log())


# ---- ways to be away


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else can write an embedded event log."""
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            db.execute("ROLLBACK")


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A small file system of its own."""
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        missing("a file system of its own can only be mounted as root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)  # noqa: S607


def occupy(disk: Path) -> None:
    """Take all that is left of a disk, for as long as the file `others` is there."""
    with (disk / "others").open("ab", buffering=0) as out:
        size = 1 << 20
        while size >= 1:
            try:
                out.write(b"x" * size)
            except OSError:
                size //= 2
