"""Full samples of what the watch stage reads and writes."""

from typing import Final

from schemas.message import Message
from schemas.policy import WatchLimits
from schemas.watch import CredentialFlag, CredentialSighting, FlagProof, LastPlace

_T: Final = 1_772_460_000_000_000
_TOKEN: Final = "k1.00112233445566778899aabbccddeeff"

WATCH_SAMPLES: Final[tuple[Message, ...]] = (
    WatchLimits(
        policy_id="watch-limits",
        effective_from_us=_T,
        effective_to_us=_T + 1,
        accepted_at_us=_T,
        source="unverified",
        road_kmh=130,
        air_kmh=800,
        air_ground_s=3_600,
        clock_s=60,
        lane_clock_s=10,
        place_km=2,
    ),
    CredentialSighting(
        credential_id="card:0001",
        token=_TOKEN,
        tid_token="t1.0011",
        pair="lar-wtb",
        lane="L01",
        read_point="L01-primary",
        position="primary",
        direction="MX>US",
        first_us=_T,
        last_us=_T + 1,
        at_us=_T + 2,
        clock_source="ntp",
        source_event_id="gw1.e1.1",
        crossing_id="8f0d0bd6-6a0e-5f0c-9f5c-2f9d4d1f3b11",
        untrusted=True,
        ambiguous=True,
    ),
    CredentialFlag(
        credential_id="card:0001",
        proofs=(
            FlagProof(
                kind="impossible_travel",
                at_us=_T,
                evidence=("gw1.e1.1", "gw2.e1.7"),
                pairs=("lar-wtb", "det-amb"),
                unverified=True,
            ),
        ),
        tokens=(_TOKEN,),
    ),
    LastPlace(
        credential_id="tag:0001",
        trailer="trailer:0001",
        pair="lar-wtb",
        lane="L01",
        read_point="L01-exit",
        position="exit",
        direction="MX>US",
        last_us=_T,
        source_event_id="gw1.e1.9",
        crossing_id="8f0d0bd6-6a0e-5f0c-9f5c-2f9d4d1f3b11",
        untrusted=True,
    ),
)
