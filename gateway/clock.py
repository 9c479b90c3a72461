"""When a tag was heard, where the reader sends its own time; else it is the gateway's time of receipt.

The smallest difference between receipt and a reader's own time over the live messages of the last five
minutes is that reader's clock offset: a delay on the way can only add to it. A message that is older
than `REPLAYED_US` on arrival was stored by the reader or the broker; it keeps its own time and is marked.

A reader whose clock is more than that behind looks the same as one that replays, so its reads are
marked `replayed` as well; nothing in one message can tell the two apart. Source of the rules: our own
design; that a reader replays up to 150,000 stored events is a documented Zebra IoT Connector setting.
"""

from collections import deque
from typing import Final, NamedTuple

from schemas.gate import ClockSource

#: A read that comes later than this after its time was stored somewhere meanwhile.
REPLAYED_US: Final = 10_000_000

#: A reader's clock outside of 2020 to 2200 was never set: its time says nothing.
EARLIEST_US: Final = 1_577_836_800_000_000
LATEST_US: Final = 7_258_118_400_000_000

WINDOW_US: Final = 300_000_000

#: One smallest difference is kept for each of these: bounds the window to 300 entries.
_STEP_US: Final = 1_000_000


class When(NamedTuple):
    """The time of a read, and how it is known."""

    at_us: int
    source: ClockSource
    #: What was added to the reader's time.
    offset_us: int
    replayed: bool


class ReaderClock:
    """The clock of one reader, as far as its messages show it."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._smallest: deque[tuple[int, int]] = deque()

    def place(self, reader_at_us: int, at_us: int) -> When:
        """The time of a read that came at `at_us` and has the reader's own time `reader_at_us`."""
        if not EARLIEST_US <= reader_at_us <= LATEST_US:
            return When(at_us, "received", 0, False)
        late_us = at_us - reader_at_us
        if late_us > REPLAYED_US:
            return When(reader_at_us, "estimated", 0, True)
        offset_us = self._note(late_us, at_us)
        if late_us - offset_us > REPLAYED_US and late_us >= -REPLAYED_US:
            # It was far ahead and shows the present now: somebody has set it right.
            self._smallest.clear()
            offset_us = self._note(late_us, at_us)
        heard_us = reader_at_us + offset_us
        return When(heard_us, "estimated", offset_us, at_us - heard_us > REPLAYED_US)

    def _note(self, late_us: int, at_us: int) -> int:
        """Take a difference into the window; return the smallest in it."""
        window = self._smallest
        step = at_us // _STEP_US
        while window and window[0][0] <= step - WINDOW_US // _STEP_US:
            window.popleft()
        while window and window[-1][1] >= late_us:
            window.pop()
        if not window or window[-1][0] != step:
            window.append((step, late_us))
        return window[0][1]
