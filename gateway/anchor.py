"""What time it is at a gateway: the machine's clock as it was read once, and then the monotonic one.

A step of the machine's clock is noticed because the two differ by more than `STEP_NS` of a sudden, and is taken in the open:

    set forward     the gateway's time jumps with it, at once
    set back        the gateway's time never goes back, since time-outs and the order of everything hang on it: it runs
                    slower by a tenth until the machine's clock has caught up, and calls itself not synchronised meanwhile.
                    A restart takes the machine's time at once.

The bounds are ours.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

#: A difference of more than this is a step; less is how clocks drift, and left alone.
STEP_NS: Final = 2_000_000_000
#: A part of its speed that a clock that is ahead gives up.
SLOWER: Final = 10
#: Readers with a time server that agree with the gateway's clock within this vouch for it.
AGREES_US: Final = 2_000_000
#: One that differs by more speaks against it.
DIFFERS_US: Final = 10_000_000


class ClockState(NamedTuple):
    """The gateway's clock: what happened since the last look, and how good it is."""

    #: By how much the machine's clock was set, 0: it was not; negative: back.
    step_us: int = 0
    #: By how much the gateway's time jumped with it.
    jumped_us: int = 0
    #: By how much the gateway's time is ahead of the machine's, after that was set back.
    ahead_us: int = 0
    #: What the machine says of its clock; None: it cannot tell.
    synchronised: bool | None = None


class Anchor:
    """Joins a monotonic clock to wall time. Nanoseconds."""

    def __init__(self, wall_ns: int, steady_ns: int) -> None:
        """What both clocks show now."""
        self._offset_ns = wall_ns - steady_ns
        self._ahead_ns = 0
        self._since_ns = steady_ns

    def now_ns(self, steady_ns: int) -> int:
        """The gateway's time; never less than it was."""
        return steady_ns + self._offset_ns + self.ahead_ns(steady_ns)

    def ahead_ns(self, steady_ns: int) -> int:
        """By how much that is more than the machine's clock shows."""
        if not self._ahead_ns:
            return 0
        return max(0, self._ahead_ns - (steady_ns - self._since_ns) // SLOWER)

    def look(self, wall_ns: int, steady_ns: int) -> tuple[int, int]:
        """Compare the two clocks; a step of the machine's and the jump of the gateway's, mostly none."""
        step_ns = wall_ns - steady_ns - self._offset_ns
        if abs(step_ns) <= STEP_NS:
            return 0, 0
        before_ns = self.now_ns(steady_ns)
        self._offset_ns += step_ns
        self._ahead_ns, self._since_ns = max(0, before_ns - wall_ns), steady_ns
        return step_ns, max(0, wall_ns - before_ns)


def is_synchronised(state: ClockState, claims_us: Iterable[int]) -> bool | None:
    """Whether the gateway's clock is right, as far as the machine and its readers know.

    `claims_us`: gateway's clock less the reader's, of readers that keep time by a server. None: nobody can tell.
    """
    apart_us = [abs(claim) for claim in claims_us]
    if state.ahead_us > AGREES_US or (apart_us and min(apart_us) > DIFFERS_US):
        return False
    if apart_us and max(apart_us) <= AGREES_US:
        return True
    return state.synchronised
