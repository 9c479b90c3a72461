"""Bad input among a case's records: named, nothing stops, and the rest is as if that record had been rejected."""

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert import Rejected
from schemas.topics import TOPICS, partition_of
from schemas.wire import decode, encode
from stream.ndjson import Line
from stream.reference import Reference
from stream.stages import STAGES
from stream.straight import Straight, Written
from tests.cases.running import PORTS, read_case
from tests.schemas.samples import SAMPLES

CASE: Final = read_case("released")

#: What stages take as input, with a full sample of every message in it.
TAKEN: Final = {stage.input for stage in STAGES.values()}
TRIED: Final = [
    (topic, sample)
    for topic in sorted(TAKEN)
    for sample in SAMPLES
    if type(sample) in TOPICS[topic].messages
]

#: The year 1900 and the year 9999, a truck where a person is, more than anything holds, and no type at all.
ABSURD: Final[tuple[Any, ...]] = (
    *(None, "", "truck:1", "person:ana", -1, 0, 1 << 70, -2_208_988_800_000_000),
    *(253_402_300_799_000_000, 1.5, True, [], {}, ["x"] * 500, {"a": 1}, b"\xff", "x" * 2_000),
)


class Given(msgspec.Struct, frozen=True):
    """Bytes for a topic and partition."""

    topic: str
    key: str
    partition: int
    value: bytes


@st.composite
def bad(draw: st.DrawFn) -> Given:
    """A sample with fields missing, wrong or absurd, or whole in a wrong partition, or bytes of no message."""
    topic, sample = draw(st.sampled_from(TRIED))
    plain: dict[str, Any] = msgspec.msgpack.decode(encode(sample))
    names = sorted(plain)
    for name in draw(st.lists(st.sampled_from(names), max_size=3, unique=True)):
        if draw(st.booleans()):
            del plain[name]
        else:
            plain[name] = draw(st.sampled_from(ABSURD))
    key = str(plain.get("pair") or plain.get("trip_number") or "lar-wtb")
    count = TOPICS[topic].partitions
    right = partition_of(key.encode(), count)
    by = draw(st.sampled_from((0, 0, 0, 1)))
    try:
        value = msgspec.msgpack.encode(plain)
    except OverflowError:
        value = b"\xc1"
    cut = draw(st.sampled_from((len(value), len(value), len(value) // 2)))
    return Given(topic, key, (right + by) % count, value[:cut])


def play(*, at: int | None = None, extra: Given | None = None) -> tuple[list[Written], bool]:
    """What the case writes with something bad before its record `at`, and whether that was refused."""
    straight = Straight(tuple(STAGES.values()), Reference(PORTS))
    written: list[Written] = []
    refused = False
    for number, line in enumerate(CASE.lines):
        if number == at and extra is not None:
            found = straight.take_raw(
                extra.topic, extra.partition, extra.key, line.at_us, extra.value
            )
            letters = [one for one in found if one.topic == "rejected"]
            refused = len(letters) == len(found) == 1 and _is_of(letters[0], extra)
            written += [one for one in found if one not in letters]
        written += straight.take(*line)
    return written, refused


def _is_of(letter: Written, extra: Given) -> bool:
    found = decode(letter.topic, letter.value)
    return isinstance(found, Rejected) and (found.topic, found.partition) == (
        extra.topic,
        extra.partition,
    )


PLAIN: Final = play()[0]


@pytest.mark.timeout(240)
@settings(max_examples=500)
@given(at=st.integers(0, len(CASE.lines) - 1), extra=bad())
def test_a_bad_record_among_a_case_is_named_and_the_rest_is_as_without_it(
    at: int, extra: Given
) -> None:
    written, refused = play(at=at, extra=extra)
    if refused:
        assert written == PLAIN
    else:  # it could be used after all, and does what a record like it does
        assert all(decode(one.topic, one.value) for one in written)


def test_every_case_line_in_a_wrong_partition_is_refused_as_that() -> None:
    for number, line in enumerate(CASE.lines):
        assert isinstance(line, Line)
        if line.topic in TAKEN and line.key != "tick" and line.message is not None:
            count = TOPICS[line.topic].partitions
            wrong = (partition_of(line.key.encode(), count) + 1) % count
            extra = Given(line.topic, line.key, wrong, encode(line.message))
            assert play(at=number, extra=extra) == (PLAIN, True)
