"""Events of a gateway that signs, as its outbox writes them, at the door of the lanes stage."""

import msgspec
import pytest
from msgspec.structs import replace

from gateway.batch import EventRow
from gateway.outbox_chain import Tail, stored_rows
from gateway.signing import Signer, key_row
from schemas.alert import Alert, Rejected
from schemas.chain import CHAIN, SIGNATURE
from schemas.gate import EpochStarted, Heartbeat, Skipped
from schemas.message import Message
from schemas.policy import Switches
from schemas.topics import partition_of
from schemas.wire import encode
from stream.lanes.rows import Sequence, chain_key, sequence_key
from stream.lanes.step import LANES
from stream.log.contract import Record
from stream.reference import Reference
from stream.stage import advance
from tests.schemas.samples import SAMPLES

PAIR = "lar-wtb"
SIGNER = Signer.from_seed(bytes(range(32)))
BEAT = next(one for one in SAMPLES if isinstance(one, Heartbeat))
T = BEAT.at_us


def beat(seq: int) -> Message:
    return replace(BEAT, event_id=f"gw1.e1.{seq}", at_us=T + seq)


def records(*commits: list[Message], signer: Signer | None = SIGNER) -> list[Record]:
    """The records that the gateway's publisher would write, commit by commit."""
    tail = Tail(1, 0, None, 0, None)
    found = []
    for commit in commits:
        events = [
            EventRow(int(one.event_id.rpartition(".")[2]), one.at_us, encode(one))  # type: ignore[attr-defined]
            for one in commit
        ]
        rows, tail = stored_rows(tail, events, signer, "gw1", "e1")
        for _, _, value, link, signature in rows:
            headers = [(CHAIN, link), (SIGNATURE, signature)]
            found.append(record(value, tuple((n, v) for n, v in headers if v is not None)))
    return found


def record(value: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> Record:
    return Record(
        "gate-events", partition_of(PAIR.encode(), 6), 0, PAIR.encode(), value, headers, 0
    )


class Door:
    """The stage with one partition's state."""

    def __init__(self, *, keys: bool = True) -> None:
        self.reference = Reference()
        self.state = LANES.new_state()
        self.alerts: list[Alert] = []
        self.rejected: list[Rejected] = []
        if keys:
            self.know(SIGNER)

    def know(self, signer: Signer, *, since_us: int = T) -> None:
        row = key_row("gw1", signer, since_us)
        self.reference.fold("policies", row.policy_id, row)

    def take(self, *given: Record) -> "Door":
        for one in given:
            for step in advance(LANES, self.state, self.reference, one):
                self.state.apply(step.changes)
                said = [output.message for output in step.outputs]
                self.alerts += [message for message in said if isinstance(message, Alert)]
                self.rejected += [message for message in said if isinstance(message, Rejected)]
        return self

    @property
    def used(self) -> int:
        """The last event that was used."""
        row = self.state.get(sequence_key("gw1", "e1"))
        return row.high if isinstance(row, Sequence) else 0


def test_an_event_is_used_when_the_signature_over_its_commit_has_come() -> None:
    one, two, three = records([beat(1), beat(2), beat(3)])
    door = Door().take(one, two)
    assert door.used == 0
    assert door.take(three).used == 3
    assert (door.alerts, door.rejected) == ([], [])


def test_records_that_are_sent_again_after_a_kill_change_nothing() -> None:
    every = records([beat(1), beat(2)], [beat(3)])
    door = Door().take(*every[:2], *every, *every)
    assert door.used == 3
    assert (door.alerts, door.rejected) == ([], [])


def test_a_forged_event_is_a_dead_letter_with_one_alert_and_the_true_ones_go_on() -> None:
    every = records([beat(1), beat(2)], [beat(3), beat(4)])
    forged = record(encode(beat(5)))
    door = Door().take(*every[:2], forged, forged, *every[2:])
    assert door.used == 4
    assert [(one.reason, one.raw) for one in door.rejected] == [("unverified", forged.value)] * 2
    assert [(one.kind, one.subject) for one in door.alerts] == [("signature_break", "gw1")]


def test_a_changed_event_is_not_used_and_the_gap_in_the_sequence_is_told_too() -> None:
    every = records([beat(1)], [beat(2), beat(3)], [beat(4), beat(5)])
    every[1] = every[1]._replace(value=encode(replace(BEAT, event_id="gw1.e1.2", reads=999)))
    door = Door().take(*every)
    assert door.used == 5
    assert [one.raw for one in door.rejected] == [every[1].value]
    assert {one.kind for one in door.alerts} == {"signature_break", "sequence_gap"}


def test_a_gateway_without_a_key_row_is_taken_at_its_word() -> None:
    door = Door(keys=False).take(*records([beat(1)], [beat(2)], signer=None))
    assert (door.used, door.alerts) == (2, [])


def test_a_key_that_comes_to_be_known_later_loses_nothing() -> None:
    every = records([beat(1)], [beat(2), beat(3)], [beat(4), beat(5)])
    door = Door(keys=False).take(*every[:3])
    door.know(SIGNER)
    assert door.take(*every[3:]).used == 5
    assert (door.alerts, door.rejected) == ([], [])


def test_what_was_written_before_the_gateway_had_a_key_is_used() -> None:
    before = records([beat(1)], signer=None)
    door = Door(keys=False)
    door.know(SIGNER, since_us=T + 2)
    assert door.take(*before).used == 1
    late = record(encode(beat(2)))
    assert door.take(late).used == 1
    assert [one.reason for one in door.rejected] == ["unverified"]


def test_where_the_site_says_so_an_event_without_a_signature_is_used_with_the_alert() -> None:
    door = Door()
    row = Switches(
        policy_id=f"switches:{PAIR}", effective_from_us=T, accepted_at_us=T, use_unverified=True
    )
    door.reference.fold("policies", row.policy_id, row)
    door.take(*records([beat(1)]), record(encode(beat(2))))
    assert door.used == 2
    assert ([one.kind for one in door.alerts], door.rejected) == (["signature_break"], [])


def test_where_signatures_are_required_a_gateway_without_a_key_is_not_used() -> None:
    door = Door(keys=False)
    row = Switches(
        policy_id="switches", effective_from_us=T, accepted_at_us=T, require_signatures=True
    )
    door.reference.fold("policies", row.policy_id, row)
    door.take(*records([beat(1)], signer=None))
    assert (door.used, [one.reason for one in door.rejected]) == (0, ["unverified"])


def test_a_skipped_range_is_one_link_and_no_gap() -> None:
    skipped = Skipped(
        event_id="gw1.e1.2", pair=PAIR, at_us=T + 2, from_seq=2, to_seq=4, cause="damaged"
    )
    door = Door().take(*records([beat(1)], [skipped], [beat(5)]))
    assert door.used == 5
    assert (door.alerts, door.rejected) == ([], [])


@pytest.mark.parametrize("to_seq", [4_000_000, 10**17])
def test_an_announcement_of_absurdly_many_numbers_does_not_swallow_what_comes(to_seq: int) -> None:
    skipped = Skipped(
        event_id="gw1.e1.2", pair=PAIR, at_us=T + 2, from_seq=2, to_seq=to_seq, cause="x"
    )
    door = Door(keys=False)
    door.take(*records([beat(1)], [skipped], [beat(3)], signer=None))
    assert door.used == 3


def test_what_waits_for_a_signature_survives_a_restart() -> None:
    one, two = records([beat(1), beat(2)])
    door = Door().take(one)
    again = Door()
    key = chain_key("gw1", "e1")
    row = door.state.get(key)
    assert row is not None
    again.state.load(key, msgspec.msgpack.encode(row))
    assert again.take(two).used == 2


@pytest.mark.parametrize(("last_seq_known", "lost"), [(3, None), (5, "4 to 5"), (None, "after 3")])
def test_what_an_outbox_numbered_and_never_sent_is_told_when_a_new_epoch_begins(
    last_seq_known: int | None, lost: str | None
) -> None:
    door = Door(keys=False).take(*records([beat(1), beat(2), beat(3)], signer=None))
    started = EpochStarted(
        event_id="gw1.e2.1",
        pair=PAIR,
        at_us=T + 9,
        previous_epoch="e1",
        last_seq_known=last_seq_known,
        cause="damaged",
    )
    door.take(record(encode(started)), record(encode(started)))
    wanted = [] if lost is None else [f"events {lost} of epoch e1 are lost"]
    assert len(door.alerts) == len(wanted)
    assert all(text in one.what_to_do for one, text in zip(door.alerts, wanted, strict=True))
