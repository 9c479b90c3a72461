"""The simulated officers: what they decide goes to `gate-events` when its time comes.

A decision's id comes from the world, so an officer's desk that is started again repeats the same ones, and the
stream drops what it has seen. They are written in the order of the file: each desk counts its own without gaps.
"""

import asyncio
from pathlib import Path
from typing import Final

import structlog

from schemas.gate import Decision
from schemas.topics import topic_key
from schemas.wire import encode, headers
from simulators.follow import follow, until
from simulators.world_file import DecisionLine
from stream.log.contract import EventLog, LogUnavailable, Outgoing
from stream.log.open import open_log

_journal = structlog.get_logger(__name__)

SOURCE: Final = "gatebook/simulated-officer"
AGAIN_S: Final = 0.5


async def run_officer(world: Path, log_url: str) -> None:
    """Decide as the file says, to its end. Raises `WorldFileError`, `OSError`, `LogError`."""
    log = await open_log(log_url)
    try:
        async for line in follow(world):
            if isinstance(line, DecisionLine):
                await until(line.decision.at_us)
                await _write(log, line.decision)
    finally:
        await log.aclose()


async def _write(log: EventLog, decision: Decision) -> None:
    """Append, again and again while the log is away: repeats are dropped where they are read."""
    while True:
        try:
            appender = await log.appender()
            try:
                await appender.append([outgoing(decision)])
            finally:
                await appender.aclose()
        except LogUnavailable as error:
            _journal.warning("the log is away", why=str(error), again_in_s=AGAIN_S)
            await asyncio.sleep(AGAIN_S)
        else:
            return


def outgoing(decision: Decision) -> Outgoing:
    """The record of a decision."""
    return Outgoing(
        "gate-events",
        topic_key(decision).encode(),
        encode(decision),
        headers(decision, source=SOURCE, at_us=decision.at_us),
    )
