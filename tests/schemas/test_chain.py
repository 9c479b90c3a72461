"""The hash chain, worked out by hand from its definition."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from schemas.chain import (
    SIGNATURE_BYTES,
    first_link,
    key_id_of,
    next_link,
    signature_header,
    split_signature,
)

PUBLIC = bytes(range(32))


def test_a_chain_of_two_events_is_what_its_definition_says() -> None:
    zero = sha256(b"gatebook1gw1.e1." + PUBLIC).digest()
    one = sha256(zero + b"\0\0\0\0\0\0\0\x01" + sha256(b"first").digest()).digest()
    two = sha256(one + b"\0\0\0\0\0\0\0\x02" + sha256(b"second").digest()).digest()
    assert first_link("gw1", "e1", PUBLIC) == zero
    assert next_link(zero, 1, b"first") == one
    assert next_link(one, 2, b"second") == two


def test_a_gateway_and_epoch_that_only_join_to_the_same_letters_begin_differently() -> None:
    assert first_link("gw1", "1e", PUBLIC) != first_link("gw11", "e", PUBLIC)


def test_a_signature_header_names_its_key() -> None:
    header = signature_header(PUBLIC, b"s" * 64)
    signed = split_signature(header)
    assert signed is not None
    assert signed.key_id == key_id_of(PUBLIC) == bytes.fromhex("630dcd2966c43366")
    assert signed.signature == b"s" * 64


@given(st.binary(max_size=200).filter(lambda one: len(one) != SIGNATURE_BYTES))
def test_a_header_of_another_length_is_no_signature(header: bytes) -> None:
    assert split_signature(header) is None
