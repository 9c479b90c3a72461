"""The one table of topics: what is in them, by what they are keyed, how they are partitioned and kept.

Changing a partition count re-hashes keys away from their state: it is a migration, and
`gatebook topics check` refuses it otherwise.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from schemas.alert import Alert, Rejected
from schemas.arrival import ArrivalNotice
from schemas.audit import Audit
from schemas.border import BorderRecord, Closure, CrossingEnded, RecordCorrection, Unmatched
from schemas.carrier import CarrierNotice
from schemas.exchange import ExchangeAck, ExchangeRecord, ExchangeRetraction
from schemas.gate import (
    Correction,
    Decision,
    EpochStarted,
    Heartbeat,
    ManualRead,
    ReaderStatus,
    SightingGone,
    SightingSeen,
    Skipped,
    Tick,
)
from schemas.lane_wait import LaneWait
from schemas.message import Message
from schemas.policy import (
    FilingLimits,
    GatewayKey,
    LaneRules,
    Recognition,
    ReferralRates,
    Switches,
    TargetingPack,
    WatchLimits,
    WatchListEdition,
)
from schemas.reference import Credential, Party, Person, Site, Trailer, Trip, Truck
from schemas.restricted import RestrictedReferral, WatchListEntry
from schemas.trips import TripFiling, TripUse
from schemas.watch import CredentialFlag, CredentialSighting, LastPlace

PARTITIONS: Final = 6
DAY_MS: Final = 86_400_000

#: What stands in the topic of each country: what it is told, and what its partner made of it.
EXCHANGE_MESSAGES: Final = (ExchangeRecord, ExchangeRetraction, ExchangeAck)

#: Largest value that a record may have; bounds what one message can cost every reader.
MAX_VALUE_BYTES: Final = 1_048_576


class Topic(NamedTuple):
    """One topic."""

    name: str
    #: What the key is, in the words of the domain.
    key: str
    #: The messages that may stand in it.
    messages: tuple[type[Message], ...]
    #: Keep the last value of each key for ever, rather than everything for a while.
    compacted: bool = False
    #: How long records are kept, in ms; None = for ever. Meaningless when compacted.
    retention_ms: int | None = 7 * DAY_MS
    partitions: int = PARTITIONS


# Ticks stand in several topics; `gate-events` comes after the others, so that "the topic of a message" is it.
_ALL = (
    Topic("trip-filings", "trip number", (TripFiling, TripUse, Tick), retention_ms=None),
    Topic(
        "crossings",
        "person",
        (CrossingEnded, Closure, RecordCorrection, Tick),
        retention_ms=30 * DAY_MS,
    ),
    Topic("credential-sightings", "credential id", (CredentialSighting, Tick)),
    Topic(
        "gate-events",
        "pair",
        (
            SightingSeen,
            SightingGone,
            Heartbeat,
            ReaderStatus,
            Skipped,
            EpochStarted,
            Tick,
            Decision,
            ManualRead,
            Correction,
        ),
    ),
    Topic("credentials", "token", (Credential,), compacted=True),
    Topic("parties", "id", (Party, Person, Truck, Trailer), compacted=True),
    Topic("trips", "trip number", (Trip,), compacted=True),
    Topic("sites", "pair", (Site,), compacted=True),
    Topic(
        "policies",
        "policy id",
        (
            GatewayKey,
            LaneRules,
            Recognition,
            FilingLimits,
            Switches,
            ReferralRates,
            TargetingPack,
            WatchListEdition,
            WatchLimits,
        ),
        compacted=True,
    ),
    Topic("credential-flags", "credential id", (CredentialFlag,), compacted=True),
    Topic("last-places", "credential id", (LastPlace,), compacted=True),
    Topic("watch-lists", "credential id", (WatchListEntry,), compacted=True),
    Topic("arrivals", "crossing", (ArrivalNotice,), retention_ms=30 * DAY_MS),
    Topic("carrier-notices", "crossing", (CarrierNotice,), retention_ms=30 * DAY_MS),
    Topic("referrals-restricted", "crossing", (RestrictedReferral,), retention_ms=30 * DAY_MS),
    Topic("audit", "writer", (Audit,), retention_ms=None),
    Topic("border-records", "person", (BorderRecord,), retention_ms=None),
    Topic("exchange-us", "record id", EXCHANGE_MESSAGES, retention_ms=None),
    Topic("exchange-ca", "record id", EXCHANGE_MESSAGES, retention_ms=None),
    Topic("exchange-mx", "record id", EXCHANGE_MESSAGES, retention_ms=None),
    Topic("lane-waits", "pair|lane", (LaneWait,), compacted=True),
    Topic("alerts", "subject", (Alert,), retention_ms=30 * DAY_MS),
    Topic("unmatched", "unmatched id", (Unmatched,), compacted=True),
    Topic("rejected", "source topic", (Rejected,), retention_ms=30 * DAY_MS),
    Topic("trips-changelog", "state key", (), compacted=True),
    Topic("lanes-changelog", "state key", (), compacted=True),
    Topic("watch-changelog", "state key", (), compacted=True),
    Topic("ledger-changelog", "state key", (), compacted=True),
)

TOPICS: Final[dict[str, Topic]] = {topic.name: topic for topic in _ALL}


def topic_key(message: Message) -> str:
    """The key under which a message stands in its topic. Raises KeyError for what has no topic.

    A tick belongs to its partition, not to a key: its writer names the partition.
    """
    if isinstance(message, CrossingEnded):
        return message.person or message.crossing_id
    if isinstance(message, Closure):
        return message.person or message.crossing_id or message.unmatched_id
    if isinstance(message, Tick):
        return "tick"
    key: str = getattr(message, _KEY_FIELD[type(message)])
    return key


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, as Kafka's default partitioner chooses it (murmur2)."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2 with Kafka's seed, as an unsigned 32-bit number.

    Source: org.apache.kafka.common.utils.Utils.murmur2, Apache Kafka 4.3.1; the test's vectors come
    from its UtilsTest.
    """
    length = len(data)
    h = (0x9747B28C ^ length) & 0xFFFFFFFF
    whole = length & ~3
    for at in range(0, whole, 4):
        k = (int.from_bytes(data[at : at + 4], "little") * 0x5BD1E995) & 0xFFFFFFFF
        k = ((k ^ (k >> 24)) * 0x5BD1E995) & 0xFFFFFFFF
        h = ((h * 0x5BD1E995) & 0xFFFFFFFF) ^ k
    if whole != length:
        h = ((h ^ int.from_bytes(data[whole:], "little")) * 0x5BD1E995) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 0x5BD1E995) & 0xFFFFFFFF
    return h ^ (h >> 15)


_KEY_FIELD: Final[dict[type[Message], str]] = {
    SightingSeen: "pair",
    SightingGone: "pair",
    Heartbeat: "pair",
    ReaderStatus: "pair",
    Skipped: "pair",
    EpochStarted: "pair",
    Decision: "pair",
    ManualRead: "pair",
    Correction: "pair",
    GatewayKey: "policy_id",
    LaneRules: "policy_id",
    Recognition: "policy_id",
    FilingLimits: "policy_id",
    Switches: "policy_id",
    ReferralRates: "policy_id",
    TargetingPack: "policy_id",
    WatchLimits: "policy_id",
    WatchListEdition: "policy_id",
    Credential: "token",
    Party: "id",
    Person: "id",
    Truck: "id",
    Trailer: "id",
    Trip: "trip_number",
    TripFiling: "trip_number",
    TripUse: "trip_number",
    Site: "pair",
    CredentialSighting: "credential_id",
    CredentialFlag: "credential_id",
    LastPlace: "credential_id",
    WatchListEntry: "credential_id",
    ArrivalNotice: "crossing_id",
    LaneWait: "place",
    CarrierNotice: "crossing_id",
    RestrictedReferral: "crossing_id",
    Audit: "writer",
    BorderRecord: "person",
    RecordCorrection: "person",
    ExchangeRecord: "record_id",
    ExchangeRetraction: "record_id",
    ExchangeAck: "record_id",
    Alert: "subject",
    Unmatched: "unmatched_id",
    Rejected: "topic",
}
