"""The hash chain over a gateway's events, and where its links and signatures stand in a record.

    link_0 = SHA-256("gatebook1" || gateway || epoch || public key)
    link_n = SHA-256(link_(n-1) || seq, 8 bytes big-endian || SHA-256(value))

Every record has the header `chain` = its link; the last one of each commit of the outbox also has
`signature` = key id (8 bytes) || Ed25519 of the link (RFC 8032, 64 bytes). So one signature covers every
event since the one before it, and nothing can be changed, left out, added or moved between two of them.
"""

from hashlib import sha256
from typing import Final, NamedTuple

CHAIN: Final = "chain"
SIGNATURE: Final = "signature"

LINK_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
SIGNATURE_BYTES: Final = KEY_ID_BYTES + 64


class Signed(NamedTuple):
    """The parts of a `signature` header."""

    key_id: bytes
    signature: bytes


def first_link(gateway: str, epoch: str, public_key: bytes) -> bytes:
    """The link before event 1 of an epoch. Gateway and epoch hold no dot, so the parts are joined by one."""
    return sha256(b"gatebook1" + f"{gateway}.{epoch}.".encode() + public_key).digest()


def next_link(previous: bytes, seq: int, value: bytes) -> bytes:
    """The link of event `seq`, whose record value is `value`."""
    return sha256(previous + seq.to_bytes(8, "big") + sha256(value).digest()).digest()


def key_id_of(public_key: bytes) -> bytes:
    """What a signature names its key by."""
    return sha256(public_key).digest()[:KEY_ID_BYTES]


def signature_header(public_key: bytes, signature: bytes) -> bytes:
    """The value of a `signature` header."""
    return key_id_of(public_key) + signature


def split_signature(header: bytes) -> Signed | None:
    """The parts of a `signature` header, None when it has not its length."""
    if len(header) != SIGNATURE_BYTES:
        return None
    return Signed(header[:KEY_ID_BYTES], header[KEY_ID_BYTES:])
