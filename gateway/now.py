"""The gateway's one clock. Everything after the links gets its time from them as a value."""

import time

from gateway.anchor import Anchor, ClockState


class GatewayClock:
    """Shows wall time, microseconds UTC, and never goes back: rules in `gateway.anchor`."""

    def __init__(self) -> None:
        """Reads the machine's clock."""
        self._anchor = Anchor(time.time_ns(), time.monotonic_ns())

    def __call__(self) -> int:
        """The time."""
        return self._anchor.now_ns(time.monotonic_ns()) // 1_000

    def look(self) -> ClockState:
        """What has become of the machine's clock since the last look."""
        steady_ns = time.monotonic_ns()
        step_ns, jumped_ns = self._anchor.look(time.time_ns(), steady_ns)
        ahead_ns = self._anchor.ahead_ns(steady_ns)
        return ClockState(step_ns // 1_000, jumped_ns // 1_000, ahead_ns // 1_000)


def anchored_clock() -> GatewayClock:
    """A clock that begins with the machine's time of now."""
    return GatewayClock()
