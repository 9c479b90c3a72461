"""Outbox to event log: in order, removed after the log's acknowledgement, for ever.

A kill between the acknowledgement and the removal sends the same events again, with the same ids and
bytes: whoever reads the topic drops what it has seen. While the log is away the outbox grows and the
publisher waits; nothing else of the gateway notices.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from gateway.batch import EventRow, WaitingRow
from gateway.health import place_of
from gateway.network import Retry
from gateway.outbox import Outbox, OutboxError, OutboxFull
from schemas.chain import CHAIN, SIGNATURE
from schemas.gate import Skipped
from schemas.message import Message
from schemas.wire import SchemaError, ce_id, decode, encode, headers
from stream.log.contract import Appender, EventLog, LogError, Outgoing, RecordTooLarge
from stream.log.crash import passing
from stream.log.open import open_log

TOPIC: Final = "gate-events"

#: Events of one append: at most about 1 MB. The outbox is asked twice for each, and is busy storing (measured: 500 went
#: out more slowly than 40 lanes in full use bring them).
BATCH: Final = 2_000

#: After so many of them the loop has its turn: lines must be read.
TURN: Final = 100

#: No sighting is larger. A log that refuses this refuses everything, and must be put right.
USUAL_BYTES: Final = 4_096

#: Waits between attempts while the log is away, seconds.
FIRST_WAIT_S: Final = 0.2
LAST_WAIT_S: Final = 10.0

_log = structlog.get_logger("gateway.publisher")


class Publisher:
    """Sends what waits in the outbox."""

    def __init__(
        self,
        outbox: Outbox,
        url: str,
        *,
        gateway: str,
        pair: str,
        refused: Callable[[int], None],
        connect: Callable[[str], Awaitable[EventLog]] = open_log,
    ) -> None:
        """`refused` is told how many events the log would not take."""
        self._outbox = outbox
        self._url = url
        self._source = f"gatebook/gateway/{gateway}"
        self._pair = pair
        self._refused = refused
        self._connect = connect
        self._most = BATCH
        self._retry = Retry(FIRST_WAIT_S, LAST_WAIT_S)
        #: Whether the log could be used when it was last tried.
        self.connected = False
        #: Events that the log has, since the start.
        self.sent = 0

    async def run(self) -> None:
        """Send for ever; waits longer and longer while the log cannot be used."""
        while True:
            try:
                async with await self._connect(self._url) as log:
                    await self._send_to(log)
            except (LogError, OutboxFull) as error:
                await self._wait("log_away", f"{type(error).__name__}: {error}")
            except OutboxError:
                raise
            except Exception as error:  # noqa: BLE001 - an adapter's fault must not stop the readers
                await self._wait("publisher_broke", place_of(error))

    async def _wait(self, what: str, reason: str) -> None:
        """Wait before the next attempt, longer each time."""
        self.connected = False
        wait_s = self._retry.wait_s()
        _log.warning(what, reason=reason, again_in_s=round(wait_s, 2))
        await asyncio.sleep(wait_s)

    async def _send_to(self, log: EventLog) -> None:
        """Send until the log raises; an appender that refused something is not used again."""
        while True:
            appender = await log.appender()
            if not self.connected:
                _log.info("log_connected")
            self.connected = True
            try:
                while not await self._send_some(appender):
                    pass
            finally:
                await appender.aclose()

    async def _send_some(self, appender: Appender) -> bool:
        """Send the oldest events; True when one of them was too large for the log."""
        await self._outbox.filled.wait()
        rows, unsound = await self._outbox.oldest(self._most)
        if not rows:
            return False
        records = await self._records(rows, unsound)
        if records is None:
            return False
        try:
            await appender.append(records)
        except RecordTooLarge as error:
            await self._too_large(rows, error)
            return True
        passing("gateway.sent")
        await self._outbox.remove(rows[-1].seq, rows[-1].epoch)
        self.sent += len(rows)
        self._retry.worked()
        return False

    async def _records(self, rows: list[WaitingRow], unsound: int | None) -> list[Outgoing] | None:
        """As the log takes them; None when one was damaged and has been replaced: all links change."""
        records = []
        for number, row in enumerate(rows):
            if number % TURN == TURN - 1:
                await asyncio.sleep(0)
            try:
                message = decode(TOPIC, row.value)
            except SchemaError as error:
                await self._skip(row, f"damaged in the outbox: {error}")
                return None
            if row.seq == unsound:
                await self._skip(row, "damaged in the outbox: not the value that was stored")
                return None
            records.append(self._record(row, message))
        return records

    def _record(self, row: WaitingRow, message: Message) -> Outgoing:
        trace = traceparent(ce_id(message))
        found = headers(message, source=self._source, at_us=row.at_us, trace=trace)
        if row.chain is not None:
            found = (*found, (CHAIN, row.chain))
        if row.signature is not None:
            found = (*found, (SIGNATURE, row.signature))
        return Outgoing(TOPIC, self._pair.encode(), row.value, found)

    async def _too_large(self, rows: Sequence[WaitingRow], error: RecordTooLarge) -> None:
        """Send one at a time until the refused one is alone, then put `Skipped` in its place.

        Raises the error again for an event of usual size: waiting loses nothing, skipping would lose all.
        """
        if len(rows) > 1:
            self._most = 1
            return
        if len(rows[0].value) <= USUAL_BYTES:
            raise error
        self._most = BATCH
        await self._skip(rows[0], str(error))

    async def _skip(self, row: WaitingRow, cause: str) -> None:
        """Give up one event, in the open: the sequence keeps no gap that nobody announced."""
        _log.error("event_skipped", seq=row.seq, bytes=len(row.value), cause=cause[:300])
        skipped = Skipped(
            event_id=self._outbox.event_id(row.seq, row.epoch),
            pair=self._pair,
            at_us=row.at_us,
            from_seq=row.seq,
            to_seq=row.seq,
            cause=cause[:400],
        )
        fresh = EventRow(row.seq, row.at_us, encode(skipped))
        await self._outbox.replace(fresh, cause[:400], row.epoch)
        self._refused(1)


def traceparent(event: str) -> bytes:
    """A W3C trace context that is the same whenever the event is sent (level 1, section 3.2)."""
    digest = hashlib.sha256(event.encode()).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01".encode()
