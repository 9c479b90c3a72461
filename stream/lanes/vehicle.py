"""From a joined crossing to what the rules look at: as of the first read at primary, before it as of the ETA."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.reference import Credential, Membership, Party, Shipment, Trip
from stream.lanes.fees import fee_of
from stream.lanes.join import Joined, Known
from stream.lanes.rows import Crossing
from stream.lanes.statuses import moment_of, standing, state_at
from stream.policy.eligibility import Goods, Holder, Load, Programmes, Vehicle
from stream.reference import Reference


class AsOf(NamedTuple):
    """The moment of a judgement (`stream.policy.in_force.Moment`)."""

    at_us: int
    known_by_us: int | None


def as_of(crossing: Crossing) -> AsOf:
    """When a crossing is judged, and by when what counts must have been accepted: by its end."""
    return AsOf(moment_of(crossing, 0), crossing.ended_at_us)


def vehicle_of(joined: Joined, reference: Reference, moment: AsOf) -> Vehicle:
    """What is known of the vehicle at the moment."""
    trip = joined.trip
    return Vehicle(
        load=load_of(joined),
        holders=tuple(_holders(joined, reference, moment)),
        carrier=_programmes(trip.carrier if trip else None, reference, moment),
        goods=tuple(_goods(one, reference, moment) for one in (trip.shipments if trip else ())),
        sealed=_sealed(trip),
        seal_mismatch="seal_mismatch" in joined.flags,
        seal_unread="seal_unread" in joined.flags,
        fee=fee_of(joined, reference, moment),
    )


def load_of(joined: Joined) -> Load:
    """Whether the vehicle is loaded, by its trip and by the trailers that were heard."""
    if joined.trip is None:
        return "unknown"
    if "trailer_mismatch" in joined.flags or "trailer" in joined.trip.unresolved:
        return "unknown"
    trailers = joined.trip.trailers
    loads = {one.load for one in trailers}
    if "loaded" in loads or joined.trip.shipments:
        return "loaded"
    towed = any(link.role == "trailer" for link in joined.links)
    if not trailers:
        return "unknown" if towed else "bobtail"
    return "unknown" if "unknown" in loads else "empty"


def _holders(joined: Joined, reference: Reference, moment: AsOf) -> Iterator[Holder]:
    """Everybody in the cab but declared passengers; a driver who was not heard is unknown."""
    cards: dict[str, Known] = {}
    for one in joined.known:
        if one.person is not None:
            cards.setdefault(one.person, one)
    for link in joined.links:
        if link.role not in ("driver", "person"):
            continue
        card = None if link.id is None or link.basis != "read" else cards.get(link.id)
        if card is None or card.credential is None or card.person is None:
            yield Holder(known=False)
        elif card.keyed_by is not None:
            yield _best(reference.credentials_of(card.person), reference, moment)
        else:
            yield _held(card.credential, reference, moment)


def _held(card: Credential, reference: Reference, moment: AsOf) -> Holder:
    flag = reference.credential_flag(card.credential_id)
    state = state_at(card, moment.at_us, moment.known_by_us)
    if standing(flag, moment.known_by_us):
        state = "flagged"
    return Holder(known=True, programme=card.programme, state=state)


def _best(cards: Iterable[Credential], reference: Reference, moment: AsOf) -> Holder:
    """The card that a keyed person holds; of several an active one with a programme."""
    held = [_held(one, reference, moment) for one in cards if one.kind == "driver_card"]
    held.sort(key=lambda one: (one.state != "active", one.programme is None, one.programme or ""))
    return held[0] if held else Holder(known=False)


def _goods(shipment: Shipment, reference: Reference, moment: AsOf) -> Goods:
    return Goods(
        importer=_programmes(shipment.importer, reference, moment),
        manufacturer=_programmes(shipment.manufacturer, reference, moment),
        other_department=shipment.other_department,
    )


def _programmes(party: str | None, reference: Reference, moment: AsOf) -> Programmes | None:
    row: Party | None = None if party is None else reference.party(party)
    if row is None:
        return None
    latest: dict[tuple[str, str], Membership] = {}
    for one in sorted(row.memberships, key=lambda one: one.effective_from_us):
        known_by = moment.known_by_us
        if one.effective_from_us <= moment.at_us and (
            known_by is None or one.accepted_at_us <= known_by
        ):
            latest[one.programme, one.country] = one
    return frozenset(one.programme for one in latest.values() if one.state == "member")


def _sealed(trip: Trip | None) -> bool:
    loaded = [one for one in trip.trailers if one.load != "empty"] if trip else []
    return bool(loaded) and all(one.seals for one in loaded)
