"""Sealing: exactly the elements of section 92(1), the same bytes for the same person, and no value in any text."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sealing import (
    BLOCK,
    MAX_PLAIN,
    SealError,
    SealKey,
    SealKeyError,
    open_rest,
    open_s92,
    parse_seal_key,
    seal_rest,
    seal_s92,
)

KEY = SealKey(key_id="seal-1", secret=bytes(range(64)))
ANA: dict[str, Any] = {
    "surname": "Prueba",
    "first_name": "Ana",
    "middle_names": ["Luz"],
    "date_of_birth": "1980-02-29",
    "nationality": "MEX",
    "sex": "F",
    "document_type": "passport",
    "document_issuer": "MEX",
    "document_number": "X0000001",
}


def test_what_is_sealed_opens_as_it_was_and_is_the_same_bytes_every_time() -> None:
    sealed = seal_s92(KEY, ANA)
    assert sealed == seal_s92(KEY, dict(reversed(ANA.items())))
    assert open_s92(KEY, sealed).middle_names == ("Luz",)
    assert open_s92(KEY, sealed).surname == "Prueba"
    assert b"Prueba" not in sealed
    assert open_rest(KEY, seal_rest(KEY, {"phone": "1"})) == {"phone": "1"}


def test_any_implementation_of_aes_siv_opens_it_by_what_the_docs_say() -> None:
    """The vector is what a partner's adapter may test itself with; RFC 5297 has those of the cipher."""
    plain = AESSIV(KEY.secret).decrypt(seal_s92(KEY, ANA), [b"gatebook-s92-1", b"seal-1"])
    assert plain.rstrip(b" ") == (
        b'{"surname":"Prueba","first_name":"Ana","middle_names":["Luz"],"date_of_birth":"1980-02-29",'
        b'"nationality":"MEX","sex":"F","document_type":"passport","document_issuer":"MEX",'
        b'"document_number":"X0000001"}'
    )


def test_the_length_tells_little() -> None:
    lengths = {len(seal_s92(KEY, {**ANA, "surname": "x" * n})) for n in range(1, 20)}
    assert len(lengths) <= 2
    assert all((one - 16) % BLOCK == 0 for one in lengths)


@pytest.mark.parametrize(
    ("wrong", "path", "detail"),
    [
        ({"plate": "ABC123"}, ".plate", "no element"),
        ({"token": "k1.00"}, ".token", "no element"),
        ({"cargo": {}}, ".cargo", "no element"),
        ({"sex": "SECRET"}, ".sex", "F, M, X"),
        ({"date_of_birth": "1980-02-30"}, ".date_of_birth", "no such day"),
        ({"date_of_birth": "yesterday"}, ".date_of_birth", "regex"),
        ({"surname": ""}, ".surname", "length >= 1"),
        ({"surname": 7}, ".surname", "Expected `str`"),
        ({"document_number": "x" * 101}, ".document_number", "length <= 100"),
        ({"middle_names": ["a"] * 11}, ".middle_names", "length <= 10"),
        ({"nationality": "mexican"}, ".nationality", "regex"),
    ],
)
def test_anything_else_is_refused_with_its_name_and_without_its_value(
    wrong: dict[str, Any], path: str, detail: str
) -> None:
    with pytest.raises(SealError, match=detail) as caught:
        seal_s92(KEY, {**ANA, **wrong})
    assert caught.value.path == path
    assert not any(str(value) in str(caught.value) for value in wrong.values() if value)


@pytest.mark.parametrize("element", [name for name in ANA if name != "middle_names"])
def test_every_element_must_be_there(element: str) -> None:
    with pytest.raises(SealError, match=f"missing required field `{element}`"):
        seal_s92(KEY, {name: value for name, value in ANA.items() if name != element})


def test_other_keys_other_ids_and_the_other_field_do_not_open_it() -> None:
    sealed = seal_s92(KEY, ANA)
    for other in (
        SealKey(key_id="seal-2", secret=KEY.secret),
        SealKey(key_id="seal-1", secret=bytes(64)),
    ):
        with pytest.raises(SealError, match="not sealed with the key"):
            open_s92(other, sealed)
    with pytest.raises(SealError, match="as s92"):
        open_s92(KEY, seal_rest(KEY, ANA))
    with pytest.raises(SealError, match="as rest"):
        open_rest(KEY, sealed)


def test_more_than_the_elements_sealed_by_another_program_is_refused_when_opened() -> None:
    associated = [b"gatebook-s92-1", b"seal-1"]
    canonical = AESSIV(KEY.secret).decrypt(seal_s92(KEY, ANA), associated)
    for plain, detail in (
        (b'{"plate":"ABC"}', "no element"),
        (b"\xff", "no JSON"),
        (b"7", "Expected `object`"),
        (canonical.replace(b"{", b'{"surname":"ABC123",', 1), "one form"),
        (canonical + b" ", "one form"),
    ):
        sealed = AESSIV(KEY.secret).encrypt(plain, associated)
        with pytest.raises(SealError, match=detail):
            open_s92(KEY, sealed)


def test_what_is_too_long_or_no_object_is_no_rest() -> None:
    wrongs: tuple[object, ...] = ({"x": "y" * MAX_PLAIN}, [], "text")
    for wrong in wrongs:
        with pytest.raises(SealError):
            seal_rest(KEY, wrong)


@settings(max_examples=500)
@given(st.binary(max_size=300))
def test_no_bytes_open_by_chance_and_none_break_it(sealed: bytes) -> None:
    with pytest.raises(SealError):
        open_s92(KEY, sealed)


def test_a_key_file_has_one_line_and_its_errors_do_not_hold_it() -> None:
    text = f"# ours\n\nseal-1:{KEY.secret.hex()}\n"
    assert parse_seal_key(text) == KEY
    assert KEY.secret.hex() not in repr(KEY)
    for wrong in ("", text + text, f"seal-1:{KEY.secret.hex()[2:]}", f"seal 1:{KEY.secret.hex()}"):
        with pytest.raises(SealKeyError) as caught:
            parse_seal_key(wrong)
        assert KEY.secret.hex()[2:] not in str(caught.value)
