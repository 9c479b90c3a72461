"""The links and stations of a gateway as running tasks, some of which a new configuration may change."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from gateway.health import place_of
from gateway.intake import Told
from gateway.link import Chunk, Clock, Link, LinkDown, Oversize, Said, Tell, Ticket
from gateway.links import LINKS
from gateway.protocols import PROTOCOLS
from gateway.reload import Wiring, wiring_of
from gateway.station import Station
from gateway.tables import Config
from gateway.tap import Tap

#: A link that broke by a fault of ours is begun anew after this, seconds.
BROKEN_S: Final = 1.0

#: How long readers may still speak after the stop command, seconds.
LAST_WORDS_S: Final = 0.3

_log = structlog.get_logger("gateway.crew")


class Overheard:
    """A link whose bytes pass by a tap, both ways."""

    def __init__(self, link: Link, tap: Tap, now_us: Clock) -> None:
        """Changes nothing of what the link does."""
        self.readers = link.readers
        self._link = link
        self._tap = tap
        self._now_us = now_us

    async def run(self, tell: Tell) -> None:
        """As the link."""

        async def told(said: Said) -> None:
            if isinstance(said, Chunk | Oversize):
                self._tap.rx(said)
            await tell(said)

        await self._link.run(told)

    async def write(self, reader: str, data: bytes) -> bool:
        """As the link."""
        sent = await self._link.write(reader, data)
        if sent:
            self._tap.tx(reader, data, self._now_us())
        return sent

    def acknowledge(self, tickets: Sequence[Ticket]) -> None:
        """As the link."""
        self._link.acknowledge(tickets)


class Post:
    """One link, the stations of its readers, and their tasks."""

    def __init__(self, link: Link, wiring: tuple[Wiring, ...]) -> None:
        """Nothing runs yet."""
        self.link = link
        self.wiring = wiring
        self.stations: dict[str, Station] = {}
        self.tasks: list[asyncio.Task[None]] = []


class Crew:
    """All posts of a gateway."""

    def __init__(self, now_us: Clock, tap: Tap, report: Callable[[Told], Awaitable[None]]) -> None:
        """`report` takes what decoders and links say."""
        self._now_us = now_us
        self._tap = tap
        self._report = report
        self._posts: list[Post] = []
        #: Those that leave too, until they have ended.
        self._running: set[asyncio.Task[None]] = set()

    @property
    def links(self) -> dict[str, Link]:
        """By reader."""
        return {name: post.link for post in self._posts for name in post.link.readers}

    @property
    def stations(self) -> dict[str, Station]:
        """By reader."""
        return {name: station for post in self._posts for name, station in post.stations.items()}

    def follow(self, config: Config) -> tuple[list[Post], list[Post]]:
        """Take a configuration on; the posts that end with it, and those that begin.

        A post whose wiring is the same goes on as it is.
        """
        wanted = self._new_posts(config)
        kept = [old for old in self._posts if any(old.wiring == new.wiring for new in wanted)]
        leaving = [old for old in self._posts if old not in kept]
        coming = [new for new in wanted if all(new.wiring != old.wiring for old in kept)]
        self._posts = [*kept, *coming]
        return leaving, coming

    def start(self, posts: Sequence[Post], group: asyncio.TaskGroup) -> None:
        """Begin to hear."""
        for post in posts:
            names = ", ".join(post.link.readers)
            post.tasks = [group.create_task(self._hear(post), name=f"link {names}")]
            post.tasks += [
                group.create_task(station.watch(), name=f"station {name}")
                for name, station in post.stations.items()
            ]
            for task in post.tasks:
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def quiet(self, posts: Sequence[Post] | None = None) -> None:
        """Tell readers to be quiet, all if not some, and hear what they still say."""
        chosen = self._posts if posts is None else posts
        async with asyncio.TaskGroup() as group:
            for post in chosen:
                for name, station in post.stations.items():
                    group.create_task(station.stop(), name=f"stop {name}")
        if chosen:
            await asyncio.sleep(LAST_WORDS_S)

    async def retire(self, posts: Sequence[Post], cause: str) -> None:
        """Hear some readers no more: all that they have said so far is reported."""
        await self.quiet(posts)
        for post in posts:
            for name, station in post.stations.items():
                await station.retire(LinkDown(name, self._now_us(), cause, ended=True))
        await cancelled([task for post in posts for task in post.tasks])

    async def hold(self) -> list[str]:
        """Nothing can be stored: readers on serial lines are told to be quiet; returns which."""
        held = self._on_lines()
        for station in held:
            await station.hold()
        return [station.reader for station in held]

    async def go_on(self) -> None:
        """End of `hold`."""
        for station in self._on_lines():
            await station.go_on()

    def _on_lines(self) -> list[Station]:
        """The readers whose lines make nobody wait: what is not read at once is lost."""
        names = {
            reader.id
            for post in self._posts
            for reader, _ in post.wiring
            if reader.link.startswith(("serial:", "rfc2217:"))
        }
        return [station for name, station in self.stations.items() if name in names]

    async def end(self) -> None:
        """Hear nobody any more, not those either whose leaving was cut short."""
        await cancelled(list(self._running))

    def _new_posts(self, config: Config) -> list[Post]:
        posts = []
        for make in LINKS.values():
            for link in make(config, self._now_us):
                wiring = wiring_of(config, link)
                post = Post(Overheard(link, self._tap, self._now_us), wiring)
                for reader, _ in wiring:
                    protocol = PROTOCOLS[reader.protocol]
                    post.stations[reader.id] = Station(
                        reader, protocol, post.link, self._report, self._now_us
                    )
                posts.append(post)
        return posts

    async def _hear(self, post: Post) -> None:
        """Run a link; one that breaks by a fault of ours is begun anew and stops no other."""

        async def tell(said: Said) -> None:
            await post.stations[said.reader].take(said)

        while True:
            try:
                await post.link.run(tell)
            except Exception as error:  # noqa: BLE001 - one link, not the others
                cause = f"a fault of the gateway: {place_of(error)}"
                _log.error("link_broke", readers=post.link.readers, error=cause)
                for name in post.link.readers:
                    await tell(LinkDown(name, self._now_us(), cause))
            else:
                return
            await asyncio.sleep(BROKEN_S)


async def cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
