"""`gatebook gateway doctor`: really looks at everything that a configuration names, side by side."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from gateway.diagnosis import Looked, Notes, Verdict
from gateway.doctor_broker import look_at_broker
from gateway.doctor_files import (
    look_at_clock,
    look_at_outbox,
    look_at_signing_key,
    look_at_token_key,
    running,
)
from gateway.doctor_log import look_at_log
from gateway.doctor_reader import look_at_line, look_at_port
from gateway.doctor_status import look_at_status
from gateway.health import place_of
from gateway.link import CaptureUrl, Link, MqttUrl, SerialUrl, parse_link
from gateway.links import LINKS
from gateway.now import anchored_clock
from gateway.tables import Config, ReaderTable

#: How long a look may take besides listening, seconds.
LOOK_S: Final = 20.0

Say = Callable[[str], None]


class Look(NamedTuple):
    """One thing to look at."""

    at: str
    run: Callable[[Notes], Awaitable[None]]


async def examine(config: Config, listen_s: float, say: Say) -> Verdict:
    """Look at everything at once; `say` is told of each look that begins and ends.

    `listen_s`: how long each reader on a line is listened to. The whole takes at most `LOOK_S` more.
    """
    gateway = running(Path(config.outbox.path))
    found = Examination(config, gateway, listen_s).looks()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_once(look, LOOK_S + listen_s, say)) for look in found]
    return Verdict(tuple(task.result() for task in tasks))


class Examination:
    """What there is to look at in one configuration."""

    def __init__(self, config: Config, gateway: int | None, listen_s: float) -> None:
        """`gateway`: the process of the gateway, if it is running: then its lines are left to it."""
        self._config = config
        self._gateway = gateway
        self._listen_s = listen_s
        self._links = {} if gateway is not None else _links(config)

    def looks(self) -> list[Look]:
        """Every look, in the order in which it is told."""
        config = self._config
        found = [
            _apart("token key", partial(look_at_token_key, config)),
            _apart("signing key", partial(look_at_signing_key, config)),
            _apart("outbox", partial(look_at_outbox, config)),
            _apart("clock", partial(look_at_clock, config)),
            Look("event log", partial(look_at_log, config)),
        ]
        found += [_apart(f"broker {one.id}", partial(look_at_broker, one)) for one in config.mqtt]
        found += [Look(f"reader {one.id}", partial(self._reader, one)) for one in config.readers]
        return found

    async def _reader(self, reader: ReaderTable, notes: Notes) -> None:
        """One reader, by the kind of its link."""
        url = parse_link(reader.link)
        worth = True
        if isinstance(url, CaptureUrl):
            await asyncio.to_thread(_capture, url.path, notes)
            return
        if isinstance(url, SerialUrl):
            worth = await asyncio.to_thread(look_at_port, url.path, self._gateway, notes)
        if self._gateway is not None:
            await asyncio.to_thread(look_at_status, self._config, reader.id, notes)
        elif isinstance(url, MqttUrl):
            why = "readers on MQTT speak when they have something to say"
            fix = "run the gateway, hold a tag into the field and look at `gatebook gateway tap`"
            notes.wrong("whether the reader speaks", why, fix, "unknown")
        elif worth:
            link = self._links[reader.id]
            await look_at_line(reader, link, anchored_clock(), self._listen_s, notes)


def _capture(path: str, notes: Notes) -> None:
    if Path(path).exists():
        notes.good(f"{path} is there: a recording, not a reader")
    else:
        notes.wrong(f"{path} is not there", "no such file", "mend link")


def _apart(at: str, look: Callable[[Notes], None]) -> Look:
    """A look that waits for the system, in a thread of its own."""

    async def run(notes: Notes) -> None:
        await asyncio.to_thread(look, notes)

    return Look(at, run)


def _links(config: Config) -> dict[str, Link]:
    clock = anchored_clock()
    made = [link for kind, make in LINKS.items() if kind != "mqtt" for link in make(config, clock)]
    return {name: link for link in made for name in link.readers}


async def _once(look: Look, most_s: float, say: Say) -> Looked:
    """One look with its bounds; a fault of ours is a finding, not the end of the others."""
    notes = Notes(look.at)
    began_s = time.monotonic()
    say(f"{look.at}: looking")
    try:
        async with asyncio.timeout(most_s):
            await look.run(notes)
    except TimeoutError:
        why = f"no answer within {most_s:g} s"
        notes.wrong("the look was given up", why, "look at the network and at slow disks")
    except Exception as error:  # noqa: BLE001 - one look, not the others
        notes.wrong("the look broke", f"a fault of gatebook: {place_of(error)}", "report it")
    took_s = time.monotonic() - began_s
    say(f"{look.at}: {'good' if notes.sound else 'not good'} ({took_s:.1f} s)")
    return notes.done()
