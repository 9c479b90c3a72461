"""What a gateway knows of one reader: its read points, its clock, what it sent already, how it is."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from gateway.batch import KeyRow, ReaderTotals
from gateway.clock import ReaderClock
from gateway.duplicates import KeyRing
from gateway.points import Points
from schemas.gate import ReaderHealth

#: Kinds of notes and reasons of rejects that are counted apart; more are counted as `other`.
MAX_KINDS: Final = 50


class Spell(NamedTuple):
    """Something to say about a reader: why, and since when nobody has heard it (None: no gap)."""

    cause: str
    since_us: int | None


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
        self.clock = ReaderClock()
        self.totals = totals
        self._deaf = deaf
        self._new = True

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
