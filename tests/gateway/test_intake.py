"""The core between readers and outbox: events, duplicates, rejects, gaps and the balance of reads."""

import hashlib
import hmac
from pathlib import Path

import msgspec
import pytest

from gateway.batch import REJECT_BYTES, Batch, Kept, KeyRow, ReaderTotals, Totals
from gateway.duplicates import KEYS_KEPT, KeyRing, payload_key
from gateway.intake import Intake, Report
from gateway.link import LinkDown, LinkUp
from gateway.reads import Outcome, Read, ReaderNote, Rejected
from gateway.tracker import Stay
from schemas.gate import Heartbeat, ReaderStatus, SightingGone, SightingSeen
from schemas.message import Message
from schemas.wire import decode
from tests.gateway.rig import CARD, KEY, config

S = 1_000_000
NOW = 1_800_000_000 * S


def intake(kept: Kept | None = None, now_us: int = NOW) -> Intake:
    kept = kept or Kept("e0", 1, [], {}, Totals(), {})
    return Intake(config(Path("/x"), broker=1883), KEY, kept, now_us)


def read(**fields: object) -> Read:
    return msgspec.structs.replace(Read(epc=CARD, at_us=NOW), **fields)


def take(core: Intake, *outcomes: Outcome, reader: str = "booth", key: str | None = None) -> None:
    core.take(Report(reader, NOW, outcomes, key), NOW)


def events(batch: Batch) -> list[Message]:
    return [decode("gate-events", row.value) for row in batch.events]


def totals(core: Intake) -> Totals:
    return core.status().totals


KEPT_FOR = ("queue", "queue#payload")


def again(core: Intake, now_us: int, covered_us: int = NOW) -> Intake:
    """The core after a kill: from what its last batches had stored."""
    batch = core.batch(covered_us)
    kept = Kept(
        "e0",
        batch.events[-1].seq + 1 if batch.events else 1,
        [msgspec.msgpack.decode(row, type=Stay) for row in batch.stays.values() if row],
        {name: [row for row in batch.keys if row.reader == name] for name in KEPT_FOR},
        msgspec.msgpack.decode(batch.totals, type=Totals),
        {
            name: msgspec.msgpack.decode(row, type=ReaderTotals)
            for name, row in batch.readers.items()
        },
    )
    return intake(kept, now_us)


def test_a_sighting_says_where_when_and_which_token_and_nothing_of_the_card() -> None:
    core = intake()
    take(core, *[read(rssi_dbm=-55.0)] * 3)
    batch = core.batch(NOW)
    (seen,) = events(batch)
    assert isinstance(seen, SightingSeen)
    digest = hmac.new(KEY.secret, b"\x01" + CARD, hashlib.sha256).hexdigest()
    assert seen.token == f"k1.{digest[:32]}"
    assert seen.event_id == "gw-1.e0.1"
    assert (seen.pair, seen.lane, seen.read_point) == ("lar-wtb", "L01", "L01-primary")
    assert (seen.position, seen.direction, seen.to_booth_s) == ("primary", "MX>US", 0)
    assert (seen.reads, seen.peak_rssi_dbm, seen.clock_source) == (3, -55.0, "received")
    assert CARD not in batch.events[0].value
    assert CARD.hex().encode() not in batch.events[0].value.lower()


def test_gone_names_the_seen_of_its_stay() -> None:
    core = intake()
    take(core, *[read()] * 3)
    core.expire(NOW + 5 * S)
    seen, gone = events(core.batch(NOW))
    assert isinstance(gone, SightingGone)
    assert isinstance(seen, SightingSeen)
    assert (gone.seen_event_id, gone.observed, gone.reason) == (seen.event_id, True, "lost")


def test_a_glimpse_is_gone_without_having_been_observed_and_is_counted() -> None:
    core = intake()
    take(core, read())
    core.expire(NOW + S)
    (gone,) = events(core.batch(NOW))
    assert isinstance(gone, SightingGone)
    assert (gone.observed, gone.seen_event_id, gone.reads) == (False, None, 1)
    assert totals(core).glimpses == 1


def test_a_read_of_an_antenna_that_is_no_read_point_is_rejected() -> None:
    core = intake()
    take(core, read(antenna=4), reader="queue")
    batch = core.batch(NOW)
    assert [(row.reader, row.reason, row.raw) for row in batch.rejects] == [
        ("queue", "no_read_point", CARD)
    ]
    assert totals(core).reads_rejected == 1


def test_a_read_without_antenna_belongs_to_the_only_read_point_of_its_reader() -> None:
    core = intake()
    take(core, read(reads=3), reader="queue")
    (seen,) = events(core.batch(NOW))
    assert isinstance(seen, SightingSeen)
    assert seen.read_point == "L01-queue"


def test_an_empty_epc_gives_no_token_and_is_rejected() -> None:
    core = intake()
    take(core, read(epc=b""))
    batch = core.batch(NOW)
    assert [row.reason for row in batch.rejects] == ["empty_epc"]
    assert not batch.stays


def test_a_message_that_came_before_gives_no_second_read() -> None:
    core = intake()
    for _ in range(3):
        take(core, read(key="7 12:00"), reader="queue")
    assert (totals(core).reads, totals(core).reads_duplicate) == (3, 2)
    assert [row.key for row in core.batch(NOW).keys] == ["7 12:00"]


def test_a_whole_payload_that_came_before_gives_nothing() -> None:
    core = intake()
    bad = Rejected(reason="wrong_type", raw=b"{}", at_us=NOW)
    for _ in range(2):
        take(core, read(reads=2), read(reads=3), bad, reader="queue", key=payload_key(b"[]"))
    assert (totals(core).reads, totals(core).reads_duplicate) == (10, 5)
    assert len(core.batch(NOW).rejects) == 1


def test_large_batches_do_not_push_each_other_out_of_memory() -> None:
    core = intake()
    for batch in range(1_500):
        reads = [read(key=f"{batch} {number}") for number in range(50)]
        take(core, *reads, reader="queue", key=f"sha256:{batch}")
    core = again(core, NOW)
    before = totals(core).reads_duplicate
    for batch in range(1_500):
        take(core, read(key=f"{batch} 0"), reader="queue", key=f"sha256:{batch}")
    assert (before, totals(core).reads_duplicate) == (0, 1_500)


def test_what_came_before_is_known_after_a_kill() -> None:
    core = intake()
    take(core, read(key="7 12:00"), reader="queue")
    core = again(core, NOW + S)
    take(core, read(key="7 12:00"), reader="queue")
    assert totals(core).reads_duplicate == 1


def test_the_last_2000_keys_of_a_reader_are_known() -> None:
    ring = KeyRing("queue")
    rows = [ring.add(str(number)) for number in range(KEYS_KEPT + 1)]
    assert "0" not in ring
    assert "1" in ring
    fresh = KeyRing("queue", rows[1:])
    assert "1" in fresh
    assert fresh.add("x") == KeyRow("queue", KEYS_KEPT + 1, "x")
    assert "1" not in fresh


def test_a_long_key_is_remembered_as_its_hash() -> None:
    ring = KeyRing("queue")
    assert len(ring.add("x" * 100_000).key) < 80
    assert "x" * 100_000 in ring
    assert "x" * 99_999 not in ring


def test_notes_and_rejects_are_counted_by_kind_and_the_kinds_are_bounded() -> None:
    core = intake()
    for number in range(60):
        take(core, ReaderNote(kind=f"k{number}", at_us=NOW))
        take(core, Rejected(reason=f"r{number}", raw=b"x" * 5_000, at_us=NOW))
    booth = core.status().readers["booth"]
    assert (len(booth.notes), booth.notes["other"]) == (51, 10)
    assert (len(booth.rejects), booth.rejects["other"]) == (51, 10)
    assert {len(row.raw) for row in core.batch(NOW).rejects} == {REJECT_BYTES}


def test_the_balance_of_reads_closes_in_every_heartbeat() -> None:
    core = intake()
    take(core, *[read()] * 3)
    take(core, read(antenna=4, reads=2), read(key="a"), reader="queue")
    take(core, read(key="a"), reader="queue")
    core.expire(NOW + 2 * S)
    core.heartbeat(NOW + 2 * S, depth=3, age_ms=40)
    beat = events(core.batch(NOW))[-1]
    assert isinstance(beat, Heartbeat)
    assert (beat.reads, beat.reads_gone, beat.reads_open) == (7, 1, 3)
    assert (beat.reads_duplicate, beat.reads_rejected, beat.glimpses) == (1, 2, 1)
    assert (beat.outbox_depth, beat.outbox_age_ms) == (3, 40)
    assert [(one.reader, one.reads) for one in beat.readers] == [("booth", 3), ("queue", 4)]


def test_a_restart_resumes_open_stays_and_writes_no_second_seen() -> None:
    core = intake()
    take(core, *[read()] * 3)
    core = again(core, NOW + 2 * S)
    core.take(Report("booth", NOW + 3 * S, [read(at_us=NOW + 3 * S)]), NOW + 3 * S)
    core.expire(NOW + 8 * S)
    (gone,) = events(core.batch(NOW))
    assert isinstance(gone, SightingGone)
    assert (gone.reads, gone.seen_event_id, gone.event_id) == (4, "gw-1.e0.1", "gw-1.e0.2")


def test_the_stay_of_a_read_point_that_is_configured_no_more_ends_as_stopped() -> None:
    core = intake()
    take(core, read(reads=3), reader="queue")
    batch = core.batch(NOW)
    stays = [msgspec.msgpack.decode(row, type=Stay) for row in batch.stays.values() if row]
    kept = Kept("e0", 2, stays, {}, Totals(reads=3), {})
    core = Intake(config(Path("/x")), KEY, kept, NOW)
    (gone,) = events(core.batch(NOW))
    assert isinstance(gone, SightingGone)
    assert (gone.reason, gone.read_point, gone.reads) == ("stopped", "L01-queue", 3)
    assert totals(core).reads_gone == 3


def status(core: Intake) -> ReaderStatus:
    (event,) = events(core.batch(NOW))
    assert isinstance(event, ReaderStatus)
    return event


def test_a_new_reader_that_comes_up_has_no_gap() -> None:
    core = intake()
    core.take(LinkUp("booth", NOW), NOW)
    said = status(core)
    assert (said.up, said.cause, said.gap_from_us) == (True, "connected", None)


def test_an_outage_is_said_when_it_begins_and_with_its_span_when_it_ends() -> None:
    core = intake()
    core.take(LinkUp("booth", NOW), NOW)
    core.batch(NOW)
    core.take(LinkDown("booth", NOW + S, "unplugged"), NOW)
    said = status(core)
    assert (said.up, said.cause, said.gap_from_us) == (False, "unplugged", None)
    core.take(LinkDown("booth", NOW + 2 * S, "unplugged"), NOW)
    assert not core.batch(NOW).events
    core.take(LinkDown("booth", NOW + 3 * S, "no right to open it"), NOW)
    assert status(core).cause == "no right to open it"
    core.take(LinkUp("booth", NOW + 9 * S), NOW)
    said = status(core)
    assert (said.up, said.cause) == (True, "connected again")
    assert (said.gap_from_us, said.gap_to_us) == (NOW + S, NOW + 9 * S)


@pytest.mark.parametrize("stopped", [False, True])
def test_after_a_restart_a_serial_reader_has_a_gap_from_the_last_commit(stopped: bool) -> None:
    core = intake()
    core.take(LinkUp("booth", NOW), NOW)
    if stopped:
        core.take(LinkDown("booth", NOW + 2 * S, "stopped", ended=True), NOW)
    core = again(core, NOW + 8 * S, covered_us=NOW + 2 * S)
    core.batch(NOW + 8 * S)
    core.take(LinkUp("booth", NOW + 9 * S), NOW)
    said = status(core)
    assert (said.cause, said.gap_from_us, said.gap_to_us) == ("restart", NOW + 2 * S, NOW + 9 * S)


def test_two_kills_before_the_port_opens_leave_the_gap_from_the_first() -> None:
    core = intake()
    core.take(LinkUp("booth", NOW), NOW)
    core = again(core, NOW + 5 * S, covered_us=NOW + S)
    core = again(core, NOW + 7 * S, covered_us=NOW + 6 * S)
    core.take(LinkUp("booth", NOW + 9 * S), NOW)
    assert status(core).gap_from_us == NOW + S


def test_a_port_that_is_missing_after_a_restart_gives_two_spans_that_meet() -> None:
    core = intake()
    core.take(LinkUp("booth", NOW), NOW)
    core = again(core, NOW + 5 * S, covered_us=NOW + S)
    core.take(LinkDown("booth", NOW + 6 * S, "unplugged"), NOW)
    down = status(core)
    core.take(LinkUp("booth", NOW + 9 * S), NOW)
    up = status(core)
    assert (down.gap_from_us, down.gap_to_us) == (NOW + S, NOW + 6 * S)
    assert (up.gap_from_us, up.gap_to_us) == (NOW + 6 * S, NOW + 9 * S)


def test_a_clock_that_was_set_back_makes_no_gap_that_ends_before_it_begins() -> None:
    core = intake()
    core.take(LinkUp("booth", NOW), NOW)
    core = again(core, NOW - 3_600 * S, covered_us=NOW)
    core.take(LinkUp("booth", NOW - 3_599 * S), NOW)
    said = status(core)
    assert said.gap_from_us == said.gap_to_us == NOW - 3_599 * S


def test_a_broker_keeps_what_its_readers_send_so_a_restart_is_no_gap() -> None:
    core = intake()
    core.take(LinkUp("queue", NOW), NOW)
    core = again(core, NOW + 5 * S)
    core.take(LinkUp("queue", NOW + 6 * S), NOW)
    said = status(core)
    assert (said.cause, said.gap_from_us) == ("connected", None)
