"""Sightings and reference rows in any order end in the same flags; a kill at every record changes nothing."""

from collections import defaultdict
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.message import Message
from schemas.topics import topic_key
from schemas.watch import CredentialFlag, CredentialSighting
from tests.stream.border import at, card
from tests.stream.watch.sightings import DETROIT, HOUR, ROWS, Post, heard, place, status

NORTH = "det-amb"
#: All of it is within the window of the last tick.
LAST = 40 * HOUR
ENROLLED = replace(card("k1.new", "person:new"), tid_token="t1")
LATE_ROWS: tuple[Message, ...] = (
    status("active", 8 * HOUR),
    status("stolen", 7 * HOUR, 9 * HOUR),
    place(NORTH, replace(DETROIT, source=None)),
    place(NORTH, None),
    ENROLLED,
)


@st.composite
def sightings(draw: st.DrawFn, number: int) -> CredentialSighting:
    """One of a card or of an unknown one, somewhere in a day and a half, with times good or bad."""
    when = draw(
        st.sampled_from((0, 20, 50, 3_000, 8 * HOUR, 9 * HOUR, 30 * HOUR, 80 * 365 * 24 * HOUR))
    )
    lasts = draw(st.sampled_from((0.2, 5, 45, 4 * HOUR)))
    who = draw(st.sampled_from((("cr-k1.ana", "k1.ana"), ("k1.new", "k1.new"))))
    return heard(
        when,
        when + lasts,
        seq=number,
        credential_id=who[0],
        token=who[1],
        pair=draw(st.sampled_from(("lar-wtb", "lar-wtb", NORTH))),
        lane=draw(st.sampled_from(("L01", "L02", "L03"))),
        tid_token=draw(st.sampled_from((None, None, "t1", "t2"))),
        untrusted=draw(st.booleans()) and draw(st.booleans()),
        crossing_id=draw(st.sampled_from(("c1", None))),
    )


@st.composite
def two_orders(draw: st.DrawFn) -> tuple[list[Message], list[Message]]:
    told = [draw(sightings(number)) for number in range(1, draw(st.integers(1, 9)))]
    rows = draw(st.lists(st.sampled_from(LATE_ROWS), max_size=3))
    return _order(draw, told, rows), _order(draw, told, rows)


def _order(
    draw: st.DrawFn, told: Sequence[CredentialSighting], rows: Sequence[Message]
) -> list[Message]:
    """Sightings in any order; rows of one key in their own."""
    queues: dict[str, list[Message]] = defaultdict(list)
    for one in told:
        queues[one.source_event_id].append(one)
    for row in rows:
        queues[topic_key(row)].append(row)
    found: list[Message] = []
    while queues:
        name = draw(st.sampled_from(sorted(queues)))
        found.append(queues[name].pop(0))
        if not queues[name]:
            del queues[name]
    return found


def ended(order: Sequence[Message], ticks: Sequence[int] = ()) -> dict[str, CredentialFlag]:
    """What stands of each card; ticks come after so many messages, and one at the end."""
    post = Post(rows=ROWS)
    for number, message in enumerate(order):
        if number in ticks:
            post.tick(number)
        post.take(message)
    post.tick(LAST)
    last = {one.credential_id: one for one in post.written("credential-flags")}
    return {name: flag for name, flag in last.items() if flag.proofs}


@settings(max_examples=500, deadline=None)
@given(two_orders(), st.lists(st.integers(0, 8), max_size=2))
def test_any_order_ends_in_the_same_flags(
    orders: tuple[list[Message], list[Message]], ticks: list[int]
) -> None:
    one, other = orders
    assert ended(one) == ended(other, ticks)


@settings(max_examples=200, deadline=None)
@given(two_orders())
def test_everything_twice_ends_in_the_same_flags(
    orders: tuple[list[Message], list[Message]],
) -> None:
    once, _ = orders
    twice = [message for message in once for _ in range(2)]
    assert ended(twice) == ended(once)


@settings(max_examples=200, deadline=None)
@given(two_orders())
def test_the_same_sightings_again_change_nothing_and_say_nothing(
    orders: tuple[list[Message], list[Message]],
) -> None:
    post = Post(rows=ROWS).take(*orders[0]).tick(LAST)
    digest, count = post.state.digest(), len(post.outputs)
    told = [one for one in orders[0] if isinstance(one, CredentialSighting)]
    known = [one for one in told if one.credential_id == "cr-k1.ana" and one.first_us <= at(LAST)]
    post.take(*known)
    assert (post.state.digest(), len(post.outputs)) == (digest, count)


@settings(max_examples=200, deadline=None)
@given(two_orders())
def test_no_flag_rests_on_untrusted_times_nor_on_one_sighting_of_two_places(
    orders: tuple[list[Message], list[Message]],
) -> None:
    told = {one.source_event_id: one for one in orders[0] if isinstance(one, CredentialSighting)}
    for flag in ended(orders[0]).values():
        assert len({proof.kind for proof in flag.proofs}) == len(flag.proofs)
        for proof in flag.proofs:
            shown = [told[event_id] for event_id in proof.evidence]
            assert proof.kind == "tid_mismatch" or not any(one.untrusted for one in shown)
            if proof.kind == "impossible_travel":
                assert len({one.pair for one in shown}) == 2
            if proof.kind == "two_lanes":
                assert len({(one.pair, one.lane) for one in shown}) == 2
