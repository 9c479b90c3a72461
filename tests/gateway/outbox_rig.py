"""What tests of the outbox stand on: events with real values, batches, and a check of the chain that is
written from its definition (`schemas.chain`) and uses nothing of it."""

import hashlib
import sqlite3
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.batch import Batch, EventRow, Totals
from gateway.outbox_file import OutboxFile, Owner
from gateway.outbox_open import open_outbox
from gateway.signing import Signer
from schemas.gate import Heartbeat, event_id
from schemas.wire import encode

PAIR: Final = "lar-wtb"
PACK = msgspec.msgpack.encode
SIGNER: Final = Signer.from_seed(bytes(range(32)))
OTHER: Final = Signer.from_seed(bytes(range(1, 33)))
SIGNED: Final = Owner("gw-1", PAIR, SIGNER)
PLAIN: Final = Owner("gw-1", PAIR)


def opened(path: Path, owner: Owner = SIGNED, quota: int = 16 << 20) -> OutboxFile:
    return open_outbox(path, owner, quota)


def beat(epoch: str, seq: int, padding: int = 0) -> EventRow:
    """An event that is known by its number."""
    event = Heartbeat(
        event_id=event_id("gw-1", epoch, seq),
        pair=PAIR,
        at_us=seq,
        outbox_depth=padding and 10**padding,
        outbox_age_ms=0,
        reads=0,
        reads_gone=0,
        reads_open=0,
        reads_duplicate=0,
        reads_rejected=0,
        glimpses=0,
    )
    return EventRow(seq, seq, encode(event))


def events(*rows: EventRow, **fields: Any) -> Batch:
    return Batch(rows, {}, [], [], PACK(Totals()), {})._replace(**fields)


def fill(file: OutboxFile, epoch: str, seqs: Iterable[int], commit: int = 10) -> None:
    """Store events, some a commit."""
    numbers = list(seqs)
    for start in range(0, len(numbers), commit):
        file.store(events(*(beat(epoch, seq) for seq in numbers[start : start + commit])))


def verify_chain(
    sent: Sequence[tuple[int, bytes, bytes | None, bytes | None]],
    *,
    gateway: str,
    epoch: str,
    first_key: bytes,
    keys: Sequence[bytes],
) -> int:
    """Check (seq, value, chain, signature) of an epoch from event 1 on; returns how many are covered."""
    link = hashlib.sha256(
        b"gatebook1" + gateway.encode() + b"." + epoch.encode() + b"." + first_key
    ).digest()
    by_id = {hashlib.sha256(key).digest()[:8]: key for key in keys}
    covered = 0
    for number, (seq, value, chain, signature) in enumerate(sent, 1):
        digest = hashlib.sha256(value).digest()
        link = hashlib.sha256(link + struct.pack(">Q", seq) + digest).digest()
        assert chain == link, f"event {seq}: another link"
        if signature is not None:
            key = Ed25519PublicKey.from_public_bytes(by_id[signature[:8]])
            key.verify(signature[8:], link)
            covered = number
    return covered


def drained(
    file: OutboxFile, most: int = 500
) -> list[tuple[int, bytes, bytes | None, bytes | None]]:
    """Everything that waits, in the order in which it would be sent; it is removed as when it was sent."""
    sent = []
    while rows := file.head(most):
        assert file.unsound(rows) is None
        sent += [(row.seq, row.value, row.chain, row.signature) for row in rows]
        file.remove(rows[-1].seq, rows[-1].epoch)
    return sent


def spoil(path: Path, statement: str, *values: object) -> None:
    """Change the file behind the outbox's back."""
    db = sqlite3.connect(path, isolation_level=None)
    assert db.execute(statement, values).rowcount > 0
    db.close()
