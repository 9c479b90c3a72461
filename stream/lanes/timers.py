"""What time alone does: close what has ended, give up what nobody hears of any more, forget what is past revising.

While a gateway that serves the crossing's lanes is silent, or says that its outbox is far behind, or has a
clock that cannot be trusted, the time-outs wait for it: at most six hours.
"""

from typing import Final

from msgspec.structs import replace

from stream.lanes.due import due_us
from stream.lanes.rows import HOUR, MINUTE, Crossing, GatewayHealth
from stream.lanes.shelves import LanesState

#: A gateway may be this far behind before time-outs wait for it: the allowed lateness.
LATENESS_US: Final = 2 * MINUTE

#: Time-outs wait for a gateway at most this long.
WAIT_US: Final = 6 * HOUR


def timed(crossing: Crossing, state: LanesState, now_us: int) -> Crossing:
    """The crossing at a tick. One that closes keeps the first event of each stay, to be small."""
    if crossing.merged_into is not None:
        return replace(crossing, closed=True, held=False)
    due = due_us(crossing)
    if now_us < due:
        return _still_open(crossing)
    if now_us < due + WAIT_US and waits(crossing, state, now_us):
        return replace(_still_open(crossing), held=True)
    lost = due if crossing.ended_at_us is None else None
    heard = tuple([replace(one, event_ids=one.event_ids[:1]) for one in crossing.heard])
    return replace(crossing, heard=heard, closed=True, held=False, lost_at_us=lost)


def revived(crossing: Crossing, now_us: int) -> Crossing:
    """The crossing after an input: open again when its time is not over any more."""
    if crossing.merged_into is not None:
        return replace(crossing, closed=True, held=False, lost_at_us=None)
    if not (crossing.closed or crossing.held):
        return crossing
    if now_us < due_us(crossing):
        return _still_open(crossing)
    lost = due_us(crossing) if crossing.ended_at_us is None and not crossing.held else None
    return crossing if crossing.lost_at_us == lost else replace(crossing, lost_at_us=lost)


def waits(crossing: Crossing, state: LanesState, now_us: int) -> bool:
    """Whether a gateway of the crossing's lanes may still have something to say about it."""
    lanes = {one.lane for one in crossing.heard}
    return any(
        one.pair == crossing.pair and not lanes.isdisjoint(one.lanes) and is_behind(one, now_us)
        for one in state.gateways()
    )


def is_behind(gateway: GatewayHealth, now_us: int) -> bool:
    """Whether the gateway is silent, far behind or cannot be trusted with the time.

    A gateway that never sent a heartbeat is not waited for.
    """
    if gateway.heard_us is None:
        return False
    silent = now_us - gateway.heard_us > LATENESS_US
    return silent or gateway.outbox_age_ms * 1_000 > LATENESS_US or gateway.untrusted


def _still_open(crossing: Crossing) -> Crossing:
    return replace(crossing, closed=False, held=False, lost_at_us=None)
