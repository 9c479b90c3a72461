"""The kept inputs of the fuzzer, tried without it: frames of the captures, and all that ever failed."""

import pytest

from gateway.protocols import PROTOCOLS
from tests.fuzz.target import CORPUS, check, inputs


@pytest.mark.parametrize("name", PROTOCOLS)
def test_no_kept_input_breaks_a_decoder(name: str) -> None:
    kept = inputs(name)
    assert kept
    for data in kept:
        check(name, data)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_kept_input_that_is_cut_or_has_a_wrong_byte_breaks_no_decoder(name: str) -> None:
    for data in inputs(name):
        for place in range(2, len(data), 1 + len(data) // 10):
            check(name, data[:place])
            check(name, data[:place] + bytes((data[place] ^ 0xFF,)) + data[place + 1 :])


def test_every_protocol_and_no_other_has_kept_inputs() -> None:
    assert {path.stem for path in CORPUS.iterdir()} == set(PROTOCOLS)
