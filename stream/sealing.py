"""Sealing of personal data: what is exactly the elements of section 92(1), and what never leaves the country.

    sealed = AES-256-SIV(key, associated data, plaintext)      RFC 5297; its first 16 bytes are the SIV

The associated data are two strings: `gatebook-s92-1` or `gatebook-rest-1`, and the key's id. So a sealed `rest`
never opens as an `s92`. The plaintext is a JSON object in UTF-8, filled with spaces at its end to a whole number of
128 bytes, so that its length tells little; that of `s92` has its elements in the order of `schemas.exchange.S92`,
without spaces between them. Nothing is drawn: the same person sealed twice is the same bytes, and loading a file
again changes nothing. Who holds sealed values only learns which of them are equal.

A key file has one line that counts: `key_id:hex`, 64 bytes of key; empty lines and lines that begin with `#` are
ignored. No error text ever holds a key or a value.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from schemas.exchange import S92

Field = Literal["s92", "rest"]

#: Sealed values are a whole number of these longer than their SIV, bytes.
BLOCK: Final = 128

#: Longest plaintext, bytes.
MAX_PLAIN: Final = 16_384

_LINE: Final = re.compile(r"([A-Za-z0-9_-]{1,16}):([0-9A-Fa-f]{128})")
_PATH: Final = re.compile(r" - at `(\$[^`]*)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]*)`")


class SealError(ValueError):
    """What cannot be sealed or opened.

    Attributes:
        path: the wrong element, such as `.surname`; empty for the whole value.
    """

    def __init__(self, path: str, detail: str) -> None:
        """Keep the path; neither holds a value."""
        super().__init__(detail)
        self.path = path


class SealKeyError(ValueError):
    """A key file that cannot be used; the text never holds the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealKey:
    """A key that personal data is sealed with, and the id that a person's row names it by."""

    key_id: str
    secret: bytes = field(repr=False)


def parse_seal_key(text: str) -> SealKey:
    """The key of a key file; raises `SealKeyError`."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) != 1:
        raise SealKeyError(f"expected one line `key_id:hex`, found {len(lines)} lines")
    found = _LINE.fullmatch(lines[0])
    if found is None:
        raise SealKeyError(
            "the line is not `key_id:hex`: an id of 1 to 16 letters, digits, '_' or '-', a colon, and 64 bytes as hex"
        )
    return SealKey(key_id=found.group(1), secret=bytes.fromhex(found.group(2)))


def seal_s92(key: SealKey, plain: object) -> bytes:
    """Seal the elements of section 92(1), given as JSON's own types. Raises `SealError` for anything else."""
    return _seal(key, "s92", msgspec.json.encode(_checked(plain)))


def seal_rest(key: SealKey, plain: object) -> bytes:
    """Seal an object of whatever else a country keeps of a person. Raises `SealError`."""
    if not isinstance(plain, dict):
        raise SealError("", f"expected an object, got {type(plain).__name__}")
    return _seal(key, "rest", msgspec.json.encode(plain, order="deterministic"))


def open_s92(key: SealKey, sealed: bytes) -> S92:
    """The elements. Raises `SealError` for what another key sealed, and for what is not exactly the elements."""
    plain = _open(key, "s92", sealed)
    try:
        found = _checked(msgspec.json.decode(plain))
    except msgspec.DecodeError:
        raise SealError("", "sealed, but no JSON") from None
    if _filled(msgspec.json.encode(found)) != plain:
        # An element that stands there twice would show one value and carry another.
        raise SealError("", "sealed, but not in the one form that the elements have")
    return found


def open_rest(key: SealKey, sealed: bytes) -> dict[str, object]:
    """What `seal_rest` sealed. Raises `SealError`."""
    try:
        return msgspec.json.decode(_open(key, "rest", sealed), type=dict[str, object])
    except msgspec.DecodeError:
        raise SealError("", "sealed, but no JSON object") from None


def _checked(plain: object) -> S92:
    try:
        found = msgspec.convert(plain, S92)
        date.fromisoformat(found.date_of_birth)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None
    except ValueError:
        raise SealError(".date_of_birth", "no such day") from None
    return found


def _explained(text: str) -> SealError:
    """What is wrong and where, in the words of msgspec, which name fields and never hold values of text."""
    unknown = _UNKNOWN.search(text)
    if unknown is not None:
        name = unknown.group(1)[:40]
        return SealError(f".{name}", "no element of the Customs Act, section 92(1)")
    at = _PATH.search(text)
    path = "" if at is None else at.group(1).removeprefix("$")
    # A wrong literal is repeated in the text, and it may be personal.
    return SealError(path, "not one of F, M, X" if path == ".sex" else _PATH.sub("", text))


def _seal(key: SealKey, what: Field, plain: bytes) -> bytes:
    if len(plain) > MAX_PLAIN:
        raise SealError("", f"{len(plain)} bytes; at most {MAX_PLAIN}")
    return AESSIV(key.secret).encrypt(_filled(plain), _associated(key, what))


def _filled(plain: bytes) -> bytes:
    return plain.ljust(-(-len(plain) // BLOCK) * BLOCK)


def _open(key: SealKey, what: Field, sealed: bytes) -> bytes:
    try:
        return AESSIV(key.secret).decrypt(sealed, _associated(key, what))
    except (InvalidTag, ValueError):
        raise SealError("", f"not sealed with the key {key.key_id} as {what}") from None


def _associated(key: SealKey, what: Field) -> list[bytes]:
    return [f"gatebook-{what}-1".encode(), key.key_id.encode()]
