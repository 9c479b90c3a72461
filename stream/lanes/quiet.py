"""Whether a crossing says the same as before to everybody who reads of it: most ends of stays change nothing."""

from stream.lanes.rows import Crossing, Heard


def says_the_same(before: Crossing, now: Crossing) -> bool:
    """Whether only ends of stays, their event ids and the time of the input differ, and no time-out is over."""
    if (
        now.closed
        or now.held
        or before.closed
        or before.held
        or now.recheck_us is not None
        or now.merged_into != before.merged_into
        or (now.how, now.ended_at_us) != (before.how, before.ended_at_us)
        or (now.direction, now.crowded) != (before.direction, before.crowded)
        or len(now.heard) != len(before.heard)
        or now.words() != before.words()
    ):
        return False
    return all(
        one is other or _same(one, other)
        for one, other in zip(now.heard, before.heard, strict=True)
    )


def _same(one: Heard, other: Heard) -> bool:
    return (
        one.key == other.key
        and one.who == other.who
        and one.lane == other.lane
        and one.ambiguous == other.ambiguous
        and one.untrusted == other.untrusted
    )
