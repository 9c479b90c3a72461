"""The doctor's look at the event log: is it there, and does it take what a gateway sends?"""

import asyncio
from pathlib import Path
from typing import Final

from gateway.diagnosis import Notes
from gateway.tables import Config
from schemas.topics import TOPICS
from stream.log.contract import EventLog, LogError
from stream.log.open import open_log
from stream.log.outgoing import MAX_RECORD_BYTES
from stream.log.url import MemoryUrl, SqliteUrl, parse_log_url

#: What gateways write and read.
NAMES: Final = ("gate-events",)


async def look_at_log(config: Config, notes: Notes) -> None:
    """Reach the log and compare the gateway's topic with the table."""
    url = config.log.url
    apply = f"gatebook topics apply --log {url}"
    match parse_log_url(url):
        case MemoryUrl():
            why = "memory: is gone with its process, and nobody else can read it"
            notes.wrong("events reach nobody", why, "set url in [log] to sqlite: or kafka:")
            return
        case SqliteUrl(path) if not await asyncio.to_thread(Path(path).exists):
            # Opening it would make it.
            notes.wrong(f"{path} is not there", "the log has not been made yet", apply)
            return
        case _:
            pass
    try:
        async with await open_log(url) as log:
            await _look(log, notes, apply)
    except LogError as error:
        why = f"{type(error).__name__}: {error}"
        fix = "start the broker, or mend url in [log]; until then events wait in the outbox"
        notes.wrong("the event log cannot be reached", why, fix)


async def _look(log: EventLog, notes: Notes, apply: str) -> None:
    for name, state in (await log.describe(NAMES)).items():
        wanted = TOPICS[name]
        if state is None:
            notes.wrong(f"there is no topic {name}", "topics are made once, by hand", apply)
            continue
        notes.good(f"topic {name}: {state.partitions} partitions")
        if state.partitions != wanted.partitions:
            why = f"{state.partitions} partitions; the program counts on {wanted.partitions}"
            notes.wrong(
                f"topic {name} was made differently", why, "gatebook topics check tells more"
            )
        limit = await log.max_record_bytes(name)
        if limit is not None and limit < MAX_RECORD_BYTES:
            why = (
                f"max.message.bytes of {name} is {limit}, the largest event has {MAX_RECORD_BYTES}"
            )
            fix = f"set max.message.bytes of the topic to {MAX_RECORD_BYTES}"
            notes.wrong("large events would be refused and skipped", why, fix)
