"""Topic `policies`: what may change without a new program, since when it holds, and where it comes from."""

from typing import Annotated, Literal

import msgspec

from schemas.message import Country, Direction, Id, Message, Micros, NoteText, Part, Seconds


class Policy(Message, frozen=True, kw_only=True):
    """What every policy row says. A later row of the same id supersedes the earlier one."""

    policy_id: Id
    effective_from_us: Micros
    #: None: until further notice.
    effective_to_us: Micros | None = None
    accepted_at_us: Micros
    #: The document that it follows, or "unverified".
    source: NoteText = "unverified"

    def holds_at(self, at_us: int) -> bool:
        """Whether the row is in force at a moment."""
        until_us = self.effective_to_us
        return self.effective_from_us <= at_us and (until_us is None or at_us < until_us)


class GatewayKey(Policy, frozen=True, kw_only=True, tag="gateway_key"):
    """The public half of a gateway's signing key."""

    v: Literal[1] = 1
    gateway: Id
    #: The first 8 bytes of SHA-256 of the public key, as 16 hex digits.
    key_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
    #: Ed25519 (RFC 8032), 32 bytes.
    public_key: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


Tier = Literal["T0", "T1", "T2", "T3"]
"""Security tiers: T0 nothing known, T1 a registered card, T2 a vetted driver, T3 a trusted chain on a trusted lane."""


class ProgrammeLane(Part, frozen=True, kw_only=True):
    """What opens a class of lanes. Where several sets of programmes are named, all of any one set suffice."""

    #: What findings are named by, such as `fast` or `csa_empty`.
    name: Id
    lane: Id
    tier: Tier = "T3"
    #: Loads that may use it.
    loads: tuple[Literal["loaded", "empty", "bobtail"], ...] = ("loaded",)
    #: Programmes of the drivers' cards, any of which does; none: drivers are not asked.
    drivers: tuple[Id, ...] = ()
    carrier: tuple[tuple[Id, ...], ...] = ()
    #: Asked of the importer of every shipment.
    importer: tuple[tuple[Id, ...], ...] = ()
    #: Asked of the manufacturer of every shipment.
    manufacturer: tuple[tuple[Id, ...], ...] = ()
    #: Whether every loaded trailer needs a seal.
    sealed: bool = False
    #: Whether goods of other departments bar the lane.
    bars_other_department: bool = False
    #: Whether the truck's user fee must be known to be paid.
    fee_paid: bool = False


class LaneRules(Policy, frozen=True, kw_only=True, tag="lane_rules"):
    """The programmes that open lanes, for a direction or one pair of it."""

    v: Literal[1] = 1
    direction: Direction
    #: None: every pair that has no rules of its own.
    pair: Id | None = None
    programmes: tuple[ProgrammeLane, ...] = ()
    #: Programmes that say that a driver was vetted: tier T2.
    vetted: tuple[Id, ...] = ()


class Recognition(Policy, frozen=True, kw_only=True, tag="recognition"):
    """Two programmes whose countries recognise each other's members."""

    v: Literal[1] = 1
    programmes: tuple[Id, Id]
    #: Whether a member of one counts as a member of the other where lanes are opened. Today: only lower risk.
    opens_lanes: bool = False


class FilingLimits(Policy, frozen=True, kw_only=True, tag="filing_limits"):
    """By how many minutes before arrival a trip must be on file."""

    v: Literal[1] = 1
    direction: Direction
    pair: Id | None = None
    minutes: Annotated[int, msgspec.Meta(ge=0, le=10_080)]
    #: For who may use a FAST lane; None: as everybody.
    fast_minutes: Annotated[int, msgspec.Meta(ge=0, le=10_080)] | None = None
    #: Whether empties need not file.
    empties_exempt: bool = False


class Switches(Policy, frozen=True, kw_only=True, tag="switches"):
    """What a site does or does not. Id: `switches`, `switches:PAIR` or `switches:PAIR:DIRECTION`."""

    v: Literal[1] = 1
    release_in_motion: bool = False
    #: Refuse events of writers that have no key.
    require_signatures: bool = False
    #: Use events that no signature covers all the same, with the alert: while keys are being rolled out.
    use_unverified: bool = False


class TierRate(Part, frozen=True, kw_only=True):
    """How often vehicles of a tier are drawn for a random check."""

    tier: Tier
    per_million: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class ReferralRates(Policy, frozen=True, kw_only=True, tag="referral_rates"):
    """Rates of random checks, and the hash of the key that draws them, published before its use."""

    v: Literal[1] = 1
    direction: Direction
    pair: Id | None = None
    #: SHA-256 of the key, as hex.
    key_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    rates: Annotated[tuple[TierRate, ...], msgspec.Meta(max_length=4)]


class TargetingRule(Part, frozen=True, kw_only=True):
    """One rule: a CEL expression over the joined record that is true where somebody should look."""

    id: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,63}$")]
    cel: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
    #: What the officer reads.
    reason: NoteText
    #: A shadow rule is tried out: it never refers anybody.
    shadow: bool = False


class TargetingPack(Policy, frozen=True, kw_only=True, tag="targeting_pack"):
    """Targeting rules of two countries, as both of their owners agreed to them."""

    v: Literal[1] = 1
    version: Annotated[int, msgspec.Meta(ge=1)]
    directions: tuple[Direction, ...]
    #: None: every pair.
    pair: Id | None = None
    #: Who answers for it, one for each country.
    owners: Annotated[tuple[Id, ...], msgspec.Meta(min_length=2, max_length=3)]
    rules: Annotated[tuple[TargetingRule, ...], msgspec.Meta(max_length=200)]


class WatchListEdition(Policy, frozen=True, kw_only=True, tag="watch_list_edition"):
    """A version of a watch list, named without anybody who is on it, so that audits can say what was in force."""

    v: Literal[1] = 1
    list_id: Id
    version: Annotated[int, msgspec.Meta(ge=1)]
    owner: Country
    entries: Annotated[int, msgspec.Meta(ge=0)]
    #: SHA-256 of the list as its owner publishes it, as hex.
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


Kmh = Annotated[int, msgspec.Meta(ge=1, le=3_600)]
"""A speed in kilometres an hour."""


class WatchLimits(Policy, frozen=True, kw_only=True, tag="watch_limits"):
    """What the watch stage takes for possible. Without a row the defaults below hold; all of them are unverified."""

    v: Literal[1] = 1
    #: Mean speed over the great circle that no lorry reaches; the highest posted limit in the US is 137 km/h.
    road_kmh: Kmh = 140
    #: People fly too, and take their cards with them.
    air_kmh: Kmh = 900
    #: The least time that a flight takes beside the flying.
    air_ground_s: Seconds = 5_400
    #: By how much the clocks of two trusted gateways at different pairs may differ, both together.
    clock_s: Seconds = 120
    #: By how much the clocks of two gateways at one pair may differ.
    lane_clock_s: Seconds = 5
    #: How far a pair's coordinates may be from its read points, in kilometres.
    place_km: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 5


AnyPolicy = (
    GatewayKey
    | LaneRules
    | Recognition
    | FilingLimits
    | Switches
    | ReferralRates
    | TargetingPack
    | WatchListEdition
    | WatchLimits
)
