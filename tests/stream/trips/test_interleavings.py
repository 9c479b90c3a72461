"""Filings keep their order and each crossing keeps its own; between them any order ends in the same trip."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.message import Message
from schemas.trips import DeclaredPerson, TripFiling, TripUse
from tests.stream.border import at
from tests.stream.trips.filings import Office, amended, filing, tick, used

EXPIRED = 100_000.0


@st.composite
def filings(draw: st.DrawFn) -> list[TripFiling]:
    """A filing and what follows it, accepted one after the other."""
    made = [filing(filed_at_us=at(-7200))]
    when = -7200
    for version in range(2, draw(st.integers(2, 6))):
        when += draw(st.integers(1, 4000))
        driver = DeclaredPerson(id=f"person:{draw(st.sampled_from('abc'))}")
        action = draw(st.sampled_from(("amend", "amend", "cancel", "file")))
        made.append(
            amended(
                version,
                action=action,
                filing_id=f"f{version}",
                filed_at_us=at(when),
                drivers=(driver,),
            )
        )
    return made


@st.composite
def uses(draw: st.DrawFn, crossing: str) -> list[TripUse]:
    """What one crossing says: nothing, that it diverted, that it used the trip, or both."""
    hows = draw(st.sampled_from(((), ("used",), ("diverted",), ("diverted", "used"))))
    when = draw(st.integers(-5000, 5000))
    return [
        used(crossing, revision, when + revision, how=how) for revision, how in enumerate(hows, 1)
    ]


def merged(draw: st.DrawFn, parts: Sequence[Sequence[Message]]) -> list[Message]:
    """The parts in one order that keeps each part's own."""
    queues = [list(part) for part in parts if part]
    found = []
    while queues:
        queue = draw(st.sampled_from(queues))
        found.append(queue.pop(0))
        queues = [one for one in queues if one]
    return found


@st.composite
def two_orders(draw: st.DrawFn) -> tuple[list[Message], list[Message]]:
    first, *rest = draw(filings())
    parts = (rest, draw(uses("c1")), draw(uses("c2")))
    one, other = (merged(draw, parts) for _ in range(2))
    return [first, *one], [first, *other]


@settings(max_examples=500)
@given(two_orders(), st.booleans())
def test_any_permitted_order_ends_in_the_same_trip(
    orders: tuple[list[Message], list[Message]], expires: bool
) -> None:
    ends = []
    for order in orders:
        office = Office().take(*order)
        if expires:
            office.take(tick(EXPIRED))
        ends.append(office.trip)
    assert ends[0] == ends[1]


@given(two_orders())
def test_everything_twice_ends_in_the_same_trip(
    orders: tuple[list[Message], list[Message]],
) -> None:
    once, _ = orders
    twice = [message for message in once for _ in range(2)]
    assert Office().take(*twice).trip == Office().take(*once).trip
    assert Office().take(*once, *once).trip == Office().take(*once).trip


@given(two_orders())
def test_a_trip_that_is_used_is_as_it_was_when_it_was_used(
    orders: tuple[list[Message], list[Message]],
) -> None:
    trip = Office().take(*orders[0]).trip
    assert (trip.status == "used") == (trip.used_by is not None)
    for use in trip.uses:
        if use.crossing_id == trip.used_by:
            assert use.how == "used"
            assert trip.accepted_at_us <= use.at_us
