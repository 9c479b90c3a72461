"""Signed chains: true ones are used whole, and what somebody did to them is not used and loses nothing else."""

from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from schemas.chain import first_link, key_id_of, next_link, signature_header
from schemas.policy import GatewayKey
from stream.lanes.verified import MAX_WAITING, Came, Chain, receive, unchecked

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
T = 1_772_460_000_000_000


def key(public: bytes = PUBLIC, *, since: int = T, until: int | None = None) -> GatewayKey:
    key_id = key_id_of(public).hex()
    return GatewayKey(
        policy_id=f"gateway_key:gw1:{key_id}",
        effective_from_us=since,
        effective_to_us=until,
        accepted_at_us=since,
        gateway="gw1",
        key_id=key_id,
        public_key=public,
    )


def chain_of(
    count: int, commits: Sequence[int], private: Ed25519PrivateKey = PRIVATE, first: int = 1
) -> list[Came]:
    """Events `first` and on; the last one of each commit is signed, and so is the very last."""
    public = private.public_key().public_bytes_raw()
    link = first_link("gw1", "e1", PUBLIC)
    ends = {*commits, count}
    events = []
    for seq in range(1, count + 1):
        value = f"event {seq}".encode()
        link = next_link(link, seq, value)
        signature = signature_header(public, private.sign(link)) if seq in ends else None
        events.append(Came("gw1", "e1", seq, seq, T + seq, value, link, signature))
    return events[first - 1 :]


def run(
    events: Sequence[Came], chain: Chain | None = None, keys: Sequence[GatewayKey] = (key(),)
) -> tuple[list[str], list[str], list[str], Chain | None]:
    """What may be used, what not, why, and where the chain stands."""
    good: list[str] = []
    bad: list[str] = []
    why: list[str] = []
    for event in events:
        received = receive(chain, keys, event)
        chain = received.chain
        good += [value.decode() for value in received.good]
        bad += [value.decode() for value in received.bad]
        why += [received.why] if received.why else []
    return good, bad, why, chain


def names(*seqs: int) -> list[str]:
    return [f"event {seq}" for seq in seqs]


@given(st.integers(1, 40), st.sets(st.integers(1, 40)))
def test_a_true_chain_is_used_whole_and_in_order(count: int, commits: set[int]) -> None:
    good, bad, _, _ = run(chain_of(count, sorted(commits)))
    assert good == names(*range(1, count + 1))
    assert bad == []


def test_nothing_is_used_before_its_signature_has_come() -> None:
    good, _, _, chain = run(chain_of(3, [])[:2])
    assert good == []
    assert chain is not None
    assert [one.seq for one in chain.waiting] == [1, 2]


@given(st.integers(2, 20), st.data())
def test_events_that_come_again_give_nothing(count: int, data: st.DataObject) -> None:
    events = chain_of(count, [count // 2])
    at = data.draw(st.integers(1, count))
    again = data.draw(st.integers(0, at - 1))
    good, bad, _, _ = run([*events[:at], *events[again:at], *events[at:]])
    assert good == names(*range(1, count + 1))
    assert bad == []


def test_a_changed_event_spoils_what_came_before_it_in_its_commit_alone() -> None:
    events = chain_of(9, [3, 6])
    events[4] = events[4]._replace(value=b"forged")
    good, bad, why, _ = run(events)
    assert good == names(1, 2, 3, 6, 7, 8, 9)
    assert sorted(bad) == ["event 4", "forged"]
    assert why == ["gap"]


def test_a_missing_event_spoils_its_commit_and_the_event_after_it_alone() -> None:
    events = chain_of(9, [3, 6])
    good, bad, why, _ = run([*events[:4], *events[5:]])
    assert good == names(1, 2, 3, 7, 8, 9)
    assert sorted(bad) == ["event 4", "event 6"]
    assert why == ["gap"]


def test_two_events_that_changed_places_are_not_used() -> None:
    events = chain_of(6, [3])
    events[0], events[1] = events[1], events[0]
    good, bad, _, _ = run(events)
    assert set(good) <= set(names(*range(1, 7)))
    assert good[-3:] == names(4, 5, 6)
    assert "event 2" in bad


@pytest.mark.parametrize("seq", [1, 2, 4, 5, 900])
@pytest.mark.parametrize("signed", [False, True])
def test_an_event_that_somebody_adds_is_not_used_and_loses_no_true_one(
    seq: int, signed: bool
) -> None:
    events = chain_of(8, [4])
    stolen = events[3]
    forged = Came("gw1", "e1", seq, seq, T, b"forged", b"x" * 32, None)
    if signed:
        forged = forged._replace(link=stolen.link, signature=stolen.signature)
    for at in range(len(events) + 1):
        good, bad, _, chain = run([*events[:at], forged, *events[at:]])
        assert good == names(*range(1, 9)), at
        left = chain.ahead if chain else ()
        assert "forged" in bad or b"forged" in [one.value for one in left] or seq <= at


def test_an_event_far_ahead_does_not_stop_the_chain_from_going_on_after_a_gap() -> None:
    events = chain_of(8, [2, 4, 6])
    forged = Came("gw1", "e1", 900, 900, T, b"forged", b"x" * 32, None)
    good, bad, _, _ = run([*events[:2], forged, *events[3:]])
    assert good == names(1, 2, 5, 6, 7, 8)
    assert sorted(bad) == ["event 4", "forged"]


def test_a_signature_of_another_key_covers_nothing() -> None:
    good, bad, why, _ = run(chain_of(2, [], OTHER))
    assert good == []
    assert bad == ["event 2"]
    assert why == ["unknown_key"]


def test_a_key_counts_only_within_its_effective_times() -> None:
    events = chain_of(2, [1])
    assert run(events, keys=[key(since=T + 2)])[0] == []
    assert run(events, keys=[key(until=T + 2)])[0] == names(1)
    assert run(events, keys=[key(since=T + 1)])[0] == names(1, 2)


def test_a_rotated_key_goes_on_with_the_same_chain() -> None:
    events = [*chain_of(4, [2])[:2], *chain_of(4, [2], OTHER)[2:]]
    public = OTHER.public_key().public_bytes_raw()
    assert run(events, keys=[key(), key(public)])[0] == names(1, 2, 3, 4)


def test_an_announced_gap_is_one_link_and_the_chain_goes_on_behind_it() -> None:
    first, *_ = chain_of(1, [1])
    assert first.link is not None
    links = [first.link]
    for seq, value in ((2, b"skipped 2 to 5"), (6, b"event 6")):
        links.append(next_link(links[-1], seq, value))
    skipped = Came("gw1", "e1", 2, 5, T, b"skipped 2 to 5", links[1], None)
    signed = signature_header(PUBLIC, PRIVATE.sign(links[2]))
    after = Came("gw1", "e1", 6, 6, T, b"event 6", links[2], signed)
    good, bad, _, _ = run([first, skipped, after])
    assert good == ["event 1", "skipped 2 to 5", "event 6"]
    assert bad == []


def test_an_event_without_a_link_is_not_used() -> None:
    events = chain_of(2, [1])
    good, bad, why, _ = run([events[0], events[1]._replace(link=None)])
    assert (good, bad, why) == (names(1), names(2), ["unsigned"])


def test_a_chain_that_was_followed_before_its_key_was_known_goes_on_without_a_loss() -> None:
    chain = None
    for event in chain_of(3, [3]):
        chain = unchecked(chain, event)
    assert run(chain_of(5, [], first=4), chain)[0] == names(4, 5)


def test_a_run_without_a_signature_is_given_up_at_its_bound() -> None:
    events = chain_of(MAX_WAITING + 5, [])
    good, bad, why, chain = run(events[:-1])
    assert good == []
    assert len(bad) == MAX_WAITING + 1
    assert why == ["never_signed"]
    assert chain is not None
    assert len(chain.waiting) + len(chain.ahead) <= 4
