"""Watch lists: which listings the cards of a crossing are on. Nothing here touches what anybody else is told.

A listing counts as rules do: as of the first read at primary, before it of the ETA. One that was accepted only after
the crossing's end is shown as `late`. All cards count that were heard, that belong to somebody or something that an
officer keyed, or to what the crossing's trip declares.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from schemas.message import Message
from schemas.reference import Credential, Trip
from schemas.restricted import Hit, Listing, RestrictedReferral
from stream.lanes.rows import Crossing, Watched
from stream.lanes.shelves import LanesState
from stream.lanes.vehicle import as_of
from stream.reference import Reference, declared
from stream.trips.versions import usable_by

#: Hits of one crossing that are told; bounds the row.
MAX_HITS: Final = 256

Basis = Literal["read", "keyed", "declared"]


class Looked(NamedTuple):
    """What is remembered of a crossing, and what cleared readers get."""

    row: Watched
    referral: RestrictedReferral


def look(crossing: Crossing, before: Watched | None, reference: Reference) -> Looked | None:
    """What differs from what was last written about the crossing's hits, None when nothing does."""
    if before is None and not reference.has_watch_lists:
        return None
    hits = hits_of(crossing, reference)
    told = () if before is None else before.hits
    if hits == told and (not hits or before is None or before.lane == crossing.lane):
        return None
    revision = 1 if before is None else before.revision + 1
    referral = RestrictedReferral(
        crossing_id=crossing.crossing_id,
        revision=revision,
        pair=crossing.pair,
        direction=crossing.direction,
        lane=crossing.lane,
        hits=hits,
        cleared=not hits,
        first_us=crossing.first_us,
        at_us=crossing.at_us,
    )
    return Looked(Watched(revision=revision, lane=crossing.lane, hits=hits), referral)


def hits_of(crossing: Crossing, reference: Reference) -> tuple[Hit, ...]:
    """Every listing in force of every card of the crossing, sorted."""
    if crossing.merged_into is not None or not reference.has_watch_lists:
        return ()
    moment = as_of(crossing)
    found = []
    for card, basis in _cards(crossing, reference).items():
        entry = reference.watch_list_entry(card)
        for one in entry.listings if entry is not None else ():
            if one.holds_at(moment.at_us):
                ended = moment.known_by_us
                found.append(
                    _hit(card, one, basis, late=ended is not None and one.accepted_at_us > ended)
                )
    found.sort(key=lambda hit: (hit.credential_id, hit.list_id, hit.entry_id, hit.version))
    return tuple(found[:MAX_HITS])


def touched_by_lists(
    state: LanesState, reference: Reference, topic: str, key: str, message: Message | None
) -> Iterable[Crossing]:
    """The crossings whose hits a changed row may change, each once. `reference` holds the row already."""
    if topic not in ("watch-lists", "credentials"):
        return ()
    if not (reference.has_watch_lists or state.watched()):
        return ()
    cards: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    card: str | None = None
    if topic == "watch-lists":
        card = key
        rows = [reference.credential(token) for token in reference.tokens_of(key)]
        cards = (key, *(row.token for row in rows if row is not None))
        holders = tuple(row.holder for row in rows if row is not None)
    elif isinstance(message, Credential):
        card, holders = message.credential_id, (message.holder,)
    found: dict[str, Crossing] = {}
    for token in cards:
        _add(found, state.with_token(token))
    for holder in holders:
        _add(found, state.keyed_in(holder))
    for trip in reference.trips_ever_declaring(holders):
        _add(found, state.joined_with(trip.trip_number))
    # A row that is gone or changed does not tell any more whose card it was.
    _add(found, _still_hit(state, card))
    return found.values()


def _still_hit(state: LanesState, card: str | None) -> Iterator[Crossing]:
    """Crossings that cleared readers know because of the card; None: because of any card."""
    for crossing_id, row in state.watched():
        crossing = state.crossing(crossing_id)
        if crossing is not None and any(card in (None, hit.credential_id) for hit in row.hits):
            yield crossing


def _cards(crossing: Crossing, reference: Reference) -> dict[str, Basis]:
    """Credential ids (of unknown cards their tokens) and how they belong to the crossing: the strongest way first."""
    found: dict[str, Basis] = {}
    for heard in crossing.heard:
        row = reference.credential(heard.token)
        found.setdefault(heard.token if row is None else row.credential_id, "read")
    for word in crossing.keyed:
        for row in reference.credentials_of(word.subject):
            found.setdefault(row.credential_id, "keyed")
    for holder in declared(trip) if (trip := _trip(crossing, reference)) is not None else ():
        for row in reference.credentials_of(holder):
            found.setdefault(row.credential_id, "declared")
    return found


def _trip(crossing: Crossing, reference: Reference) -> Trip | None:
    trip = None if crossing.trip is None else reference.trip(crossing.trip)
    if trip is None:
        return None
    return usable_by(trip, crossing.crossing_id, crossing.ended_at_us)


def _hit(card: str, one: Listing, basis: Basis, *, late: bool) -> Hit:
    return Hit(
        credential_id=card,
        list_id=one.list_id,
        version=one.version,
        entry_id=one.entry_id,
        owner=one.owner,
        basis=basis,
        late=late,
        reason=one.reason,
    )


def _add(found: dict[str, Crossing], more: Iterable[Crossing]) -> None:
    found.update((one.crossing_id, one) for one in more)
