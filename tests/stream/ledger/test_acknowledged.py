"""The fate of what countries are told: the same in any order, doubled or not, of unknown records too."""

import random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.exchange import AckOutcome, ExchangeAck, ExchangeRetraction
from schemas.topics import TOPICS
from stream.ledger.acknowledged import (
    TOPIC_COUNTRY,
    ExchangeMessage,
    Fate,
    Revision,
    Told,
    fate_of,
    fates,
    merged,
)
from tests.schemas.exchange_samples import EXCHANGE_SAMPLES

RECORD: Final = EXCHANGE_SAMPLES[0]
REVISION: Final = Revision("MX", "r1", 1)


def told() -> ExchangeMessage:
    return ExchangeRetraction(record_id="r1", revision=1, reason="no_entry")


def ack(outcome: AckOutcome, at_us: int, reason: str | None = None) -> ExchangeAck:
    return ExchangeAck(
        event_id=f"a.e1.{at_us}",
        record_id="r1",
        revision=1,
        outcome=outcome,
        reason=reason,
        at_us=at_us,
    )


def status(*messages: ExchangeMessage) -> str:
    return fates(Told("MX", one, 7) for one in messages)[REVISION].status


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((told(),), "pending"),
        ((told(), ack("sent", 1)), "sent"),
        ((told(), ack("sent", 1), ack("acked", 2)), "acked"),
        ((told(), ack("sent", 1), ack("rejected", 2)), "rejected"),
        ((told(), ack("sent", 1), ack("rejected", 1)), "rejected"),
        ((told(), ack("sent", 1), ack("rejected", 2), ack("sent", 3)), "sent"),
        ((told(), ack("rejected", 2), ack("sent", 3), ack("acked", 4)), "acked"),
        ((told(), ack("acked", 2), ack("sent", 3)), "acked"),
        ((told(), ack("acked", 2), ack("rejected", 3)), "acked"),
        ((ack("acked", 2),), "unknown"),
        ((ack("acked", 2), told()), "acked"),
    ],
)
def test_the_status_follows_from_what_was_said_of_the_revision(
    said: tuple[ExchangeMessage, ...], expected: str
) -> None:
    assert status(*said) == expected
    assert status(*reversed(said)) == expected


def test_the_reason_is_that_of_the_last_refusal() -> None:
    said = (ack("rejected", 5, "E2"), told(), ack("rejected", 3, "E1"))
    assert fates(Told("MX", one, 7) for one in said)[REVISION].rejected == (5, "E2")


def test_countries_and_revisions_are_kept_apart() -> None:
    found = fates([Told("MX", told(), 7), Told("US", told(), 7), Told("US", ack("acked", 8), 9)])
    assert {key.country: fate.status for key, fate in found.items()} == {
        "MX": "pending",
        "US": "acked",
    }


def test_the_topics_of_countries_are_those_of_the_table() -> None:
    assert set(TOPIC_COUNTRY) == {name for name in TOPICS if name.startswith("exchange-")}


messages = st.lists(
    st.builds(ack, st.sampled_from(("sent", "acked", "rejected")), st.integers(0, 4), st.just("E"))
    | st.just(told()),
    min_size=1,
    max_size=8,
)


@settings(max_examples=500)
@given(messages, st.randoms(use_true_random=False))
def test_any_order_and_any_doubling_end_in_the_same_fate(
    said: list[ExchangeMessage], chance: random.Random
) -> None:
    once = [Told("MX", one, at) for at, one in enumerate(said)]
    again = once + chance.sample(once, chance.randint(0, len(once)))
    chance.shuffle(again)
    assert fates(again) == fates(once)


@settings(max_examples=500)
@given(messages, messages, messages)
def test_merging_is_a_join(
    a: list[ExchangeMessage], b: list[ExchangeMessage], c: list[ExchangeMessage]
) -> None:
    x, y, z = (whole(one) for one in (a, b, c))
    assert merged(x, y) == merged(y, x)
    assert merged(merged(x, y), z) == merged(x, merged(y, z))
    assert merged(x, x) == x


def whole(said: list[ExchangeMessage]) -> Fate:
    found = Fate()
    for one in said:
        found = merged(found, fate_of(one, 7))
    return found
