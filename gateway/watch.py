"""Looks at the running daemon for `/health`, `/metrics` and systemd: what is wrong, and how much was done."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final, Protocol

import msgspec

from gateway.http import Page, Pages
from gateway.intake import Status, Told
from gateway.link import Clock, LinkDown
from gateway.metrics import CONTENT_TYPE, Metrics
from gateway.outbox_room import Sizes
from gateway.tables import Config
from gateway.vitals import Health, Spool, Vitals, http_status, judge

#: How long the outbox may take to answer, seconds.
ANSWER_S: Final = 2.0


class Spooling(Protocol):
    """What is asked of the outbox."""

    async def waiting(self) -> tuple[int, int | None]:
        """How many events wait, and the time of the oldest."""
        ...

    async def sizes(self) -> Sizes:
        """How its room is used."""
        ...


class Pumping(Protocol):
    """What is asked of the pump."""

    turned_us: int
    unwritten: str
    unwritten_since_us: int | None


class Sending(Protocol):
    """What is asked of the publisher."""

    connected: bool
    sent: int


class Watch:
    """Sees what the parts of the daemon are doing."""

    def __init__(
        self, config: Config, now_us: Clock, synchronised: Callable[[], bool | None]
    ) -> None:
        """`synchronised`: whether the machine's clock is, None where nobody knows."""
        self._health = config.health
        self._gateway = config.gateway.id
        self._now_us = now_us
        self._synchronised = synchronised
        self._outages: Counter[str] = Counter()
        self._commit_from_us = 0
        self._question: asyncio.Task[Spool] | None = None
        self._away_since_us: int | None = now_us()
        self.metrics = Metrics(config.gateway.id)
        #: What was wrong with the file at the last reload.
        self.reload_refused: Sequence[str] = ()

    def report(self, told: Told) -> None:
        """A link or decoder said something."""
        if isinstance(told, LinkDown) and not told.ended:
            self._outages[told.reader] += 1

    def passing(self, point: str) -> None:
        """The pump is at this point of a commit."""
        if point == "gateway.commit.before":
            self._commit_from_us = self._now_us()
        elif point == "gateway.commit.after":
            self.metrics.committed(max(self._now_us() - self._commit_from_us, 0) / 1e6)

    async def follow_log(self, publisher: Sending) -> None:
        """Note since when the log is away, for ever."""
        while True:
            if publisher.connected:
                self._away_since_us = None
            elif self._away_since_us is None:
                self._away_since_us = self._now_us()
            await asyncio.sleep(0.25)

    async def look(
        self,
        status: Status,
        outbox: Spooling,
        pump: Pumping,
        publisher: Sending,
        tap_dropped: int,
    ) -> Vitals:
        """How everything is now."""
        spool = await self._spool(outbox)
        connected, now_us = publisher.connected, self._now_us()
        return Vitals(
            at_us=now_us,
            status=status,
            spool=spool,
            unwritten=pump.unwritten,
            unwritten_since_us=pump.unwritten_since_us,
            turned_us=pump.turned_us,
            log_connected=connected,
            log_away_since_us=None if connected else self._away_since_us or now_us,
            synchronised=self._synchronised() if self._health.clock_check else None,
            events_sent=publisher.sent,
            outages=dict(self._outages),
            reload_refused=self.reload_refused,
            tap_dropped=tap_dropped,
        )

    def pages(self, look: Callable[[], Awaitable[Vitals]]) -> Pages:
        """The pages by their paths."""

        def judged(vitals: Vitals) -> Health:
            return judge(self._gateway, vitals, log_away_us=self._health.log_away_ms * 1_000)

        async def health() -> Page:
            found = judged(await look())
            body = msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"
            return Page(http_status(found), "application/json", body)

        async def metrics() -> Page:
            vitals = await look()
            page = self.metrics.page(vitals, judged(vitals))
            return Page(HTTPStatus.OK, CONTENT_TYPE, page)

        return {"/health": health, "/metrics": metrics}

    async def _spool(self, outbox: Spooling) -> Spool | None:
        """The outbox, or None when it does not answer in time; one question at once, however many ask us."""
        if self._question is None or self._question.done():
            self._question = asyncio.create_task(_ask(outbox), name="outbox question")
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asyncio.shield(self._question)
        except TimeoutError:
            return None


async def _ask(outbox: Spooling) -> Spool:
    events, oldest_us = await outbox.waiting()
    sizes = await outbox.sizes()
    return Spool(events, oldest_us, sizes.used, sizes.quota)
