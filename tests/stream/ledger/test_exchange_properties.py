"""Nothing but the allow-list ever passes, to nobody but the two countries; and all orders end in the same."""

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.border import BorderRecord, CrossingEnded
from schemas.exchange import ExchangeRecord, ExchangeRetraction
from schemas.gate import Tick
from schemas.message import Message
from schemas.reference import Person, Site
from schemas.wire import encode, to_plain
from tests.stream.ledger.telling import (
    AT,
    MARK,
    OTHER,
    Border,
    ended,
    on_exchange,
    person,
    raw,
    site,
)

pytestmark = pytest.mark.timeout(240)

#: Every path that may stand on an exchange topic, written by hand: not derived from the messages.
ALLOWED: Final = frozenset(
    ("type", "v", "record_id", "revision", "provisional", "key_id", "s92", "departure", "arrival")
) | {
    f"{side}.{field}"
    for side in ("departure", "arrival")
    for field in ("country", "office_code", "office_name", "at_us", "local")
}
OF_A_RETRACTION: Final = frozenset(("type", "v", "record_id", "revision", "reason"))

NAMES = ("ana", "ben", "eva")
HOW = ("entered", "entered", "entered", "refused", "withdrawn", "held", "lost")
WAYS = [(pair, north) for pair in OTHER for north in (True, False)]


@st.composite
def ends(draw: st.DrawFn) -> CrossingEnded:
    pair, north = draw(st.sampled_from(WAYS))
    number = draw(st.integers(1, 3))
    return ended(
        draw(st.sampled_from(NAMES)),
        pair,
        north,
        crossing_id=f"crossing-{MARK}-{pair}-{north}-{number}",
        revision=draw(st.integers(1, 4)),
        how=draw(st.sampled_from(HOW)),
        role=draw(st.sampled_from(("driver", "passenger", "person"))),
        at_us=AT + number * 3_600_000_000 + draw(st.integers(0, 2)) * 60_000_000,
    )


persons = st.builds(
    person,
    st.sampled_from(NAMES),
    st.sampled_from((None, b"sealed-1", b"sealed-2")),
    key_id=st.sampled_from((None, "seal-1", "seal-2")),
    rest=st.sampled_from((None, f"rest-{MARK}".encode())),
)
ZONES = ("America/Chicago", "America/Denver", "Etc/UTC", "no/zone")
sites = st.builds(site, st.sampled_from(sorted(OTHER)), US=st.sampled_from(ZONES))
ticks = st.builds(Tick, partition=st.just(0), at_us=st.integers(AT, AT + 20 * 86_400_000_000))
SPLIT = st.integers(0, 5)
inputs = st.lists(ends() | persons | sites | ticks | st.none(), max_size=14)


def run(border: Border, given_: list[Message | None]) -> None:
    """All of it; None is a restart."""
    for one in given_:
        if one is None:
            border.restart()
        else:
            border.give(one)


def paths(value: dict[str, Any], before: str = "") -> set[str]:
    """The paths of the leaves and of the maps themselves, two levels deep at most."""
    found = set()
    for name, inner in value.items():
        found.add(before + name)
        if isinstance(inner, dict):
            found |= paths(inner, f"{before}{name}.")
    return found


@settings(max_examples=500)
@given(inputs)
def test_nothing_but_the_allow_list_passes_and_only_to_the_two_countries_of_the_pair(
    given_: list[Message | None],
) -> None:
    border = Border()
    run(border, given_)
    whole = raw(border.written)
    assert MARK.encode() not in whole
    assert b"rest" not in whole
    for to, message in on_exchange(border.written):
        if isinstance(message, ExchangeRetraction):
            assert paths(to_plain(message)) == OF_A_RETRACTION
            continue
        assert isinstance(message, ExchangeRecord)
        assert paths(to_plain(message)) <= ALLOWED
        two = {message.departure.country, message.arrival.country}
        assert len(two) == 2
        assert to in two
    for one in border.written:
        if not one.topic.startswith("exchange-"):
            assert b"sealed-" not in encode(one.message)


@settings(max_examples=500)
@given(inputs)
def test_a_third_country_is_never_told_not_even_that_something_was_taken_back(
    given_: list[Message | None],
) -> None:
    border = Border()
    run(border, given_)
    said: dict[str, set[str]] = {}
    for to, message in on_exchange(border.written):
        if isinstance(message, ExchangeRecord):
            said.setdefault(message.record_id, set()).update(
                (message.departure.country, message.arrival.country)
            )
        assert isinstance(message, ExchangeRecord | ExchangeRetraction)
        assert to in said[message.record_id], "a retraction of what was never told"


@settings(max_examples=500)
@given(inputs)
def test_each_country_hears_rising_revisions_and_last_what_is_in_force(
    given_: list[Message | None],
) -> None:
    border = Border()
    run(border, [one for one in given_ if not isinstance(one, Tick)])
    last: dict[tuple[str, str], ExchangeRecord | ExchangeRetraction] = {}
    for to, message in on_exchange(border.written):
        assert isinstance(message, ExchangeRecord | ExchangeRetraction)
        before = last.get((to, message.record_id))
        assert message.revision == (1 if before is None else before.revision + 1)
        if isinstance(before, ExchangeRecord):
            assert _content(before) != _content(message), "said twice"
        last[to, message.record_id] = message
    written = [one.message for one in border.written]
    records = {one.record_id: one for one in written if isinstance(one, BorderRecord)}
    for record_id, record in records.items():
        for to in (record.entry.country, record.exit.country):
            told = last[to, record_id]
            assert isinstance(told, ExchangeRetraction) == (record.state == "retracted")
            if isinstance(told, ExchangeRecord):
                assert (told.arrival.at_us, told.arrival.country) == (
                    record.entry.at_us,
                    record.entry.country,
                )
                row = border.reference.person(record.person)
                if row is not None and row.key_id is not None and row.s92 is not None:
                    assert (told.s92, told.key_id) == (row.s92, row.key_id)


@settings(max_examples=500)
@given(st.lists(ends(), max_size=6), st.lists(persons | sites, max_size=5), st.data())
def test_rows_that_come_late_or_while_nobody_looks_end_in_the_same_as_rows_that_come_first(
    events: list[CrossingEnded], rows: list[Person | Site], data: st.DataObject
) -> None:
    sealed = [one for one in rows if isinstance(one, Site) or (one.s92 and one.key_id)]
    first, late = Border(), Border()
    run(first, [*sealed, *events])
    left: list[Message] = list(sealed)
    for event in events:
        for _ in range(min(len(left), data.draw(SPLIT))):
            late.give(left.pop(0))
        late.give(event)
    half = min(len(left), data.draw(SPLIT))
    late.give(*left[:half])
    late.restart(*left[half:])  # type: ignore[arg-type]
    assert _final(late) == _final(first)


def _final(border: Border) -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for to, message in on_exchange(border.written):
        assert isinstance(message, ExchangeRecord | ExchangeRetraction)
        found[to, message.record_id] = _content(message)
    return found


def _content(message: Message) -> dict[str, Any]:
    return {name: value for name, value in to_plain(message).items() if name != "revision"}
