"""Random checks: a keyed hash of the crossing's id, so nobody can foresee a draw and everybody can prove it later.

The key's SHA-256 is published before the key is used, and the key after (policy row `referral_rates`).
"""

import hashlib
import hmac
from typing import Final, NamedTuple

from schemas.policy import ReferralRates

MILLION: Final = 1_000_000
KEY_BYTES: Final = 32


class Draw(NamedTuple):
    """A draw with all that proves it."""

    crossing_id: str
    key_sha256: str
    #: HMAC-SHA256 of the crossing's id, its first 8 bytes as a number.
    value: int
    per_million: int
    drawn: bool


def parse_key(text: str) -> bytes:
    """The key in a key file: 64 hex digits. Raises `ValueError`, which never shows the text."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"expected {2 * KEY_BYTES} hex digits")
    return key


def key_hash(key: bytes) -> str:
    """What is published before the key is used."""
    return hashlib.sha256(key).hexdigest()


def draw(key: bytes, crossing_id: str, per_million: int) -> Draw:
    """Draw: a share of `per_million` in a million of all crossings is drawn."""
    digest = hmac.digest(key, crossing_id.encode(), "sha256")
    value = int.from_bytes(digest[:8], "big")
    drawn = value * MILLION < per_million << 64
    return Draw(crossing_id, key_hash(key), value, per_million, drawn)


def rate_of(row: ReferralRates, tier: str) -> int:
    """Draws in a million for a tier; 0 for one that the row does not name."""
    return next((one.per_million for one in row.rates if one.tier == tier), 0)
