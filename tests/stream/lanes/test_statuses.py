"""Cards that should not be used: as of the first read at primary."""

import msgspec
import pytest

from schemas.message import Message
from schemas.reference import Credential, CredentialStatus
from schemas.watch import CredentialFlag, FlagProof
from tests.stream.border import ROWS, Border, Desk, at, card, tick
from tests.stream.lanes.test_step import arrive, plain


def ana(state: str, effective: float, accepted: float) -> Credential:
    status = CredentialStatus(
        state=state,  # type: ignore[arg-type]
        effective_from_us=at(effective),
        accepted_at_us=at(accepted),
    )
    return msgspec.structs.replace(card("k1.ana", "person:ana"), statuses=(status,))


def rows_with(row: Credential) -> tuple[Message, ...]:
    return tuple(
        row if isinstance(one, Credential) and one.token == row.token else one for one in ROWS
    )


@pytest.mark.parametrize("state", ["lost", "stolen", "revoked", "suspended", "expired"])
def test_a_card_that_is_bad_when_read_at_primary_is_flagged_and_alerted_once(state: str) -> None:
    border = Border(rows=rows_with(ana(state, -100, -50))).feed(*plain())
    assert f"card_{state}" in border.notice().flags
    assert [alert.kind for alert in border.written("alerts")] == ["credential_status"]
    assert len(border.records()) == 1


def test_a_card_that_turns_bad_only_after_primary_is_good() -> None:
    border = Border(rows=rows_with(ana("revoked", 60, -50))).feed(*plain())
    assert border.written("alerts") == []
    assert "card_revoked" not in border.notice().flags


def test_a_revocation_accepted_after_the_end_is_shown_as_late_and_changes_no_record() -> None:
    border = Border().feed(*plain())
    before = border.written("border-records")
    border.change_row(ana("revoked", -100, 600))
    assert "card_revoked_late" in border.notice().flags
    assert [alert.kind for alert in border.written("alerts")] == ["credential_status_late"]
    assert border.written("border-records") == before


def test_a_revocation_accepted_in_time_but_delivered_late_counts_as_if_it_had_come() -> None:
    border = Border().feed(*plain(), tick(700))
    border.change_row(ana("revoked", -100, -50))
    assert "card_revoked" in border.notice().flags


def test_a_status_of_the_future_takes_effect_at_its_time() -> None:
    desk = Desk()
    border = Border(rows=rows_with(ana("revoked", 300, -50)))
    border.feed(desk.seen("k1.truck1", "L01-queue", 0), desk.seen("k1.ana", "L01-queue", 0.1))
    assert "card_revoked" not in border.notice().flags
    border.feed(tick(310), desk.seen("k1.ana", "L01-primary", 320))
    assert "card_revoked" in border.notice().flags


def test_two_tokens_of_one_card_are_one_card() -> None:
    other = msgspec.structs.replace(card("k2.ana", "person:ana"), credential_id="cr-k1.ana")
    desk = Desk()
    border = Border(rows=(*ROWS, other)).feed(
        desk.seen("k1.ana", "L01-queue", 0), desk.seen("k2.ana", "L01-primary", 900)
    )
    read = [link for link in border.notice().links if link.basis == "read"]
    assert [link.credential_id for link in read] == ["cr-k1.ana"]


def test_what_the_watch_stage_says_of_a_card_is_a_finding_until_it_is_cleared() -> None:
    border = Border().feed(*arrive(Desk()))
    proof = FlagProof(
        kind="impossible_travel", at_us=at(5), evidence=("gw1.e1.2",), pairs=("lar-wtb",)
    )
    flag = CredentialFlag(credential_id="cr-k1.ana", proofs=(proof,), tokens=("k1.ana",))
    border.change_row(flag)
    assert "impossible_travel" in border.notice().flags
    border.change_row(msgspec.structs.replace(flag, proofs=()))
    assert "impossible_travel" not in border.notice().flags


@pytest.mark.parametrize(("read", "card_id"), [("k2.ana", "cr-k1.ana"), ("k9.new", "k9.new")])
def test_a_flag_reaches_a_crossing_by_another_token_of_the_card_and_that_of_an_unknown_card(
    read: str, card_id: str
) -> None:
    other = msgspec.structs.replace(card("k2.ana", "person:ana"), credential_id="cr-k1.ana")
    border = Border(rows=(*ROWS, other)).feed(Desk().seen(read, "L01-queue", 0))
    token = "k1.ana" if card_id == "cr-k1.ana" else read
    proof = FlagProof(kind="two_lanes", at_us=at(5), evidence=("gw9.e1.1",), pairs=("lar-wtb",))
    border.change_row(CredentialFlag(credential_id=card_id, proofs=(proof,), tokens=(token,)))
    assert "two_lanes" in border.notice().flags


def test_a_proof_that_came_after_the_end_is_shown_as_late_and_only_where_it_was_heard() -> None:
    border = Border().feed(*arrive(Desk()), Desk("officer").decision("released", 30), tick(700))
    proof = FlagProof(
        kind="two_lanes", at_us=at(600), evidence=("gw9.e1.1", "gw9.e1.2"), pairs=("lar-wtb",)
    )
    flag = CredentialFlag(credential_id="cr-k1.ana", proofs=(proof,), tokens=("k1.ana",))
    count = len(border.change_row(flag).written("arrivals"))
    assert not {"two_lanes", "two_lanes_late"} & set(border.notice().flags)
    heard = next(event for event in border.notice().source_event_ids if event.startswith("gw1"))
    every = msgspec.structs.replace(proof, evidence=border.notice().source_event_ids)
    assert heard in every.evidence
    border.change_row(msgspec.structs.replace(flag, proofs=(every,)))
    assert "two_lanes_late" in border.notice().flags
    assert len(border.written("arrivals")) == count + 1
