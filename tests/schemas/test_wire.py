"""Decoding: every wrong value is named by its path, and none raises anything but a SchemaError."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.gate import Tick
from schemas.topics import TOPICS
from schemas.wire import SchemaError, ce_id, decode, encode, from_plain, headers, rfc3339
from tests.schemas.samples import SAMPLES

MESSAGE_TOPICS = sorted(name for name, topic in TOPICS.items() if topic.messages)


def pack(**fields: object) -> bytes:
    return msgspec.msgpack.encode(fields)


@pytest.mark.parametrize(
    ("value", "reason", "path"),
    [
        (b"", "malformed", "$"),
        (b"\xc1", "malformed", "$"),
        (encode(Tick(partition=1, at_us=1))[:-1], "malformed", "$"),
        (msgspec.msgpack.encode([1]), "malformed", "$"),
        (msgspec.msgpack.encode("text"), "malformed", "$"),
        (b"\x91" * 100_000, "malformed", "$"),
        (pack(v=1, partition=1, at_us=1), "unknown_type", "$.type"),
        (pack(type="nonsense"), "unknown_type", "$.type"),
        (pack(type=7), "unknown_type", "$.type"),
        (pack(type=[]), "unknown_type", "$.type"),
        (pack(type={"a": 1}), "unknown_type", "$.type"),
        (pack(type="tick", v=2, partition=1, at_us=1), "unsupported_version", "$.v"),
        (pack(type="tick", v="1", partition=1, at_us=1), "unsupported_version", "$.v"),
        (pack(type="tick", partition="x", at_us=1), "wrong_type", "$.partition"),
        (pack(type="tick", partition=1), "wrong_type", "$"),
    ],
)
def test_a_value_that_is_no_message_is_named_by_reason_and_path(
    value: bytes, reason: str, path: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        decode("gate-events", value)
    assert (caught.value.reason, caught.value.path) == (reason, path)
    assert str(caught.value).startswith(path)


def test_an_inner_field_is_named_by_its_whole_path() -> None:
    value = {"type": "trip", "trip_number": "A", "trailers": [{"trailer": 5}]}
    with pytest.raises(SchemaError, match=r"\$\.trailers\[0\]\.trailer") as caught:
        from_plain("trips", value)
    assert caught.value.reason == "wrong_type"


def test_an_unknown_field_is_ignored_and_a_missing_optional_one_gets_its_default() -> None:
    found = decode("gate-events", pack(type="tick", partition=1, at_us=2, later="x"))
    assert found == Tick(partition=1, at_us=2)


@given(st.sampled_from(MESSAGE_TOPICS), st.binary(max_size=300))
def test_any_bytes_give_a_message_or_a_schema_error(topic: str, value: bytes) -> None:
    try:
        decode(topic, value)
    except SchemaError as error:
        assert error.path.startswith("$")


@given(st.sampled_from(SAMPLES), st.data())
def test_a_damaged_message_gives_a_message_or_a_schema_error(
    sample: msgspec.Struct, data: st.DataObject
) -> None:
    value = bytearray(msgspec.msgpack.encode(sample))
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= data.draw(st.integers(1, 255))
    for topic in MESSAGE_TOPICS:
        try:
            decode(topic, bytes(value))
        except SchemaError as error:
            assert error.detail


def test_headers_are_cloudevents_in_kafkas_binary_mode() -> None:
    found = dict(headers(SAMPLES[0], source="gw1", at_us=1_772_460_000_000_001, trace=b"00-x"))
    assert found == {
        "content-type": b"application/vnd.msgpack",
        "ce_specversion": b"1.0",
        "ce_type": b"gatebook.sighting_seen",
        "ce_source": b"gw1",
        "ce_id": b"gw1.e1.1",
        "ce_time": b"2026-03-02T14:00:00.000001Z",
        "traceparent": b"00-x",
    }


def test_every_message_has_an_id_of_its_own() -> None:
    ids = [ce_id(sample) for sample in SAMPLES]
    assert len(set(ids)) == len(ids)
    assert all(ids)


def test_a_time_beyond_the_calendar_is_still_text() -> None:
    assert rfc3339(10**18) == "@1000000000000000000"
