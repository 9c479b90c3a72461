"""From a card's number to its token: a keyed hash, the only form of it that leaves the gateway.

    token = "<key id>." + first 32 hex characters of HMAC-SHA-256(key, kind byte || number)

The kind byte keeps an EPC and a TID with the same bytes apart: 01 for an EPC, 02 for a TID. All gateways
of an authority share one key, so that a card has one token at all its ports.

A key file has one line that counts: `key_id:hex`, 16 to 64 bytes of key; empty lines and lines that begin
with `#` are ignored. It is a secret: with it, anybody who has an EPC can find its token.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

EPC_KIND: Final = b"\x01"
TID_KIND: Final = b"\x02"

#: Characters of the hash that a token keeps: 128 bits.
TOKEN_HEX: Final = 32

#: Longest number that a tag may carry, bytes: a Gen2 PC word counts up to 31 words of 16 bits.
MAX_NUMBER: Final = 62

#: Bytes of a block of SHA-256.
_BLOCK: Final = 64

_LINE: Final = re.compile(r"([A-Za-z0-9_-]{1,16}):([0-9A-Fa-f]{32,128})")


class TokenKeyError(ValueError):
    """A key file that cannot be used; the text never holds the key."""


class NumberError(ValueError):
    """Text that is not the number of a card; the text says why and never repeats it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """A token key and the id that its tokens begin with."""

    key_id: str
    secret: bytes = field(repr=False)
    #: HMAC-SHA-256 under the secret.
    mac: Callable[[bytes], bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare the hash."""
        object.__setattr__(self, "mac", _keyed(self.secret))


def parse_token_key(text: str) -> TokenKey:
    """The key of a key file; raises `TokenKeyError`."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) != 1:
        raise TokenKeyError(f"expected one line `key_id:hex`, found {len(lines)} lines")
    found = _LINE.fullmatch(lines[0])
    if found is None or len(found.group(2)) % 2:
        raise TokenKeyError(
            "the line is not `key_id:hex`: an id of 1 to 16 letters, digits, '_' or '-', a colon, "
            "and 16 to 64 bytes as hex"
        )
    return TokenKey(key_id=found.group(1), secret=bytes.fromhex(found.group(2)))


def epc_token(key: TokenKey, epc: bytes) -> str | None:
    """The token of an EPC; None for an empty one, which says nothing about which card it is."""
    return _token(key, EPC_KIND, epc) if epc else None


def tid_token(key: TokenKey, tid: bytes | None) -> str | None:
    """The token of a tag's own number, None where the reader gave none."""
    return _token(key, TID_KIND, tid) if tid else None


def parse_number(text: str) -> bytes:
    """A card's number from hex, in either case; raises `NumberError`."""
    try:
        number = bytes.fromhex(text)
    except ValueError:
        raise NumberError("not hex, or an odd number of digits") from None
    if not number:
        raise NumberError("empty")
    if len(number) > MAX_NUMBER:
        raise NumberError(f"{len(number)} bytes, more than a tag can hold ({MAX_NUMBER})")
    return number


def _token(key: TokenKey, kind: bytes, number: bytes) -> str:
    return f"{key.key_id}.{key.mac(kind + number).hex()[:TOKEN_HEX]}"


def _keyed(secret: bytes) -> Callable[[bytes], bytes]:
    """HMAC-SHA-256 (RFC 2104, section 2) with both pads hashed once.

    A third of the time of `hmac.digest`, which also lets go of the interpreter's lock, for every tag (measured).
    """
    block = (secret if len(secret) <= _BLOCK else sha256(secret).digest()).ljust(_BLOCK, b"\0")
    inner = sha256(bytes(byte ^ 0x36 for byte in block))
    outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def mac(message: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(message)
        second.update(first.digest())
        return second.digest()

    return mac
