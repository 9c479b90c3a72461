"""Full samples of the rows of the topic `policies`."""

from typing import Final

from schemas.message import Message
from schemas.policy import (
    FilingLimits,
    GatewayKey,
    LaneRules,
    ProgrammeLane,
    Recognition,
    ReferralRates,
    Switches,
    TargetingPack,
    TargetingRule,
    TierRate,
)

_T: Final = 1_772_460_000_000_000

POLICY_SAMPLES: Final[tuple[Message, ...]] = (
    GatewayKey(
        policy_id="gateway_key:gw1:630dcd2966c43366",
        effective_from_us=_T,
        effective_to_us=_T + 1,
        accepted_at_us=_T,
        source="made by gatebook gateway keygen",
        gateway="gw1",
        key_id="630dcd2966c43366",
        public_key=bytes(range(32)),
    ),
    LaneRules(
        policy_id="lane_rules:lar-wtb:MX>US",
        effective_from_us=_T,
        effective_to_us=_T + 1,
        accepted_at_us=_T,
        source="unverified",
        direction="MX>US",
        pair="lar-wtb",
        programmes=(
            ProgrammeLane(
                name="fast",
                lane="fast",
                tier="T2",
                loads=("loaded", "empty", "bobtail"),
                drivers=("FAST",),
                carrier=(("C-TPAT",),),
                importer=(("C-TPAT",),),
                manufacturer=(("C-TPAT",),),
                sealed=True,
                bars_other_department=True,
                fee_paid=True,
            ),
        ),
        vetted=("FAST",),
    ),
    Recognition(
        policy_id="recognition:C-TPAT:OEA",
        effective_from_us=_T,
        effective_to_us=_T + 1,
        accepted_at_us=_T,
        source="unverified",
        programmes=("C-TPAT", "OEA"),
        opens_lanes=True,
    ),
    FilingLimits(
        policy_id="filing_limits:lar-wtb:MX>US",
        effective_from_us=_T,
        effective_to_us=_T + 1,
        accepted_at_us=_T,
        source="unverified",
        direction="MX>US",
        pair="lar-wtb",
        minutes=60,
        fast_minutes=30,
        empties_exempt=True,
    ),
    Switches(
        policy_id="switches:lar-wtb",
        effective_from_us=_T,
        effective_to_us=_T + 1,
        accepted_at_us=_T,
        source="unverified",
        release_in_motion=True,
        require_signatures=True,
        use_unverified=True,
    ),
    ReferralRates(
        policy_id="referral_rates:lar-wtb:MX>US",
        effective_from_us=_T,
        effective_to_us=_T + 1,
        accepted_at_us=_T,
        source="unverified",
        direction="MX>US",
        pair="lar-wtb",
        key_sha256="ab" * 32,
        rates=(TierRate(tier="T0", per_million=100_000),),
    ),
    TargetingPack(
        policy_id="targeting:south",
        effective_from_us=_T,
        effective_to_us=_T + 1,
        accepted_at_us=_T,
        source="unverified",
        version=3,
        directions=("MX>US",),
        pair="lar-wtb",
        owners=("CBP", "ANAM"),
        rules=(
            TargetingRule(
                id="no_driver",
                cel="drivers_read == 0",
                reason="nobody's card was heard",
                shadow=True,
            ),
        ),
    ),
)
