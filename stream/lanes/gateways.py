"""What is known of a gateway's health: its heartbeats beside the ticks, its outbox, the lanes it serves."""

from typing import Final

from msgspec.structs import replace

from schemas.gate import Heartbeat, Sighting
from stream.lanes.rows import SECOND, GatewayHealth

#: A gateway's clock may differ from the tick beside it by this much.
CLOCK_ALARM_US: Final = 60 * SECOND

#: A clock that is behind stays behind by the same amount; a backlog that is being sent does not.
SAME_LAG_US: Final = 10 * SECOND

#: Lanes of one gateway that are remembered: bounds the row.
MAX_LANES: Final = 200


def with_heartbeat(gateway: GatewayHealth | None, beat: Heartbeat, now_us: int) -> GatewayHealth:
    """The gateway after a heartbeat; `now_us` is the last tick, 0 before the first."""
    before = gateway or GatewayHealth(pair=beat.pair)
    behind = now_us - beat.at_us if now_us else 0
    ahead = behind < -CLOCK_ALARM_US
    lagging = (
        behind > CLOCK_ALARM_US + beat.outbox_age_ms * 1_000
        and before.heard_us is not None
        and abs(before.behind_us - behind) <= SAME_LAG_US
    )
    return replace(
        before,
        heard_us=now_us,
        behind_us=behind,
        outbox_age_ms=beat.outbox_age_ms,
        untrusted=ahead or lagging,
    )


def with_lane(gateway: GatewayHealth | None, sighting: Sighting) -> GatewayHealth | None:
    """The gateway with one more lane; None when that is known already."""
    before = gateway or GatewayHealth(pair=sighting.pair)
    if sighting.lane in before.lanes or len(before.lanes) >= MAX_LANES:
        return None
    return replace(before, lanes=tuple(sorted((*before.lanes, sighting.lane))))
