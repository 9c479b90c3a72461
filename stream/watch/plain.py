"""Whether a stay can prove anything about its card at all: most cannot, and then nothing else is looked at."""

from collections.abc import Iterable

from stream.lanes.statuses import state_at
from stream.reference import Reference
from stream.watch.rows import CardRow, Stay


def is_plain(before: CardRow, stays: Iterable[Stay], told: Stay, reference: Reference) -> bool:
    """Whether the card had no proof before and the stay that `told` is part of can add none.

    It says no too often rather than too seldom: for a card at several pairs, in a lane where it overlaps with
    another one, with more than one chip, or not in force.
    """
    if before.proofs or before.alerted:
        return False
    row = reference.credential(told.token)
    if row is None:
        return _is_alone(stays, told, None)
    in_force = not (row.statuses or row.expires_us) or state_at(row, told.last_us, None) == "active"
    known = row.credential_id == before.credential_id
    return in_force and known and _is_alone(stays, told, row.tid_token)


def _is_alone(stays: Iterable[Stay], told: Stay, tid: str | None) -> bool:
    """Whether every stay is at the same pair, none beside it in another lane, and all of one chip."""
    pair, lane, first_us, last_us = told.pair, told.lane, told.first_us, told.last_us
    for one in stays:
        beside = one.lane != lane and one.first_us <= last_us and first_us <= one.last_us
        if beside or one.pair != pair:
            return False
        for chip in one.tids:
            if chip.tid_token != (tid := tid or chip.tid_token):
                return False
    return True
