"""The doctor's look at a reader on a line: the way to it, and a few seconds of listening."""

import asyncio
import grp
import os
import pwd
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.diagnosis import Notes
from gateway.health import place_of
from gateway.link import Chunk, Clock, Link, LinkDown, LinkUp, Said, SerialUrl, parse_link
from gateway.links.serial import users_of
from gateway.protocols import PROTOCOLS
from gateway.reads import Decoder, OptionError, Outcome, Read, ReaderNote
from gateway.tables import ReaderTable

#: Bytes of what was heard that are kept to try other protocols with.
KEPT_BYTES: Final = 65_536

#: How often the decoder is asked what is due, seconds.
ASK_S: Final = 0.05

#: How long a connection may take, seconds: RFC 2217 needs 10 to find that nobody answers.
CONNECT_S: Final = 12.0

STABLE: Final = Path("/dev/serial/by-id")


def look_at_port(path: str, gateway: int | None, notes: Notes) -> bool:
    """What can be known of a serial port without opening it; whether it is worth to listen.

    `gateway`: the process of the running gateway, which may have it open.
    """
    port = Path(path)
    try:
        status = port.stat()
    except OSError:
        names = ", ".join(sorted(str(one) for one in STABLE.glob("*"))) or "none"
        fix = f"plug it in, or write one of the names that are there into link: {names}"
        notes.wrong(f"{path} is not there", "unplugged, switched off, or another name", fix)
        return False
    if not stat.S_ISCHR(status.st_mode):
        notes.wrong(f"{path} is no serial port", "it is another kind of file", "mend link")
        return False
    if port.parent == Path("/dev") and port.name.startswith(("ttyUSB", "ttyACM")):
        same = [str(one) for one in STABLE.glob("*") if one.resolve() == port]
        why = "the kernel numbers ports in the order in which they are found"
        fix = f"use {same[0]}" if same else f"use a name under {STABLE} or /dev/serial/by-path"
        notes.wrong(f"{path} may be another reader tomorrow", why, fix)
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        _rights(path, status, notes)
        return False
    return _free(path, gateway, notes)


def _free(path: str, gateway: int | None, notes: Notes) -> bool:
    others = users_of(path)
    if gateway is not None and any(f"(process {gateway})" in one for one in others):
        notes.good(f"{path} is open in the running gateway: not listened to")
        return False
    if others:
        why = f"open in {', '.join(others)}: each would get a part of the bytes"
        notes.wrong(f"{path} is used by another program", why, "stop it: one program a port")
        return False
    return True


def _rights(path: str, status: os.stat_result, notes: Notes) -> None:
    """Which group would help, and whether this user is in it already."""
    try:
        group = grp.getgrgid(status.st_gid)
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        fix = f"let user {os.geteuid()} read and write {path}"
        notes.wrong(f"no right to open {path}", f"it is group {status.st_gid}'s", fix)
        return
    mode = stat.filemode(status.st_mode)
    why = f"it belongs to group {group.gr_name} ({mode}), and {user} is not in it"
    fix = f"sudo usermod -aG {group.gr_name} {user}, then log in again (or restart the service)"
    if not status.st_mode & stat.S_IWGRP:
        why = f"its mode is {mode}: its group may not write either"
        fix = f"sudo chmod g+rw {path}, and for good by an udev rule"
    elif user in group.gr_mem:
        why = f"{user} is in group {group.gr_name}, but this process began before that"
        fix = "log in again, or restart the service"
    notes.wrong(f"no right to open {path}", why, fix)


class Listener:
    """Hears one reader through its real link and decoder for a while."""

    def __init__(self, reader: ReaderTable, link: Link, now_us: Clock) -> None:
        """Nothing is opened yet."""
        self._reader = reader
        self._link = link
        self._now_us = now_us
        self._decoder: Decoder = PROTOCOLS[reader.protocol].decoder(reader.options)
        self._up = asyncio.Event()
        self.cause = ""
        self.kept = bytearray()
        self.bytes = 0
        self.reads = 0
        self.notes = 0
        self.rejects = 0

    async def listen(self, seconds: float) -> None:
        """Connect, start the reader, hear it for `seconds`, and stop it."""
        running = asyncio.create_task(self._link.run(self._tell))
        running.add_done_callback(self._ended)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(CONNECT_S):
                    await self._up.wait()
            if self.heard:
                await self._while_up(seconds)
        finally:
            running.cancel()
            await asyncio.wait([running])

    @property
    def heard(self) -> bool:
        """Whether there was a connection."""
        return self._up.is_set() and not self.cause

    def _ended(self, running: asyncio.Task[None]) -> None:
        """The link has come to its end by itself, or by a fault of ours."""
        if not running.cancelled() and (error := running.exception()) is not None:
            self.cause = f"a fault of gatebook: {place_of(error)}"
            self._up.set()

    async def _while_up(self, seconds: float) -> None:
        await self._send(self._decoder.start())
        end_us = self._now_us() + int(seconds * 1e6)
        while self._now_us() < end_us and not self.cause:
            due = self._decoder.due(self._now_us())
            self._count(due.outcomes)
            await self._send(due.send)
            await asyncio.sleep(ASK_S)
        await self._send(self._decoder.stop())
        self._count(self._decoder.flush(self._now_us()))

    async def _send(self, data: bytes) -> None:
        if data:
            await self._link.write(self._reader.id, data)

    async def _tell(self, said: Said) -> None:
        match said:
            case LinkUp():
                self._up.set()
            case LinkDown():
                self.cause = self.cause or said.cause
                self._up.set()
            case Chunk():
                self.bytes += len(said.data)
                self.kept += said.data[: KEPT_BYTES - len(self.kept)]
                self._count(self._decoder.feed(said.data, said.at_us))
            case _:
                pass

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        for one in outcomes:
            if isinstance(one, Read):
                self.reads += one.reads
            elif isinstance(one, ReaderNote):
                self.notes += 1
            else:
                self.rejects += 1


async def look_at_line(
    reader: ReaderTable, link: Link, now_us: Clock, seconds: float, notes: Notes
) -> None:
    """Listen to a reader on a serial line or a TCP connection, and say what its bytes look like."""
    ear = Listener(reader, link, now_us)
    await ear.listen(seconds)
    if not ear.heard:
        fix = "see why; docs/operating.md has a table of causes"
        why = ear.cause or f"no answer within {CONNECT_S:g} s"
        notes.wrong(f"{reader.link} cannot be used", why, fix)
        return
    heard = f"{ear.bytes} bytes in {seconds:g} s: {ear.reads} reads, {ear.notes} notes, {ear.rejects} rejects"
    if not ear.bytes:
        notes.wrong(f"nothing was heard in {seconds:g} s", *_silence(reader))
    elif not ear.reads and not ear.notes:
        notes.wrong(
            f"what was heard is no {reader.protocol}", *_garbage(reader, bytes(ear.kept), heard)
        )
    else:
        notes.good(f"{reader.protocol} is heard: {heard}")
        if ear.rejects > ear.reads + ear.notes:
            why = f"{heard}: a bad cable, a wrong dialect, or two programs on the line"
            fix = "look at `gatebook gateway rejects` once the gateway runs"
            notes.wrong("most of what was heard is damaged", why, fix)


def _silence(reader: ReaderTable) -> tuple[str, str]:
    why = "the reader is off, set to another speed, waits for a trigger, or sends only when a tag is there"
    fix = "hold a tag into its field and look again; then look at power, cable, speed and work mode"
    if isinstance(parse_link(reader.link), SerialUrl):
        fix += " (receive and transmit may be swapped)"
    return why, fix


def _garbage(reader: ReaderTable, data: bytes, heard: str) -> tuple[str, str]:
    """Why bytes give no reads: does another protocol read them?"""
    other = [name for name in PROTOCOLS if name != reader.protocol and _reads(name, data)]
    if other:
        return heard + f"; {', '.join(other)} reads them", f"set protocol = '{other[0]}'"
    why = f"{heard}; no other protocol reads them either"
    return (
        why,
        "look at the speed (baud) in the link and in the reader, and at the dialect in options",
    )


def _reads(name: str, data: bytes) -> bool:
    if PROTOCOLS[name].framing != "stream":
        return False
    try:
        decoder = PROTOCOLS[name].decoder({})
    except OptionError:
        return False
    outcomes = [*decoder.feed(data, 0), *decoder.flush(0)]
    return any(isinstance(one, Read) and not one.after_resync for one in outcomes)
