"""One reader's place in the daemon: its link's words in, its decoder's reports out.

A decoder that breaks is replaced by a new one and the break is a reject; no other reader notices.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from gateway.duplicates import payload_key
from gateway.health import place_of
from gateway.intake import Report, Told
from gateway.link import Chunk, Clock, Link, LinkDown, LinkUp, Oversize, Said
from gateway.reads import Decoder, Outcome, Read, ReaderNote, Rejected, WireProtocol
from gateway.tables import ReaderTable

#: After bytes came, the decoder is asked this much later whether something is due.
ASK_S: Final = 0.05

_log = structlog.get_logger("gateway.station")


class Station:
    """Feeds one decoder."""

    def __init__(
        self,
        reader: ReaderTable,
        protocol: WireProtocol,
        link: Link,
        report: Callable[[Told], Awaitable[None]],
        now_us: Clock,
    ) -> None:
        """`report` may wait: then the link waits too."""
        self.reader = reader.id
        self._options = reader.options
        self._protocol = protocol
        self._link = link
        self._report = report
        self._now_us = now_us
        self._decoder = self._new_decoder()
        #: Why the reader cannot be heard, None while it can; an attempt that fails alike is not told.
        self._cause: str | None = None
        #: Whether the reader must stay quiet.
        self._held = False
        self._fed = asyncio.Event()
        #: Keeps what a decoder said in the order in which it said it.
        self._turn = asyncio.Lock()
        self._retired = False

    async def take(self, said: Said) -> None:
        """Take what the link has said about this reader."""
        async with self._turn:
            if self._retired:
                return
            match said:
                case Chunk():
                    await self._feed(said)
                case Oversize():
                    await self._report(self._oversize(said))
                case LinkUp():
                    self._cause = None
                    _log.info("reader_up", reader=self.reader)
                    await self._report(said)
                    if not self._held:
                        await self._send(self._decoder.start())
                case LinkDown() if said.cause != self._cause:
                    await self._down(said)
                case LinkDown():
                    pass
        self._fed.set()

    async def retire(self, said: LinkDown) -> None:
        """Hear this reader no more; all that came before is reported."""
        async with self._turn:
            self._retired = True
            await self._down(said)

    async def hold(self) -> None:
        """Nothing can be stored: what the reader says would be lost, so it is told to be quiet."""
        self._held = True
        await self._send(self._decoder.stop())

    async def go_on(self) -> None:
        """End of `hold`."""
        self._held = False
        await self._send(self._decoder.start())
        self._fed.set()

    async def stop(self) -> None:
        """Tell the reader to be quiet."""
        await self._send(self._decoder.stop())

    async def watch(self) -> None:
        """Ask the decoder again and again what is due, for ever."""
        while True:
            self._fed.clear()
            async with self._turn:
                due_us = await self._due()
            wait_s = None if due_us is None else max((due_us - self._now_us()) / 1e6, 0.001)
            try:
                async with asyncio.timeout(wait_s):
                    await self._fed.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(ASK_S)

    async def _down(self, said: LinkDown) -> None:
        self._cause = said.cause
        _log.warning("reader_down", reader=self.reader, cause=said.cause)
        outcomes = self._safely(lambda: self._decoder.flush(said.at_us), b"")
        if outcomes:
            await self._report(Report(self.reader, said.at_us, outcomes))
        await self._report(said)

    async def _due(self) -> int | None:
        if self._held:
            return None
        now_us = self._now_us()
        try:
            due = self._decoder.due(now_us)
        except Exception as error:  # noqa: BLE001 - the decoder of one reader, not of the others
            await self._report(Report(self.reader, now_us, [self._broken(error, b"")]))
            return None
        if due.outcomes:
            await self._report(Report(self.reader, now_us, due.outcomes))
        await self._send(due.send)
        return due.next_due_us

    async def _feed(self, chunk: Chunk) -> None:
        data, at_us = chunk.data, chunk.at_us
        outcomes = self._safely(lambda: self._decoder.feed(data, at_us), data)
        if chunk.kind == "management":
            outcomes = [_no_read(outcome) for outcome in outcomes]
        if not outcomes and chunk.ticket is None:
            return
        key = None
        if self._protocol.framing == "message" and not _has_one_key(outcomes):
            key = payload_key(data)
        await self._report(Report(self.reader, at_us, outcomes, key, chunk.ticket))

    async def _send(self, data: bytes) -> None:
        if data and not await self._link.write(self.reader, data):
            _log.warning("command_not_sent", reader=self.reader, bytes=len(data))

    def _oversize(self, said: Oversize) -> Report:
        rejected = Rejected(
            reason="payload_too_large",
            raw=said.head,
            at_us=said.at_us,
            detail=f"{said.size} bytes",
        )
        return Report(self.reader, said.at_us, [rejected], None, said.ticket)

    def _safely(self, feed: Callable[[], Sequence[Outcome]], data: bytes) -> Sequence[Outcome]:
        try:
            return feed()
        except Exception as error:  # noqa: BLE001 - the decoder of one reader, not of the others
            return [self._broken(error, data)]

    def _broken(self, error: Exception, data: bytes) -> Rejected:
        where = place_of(error)
        _log.error("decoder_broke", reader=self.reader, error=where)
        self._decoder = self._new_decoder()
        return Rejected(reason="decoder_broke", raw=data, at_us=self._now_us(), detail=where)

    def _new_decoder(self) -> Decoder:
        return self._protocol.decoder(self._options)


def _no_read(outcome: Outcome) -> Outcome:
    """On a topic on which the reader speaks of itself nobody may bring a card in."""
    if not isinstance(outcome, Read):
        return outcome
    detail = "a read on a topic whose kind is management"
    return Rejected(reason="not_a_note", raw=outcome.epc, at_us=outcome.at_us, detail=detail)


def _has_one_key(outcomes: Sequence[Outcome]) -> bool:
    """Whether the message is known by the one thing that is in it."""
    if len(outcomes) != 1:
        return False
    only = outcomes[0]
    return isinstance(only, Read | ReaderNote) and only.key is not None
