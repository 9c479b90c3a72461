"""What every adapter asks of a record before it is written: where it goes, and that it is not too large."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from schemas.topics import MAX_VALUE_BYTES, partition_of
from stream.log.contract import Outgoing, RecordTooLarge, TopicMissing

#: Largest key, and largest sum of header names and values.
MAX_KEY_BYTES: Final = 4096
MAX_HEADER_BYTES: Final = 16_384
#: Largest record on the wire. A Kafka broker's limit counts the batch: 61 bytes before its records and at
#: most 21 bytes and some lengths around each (org.apache.kafka.common.record.DefaultRecordBatch).
MAX_RECORD_BYTES: Final = MAX_VALUE_BYTES + MAX_KEY_BYTES + MAX_HEADER_BYTES + 4096


def check_sizes(records: Iterable[Outgoing]) -> None:
    """Raise `RecordTooLarge` for the first record that no adapter takes."""
    for record in records:
        if record.value is not None and len(record.value) > MAX_VALUE_BYTES:
            raise RecordTooLarge(_too_large(record, "value", len(record.value), MAX_VALUE_BYTES))
        if record.key is not None and len(record.key) > MAX_KEY_BYTES:
            raise RecordTooLarge(_too_large(record, "key", len(record.key), MAX_KEY_BYTES))
        if record.headers:
            size = sum(len(name.encode()) + len(value) for name, value in record.headers)
            if size > MAX_HEADER_BYTES:
                raise RecordTooLarge(_too_large(record, "headers", size, MAX_HEADER_BYTES))


def partition_for(record: Outgoing, partitions: int) -> int:
    """The partition that a record goes to, of a topic that has `partitions`.

    Raises `TopicMissing` when it names one that is not there, and `ValueError` for a record with neither
    key nor partition, which would be anywhere.
    """
    if record.partition is not None:
        if not 0 <= record.partition < partitions:
            raise TopicMissing(
                f"{record.topic} has {partitions} partitions, there is no {record.partition}"
            )
        return record.partition
    if record.key is None:
        raise ValueError(f"a record for {record.topic} needs a key or a partition")
    return _by_key(record.key, partitions)


@lru_cache(maxsize=65_536)
def _by_key(key: bytes, partitions: int) -> int:
    return partition_of(key, partitions)


def _too_large(record: Outgoing, part: str, size: int, limit: int) -> str:
    return f"a record for {record.topic} has a {part} of {size} bytes; the log takes {limit}"
