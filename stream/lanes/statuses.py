"""Cards that are lost, stolen, revoked, suspended, expired or flagged: as of the first read at primary.

Before that read, as of the time at which the vehicle is expected there. A status that was accepted after the
crossing's end changes no outcome: it is shown as late and raises an alert afterwards.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.alert import Alert
from schemas.reference import Credential, CredentialStatus
from schemas.watch import CredentialFlag, FlagProof
from stream.lanes.crossing import expected_us, primary_us
from stream.lanes.join import Known
from stream.lanes.rows import Crossing
from stream.reference import Reference


class Bad(NamedTuple):
    """A card that should not be used, and why."""

    credential_id: str
    state: str
    #: Accepted only after the crossing's end.
    late: bool
    #: The first event that heard the card.
    evidence: tuple[str, ...]
    #: Bad when it was read, not only when the vehicle is expected at primary.
    read: bool = True


def moment_of(crossing: Crossing, now_us: int) -> int:
    """As of when the crossing's cards are judged."""
    at_primary = primary_us(crossing)
    if at_primary is not None:
        return at_primary
    if crossing.ended_at_us is not None:
        return crossing.ended_at_us
    expected = expected_us(crossing) if crossing.eta is None else crossing.eta.p50_us
    if crossing.lost_at_us is not None:
        return max(expected or crossing.last_us, now_us)
    return max(expected or crossing.last_us, crossing.passed_us, now_us)


def bad_cards(crossing: Crossing, known: Iterable[Known], now_us: int = 0) -> Iterator[Bad]:
    """Every card of the crossing that should not be used, each once."""
    seen: set[str] = set()
    moment: int | None = None
    for one in known:
        card = one.credential
        if card is None or not (card.statuses or card.expires_us) or card.credential_id in seen:
            continue
        seen.add(card.credential_id)
        if moment is None:
            moment = moment_of(crossing, now_us)
        state = state_at(card, moment, crossing.ended_at_us)
        if state != "active":
            read = (
                primary_us(crossing) is not None
                or state_at(card, one.heard.first_us, crossing.ended_at_us) != "active"
            )
            yield Bad(
                card.credential_id,
                state,
                late=False,
                evidence=one.heard.event_ids[:1],
                read=read,
            )
            continue
        later = state_at(card, moment, None)
        if later != "active":
            yield Bad(card.credential_id, later, late=True, evidence=one.heard.event_ids[:1])


def status_flags(
    crossing: Crossing, known: tuple[Known, ...], reference: Reference
) -> Iterator[str]:
    """What a notice says of the cards."""
    for bad in bad_cards(crossing, known):
        yield f"card_{bad.state}_late" if bad.late else f"card_{bad.state}"
    for one in known:
        if one.card is not None:
            yield from _watched(crossing, one, reference.credential_flag(one.card))


def standing(flag: CredentialFlag | None, known_by: int | None) -> tuple[FlagProof, ...]:
    """What the watch stage proved of a card by then (None: until now), beside its status, which is judged here."""
    return tuple(
        proof
        for proof in (() if flag is None else flag.proofs)
        if proof.kind != "dead_card" and (known_by is None or proof.at_us <= known_by)
    )


def _watched(crossing: Crossing, one: Known, flag: CredentialFlag | None) -> Iterator[str]:
    """What is wrong with a card of the crossing; `_late`: its own sightings prove it with later ones."""
    for proof in standing(flag, None):
        if crossing.ended_at_us is None or proof.at_us <= crossing.ended_at_us:
            yield proof.kind
        elif not set(one.heard.event_ids).isdisjoint(proof.evidence):
            yield f"{proof.kind}_late"


def recheck_us(crossing: Crossing, known: Iterable[Known], now_us: int) -> int | None:
    """When time alone will change what is known of the cards, None when it will not."""
    if crossing.ended_at_us is not None or primary_us(crossing) is not None:
        return None
    moment = moment_of(crossing, now_us)
    turns = [
        at_us
        for one in known
        if one.credential is not None
        for at_us in _turns(one.credential)
        if at_us > moment
    ]
    return min(turns, default=None)


def card_alerts(crossing: Crossing, known: tuple[Known, ...]) -> Iterator[Alert]:
    """An alert for each bad card that was heard."""
    for bad in bad_cards(crossing, known):
        if not bad.read:
            continue
        kind = "credential_status_late" if bad.late else "credential_status"
        yield Alert(
            alert_id=f"{kind}|{crossing.crossing_id}|{bad.credential_id}|{bad.state}",
            kind="credential_status_late" if bad.late else "credential_status",
            severity="warning" if bad.late else "critical",
            subject=bad.credential_id,
            pair=crossing.pair,
            at_us=crossing.at_us,
            evidence=bad.evidence,
            what_to_do=(
                f"A card was used that is {bad.state}; that became known after the crossing's end: look at its record."
                if bad.late
                else f"A card that is {bad.state} was heard: the officer decides."
            ),
        )


def state_at(card: Credential, moment: int, known_by: int | None) -> str:
    """A card's state at the moment, by what had been accepted by `known_by` (None: by all that is known)."""
    status: CredentialStatus | None = None
    for one in card.statuses:
        if one.effective_from_us <= moment and (known_by is None or one.accepted_at_us <= known_by):
            status = one
    state = "active" if status is None else status.state
    if state == "active" and card.expires_us is not None and card.expires_us <= moment:
        return "expired"
    return state


def _turns(card: Credential) -> Iterator[int]:
    for status in card.statuses:
        yield status.effective_from_us
    if card.expires_us is not None:
        yield card.expires_us
