"""Tokens: the one form in which a card's number leaves the gateway."""

import hmac

import pytest

from gateway.identity import (
    NumberError,
    TokenKey,
    TokenKeyError,
    epc_token,
    parse_number,
    parse_token_key,
    tid_token,
)

KEY = TokenKey(key_id="k1", secret=bytes(range(32)))
EPC = bytes.fromhex("30751FEB705C5904E3D50D70")


def test_a_token_is_the_key_id_and_128_bits_of_hmac_over_kind_and_number() -> None:
    # printf '\x01\x30\x75\x1f\xeb\x70\x5c\x59\x04\xe3\xd5\x0d\x70' |
    #   openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f
    assert epc_token(KEY, EPC) == "k1.adee91f29ee901f154e66945f4765a70"
    assert tid_token(KEY, EPC) == "k1.bfa419545837ab5f34ead5ee2bfc204f"


def test_the_hash_is_that_of_the_standard_library_for_keys_of_every_length() -> None:
    for length in (1, 16, 63, 64, 65, 200):
        secret = bytes(range(length))
        for number in (b"", EPC, EPC * 9):
            wanted = hmac.digest(secret, number, "sha256")
            assert TokenKey(key_id="k1", secret=secret).mac(number) == wanted


def test_an_empty_number_has_no_token() -> None:
    assert epc_token(KEY, b"") is None
    assert tid_token(KEY, b"") is None
    assert tid_token(KEY, None) is None


def test_a_key_file_may_have_comments_and_empty_lines_around_its_one_line() -> None:
    assert parse_token_key("# ours\n\nk1:" + bytes(range(32)).hex() + "\n") == KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k1",
        "k1:zz",
        "k1:00112233",
        "k.1:" + "00" * 32,
        ":" + "00" * 32,
        "k1:" + "0" * 33,
        "k1:" + "00" * 65,
        "k1:" + "00" * 32 + "\nk2:" + "00" * 32,
        "a" * 17 + ":" + "00" * 32,
    ],
)
def test_another_key_file_is_refused_and_its_key_is_never_in_the_text(text: str) -> None:
    with pytest.raises(TokenKeyError) as caught:
        parse_token_key(text)
    assert "0000" not in str(caught.value)
    assert "0011" not in str(caught.value)


def test_a_key_does_not_show_its_secret() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert "\\x01" not in repr(KEY)


def test_a_card_number_is_hex_in_either_case() -> None:
    assert parse_number("e200 1234") == parse_number("E2001234") == bytes.fromhex("E2001234")


@pytest.mark.parametrize("text", ["E20", "card", "", "00" * 63])
def test_what_is_no_card_number_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(NumberError) as caught:
        parse_number(text)
    assert not text or text not in str(caught.value)
