"""The tags of one inventory round of a metraTec reader: held until its end tells their antenna and their number."""

from typing import Final

from msgspec.structs import replace

from gateway.ascii_lines import RoundEnd
from gateway.reads import Outcome, Read, ReaderNote, Rejected

#: Of the reads that wait: bounds what is held.
MAX_HELD: Final = 1_000


class Round:
    """The round that is going on. `since_us`: when the first of its tags was heard; None: nothing waits."""

    def __init__(self) -> None:
        self.since_us: int | None = None
        #: Reads, with their lines, whose antenna may still come, and those that wait for the end alone.
        self._open: list[tuple[Read, bytes]] = []
        self._settled: list[tuple[Read, bytes]] = []
        self._refused = 0

    def hold(self, read: Read, line: bytes) -> bool:
        """Take a tag; False when the round has become too long and must be given up."""
        if self.since_us is None:
            self.since_us = read.at_us
        self._open.append((read, line))
        return len(self._open) + len(self._settled) < MAX_HELD

    def refuse(self) -> None:
        """A line was rejected. It may have told an antenna, so that of the tags before it is not known any more."""
        self._settle(None)
        self._refused += 1

    def end(self, end: RoundEnd, at_us: int, outcomes: list[Outcome]) -> None:
        """The reader says that the round is over, or which antenna had the tags before."""
        self._settle(end.antenna)
        if end.whole:
            heard, told = len(self._settled), end.tags
            if told is not None and not heard <= told <= heard + self._refused:
                self._miscounted(told, at_us, outcomes)
            self._release(outcomes, doubtful=told is not None and told != heard)
        outcomes.append(ReaderNote(kind="round", at_us=at_us, detail=end.detail))

    def give_up(self, outcomes: list[Outcome], *, counted: bool) -> None:
        """The round does not end: its tags have no antenna. Where they are `counted`, they are doubtful too."""
        self._settle(None)
        self._release(outcomes, doubtful=counted)

    def _settle(self, antenna: int | None) -> None:
        """The antenna of the reads that wait for one is known, or will never be."""
        if antenna is None:
            self._settled += self._open
        else:
            self._settled += [(replace(read, antenna=antenna), line) for read, line in self._open]
        self._open = []

    def _miscounted(self, told: int, at_us: int, outcomes: list[Outcome]) -> None:
        """Two lines may have become one: none of the round is believed."""
        detail = f"{len(self._settled)} tags, the reader counted {told}"
        if not self._settled:
            outcomes.append(ReaderNote(kind="reads_lost", at_us=at_us, detail=detail))
        for read, line in self._settled:
            outcomes.append(
                Rejected(reason="bad_count", raw=line, at_us=read.at_us, detail=detail),
            )
        self._settled = []

    def _release(self, outcomes: list[Outcome], *, doubtful: bool) -> None:
        for read, _ in self._settled:
            outcomes.append(replace(read, after_resync=True) if doubtful else read)
        self._settled, self.since_us, self._refused = [], None, 0
