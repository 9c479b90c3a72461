"""What a gateway knows of one reader: its read points, its clock, what it sent already, how it is."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from gateway.batch import KeyRow, ReaderTotals
from gateway.clock import ReaderClock
from gateway.duplicates import KeyRing
from gateway.facts import AntennaState, Dropped, Lost, Ntp, Pin
from gateway.gpi import PinPair
from gateway.points import Points
from gateway.reads import ReaderNote
from schemas.gate import ReaderHealth

#: Kinds of notes and reasons of rejects that are counted apart; more are counted as `other`.
MAX_KINDS: Final = 50


class Spell(NamedTuple):
    """Something to say about a reader: why, and since when nobody has heard it (None: no gap)."""

    cause: str
    since_us: int | None


class News(NamedTuple):
    """Something that a reader said about itself, or that its messages show."""

    cause: str
    #: Reads that it says it lost; None: it does not say.
    reads_lost: int | None = None
    #: About its clock: by how much it was set, or is ahead.
    clock_ms: int | None = None


class Desk:
    """One reader."""

    def __init__(
        self,
        reader: str,
        points: Points,
        keys: Mapping[str, Sequence[KeyRow]],
        totals: ReaderTotals,
        *,
        deaf: bool,
    ) -> None:
        """`deaf`: nobody keeps what the reader sends while the gateway is away, as a broker does."""
        self.reader = reader
        self.points = points
        #: What the reader calls its messages.
        self.ring = KeyRing(reader, keys.get(reader, ()))
        #: Whole payloads, apart: the many events of a batch would push the other batches out.
        self.payloads = KeyRing(f"{reader}#payload", keys.get(f"{reader}#payload", ()))
        self.clock = ReaderClock(totals.clock_lag_us)
        self.totals = totals
        #: Read point -> its pair of inputs.
        self.pins = {point.id: PinPair(*point.gpi) for point in points.all() if point.gpi}
        #: Ports at which there was an antenna, or must be one: others may be empty.
        self.ports = set(points.by_antenna)
        self._deaf = deaf
        self._new = True
        #: When its counter of dropped messages was last believed.
        self._dropped_at_us = 0

    def rewire(self, other: "Desk") -> None:
        """Take the read points of another desk of the same reader, and keep all that is known of it."""
        self.points, self._deaf = other.points, other._deaf  # noqa: SLF001 - one of us
        self.pins = other.pins
        self.ports |= other.ports

    def resume(self, covered_us: int | None) -> None:
        """Go on after a stop or a kill: what it sent since the last commit is lost, if it is `deaf`."""
        totals = self.totals
        if not self._deaf:
            totals.down_since_us = None
        elif totals.up:
            totals.down_since_us = covered_us
        totals.up = False

    def up(self, at_us: int) -> Spell:
        """It can be heard from `at_us`."""
        totals = self.totals
        since_us, cause = totals.down_since_us, "connected"
        if since_us is not None:
            cause = "restart" if self._new else "connected again"
        self._new = False
        totals.up, totals.down_since_us, totals.cause = True, None, ""
        return Spell(cause, _not_after(since_us, at_us))

    def down(self, at_us: int, cause: str) -> Spell | None:
        """It cannot be heard; None when that has been said."""
        totals = self.totals
        if not totals.up and not self._new and totals.cause == cause:
            return None
        since_us = totals.down_since_us if self._new else None
        if totals.up or self._new:
            totals.down_since_us = at_us
        self._new = False
        totals.up, totals.cause = False, cause
        return Spell(cause, _not_after(since_us, at_us))

    def count_note(self, kind: str) -> None:
        """It said something that is no read."""
        _count(self.totals.notes, kind)

    def hear(self, note: ReaderNote) -> list[News]:
        """Take what a note says of the reader; return what others must know."""
        told: list[News] = []
        ntp: Ntp | None = None
        for fact in note.facts:
            match fact:
                case Ntp():
                    ntp = fact
                case AntennaState():
                    told += self._antenna(fact)
                case Lost(reads=reads):
                    self.totals.reads_lost += reads or 0
                    told.append(News("overflow", reads_lost=reads))
                case Dropped(total=total):
                    told += self._dropped(total, note)
                case Pin(number=number, high=high):
                    self._pin(number, high, note)
        if note.kind == "heartbeat" and note.reader_at_us is not None:
            self.clock.beat(note.reader_at_us, note.at_us, ntp)
        return told

    def clock_news(self) -> list[News]:
        """What its messages showed of its clock since the last call."""
        news = [News(what, clock_ms=round(us / 1_000)) for what, us in self.clock.remarks]
        self.clock.remarks.clear()
        self.totals.clock_lag_us = self.clock.lag_us
        return news

    def _dropped(self, total: int, note: ReaderNote) -> list[News]:
        """What its counter shows beyond the last time. What it dropped before we knew it is not ours.

        It begins anew when the reader restarts; a note that is older than the last one says nothing.
        """
        at_us = note.reader_at_us or note.at_us
        if at_us < self._dropped_at_us:
            return []
        self._dropped_at_us = at_us
        before, self.totals.dropped = self.totals.dropped, total
        lost = 0 if before is None else total - before if total >= before else total
        self.totals.reads_lost += lost
        return [News("messages dropped", reads_lost=lost)] if lost else []

    def _antenna(self, state: AntennaState) -> list[News]:
        port, connected = state
        faults = self.totals.antenna_faults
        if connected:
            self.ports.add(port)
            if port not in faults:
                return []
            self.totals.antenna_faults = tuple(fault for fault in faults if fault != port)
            return [News(f"antenna {port} connected again")]
        if port in faults or port not in self.ports:
            return []
        self.totals.antenna_faults = (*faults, port)
        return [News(f"antenna {port} disconnected")]

    def _pin(self, number: int, high: bool, note: ReaderNote) -> None:
        at_us = note.at_us
        if note.reader_at_us is not None:
            at_us = self.clock.place(note.reader_at_us, at_us).at_us
        for pair in self.pins.values():
            pair.take(number, high, at_us)

    def count_reject(self, reason: str) -> None:
        """It sent something that gave no read."""
        _count(self.totals.rejects, reason)

    def health(self) -> ReaderHealth:
        """How it is now."""
        totals = self.totals
        return ReaderHealth(
            reader=self.reader,
            up=totals.up,
            last_heard_us=totals.last_heard_us,
            reads=totals.reads,
            rejects=dict(totals.rejects),
        )


def _not_after(since_us: int | None, at_us: int) -> int | None:
    """A gap that begins after its end shows that the machine's clock was set back: its length is lost."""
    return None if since_us is None else min(since_us, at_us)


def _count(counts: dict[str, int], kind: str) -> None:
    name = kind if kind in counts or len(counts) < MAX_KINDS else "other"
    counts[name] = counts.get(name, 0) + 1
