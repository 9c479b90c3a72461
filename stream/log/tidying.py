"""When an embedded log is tidied, and what may go: the rules of compaction and retention, without I/O."""

from collections.abc import Iterable
from typing import Final, NamedTuple

#: A partition of a compacted topic is compacted when this many records were added since the last time,
#: and as many as it kept then: each record is looked at a bounded number of times.
MIN_ADDED: Final = 5000
#: A tombstone stays this long, so that a reader that is on its way still sees it (Kafka's default of
#: `delete.retention.ms`).
TOMBSTONE_MS: Final = 86_400_000
#: How often retention is looked at.
RETENTION_EVERY_MS: Final = 600_000


class Kept(NamedTuple):
    """What compaction needs to know of a record."""

    offset: int
    key: bytes | None
    deletes: bool
    at_ms: int


def compaction_due(added: int, kept: int) -> bool:
    """Whether a partition has grown enough: `added` since it was compacted, `kept` records then."""
    return added >= max(MIN_ADDED, kept)


def superseded(records: Iterable[Kept], now_ms: int) -> list[int]:
    """Offsets that may be deleted from a compacted partition, in order.

    `records` must be all of the partition, in order: all but the last record of a key, and tombstones
    that everybody has had time to read. A record without a key stays.
    """
    last: dict[bytes, Kept] = {}
    gone: list[int] = []
    for record in records:
        if record.key is None:
            continue
        older = last.get(record.key)
        if older is not None:
            gone.append(older.offset)
        last[record.key] = record
    gone.extend(
        record.offset
        for record in last.values()
        if record.deletes and record.at_ms < now_ms - TOMBSTONE_MS
    )
    return sorted(gone)
