"""What is written when a crossing ends: one row a person, and what stays unmatched."""

from typing import Final

from schemas.border import CrossingEnded, Side, Unmatched, UnmatchedKind
from schemas.gate import Sighting
from schemas.message import Country, Message
from stream.lanes.crossing import (
    country_entered,
    country_left,
    overall_ruling,
    ruling_for,
)
from stream.lanes.join import NEAR, Joined
from stream.lanes.rows import Corrected, Crossing, Emitted, Pending, Waiting
from stream.reference import Reference

#: Who runs the booths: US Customs and Border Protection, Canada Border Services Agency, Agencia Nacional
#: de Aduanas de México; used while the site's row names nobody else.
AUTHORITIES: Final[dict[Country, str]] = {"US": "CBP", "CA": "CBSA", "MX": "ANAM"}

_WHY: Final[dict[UnmatchedKind, str]] = {
    "unknown_card": "A card was heard for which there is no credential.",
    "declared_not_seen": "The trip declares this person, and no card of theirs was heard near the booth.",
    "driver_unread": "The vehicle entered, and nobody in it is known.",
    "decision_without_crossing": "Nothing was heard at that booth at the time of the decision.",
    "correction_without_crossing": "The crossing that was to be set right is not known here (any more).",
    "crossing_without_end": "Nothing more was heard of the vehicle, and no officer decided.",
    "too_late": "The sighting is older than the crossings that can still be revised.",
}


def crossing_ended(
    crossing: Crossing, joined: Joined, reference: Reference, one: Emitted, revision: int
) -> CrossingEnded:
    """The row for a person."""
    ruling = ruling_for(crossing, one.person) or overall_ruling(crossing)
    cards = tuple(
        event_id
        for known in joined.known
        if known.person == one.person and known.heard.position in NEAR
        for event_id in known.heard.event_ids
    )
    words = () if ruling is None else (ruling.event_id,)
    corrections = tuple(
        word.event_id for word in crossing.corrected if one.person in (word.person, word.to_person)
    )
    return CrossingEnded(
        crossing_id=crossing.crossing_id,
        person=one.person,
        role=one.role,
        revision=revision,
        how=one.how,
        pair=crossing.pair,
        entered=_side(crossing, reference, country_entered(crossing), crossing.lane),
        left=_side(crossing, reference, country_left(crossing), None),
        at_us=one.at_us,
        source_event_ids=(*cards, *words, *corrections),
    )


def wanted_waiting(
    crossing: Crossing, joined: Joined, ends: tuple[Emitted, ...]
) -> tuple[Waiting, ...]:
    """What the crossing leaves unmatched as it stands."""
    if crossing.merged_into is not None:
        return ()
    found = [
        _waiting("unknown_card", known.heard.token, known.heard.first_us)
        for known in joined.known
        if known.credential is None
    ]
    # A crossing that was lost, and whose trip was used at another port later, is diverted: that is its end.
    if crossing.lost_at_us is not None and crossing.how is None:
        found.append(_waiting("crossing_without_end", None, crossing.last_us))
    entered = [one for one in ends if one.how == "entered"]
    if entered:
        seen = {one.person for one in entered}
        expected = (*joined.trip.drivers, *joined.trip.passengers) if joined.trip else ()
        found.extend(
            _waiting("declared_not_seen", person, entered[0].at_us)
            for person in expected
            if person not in seen
        )
        if seen == {None} and not expected:
            found.append(_waiting("driver_unread", None, entered[0].at_us))
    first = {(one.kind, one.subject): one for one in reversed(found)}
    return tuple(sorted(first.values(), key=lambda one: (one.kind, one.subject or "")))


def waiting_rows(crossing: Crossing, wanted: tuple[Waiting, ...], cause: str) -> list[Message]:
    """Rows of the unmatched queue that open or close what changed."""
    before = {(one.kind, one.subject): one for one in crossing.waiting}
    now = {(one.kind, one.subject): one for one in wanted}
    rows: list[Message] = [
        unmatched(crossing, one) for key, one in now.items() if key not in before
    ]
    rows.extend(
        unmatched(crossing, one, closed_by=cause) for key, one in before.items() if key not in now
    )
    return rows


def unmatched(crossing: Crossing, one: Waiting, *, closed_by: str | None = None) -> Unmatched:
    """A row of the unmatched queue about a crossing."""
    return Unmatched(
        unmatched_id="|".join((crossing.crossing_id, one.kind, one.subject or "")),
        kind=one.kind,
        pair=crossing.pair,
        crossing_id=crossing.crossing_id,
        subject=one.subject,
        since_us=one.since_us,
        why=_WHY[one.kind],
        evidence=tuple(
            event_id
            for heard in crossing.heard
            if one.subject in (None, heard.token)
            for event_id in heard.event_ids
        ),
        closed_by=closed_by,
        closed_at_us=None if closed_by is None else crossing.at_us,
    )


def without_crossing(row: Pending) -> Unmatched:
    """An officer's word that is about no crossing."""
    word = row.word
    is_correction = isinstance(word, Corrected)
    kind: UnmatchedKind = (
        "correction_without_crossing" if is_correction else "decision_without_crossing"
    )
    return Unmatched(
        unmatched_id=f"{word.event_id}|{kind}",
        kind=kind,
        pair=row.pair,
        crossing_id=word.named,
        subject=word.event_id,
        since_us=word.at_us,
        why=_WHY[kind],
        evidence=(word.event_id,),
    )


def too_late(sighting: Sighting) -> Unmatched:
    """A sighting from before everything that can still be revised."""
    return Unmatched(
        unmatched_id=f"{sighting.event_id}|too_late",
        kind="too_late",
        pair=sighting.pair,
        crossing_id=None,
        subject=sighting.token,
        since_us=sighting.first_us,
        why=_WHY["too_late"],
        evidence=(sighting.event_id,),
    )


def _waiting(kind: UnmatchedKind, subject: str | None, since_us: int) -> Waiting:
    return Waiting(kind=kind, subject=subject, since_us=since_us)


def _side(crossing: Crossing, reference: Reference, country: Country, lane: str | None) -> Side:
    """An office, from the site's row, else from the port table where its code has a source."""
    site = reference.site(crossing.pair)
    for office in site.offices if site else ():
        if office.country == country:
            return Side(
                country=country,
                office_code=office.office_code,
                authority=office.authority,
                lane=lane,
            )
    port = reference.ports.get(crossing.pair)
    code = None
    if port is not None and country == "US":
        code = port.us_port_code
    elif port is not None and port.other_country == country and port.other_code_verified:
        code = port.other_office_code
    return Side(country=country, office_code=code, authority=AUTHORITIES[country], lane=lane)
