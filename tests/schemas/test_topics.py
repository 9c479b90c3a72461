"""Which partition a key is in, and that the table of topics is whole."""

import aiokafka.partitioner
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.topics import PARTITIONS, TOPICS, murmur2, partition_of

#: From `testMurmur2` of org.apache.kafka.common.utils.UtilsTest, as signed 32-bit numbers.
VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "expected"), VECTORS.items())
def test_murmur2_gives_what_kafkas_own_test_expects(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


@given(st.binary(max_size=80))
def test_murmur2_agrees_with_another_client_on_any_key(key: bytes) -> None:
    assert murmur2(key) == aiokafka.partitioner.murmur2(key) & 0xFFFFFFFF


@given(st.binary(max_size=80), st.integers(1, 50))
def test_a_partition_is_one_that_the_topic_has(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions


def test_keys_stay_in_their_partitions() -> None:
    """A change here cuts every key off from its state."""
    keys = ("lar-wtb", "person:0007", "truck:1", "", "トラック")
    assert [partition_of(key.encode(), PARTITIONS) for key in keys] == [2, 2, 5, 3, 4]


def test_every_message_of_a_topic_has_a_key() -> None:
    for topic in TOPICS.values():
        for message in topic.messages:
            assert message in topics._KEY_FIELD or message.__name__ in {
                "Closure",
                "CrossingEnded",
                "Tick",
            }


def test_names_are_legal_in_kafka_and_stand_for_themselves() -> None:
    for name, topic in TOPICS.items():
        assert name == topic.name
        assert name.replace("-", "").isalnum()
        assert topic.partitions >= 1


def test_a_changelog_has_the_partitions_of_its_stages_input() -> None:
    assert TOPICS["lanes-changelog"].partitions == TOPICS["gate-events"].partitions
    assert TOPICS["trips-changelog"].partitions == TOPICS["trip-filings"].partitions
    assert TOPICS["ledger-changelog"].partitions == TOPICS["crossings"].partitions


def test_tables_are_compacted_and_records_are_not() -> None:
    compacted = {topic.name for topic in TOPICS.values() if topic.compacted}
    assert {"credentials", "parties", "trips", "sites", "lanes-changelog"} <= compacted
    assert "border-records" not in compacted
