"""Repeats and losses: the sequence of each writer of gate events.

Every event has a `seq` without gaps within its writer and epoch. A `seq` at or below the mark and in no
gap is a repeat; one beyond the mark + 1 leaves a gap; one inside a gap closes it there.
"""

from functools import lru_cache
from typing import NamedTuple

from schemas.alert import Alert
from schemas.gate import EpochStarted, EventId, split_event_id
from stream.lanes.rows import Sequence

#: More gaps than this in one epoch are kept as one that spans them: bounds the row.
MAX_GAPS = 100

#: An announcement of more numbers to come than this is not believed: it would make true events repeats.
MAX_SKIPPED = 1_000_000


@lru_cache(maxsize=256)
def parts_of(event_id: str) -> EventId | None:
    """The parts of an event id (`split_event_id`): each event is asked for them several times."""
    return split_event_id(event_id)


class Placed(NamedTuple):
    """Where an event stands in its writer's sequence."""

    #: The sequence with the event in it; None when the event is a repeat.
    sequence: Sequence | None
    #: The gap that it leaves behind it, both ends inclusive.
    gap: tuple[int, int] | None = None


def place(sequence: Sequence | None, seq: int) -> Placed:
    """Put an event into its sequence. A writer's first `seq` is 1."""
    now = sequence or Sequence(high=0)
    if seq > now.high:
        gap = (now.high + 1, seq - 1) if seq > now.high + 1 else None
        gaps = now.gaps if gap is None else _bounded((*now.gaps, gap))
        return Placed(Sequence(high=seq, gaps=gaps), gap)
    if any(first <= seq <= last for first, last in now.gaps):
        return Placed(Sequence(high=now.high, gaps=without(now.gaps, seq, seq)))
    return Placed(None)


def announced(
    sequence: Sequence, gap: tuple[int, int] | None, low: int, high: int
) -> tuple[Sequence, tuple[int, int] | None]:
    """A `Skipped` accounts for `low` to `high`, also for numbers that are still to come."""
    gaps = without(sequence.gaps, low, high)
    left = next(iter(without((gap,), low, high)), None) if gap else None
    ahead = low <= sequence.high + 1 <= high <= sequence.high + MAX_SKIPPED
    return Sequence(high=high if ahead else sequence.high, gaps=gaps), left


def without(gaps: tuple[tuple[int, int], ...], low: int, high: int) -> tuple[tuple[int, int], ...]:
    """The gaps after `low` to `high` have been accounted for."""
    left = []
    for first, last in gaps:
        if last < low or first > high:
            left.append((first, last))
            continue
        if first < low:
            left.append((first, low - 1))
        if last > high:
            left.append((high + 1, last))
    return tuple(left)


def gap_alert(event: EventId, gap: tuple[int, int], pair: str, at_us: int) -> Alert:
    """Events of a gateway are missing and nobody announced it."""
    first, last = gap
    return Alert(
        alert_id=f"sequence_gap|{event.writer}|{event.epoch}|{first}|{last}",
        kind="sequence_gap",
        severity="critical",
        subject=event.writer,
        pair=pair,
        at_us=at_us,
        evidence=(f"{event.writer}.{event.epoch}.{event.seq}",),
        what_to_do=f"Events {first} to {last} of {event.writer} are missing: look at its outbox and log.",
    )


def lost_tail_alert(event: EventId, started: EpochStarted, high: int) -> Alert | None:
    """Events at the end of the epoch before are missing, or may be; None when all that it numbered came."""
    last = started.last_seq_known
    if last is not None and last <= high:
        return None
    old, lost = started.previous_epoch, f"after {high}" if last is None else f"{high + 1} to {last}"
    return Alert(
        alert_id=f"sequence_gap|{event.writer}|{old}|{high + 1}|{last or 'unknown'}",
        kind="sequence_gap",
        severity="critical",
        subject=event.writer,
        pair=started.pair,
        at_us=started.at_us,
        evidence=(started.event_id,),
        what_to_do=f"{event.writer} began a new outbox; events {lost} of epoch {old} are lost or may be: look at it.",
    )


def bad_id_alert(event_id: str, pair: str, at_us: int) -> Alert:
    """An event whose id is not `writer.epoch.seq`: it cannot be told from a repeat, so it is not used."""
    return Alert(
        alert_id=f"bad_event_id|{pair}|{event_id[:120]}",
        kind="bad_event_id",
        severity="critical",
        subject=pair,
        pair=pair,
        at_us=at_us,
        evidence=(event_id[:120],),
        what_to_do="An event was not used, since its id has no sequence: look for what writes it.",
    )


def _bounded(gaps: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    if len(gaps) <= MAX_GAPS:
        return gaps
    (first, _), (_, last), *rest = gaps
    return ((first, last), *rest)
