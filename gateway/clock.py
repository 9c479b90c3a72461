"""When a tag was heard, where the reader sends its own time; else it is the gateway's time of receipt.

    ntp         the reader's last heartbeat is fresh, its time server was reached, it is off by 500 ms at most,
                and it differs from the gateway's clock by 10 s at most: the reader's time as it is
    estimated   reader's time + offset: the smallest (receipt - reader's time) over the live messages of the
                last five minutes, because a delay on the way can only add to it
    received    the reader has no time, or one outside of 2020 to 2200

What comes more than `REPLAYED_US` later than that was stored by the reader or the broker: it keeps its time,
and is marked. A reader whose clock is slow by more than that looks the same in one message, so many are asked:
a clock that is slow stays behind by the same time, and shows no message of the present; what is sent again
catches up. Behind by the same 2 s span for 30 s, in four different seconds or more (the newest read of each), or
in two heartbeats 5 s apart, is a slow clock, which is then set right by its offset; until then its reads are
marked `replayed`. The limits of this: a store that is sent again at the very pace at which it was heard, within
2 s in 30 s, is taken for a slow clock; the first live read afterwards ends that.

A heartbeat that shows an offset more than 2 s away from the one before is a step. Less than before cannot be a
delay, so it is a step at once; more than before is one when the next heartbeat, 5 s later or more, agrees.

Sources: the three sources and the bounds are our own design; that a reader stores up to 150,000 events and sends
them later is a documented Zebra IoT Connector setting, as are `offset` (ms) and `reach` of its heartbeats.
"""

from collections import deque
from typing import Final, Literal, NamedTuple

import msgspec

from gateway.facts import Ntp
from gateway.steady import Steady
from schemas.gate import ClockSource

#: A read that comes later than this after its time was stored somewhere meanwhile.
REPLAYED_US: Final = 10_000_000

#: A reader's clock outside of 2020 to 2200 was never set: its time says nothing.
EARLIEST_US: Final = 1_577_836_800_000_000
LATEST_US: Final = 7_258_118_400_000_000

WINDOW_US: Final = 300_000_000

#: Offsets of two heartbeats that differ by more show that a clock was set.
STEP_US: Final = 2_000_000
#: Heartbeats that confirm each other are so far apart: those that a broker kept come at once.
APART_US: Final = 5_000_000

#: A clock that is further off is said to be wrong, and right again below half of it.
WRONG_US: Final = REPLAYED_US

#: A reader keeps time by itself if it says that it is off by no more.
NTP_OFF_MS: Final = 500.0
#: A heartbeat counts for so many intervals; the interval before two have come, and its bounds.
NTP_INTERVALS: Final = 3
INTERVAL_US: Final = 60_000_000
SHORTEST_US: Final = 1_000_000
LONGEST_US: Final = 600_000_000

#: One smallest difference is kept for each of these: bounds the window to 300 entries.
_SECOND_US: Final = 1_000_000


class When(msgspec.Struct, frozen=True, gc=False):
    """The time of a read, and how it is known. A Struct, for one is made for every read."""

    at_us: int
    source: ClockSource
    #: What was added to the reader's time.
    offset_us: int
    replayed: bool


class Taken(NamedTuple):
    """How the time of a reader's live messages is taken at present."""

    source: ClockSource
    #: What is added to the reader's time.
    offset_us: int


class Remark(NamedTuple):
    """Something to tell about a reader's clock."""

    what: Literal["clock_step", "clock_wrong", "clock_right"]
    #: By how much it was set, or by how much it is ahead of the gateway's; negative: back, or behind.
    ahead_us: int


class ReaderClock:
    """The clock of one reader, as far as its messages show it."""

    def __init__(self, lag_us: int = 0) -> None:
        """`lag_us`: by how much it is known to be slow, from an earlier run; else 0."""
        self.lag_us = lag_us
        self.remarks: list[Remark] = []
        self._smallest: deque[tuple[int, int]] = deque()
        #: The second of the last live message, and what is known in it: most reads change nothing of that.
        self._second = -1
        self._least_us = self._live_us = self._offset_us = 0
        self._steady = Steady()
        self._wrong = lag_us > WRONG_US
        #: Receipt less reader's time of the heartbeats, once it is sure; and one that waits for another.
        self._beat_us: int | None = None
        self._doubt: tuple[int, int] | None = None
        self._last_beat_us: int | None = None
        self._interval_us = INTERVAL_US
        self._ntp_until_us = 0
        self._claim_until_us = 0

    def place(self, reader_at_us: int, at_us: int) -> When:
        """The time of a read that came at `at_us` and has the reader's own time `reader_at_us`."""
        if not EARLIEST_US <= reader_at_us <= LATEST_US:
            return When(at_us, "received", 0, False)
        late_us = at_us - reader_at_us
        if self._least_us <= late_us <= self._live_us and self._second == at_us // _SECOND_US:
            if at_us <= self._ntp_until_us:
                return When(reader_at_us, "ntp", 0, False)
            return When(reader_at_us + self._offset_us, "estimated", self._offset_us, False)
        base_us = self._base_us(at_us)
        source: ClockSource = "ntp" if at_us <= self._ntp_until_us else "estimated"
        if late_us - base_us > REPLAYED_US and not self._is_present(late_us, base_us, at_us):
            known_us = base_us if abs(base_us) > WRONG_US else 0
            return When(reader_at_us + known_us, source, known_us, True)
        offset_us = self._note(late_us, at_us)
        if source == "ntp":
            return When(reader_at_us, "ntp", 0, False)
        return When(reader_at_us + offset_us, "estimated", offset_us, False)

    def beat(self, reader_at_us: int, at_us: int, ntp: Ntp | None) -> None:
        """Take a heartbeat that came at `at_us`; `ntp` is what it says of the reader's time server."""
        if not EARLIEST_US <= reader_at_us <= LATEST_US:
            return
        late_us = at_us - reader_at_us
        if self._last_beat_us is not None and reader_at_us > self._last_beat_us:
            between_us = reader_at_us - self._last_beat_us
            self._interval_us = min(max(between_us, SHORTEST_US), LONGEST_US)
        self._last_beat_us = reader_at_us
        if not self._is_sure(late_us, at_us):
            return
        self._note(late_us, at_us)
        good = ntp is not None and ntp.reached and abs(ntp.offset_ms or 0.0) <= NTP_OFF_MS
        until_us = at_us + NTP_INTERVALS * self._interval_us if good else 0
        self._claim_until_us = until_us
        self._ntp_until_us = until_us if abs(late_us) <= REPLAYED_US else 0

    def taken(self, now_us: int) -> Taken:
        """How its time is taken, for a person to look at."""
        if not self._smallest:
            return Taken("received", 0)
        if now_us <= self._ntp_until_us:
            return Taken("ntp", 0)
        return Taken("estimated", self._smallest[0][1])

    def claim_us(self, now_us: int) -> int | None:
        """Gateway's clock less that of a reader which says that it keeps time by a server; else None."""
        return self._beat_us if now_us <= self._claim_until_us else None

    def shift(self, jumped_us: int) -> None:
        """The gateway's clock was set forward by so much: what is known of the reader's stays true."""
        moved = [
            (second + jumped_us // _SECOND_US, late + jumped_us) for second, late in self._smallest
        ]
        self._smallest = deque(moved)
        self._second = -1
        self._steady = Steady()
        self.lag_us = self.lag_us + jumped_us if self.lag_us else 0
        self._doubt = None
        if self._beat_us is not None:
            self._beat_us += jumped_us
        self._ntp_until_us = self._claim_until_us = 0

    def _base_us(self, at_us: int) -> int:
        """What is known of the offset now."""
        window, step = self._smallest, at_us // _SECOND_US
        while window and window[0][0] <= step - WINDOW_US // _SECOND_US:
            window.popleft()
        return window[0][1] if window else self.lag_us

    def _is_present(self, late_us: int, base_us: int, at_us: int) -> bool:
        """Whether something that looks stored shows that the clock has changed: then it is of now."""
        if base_us < -REPLAYED_US and abs(late_us) <= REPLAYED_US:
            # It was far ahead and shows the present: somebody has set it right.
            self._smallest.clear()
            return True
        self._second = -1
        lag_us = self._steady.take(late_us, at_us)
        if lag_us is None:
            return False
        self._smallest.clear()
        self._note(lag_us, at_us)
        return True

    def _is_sure(self, late_us: int, at_us: int) -> bool:
        """Whether a heartbeat shows the offset; notes a step."""
        agreed = (
            self._doubt is not None
            and abs(late_us - self._doubt[0]) <= STEP_US
            and at_us - self._doubt[1] >= APART_US
        )
        before_us = self._beat_us
        if before_us is None:
            sure = abs(late_us) <= STEP_US or agreed
        else:
            sure = late_us - before_us <= STEP_US or agreed
        if not sure:
            if self._doubt is None or abs(late_us - self._doubt[0]) > STEP_US:
                self._doubt = (late_us, at_us)
            return False
        if before_us is not None and abs(late_us - before_us) > STEP_US:
            self.remarks.append(Remark("clock_step", before_us - late_us))
            self._smallest.clear()
        elif agreed and late_us - self._base_us(at_us) > REPLAYED_US:
            self._smallest.clear()
        self._beat_us, self._doubt = late_us, None
        return True

    def _note(self, late_us: int, at_us: int) -> int:
        """Take a difference into the window; return the smallest in it."""
        window = self._smallest
        step = at_us // _SECOND_US
        while window and window[-1][1] >= late_us:
            window.pop()
        if not window or window[-1][0] != step:
            window.append((step, late_us))
        offset_us = self._offset_us = window[0][1]
        self._second, self._least_us = step, window[-1][1]
        self._live_us = offset_us + REPLAYED_US
        self.lag_us = offset_us if offset_us > REPLAYED_US else 0
        self._steady.forget()
        if self._wrong != (abs(offset_us) > (WRONG_US // 2 if self._wrong else WRONG_US)):
            self._wrong = not self._wrong
            what: Literal["clock_wrong", "clock_right"]
            what = "clock_wrong" if self._wrong else "clock_right"
            self.remarks.append(Remark(what, -offset_us))
        return offset_us
