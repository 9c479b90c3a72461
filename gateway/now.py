"""The gateway's one clock. Everything after the links gets its time from them as a value."""

import time

from gateway.link import Clock


def anchored_clock() -> Clock:
    """A clock that shows wall time, microseconds UTC, and never goes back.

    Wall time is read once; from then on the monotonic clock counts, so a step of the machine's clock moves
    nothing that has been stamped already.
    """
    offset_ns = time.time_ns() - time.monotonic_ns()

    def now_us() -> int:
        return (time.monotonic_ns() + offset_ns) // 1_000

    return now_us
