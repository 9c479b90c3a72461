"""The stays of a card are those that one would draw on a time line, in whatever order sightings come."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schemas.watch import CredentialSighting
from stream.watch.rows import Stay
from stream.watch.stays import ONE_STAY_US, stay_of, told_of, with_stay
from tests.stream.border import at
from tests.stream.watch.sightings import heard


def stays_of(told: list[CredentialSighting]) -> tuple[Stay, ...]:
    stays: tuple[Stay, ...] = ()
    for one in told:
        stays, whole = with_stay(stays, stay_of(one))
        assert whole in stays
        assert whole.first_us <= one.first_us <= one.last_us <= whole.last_us
    return stays


def drawn(told: list[CredentialSighting]) -> set[tuple[str, int, int]]:
    """Intervals of each read point, those at most a minute apart as one."""
    found: set[tuple[str, int, int]] = set()
    for point in {one.read_point for one in told}:
        spans = sorted((one.first_us, one.last_us) for one in told if one.read_point == point)
        first, last = spans[0]
        for begin, end in spans[1:]:
            if begin - last > ONE_STAY_US:
                found.add((point, first, last))
                first, last = begin, end
            last = max(last, end)
        found.add((point, first, last))
    return found


@st.composite
def sightings(draw: st.DrawFn) -> list[CredentialSighting]:
    return [
        heard(
            first,
            first + draw(st.sampled_from((0.2, 30, 61, 200, 900))),
            seq=number,
            lane=draw(st.sampled_from(("L01", "L02"))),
            tid_token=draw(st.sampled_from((None, "t1", "t2"))),
            untrusted=draw(st.booleans()),
        )
        for number, first in enumerate(draw(st.lists(st.integers(0, 1_000), max_size=12)))
    ]


@given(sightings(), st.randoms(use_true_random=False))
def test_stays_are_the_intervals_of_their_sightings_in_any_order(told, chance) -> None:  # type: ignore[no-untyped-def]
    stays = stays_of(told)
    assert {(one.read_point, one.first_us, one.last_us) for one in stays} == drawn(told)
    assert all(one.key < other.key for one, other in pairwise(stays))
    mixed = list(told)
    chance.shuffle(mixed)
    assert stays_of(mixed) == stays
    for one in told:
        assert with_stay(stays, stay_of(one))[0] is stays


def test_a_stay_that_is_told_again_under_another_id_is_the_same_stay() -> None:
    (stay,) = stays_of([heard(0, tid_token="t1"), heard(5, 30, tid_token="t2", untrusted=True)])
    again = [stay_of(one) for one in told_of(stay, "cr-other")]
    assert {one.credential_id for one in told_of(stay, "cr-other")} == {"cr-other"}
    whole: tuple[Stay, ...] = ()
    for one in again:
        whole, _ = with_stay(whole, one)
    assert whole == (stay,)
    assert (stay.first_us, stay.last_us) == (at(0), at(30))
