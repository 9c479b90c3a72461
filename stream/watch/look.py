"""Look at a card again: what its stays prove now, what of that is new, and when time alone changes it."""

from typing import Final

from msgspec.structs import replace

from schemas.alert import Alert
from schemas.watch import CredentialFlag, FlagProof, LastPlace
from stream.reference import Reference
from stream.stage import Output
from stream.watch.alerts import alert_of, unheeded
from stream.watch.proofs import AHEAD_US, Card, card_of, proofs_of
from stream.watch.rows import HOUR, MINUTE, CardRow, Stay
from stream.watch.stays import WINDOW_US, kept, shows, told_of

#: A trailer that has not been heard for so long stands somewhere, or has left.
REST_US: Final = 30 * MINUTE

#: The last place of a trailer is remembered for so long; the topic keeps it.
PLACE_US: Final = 90 * 24 * HOUR

#: Later than any time.
NEVER_US: Final = 1 << 62


def look_at(row: CardRow, now_us: int, reference: Reference) -> tuple[CardRow | None, list[Output]]:
    """The row as it is now, None when there is nothing to remember; and what is new about it."""
    outputs = _moved(row, reference)
    if outputs:
        row = replace(row, stays=())
    card = card_of(row.credential_id, row.stays, reference)
    proofs = proofs_of(card, row.stays, now_us, reference) if row.stays else ()
    evidence = {event_id for proof in proofs for event_id in proof.evidence}
    stays = kept(row.stays, evidence, now_us)
    tokens = row.tokens
    if proofs != row.proofs:
        shown = {one.token for one in row.stays if shows(one, evidence)}
        tokens = tuple(sorted(shown)) if proofs else row.tokens
        flag = CredentialFlag(credential_id=row.credential_id, proofs=proofs, tokens=tokens)
        outputs.append(Output("credential-flags", flag))
    alerted, alerts = _alerts(row, card, proofs)
    outputs += [Output("alerts", alert) for alert in alerts]
    place, told = _place(row, card, now_us)
    outputs += told
    after = replace(
        row,
        stays=stays,
        proofs=proofs,
        tokens=tokens if proofs else (),
        alerted=alerted,
        place=place,
    )
    after = replace(after, due_us=_due_us(after, card, now_us))
    nothing = not (after.stays or after.proofs or after.place)
    return None if nothing else after, outputs


def _moved(row: CardRow, reference: Reference) -> list[Output]:
    """The stays of an unknown card, told again under the id that it has now; none while it is unknown."""
    known = reference.credential(row.credential_id)
    if known is None or known.credential_id == row.credential_id:
        return []
    return [
        Output("credential-sightings", told)
        for stay in row.stays
        for told in told_of(stay, known.credential_id)
    ]


def _alerts(
    row: CardRow, card: Card, proofs: tuple[FlagProof, ...]
) -> tuple[tuple[str, ...], list[Alert]]:
    """The alerts that hold, and those that are new: one for each kind and port pair."""
    found: dict[str, Alert] = {}
    for proof in proofs:
        if proof.kind == "dead_card":
            found.update(unheeded(row, card))
        else:
            for pair in proof.pairs:
                found[f"{proof.kind}|{pair}"] = alert_of(row.credential_id, proof, pair)
    return tuple(sorted(found)), [found[name] for name in sorted(set(found) - set(row.alerted))]


def _place(row: CardRow, card: Card, now_us: int) -> tuple[Stay | None, list[Output]]:
    """Where a trailer's tag was heard last, once it is quiet; and the row that says so, when it is new."""
    past = [one for one in row.stays if one.last_us <= now_us + AHEAD_US]
    last = max(past, key=lambda one: (one.last_us, one.key), default=None)
    if last is None or card.trailer is None or now_us < last.last_us + REST_US:
        forgotten = row.place is not None and now_us > row.place.last_us + PLACE_US
        return None if forgotten else row.place, []
    if row.place is not None and last.last_us <= row.place.last_us:
        return row.place, []
    told = LastPlace(
        credential_id=row.credential_id,
        trailer=card.trailer,
        pair=last.pair,
        lane=last.lane,
        read_point=last.read_point,
        position=last.position,
        direction=last.direction,
        last_us=last.last_us,
        source_event_id=last.event_id,
        crossing_id=last.crossing_id,
        untrusted=last.untrusted,
    )
    return last, [Output("last-places", told)]


def _due_us(row: CardRow, card: Card, now_us: int) -> int:
    """When time alone changes the row."""
    evidence = {event_id for proof in row.proofs for event_id in proof.evidence}
    place_us = None if card.trailer is None else 0 if row.place is None else row.place.last_us
    times = [turn_us(one, now_us, place_us, pinned=shows(one, evidence)) for one in row.stays]
    if row.place is not None and not row.stays:
        times.append(row.place.last_us + PLACE_US + 1)
    return min(times, default=NEVER_US)


def turn_us(stay: Stay, now_us: int, place_us: int | None, *, pinned: bool = False) -> int:
    """When time alone changes what a stay is good for.

    `place_us`: of a trailer's tag, when it was last said to be somewhere. `pinned`: it is kept for what it proves.
    """
    if stay.last_us > now_us + WINDOW_US and not pinned:
        return 0  # no time at all: it goes at the next tick
    if now_us < stay.first_us - AHEAD_US:
        return stay.first_us - AHEAD_US  # believed when it has come
    if place_us is not None and place_us < stay.last_us and now_us < stay.last_us + REST_US:
        return stay.last_us + REST_US
    return NEVER_US if pinned else stay.last_us + WINDOW_US + 1
