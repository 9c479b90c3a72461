"""What decoders of serial frames have in common: the bytes they hold, what belongs to no frame, and silence.

    bytes ──▶ held ──▶ frames ──▶ outcomes
                  └──▶ junk ────▶ one rejection a frame that was announced, or a run of bytes that announce none

Which bytes are a frame, and what one damaged byte did to it, each protocol tells itself in `_take`.
"""

from abc import ABC, abstractmethod
from typing import Final

from gateway.reads import Outcome, Rejected

#: Silence after which a partial frame is given up: at 57600 baud the longest frame comes in 45 ms.
STALE_US: Final = 100_000


class SerialFrames(ABC):
    """One reader on one serial line. Subclasses hold at most a frame or two; junk is bounded here."""

    def __init__(self, *, head: int, header: int, most_junk: int) -> None:
        """`head`: a frame's first byte (-1: any); `header`: bytes that announce its length; `most_junk` in one rejection."""
        self._head = head
        self._header = header
        self._most_junk = most_junk
        self._buffer = b""
        #: Bytes that belong to no frame, and the length that the first of them announced (0: none).
        self._junk = b""
        self._announced = 0
        #: Bytes that must still fit before reads are trusted again.
        self._doubt = 0
        #: When the last byte came, and the last good frame.
        self._byte_us = 0
        self._frame_us = 0

    def feed(self, data: bytes, at_us: int) -> list[Outcome]:
        """Take bytes that came at `at_us`; return what they complete."""
        outcomes: list[Outcome] = []
        if data:
            self._byte_us = at_us
            self._take(self._buffer + data if self._buffer else data, at_us, outcomes, final=False)
        return outcomes

    def flush(self, at_us: int) -> list[Outcome]:
        """The line is silent or gone: decide about everything that is held."""
        outcomes: list[Outcome] = []
        self._take(self._buffer, at_us, outcomes, final=True)
        self._drop_junk(at_us, outcomes)
        self._doubt = 0
        return outcomes

    @abstractmethod
    def _take(self, data: bytes, at_us: int, outcomes: list[Outcome], *, final: bool) -> None:
        """Consume what is decided, hold the rest. `final`: nothing more will come, decide everything."""

    def _give_up(self, now_us: int) -> tuple[list[Outcome], int | None]:
        """Decide about a partial frame after 100 ms of silence; else when that will be (None: nothing is held)."""
        if not (self._buffer or self._junk):
            return [], None
        stale_us = self._byte_us + STALE_US
        return ([], stale_us) if now_us < stale_us else (self.flush(self._byte_us), None)

    def _trust_again(self, size: int, at_us: int, outcomes: list[Outcome]) -> None:
        """A good frame of so many bytes came while reads are in doubt: garbage before it has ended."""
        self._drop_junk(at_us, outcomes)
        self._doubt = max(0, self._doubt - size)

    def _pass_over(
        self, data: bytes, at: int, announced: int, at_us: int, outcomes: list[Outcome]
    ) -> int:
        """Put bytes up to the next possible start aside, and say how many.

        `announced`: the length that a header at `at` announces, where there is one. A rejection ends there.
        """
        if announced > 0:
            self._drop_junk(at_us, outcomes)
            self._announced = announced
        stop = data.find(self._head, at + 1)
        room = (self._announced or self._most_junk) - len(self._junk)
        length = min((len(data) if stop < 0 else stop) - at, room)
        self._junk += data[at : at + length]
        if length == room:
            self._drop_junk(at_us, outcomes)
        return length

    def _drop_junk(self, at_us: int, outcomes: list[Outcome]) -> None:
        """Reject what belongs to no frame, if there is any."""
        if not self._junk:
            return
        if self._announced:
            reason = "cut_frame" if len(self._junk) < self._announced else "bad_checksum"
        elif self._junk[0] == self._head:
            reason = "cut_frame" if len(self._junk) < self._header else "bad_header"
        else:
            reason = "garbage"
        outcomes.append(Rejected(reason=reason, raw=self._junk, at_us=at_us))
        self._junk, self._announced = b"", 0


def earliest(one_us: int | None, other_us: int | None) -> int | None:
    """The earlier of two times, of which each may be never."""
    if one_us is None or other_us is None:
        return other_us if one_us is None else one_us
    return min(one_us, other_us)
