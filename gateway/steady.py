"""Whether messages that all come late come late by the same time: then a clock is slow, and nothing was stored.

lag of a slow clock:        3600.1  3600.0  3600.2  3600.1    the same while the stream goes on
lag of what was stored:     3600.0  3598.9  3597.8  3596.7    sent faster than it was heard, it falls
"""

from typing import Final

#: Lags of a clock stay within this: as much as a slow network adds.
SPAN_US: Final = 2_000_000
#: For so long, in so many different seconds.
LASTS_US: Final = 30_000_000
SECONDS: Final = 4

_SECOND_US: Final = 1_000_000


class Steady:
    """The lags of what looks stored, by the smallest of each second: a batch holds older reads too."""

    def __init__(self) -> None:
        """Nothing came yet."""
        #: Seconds that are over and agree.
        self._count = 0
        self._since_us = 0
        self._low_us = self._high_us = 0
        #: The second that goes on, from its first message, and the smallest lag in it.
        self._begun_us: int | None = None
        self._least_us = 0

    def forget(self) -> None:
        """A message of the present came: nothing is late by nature."""
        self._count, self._begun_us = 0, None

    def take(self, lag_us: int, at_us: int) -> int | None:
        """Add a lag; return the clock's, the smallest of all, once that is clear."""
        begun_us = self._begun_us
        if begun_us is None:
            self._begun_us, self._least_us = at_us, lag_us
        elif begun_us // _SECOND_US == at_us // _SECOND_US:
            self._least_us = min(self._least_us, lag_us)
        else:
            self._end_second(begun_us)
            self._begun_us, self._least_us = at_us, lag_us
            if self._count >= SECONDS and begun_us - self._since_us >= LASTS_US:
                return self._low_us
        return None

    def _end_second(self, begun_us: int) -> None:
        low_us, high_us = min(self._low_us, self._least_us), max(self._high_us, self._least_us)
        if self._count and high_us - low_us <= SPAN_US:
            self._low_us, self._high_us = low_us, high_us
            self._count += 1
        else:
            self._count, self._since_us = 1, begun_us
            self._low_us = self._high_us = self._least_us
