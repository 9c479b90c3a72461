"""What staff are told of a card: once for each kind and port pair, as long as it holds.

The lanes stage gives the alert of a card that is lost, stolen, revoked, suspended or expired, for each crossing;
here only those are told that were heard without any crossing. Tokens stand in no text.
"""

from collections.abc import Iterator
from typing import Final

from schemas.alert import Alert
from schemas.watch import FlagKind, FlagProof
from stream.lanes.statuses import state_at
from stream.watch.proofs import Card, dead_stays
from stream.watch.rows import CardRow

_WHAT: Final[dict[FlagKind, str]] = {
    "impossible_travel": (
        "The card was heard at two ports in less time than anybody needs from one to the other: one of them may be a "
        "copy. Look at the card itself; it opens no special lane until its authority puts it in force again."
    ),
    "two_lanes": (
        "The card was heard in two lanes at once that are not beside each other: one of them may be a copy. Look at "
        "the card itself; it opens no special lane until its authority puts it in force again."
    ),
    "tid_mismatch": (
        "Another chip than the card's own answered with its number: it may be a copy. Look at the card itself; it "
        "opens no special lane until its authority puts it in force again."
    ),
}


def alert_of(credential_id: str, proof: FlagProof, pair: str) -> Alert:
    """The alert of one kind at one port pair."""
    what = _WHAT[proof.kind]
    if proof.unverified:
        what += " The ports' coordinates are unverified."
    return Alert(
        alert_id=f"{proof.kind}|{credential_id}|{proof.evidence[-1]}|{pair}",
        kind=proof.kind,  # type: ignore[arg-type]  # a dead card gets other alerts
        severity="critical",
        subject=credential_id,
        pair=pair,
        at_us=proof.at_us,
        evidence=proof.evidence,
        what_to_do=what,
    )


def unheeded(row: CardRow, card: Card) -> Iterator[tuple[str, Alert]]:
    """Alerts of a card that was not in force and was heard without a crossing, one a port pair, by name."""
    told: set[str] = set()
    for stay in dead_stays(card, row.stays):
        if stay.crossing_id is not None or stay.untrusted or stay.pair in told:
            continue
        told.add(stay.pair)
        state = state_at(card.rows[stay.token], stay.last_us, None)
        late = state_at(card.rows[stay.token], stay.last_us, stay.last_us) == "active"
        kind = "credential_status_late" if late else "credential_status"
        yield (
            f"dead_card|{stay.pair}",
            Alert(
                alert_id=f"{kind}|{stay.event_id}|{row.credential_id}|{state}",
                kind="credential_status_late" if late else "credential_status",
                severity="warning" if late else "critical",
                subject=row.credential_id,
                pair=stay.pair,
                at_us=stay.first_us,
                evidence=(stay.event_id,),
                what_to_do=f"A card that is {state} was heard, and no crossing goes with it.",
            ),
        )
