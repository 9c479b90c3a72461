"""What the stays of a card prove: a pure function of their set, the reference rows and the last tick.

Of each kind the earliest proof is given, so that it stays the same while more of the same is heard.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from schemas.reference import Credential
from schemas.watch import FlagKind, FlagProof
from stream.lanes.statuses import state_at
from stream.reference import Reference
from stream.watch.rows import MINUTE, SECOND, Stay, Tid
from stream.watch.stays import WINDOW_US, order_of
from stream.watch.travel import is_impossible, limits_at, way_between

#: A stay that begins further after the last tick than this proves nothing until its time has come.
AHEAD_US: Final = MINUTE


class Card(NamedTuple):
    """What the rows of a card's tokens say, as far as the watch stage asks."""

    #: By token.
    rows: dict[str, Credential]
    #: What was heard before this moment proves nothing: the authority has put the card in force since.
    reinstated_us: int

    @property
    def flies(self) -> bool:
        """Whether it may be somebody's card, not a vehicle's tag."""
        return not self.rows or any(row.kind == "driver_card" for row in self.rows.values())

    @property
    def trailer(self) -> str | None:
        """The trailer whose tag it is."""
        tags = [row.holder for row in self.rows.values() if row.kind == "trailer_tag"]
        return min(tags, default=None)


def card_of(credential_id: str, stays: Iterable[Stay], reference: Reference) -> Card:
    """The card as its rows have it now."""
    rows: dict[str, Credential] = {}
    reinstated = 0
    for token in sorted({one.token for one in stays}):
        row = reference.credential(token)
        if row is None or row.credential_id != credential_id:
            continue
        rows[token] = row
        for status in row.statuses:
            if status.state == "active":
                reinstated = max(reinstated, min(status.effective_from_us, status.accepted_at_us))
    return Card(rows, reinstated)


def proofs_of(
    card: Card, stays: Sequence[Stay], now_us: int, reference: Reference
) -> tuple[FlagProof, ...]:
    """Everything that is wrong with the card, at most one proof a kind, by kind."""
    counting = [one for one in stays if one.last_us >= card.reinstated_us]
    timed = [one for one in counting if _is_timed(one, now_us)]
    found = [_tid_mismatch(card, counting), _dead_card(card, timed)]
    if len({one.pair for one in timed}) > 1:
        found.append(_impossible_travel(card, timed, reference))
    if len({(one.pair, one.lane) for one in timed}) > 1:
        found.append(_two_lanes(timed, reference))
    there = [one for one in found if one is not None]
    return tuple(sorted(there, key=lambda one: one.kind))


def _is_timed(stay: Stay, now_us: int) -> bool:
    """Whether the times of a stay prove anything."""
    return (
        not stay.untrusted
        and stay.last_us - stay.first_us <= WINDOW_US
        and (not now_us or stay.first_us <= now_us + AHEAD_US)
    )


def _impossible_travel(card: Card, stays: Sequence[Stay], reference: Reference) -> FlagProof | None:
    """The first stay that cannot be reached from where the card was heard before it, by time."""
    flies = card.flies
    latest: dict[str, Stay] = {}
    # Who could get from one pair to another once could do so later all the more.
    reached: dict[tuple[str, str], Stay] = {}
    for there in stays:
        for pair in sorted(latest) if len(latest) > 1 else latest:
            here = latest[pair]
            if pair == there.pair or reached.get((pair, there.pair)) is here:
                continue
            reached[pair, there.pair] = here
            way = way_between(reference, pair, there.pair)
            limits = limits_at(reference, there.first_us)
            between_us = there.first_us - here.last_us
            if way is not None and is_impossible(way.km, between_us, limits, flies=flies):
                return _proof("impossible_travel", (here, there), unverified=way.unverified)
        before = latest.get(there.pair)
        if before is None or before.last_us < there.last_us:
            latest[there.pair] = there
    return None


def _two_lanes(stays: Sequence[Stay], reference: Reference) -> FlagProof | None:
    """The first stay that goes on while the card is heard in a lane that is not beside it."""
    going_on: list[Stay] = []
    for there in stays:
        going_on = [one for one in going_on if one.last_us >= there.first_us]
        for here in going_on:
            if (
                here.pair == there.pair
                and here.lane != there.lane
                and not (here.ambiguous or there.ambiguous)
                and _overlap(here, there, reference)
                and _apart(here, there, reference)
            ):
                return _proof("two_lanes", (here, there))
        going_on.append(there)
    return None


def _overlap(here: Stay, there: Stay, reference: Reference) -> bool:
    """Whether two stays overlap, however far their gateways' clocks may be apart."""
    writers = {order_of(one.event_id)[:1] for one in (here, there)}
    slack = SECOND
    if len(writers) > 1:
        slack = limits_at(reference, there.first_us).lane_clock_s * SECOND
    return here.last_us >= there.first_us + slack and there.last_us >= here.first_us + slack


def _apart(here: Stay, there: Stay, reference: Reference) -> bool:
    """Whether the site knows both as lanes and as no neighbours. A read point of a lane group is in no lane."""
    site = reference.site(here.pair)
    lanes = {} if site is None else {one.id: one.neighbours for one in site.lanes}
    if here.lane not in lanes or there.lane not in lanes:
        return False
    return there.lane not in lanes[here.lane] and here.lane not in lanes[there.lane]


def _tid_mismatch(card: Card, stays: Sequence[Stay]) -> FlagProof | None:
    """The first chip under a token that is another than the one before it, or than the card's row has."""
    found: list[FlagProof] = []
    by_token: dict[str, list[tuple[Tid, Stay]]] = {}
    for one in stays:
        for tid in one.tids:
            by_token.setdefault(one.token, []).append((tid, one))
    for token, told in by_token.items():
        told.sort(key=lambda pair: (pair[0].at_us, order_of(pair[0].event_id)))
        first = told[0]
        wanted = card.rows[token].tid_token if token in card.rows else None
        for tid, one in told:
            if wanted is not None and tid.tid_token != wanted:
                found.append(_tid_proof((tid, one)))
                break
            if tid.tid_token != first[0].tid_token:
                found.append(_tid_proof(first, (tid, one)))
                break
    return min(found, key=lambda one: (one.at_us, one.evidence), default=None)


def _tid_proof(*told: tuple[Tid, Stay]) -> FlagProof:
    return FlagProof(
        kind="tid_mismatch",
        at_us=max(tid.at_us for tid, _ in told),
        evidence=tuple(dict.fromkeys(tid.event_id for tid, _ in told)),
        pairs=tuple(dict.fromkeys(one.pair for _, one in told)),
    )


def _dead_card(card: Card, stays: Sequence[Stay]) -> FlagProof | None:
    return next((_proof("dead_card", (one,)) for one in dead_stays(card, stays)), None)


def dead_stays(card: Card, stays: Iterable[Stay]) -> Iterator[Stay]:
    """The stays that went on when the card was not in force, by all that is known of it now."""
    for one in stays:
        row = card.rows.get(one.token)
        if row is None or not (row.statuses or row.expires_us):
            continue
        if state_at(row, one.last_us, None) != "active":
            yield one


def _proof(kind: FlagKind, stays: tuple[Stay, ...], *, unverified: bool = False) -> FlagProof:
    return FlagProof(
        kind=kind,
        at_us=max(one.first_us for one in stays),
        evidence=tuple(one.event_id for one in stays),
        pairs=tuple(dict.fromkeys(one.pair for one in stays)),
        unverified=unverified,
    )
