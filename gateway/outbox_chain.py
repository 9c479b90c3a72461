"""Links and signatures of the events that an outbox keeps. Values only; `schemas.chain` defines them.

Events get their links when they are stored. When a waiting event is replaced, all links after it change:
those are made anew shortly before they are sent, a bounded number at a time, so that a full outbox need
not be rewritten at once. Until then such rows hold placeholders, because a row must not grow in a file
that has no room.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.batch import EventRow, WaitingRow
from gateway.signing import Signer
from schemas.chain import LINK_BYTES, SIGNATURE_BYTES, first_link, next_link

_NO_LINK: Final = bytes(LINK_BYTES)
_NO_SIGNATURE: Final = bytes(SIGNATURE_BYTES)

#: As the table `events` takes it: seq, time, value, link, signature.
StoredRow = tuple[int, int, bytes, bytes | None, bytes | None]


class Tail(NamedTuple):
    """Where the numbers and the links of an outbox stand."""

    next_seq: int
    #: Rows up to here have the links that they are sent with; `link` is the last of those.
    linked_seq: int
    link: bytes | None
    #: The event log has everything up to here, and `sent_link` was its last link.
    sent_seq: int
    sent_link: bytes | None


def stored_rows(
    tail: Tail, events: Sequence[EventRow], signer: Signer | None, gateway: str, epoch: str
) -> tuple[list[StoredRow], Tail]:
    """The rows of a commit, the last one signed, and where the outbox stands after it."""
    next_seq = tail.next_seq + len(events)
    if not events:
        return [], tail
    if tail.linked_seq + 1 < tail.next_seq:
        mark = (_NO_LINK, _NO_SIGNATURE) if signer else (None, None)
        waiting: list[StoredRow] = [(*event, mark[0], None) for event in events]
        waiting[-1] = (*events[-1], *mark)
        return waiting, tail._replace(next_seq=next_seq)
    if signer is None:
        plain: list[StoredRow] = [(*event, None, None) for event in events]
        return plain, tail._replace(next_seq=next_seq, linked_seq=next_seq - 1)
    tail = begun(tail, signer, gateway, epoch)
    link = tail.link or b""
    rows: list[StoredRow] = []
    for seq, at_us, value in events:
        link = next_link(link, seq, value)
        rows.append((seq, at_us, value, link, None))
    rows[-1] = (*rows[-1][:4], signer.header(link))
    return rows, tail._replace(next_seq=next_seq, linked_seq=next_seq - 1, link=link)


def begun(tail: Tail, signer: Signer, gateway: str, epoch: str) -> Tail:
    """The same, with the link before the first one if the epoch has no link yet."""
    if tail.link is not None:
        return tail
    first = first_link(gateway, epoch, signer.public_key)
    return tail._replace(link=first, sent_link=tail.sent_link or first)


def relinked(
    link: bytes | None, rows: Sequence[WaitingRow], signer: Signer | None, last_seq: int
) -> list[WaitingRow]:
    """Rows with their links made anew after `link`; signed where they were, and at the very end."""
    if signer is None or link is None:
        return [row._replace(chain=None, signature=None) for row in rows]
    found = []
    for row in rows:
        link = next_link(link, row.seq, row.value)
        signed = row.signature is not None or row.seq == last_seq
        found.append(row._replace(chain=link, signature=signer.header(link) if signed else None))
    return found


def first_unsound(link: bytes | None, rows: Sequence[WaitingRow]) -> int | None:
    """The number of the first row whose value is not what was linked, None when all are."""
    for row in rows:
        if row.chain is None:
            continue
        if link is not None and next_link(link, row.seq, row.value) != row.chain:
            return row.seq
        link = row.chain
    return None
