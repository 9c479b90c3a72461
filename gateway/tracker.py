r"""Reads to sightings: which tag stays at which read point, and since when.

    first read -> glimpsed -> observed (often or long enough) -> lost (quiet for too long)
                     \-> gone without having been observed (quiet before that)

Source of the four thresholds: ALE smoothing (glimpsed, observed, lost), where a glimpse is dropped; here
it ends as a `Gone`, so that every read is in exactly one sighting. Pure: time is an argument.

A read that was found after garbage (`after_resync`) may be a card's number that stands inside another frame. It counts
like any other once the stay has one clean read; alone such reads make no tag present, and they move none.

Two times are kept apart. Where a read belongs is decided by event time: one that lies further from the
stay than its time-out, before or after, ends it and begins another. When a stay is over without a further
read is decided by the gateway's time since it last heard the tag.

A tag has one stay among read points that are each other's `rivals` (neighbour lanes, the same position): what
the others hear counts in it, until one of them takes the tag over (`gateway.best_lane`). While the tag is only
glimpsed its stay goes silently to the read point that hears it best; later the change is a `Gone` and a `Seen`.
"""

import heapq
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from gateway.best_lane import Voice, carried_over, listen, louder, takes_over, voice_at
from gateway.clock import When
from gateway.reads import Proof, Read
from gateway.travel import Passage, follow
from schemas.gate import ClockSource
from schemas.message import Direction, Position

#: Open stays of a gateway; protects memory and the time that a restart takes.
MAX_OPEN: Final = 20_000

#: What a glimpse gets for each tag at its read point: a reader in dense-reader mode hears about 230 tags a second,
#: so among 500 each is heard every 2 s, and would else be glimpsed again and again. At most the lost time-out.
TURN_US: Final = 10_000

#: Antennas that a stay remembers.
MAX_ANTENNAS: Final = 32


class Point(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A read point with the thresholds of its lane."""

    id: str
    lane: str
    position: Position
    direction: Direction
    to_booth_s: int | None
    observe_reads: int
    observe_us: int
    glimpse_us: int
    lost_us: int
    #: Read points of neighbour lanes that may hear the same tags.
    rivals: tuple[str, ...] = ()
    #: Antennas that a vehicle passes first and last; both or none.
    entry: tuple[int, ...] = ()
    exit: tuple[int, ...] = ()
    #: Inputs of the reader that a vehicle passes first and last; both or none.
    gpi: tuple[int, ...] = ()


class Stay(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """One tag's stay at one read point so far. Holds the EPC: it never leaves the gateway.

    Outbox files hold it as an array: a new field goes to the end and has a default. Nothing in it points back, so
    the garbage collector need not walk through 20,000 of them.
    """

    point: Point
    epc: bytes
    tid: bytes | None
    #: Event time of the earliest and of the latest read, those of neighbour lanes too.
    first_us: int
    last_us: int
    #: Gateway time of the last read that came.
    heard_us: int
    #: Those of neighbour lanes too.
    reads: int
    peak_rssi_dbm: float | None
    antennas: tuple[int, ...]
    clock_source: ClockSource
    clock_offset_us: int
    replayed: bool
    observed: bool = False
    #: Event id of the `sighting_seen`; whoever writes it notes it here.
    seen_event_id: str | None = None
    #: The lane that held the tag before this one took it over.
    moved_from: str | None = None
    #: How this read point and its rivals hear the tag; empty without rivals.
    voices: list[Voice] = []
    passage: Passage | None = None
    #: Protocol control words of the tag, where the reader sends them.
    pc: int | None = None
    xpc: int | None = None
    #: The last answer of the tag to a challenge.
    proof: Proof | None = None
    #: All reads so far were found after garbage; such reads alone make no tag present.
    doubtful: bool = False


StayKey = tuple[str, bytes, bool]
"""Read point, EPC, and whether the reads were stored on the way.

A tag that stands there while its reader replays older reads has two stays, one in each flow; in one stay
the two flows would end each other at every read.
"""

Ending = Literal["lost", "moved", "overflow", "stopped"]


class Seen(NamedTuple):
    """The tag counts as present now."""

    stay: Stay


class Gone(NamedTuple):
    """The stay is over."""

    stay: Stay
    reason: Ending


Change = Seen | Gone


class Tracker:
    """All open stays of a gateway."""

    def __init__(self, max_open: int = MAX_OPEN) -> None:
        """`max_open`: when more are open, the oldest glimpse is closed."""
        self._max_open = max_open
        self._open: dict[StayKey, Stay] = {}
        #: The keys of those that are glimpsed only, oldest first.
        self._glimpsed: OrderedDict[StayKey, None] = OrderedDict()
        #: One entry a stay: when to look at it next. The count keeps equal times comparable.
        self._due: list[tuple[int, int, Stay]] = []
        self._opened = 0
        #: Read point -> its open stays.
        self._crowd: defaultdict[str, int] = defaultdict(int)
        self._touched: dict[StayKey, Stay | None] = {}

    def __len__(self) -> int:
        """How many stays are open."""
        return len(self._open)

    @property
    def touched(self) -> bool:
        """Whether any stay has changed since `take_touched`."""
        return bool(self._touched)

    def stays(self) -> Iterator[Stay]:
        """The open stays."""
        return iter(self._open.values())

    def restore(self, stays: Iterable[Stay], now_us: int) -> None:
        """Go on with stays of an earlier run.

        Their time-outs begin anew: nobody listened meanwhile, so quiet says nothing. Whether the next
        read still belongs to them is decided by event time as ever.
        """
        for stay in stays:
            stay.heard_us = now_us
            self._add(key_of(stay), stay)

    def hear(  # noqa: C901, PLR0912 - runs for every read, so it is flat
        self, point: Point, read: Read, when: When | None = None
    ) -> Sequence[Change]:
        """Take a read; return what it changes, mostly nothing. No `when`: it was heard as it came."""
        if when is None:
            at_us, replayed = read.at_us, False
        else:
            at_us, replayed = when.at_us, when.replayed
        key = (point.id, read.epc, replayed)
        stay = self._open.get(key)
        if stay is None:
            if point.rivals and (held := self._held_by_rivals(point, read, replayed)):
                return self._overhear(held, point, read, when)
            return self._begin(key, point, read, when)
        quiet_us = point.lost_us if stay.observed else self._glimpse_us(point)
        if at_us > stay.last_us:
            if at_us > stay.last_us + quiet_us:
                return (self._close(key, stay, "lost"), *self._begin(key, point, read, when))
            stay.last_us = at_us
        elif at_us < stay.first_us:
            if at_us < stay.first_us - quiet_us:
                return (self._close(key, stay, "lost"), *self._begin(key, point, read, when))
            stay.first_us = at_us
        stay.heard_us = read.at_us
        stay.reads += read.reads
        rssi = read.rssi_dbm
        if rssi is not None and (stay.peak_rssi_dbm is None or rssi > stay.peak_rssi_dbm):
            stay.peak_rssi_dbm = rssi
        if read.antenna is not None and read.antenna not in stay.antennas:
            stay.antennas = (*stay.antennas, read.antenna)[:MAX_ANTENNAS]
        if (
            (read.pc is not None and stay.pc is None)
            or (read.tid is not None and stay.tid is None)
            or read.proof is not None
        ):
            _learn(stay, read)
        if stay.doubtful and not read.after_resync:
            stay.doubtful = False
        if when is not None:
            stay.clock_offset_us, stay.clock_source = when.offset_us, when.source
        self._touched[key] = stay
        if point.rivals or point.entry:
            _mark(stay, read, at_us)
        return () if stay.observed else self._observe(key, stay)

    def expire(self, now_us: int) -> list[Change]:
        """Close the stays that have been quiet for too long."""
        gone: list[Change] = []
        while self._due and self._due[0][0] <= now_us:
            _, number, stay = heapq.heappop(self._due)
            key = key_of(stay)
            if self._open.get(key) is not stay:
                continue
            due_us = stay.heard_us + self._quiet_us(stay)
            if due_us <= now_us:
                gone.append(self._close(key, stay, "lost"))
            else:
                heapq.heappush(self._due, (due_us, number, stay))
        return gone

    def end(self, stays: Iterable[Stay], reason: Ending) -> list[Change]:
        """Close the given open stays."""
        return [self._close(key_of(stay), stay, reason) for stay in stays]

    def take_touched(self) -> dict[StayKey, Stay | None]:
        """The stays that changed since the last call; None for one that is closed."""
        touched, self._touched = self._touched, {}
        return touched

    def _begin(self, key: StayKey, point: Point, read: Read, when: When | None) -> Sequence[Change]:
        stay = _first_read(point, read, when)
        overflow = () if len(self._open) < self._max_open else (self._drop_oldest(),)
        self._add(key, stay)
        self._touched[key] = stay
        return (*overflow, *self._observe(key, stay)) if overflow else self._observe(key, stay)

    # ---- neighbour lanes

    def _held_by_rivals(self, point: Point, read: Read, replayed: bool) -> list[Stay]:
        keys = ((rival, read.epc, replayed) for rival in point.rivals)
        return [stay for key in keys if (stay := self._open.get(key)) is not None]

    def _overhear(
        self, held: Sequence[Stay], point: Point, read: Read, when: When | None
    ) -> Sequence[Change]:
        """A neighbour lane has the tag: count the read there, or take the tag over."""
        stay, at_us = held[0], read.at_us if when is None else when.at_us
        quiet_us = self._quiet_us(stay)
        if not stay.first_us - quiet_us <= at_us <= stay.last_us + quiet_us:
            return (self._close(key_of(stay), stay, "lost"), *self.hear(point, read, when))
        own = voice_at(stay.voices, stay.point.id, stay.point.lane, stay.last_us)
        here = voice_at(stay.voices, point.id, point.lane, at_us)
        listen(here, read.rssi_dbm, read.reads, at_us, point.lost_us)
        clean = not read.after_resync
        if stay.observed and clean and takes_over(here, own, at_us, stay.point.lost_us):
            return self._move(held, point, read, when)
        if not stay.observed and len(held) == 1 and louder(here, own):
            stay = self._rename(stay, point, read, here)
        stay.first_us, stay.last_us = min(stay.first_us, at_us), max(stay.last_us, at_us)
        stay.heard_us = read.at_us
        stay.reads += read.reads
        _learn(stay, read)
        stay.doubtful = stay.doubtful and read.after_resync
        key = key_of(stay)
        self._touched[key] = stay
        return () if stay.observed else self._observe(key, stay)

    def _move(
        self, held: Sequence[Stay], point: Point, read: Read, when: When | None
    ) -> Sequence[Change]:
        """The tag is here now. Every rival lets go of it, so that no two of them hold it."""
        before = held[0]
        stay = _first_read(point, read, when)
        stay.tid, stay.proof = stay.tid or before.tid, stay.proof or before.proof
        if stay.pc is None:
            stay.pc, stay.xpc = before.pc, before.xpc
        stay.observed = True
        stay.moved_from = before.point.lane
        stay.voices = carried_over(before.voices)
        voice_at(stay.voices, point.id, point.lane, stay.last_us).reads = read.reads
        gone = [self._close(key_of(one), one, "moved") for one in held]
        key = key_of(stay)
        self._add(key, stay)
        self._touched[key] = stay
        return (*gone, Seen(stay))

    def _rename(self, stay: Stay, point: Point, read: Read, here: Voice) -> Stay:
        """The same stay, of which nobody knows yet, at the read point that hears the tag better."""
        self._close(key_of(stay), stay, "moved")
        stay = msgspec.structs.replace(
            stay,
            point=point,
            peak_rssi_dbm=max(here.levels),
            antennas=() if read.antenna is None else (read.antenna,),
            passage=None,
        )
        self._add(key_of(stay), stay)
        return stay

    # ---- opening and closing

    def _quiet_us(self, stay: Stay) -> int:
        return stay.point.lost_us if stay.observed else self._glimpse_us(stay.point)

    def _glimpse_us(self, point: Point) -> int:
        turn_us = TURN_US * self._crowd[point.id]
        quiet_us = point.lost_us if turn_us > point.lost_us else turn_us
        return quiet_us if quiet_us > point.glimpse_us else point.glimpse_us

    def _observe(self, key: StayKey, stay: Stay) -> Sequence[Change]:
        point = stay.point
        if stay.doubtful:
            return ()
        enough = stay.reads >= point.observe_reads
        if not enough and stay.last_us - stay.first_us < point.observe_us:
            return ()
        stay.observed = True
        self._glimpsed.pop(key, None)
        return (Seen(stay),)

    def _add(self, key: StayKey, stay: Stay) -> None:
        self._open[key] = stay
        if not stay.observed:
            self._glimpsed[key] = None
        self._opened += 1
        self._crowd[stay.point.id] += 1
        heapq.heappush(self._due, (stay.heard_us + self._quiet_us(stay), self._opened, stay))

    def _drop_oldest(self) -> Gone:
        key = next(iter(self._glimpsed or self._open))
        return self._close(key, self._open[key], "overflow")

    def _close(self, key: StayKey, stay: Stay, reason: Ending) -> Gone:
        del self._open[key]
        self._glimpsed.pop(key, None)
        self._crowd[stay.point.id] -= 1
        self._touched[key] = None
        return Gone(stay, reason)


def key_of(stay: Stay) -> StayKey:
    """Under which key a stay is open."""
    return (stay.point.id, stay.epc, stay.replayed)


def _first_read(point: Point, read: Read, when: When | None) -> Stay:
    at_us = read.at_us if when is None else when.at_us
    stay = Stay(
        point=point,
        epc=read.epc,
        tid=read.tid,
        first_us=at_us,
        last_us=at_us,
        heard_us=read.at_us,
        reads=read.reads,
        peak_rssi_dbm=read.rssi_dbm,
        antennas=() if read.antenna is None else (read.antenna,),
        clock_source="received" if when is None else when.source,
        clock_offset_us=0 if when is None else when.offset_us,
        replayed=when is not None and when.replayed,
        doubtful=read.after_resync,
    )
    if read.pc is not None or read.proof is not None:
        _learn(stay, read)
    if point.rivals or point.entry:
        _mark(stay, read, at_us)
    return stay


def _learn(stay: Stay, read: Read) -> None:
    """Keep what a read says of the tag itself."""
    if stay.tid is None:
        stay.tid = read.tid
    if stay.pc is None:
        stay.pc, stay.xpc = read.pc, read.xpc
    if read.proof is not None:
        stay.proof = read.proof


def _mark(stay: Stay, read: Read, at_us: int) -> None:
    """Note a read of the stay's own read point for the best lane and for the way of the tag."""
    point = stay.point
    if point.rivals:
        own = voice_at(stay.voices, point.id, point.lane, at_us)
        listen(own, read.rssi_dbm, read.reads, at_us, point.lost_us)
    if point.entry and read.rssi_dbm is not None:
        entry = read.antenna in point.entry
        if entry or read.antenna in point.exit:
            stay.passage = stay.passage or Passage()
            follow(stay.passage, read.rssi_dbm, at_us, entry=entry)
