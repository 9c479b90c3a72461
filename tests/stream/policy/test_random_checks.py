"""Random checks: the draw as its definition says, at the rate that was asked for."""

import hashlib
import hmac

import pytest

from stream.policy.random_checks import MILLION, draw, key_hash, parse_key

KEY = bytes(range(32))


def test_a_draw_is_the_keyed_hash_of_the_crossing_and_can_be_done_again() -> None:
    digest = hmac.new(KEY, b"crossing-1", hashlib.sha256).digest()
    found = draw(KEY, "crossing-1", 50_000)
    assert found.value == int.from_bytes(digest[:8], "big")
    assert found.drawn == (found.value / 2**64 < 0.05)
    assert found.key_sha256 == key_hash(KEY) == hashlib.sha256(KEY).hexdigest()
    assert draw(KEY, "crossing-1", 50_000) == found


@pytest.mark.parametrize("per_million", [0, 20_000, 500_000, MILLION])
def test_as_many_are_drawn_as_the_rate_says(per_million: int) -> None:
    drawn = sum(draw(KEY, f"crossing-{number}", per_million).drawn for number in range(20_000))
    assert drawn == pytest.approx(20_000 * per_million / MILLION, rel=0.1)


def test_another_key_draws_others() -> None:
    ids = [f"crossing-{number}" for number in range(2_000)]
    one, two = ([draw(key, one, 100_000).drawn for one in ids] for key in (KEY, bytes(32)))
    assert one != two


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33])
def test_a_key_file_that_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="expected 64 hex digits") as raised:
        parse_key(text)
    assert not text or text not in str(raised.value)


def test_a_key_file_may_end_with_a_line_break() -> None:
    assert parse_key(KEY.hex() + "\n") == KEY
