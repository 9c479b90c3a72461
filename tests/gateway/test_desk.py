"""What readers say about themselves, and what their messages show of their clocks, becomes a reader status."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gateway.anchor import ClockState
from gateway.batch import Kept, ReaderTotals, Totals
from gateway.config import read_config
from gateway.facts import AntennaState, Dropped, Fact, Lost, Ntp, Pin
from gateway.intake import Intake, Report
from gateway.reads import Proof, Read, ReaderNote
from schemas.gate import Heartbeat, ReaderStatus, Sighting, SightingGone, SightingSeen
from schemas.message import Message
from schemas.wire import decode
from tests.gateway.rig import CARD, KEY, config_text

S = 1_000_000
NOW = 1_800_000_000 * S
HOUR = 3_600 * S
SGTIN = bytes.fromhex("3074257BF7194E4000001A85")


def intake(gpi: str = "", totals: ReaderTotals | None = None) -> Intake:
    text = config_text(Path("/x"), broker=1883).replace(
        "antennas = [1]", f"antennas = [1, 2]\n{gpi}"
    )
    kept = Kept("e0", 1, [], {}, Totals(), {} if totals is None else {"queue": totals})
    return Intake(read_config(text), KEY, kept, NOW)


def note(*facts: Fact, at_us: int = NOW, reader_at_us: int | None = None) -> ReaderNote:
    return ReaderNote(kind="heartbeat", at_us=at_us, reader_at_us=reader_at_us, facts=facts)


def said(core: Intake, *notes: ReaderNote, key: str | None = None) -> list[ReaderStatus]:
    """What is new of the reader after these notes."""
    for one in notes:
        core.take(Report("queue", one.at_us, [one], key), one.at_us)
    return [event for event in events(core) if isinstance(event, ReaderStatus)]


def events(core: Intake) -> list[Message]:
    return [decode("gate-events", row.value) for row in core.batch(NOW).events]


def sightings(core: Intake, reads: Sequence[Read]) -> tuple[SightingSeen, SightingGone]:
    for read in reads:
        core.take(Report("queue", read.at_us, [read]), read.at_us)
    core.expire(reads[-1].at_us + 60 * S)
    seen, gone = (event for event in events(core) if isinstance(event, Sighting))
    assert isinstance(seen, SightingSeen)
    assert isinstance(gone, SightingGone)
    return seen, gone


def read(at_us: int = NOW, **fields: object) -> Read:
    return msgspec.structs.replace(Read(epc=SGTIN, at_us=at_us, antenna=1, reads=3), **fields)


# --- antennas and lost reads


def test_an_antenna_that_comes_off_is_said_once_and_again_when_it_is_back() -> None:
    core = intake()
    off, on = note(AntennaState(2, False)), note(AntennaState(2, True))
    (lost,) = said(core, off, off)
    assert (lost.cause, lost.antenna_faults) == ("antenna 2 disconnected", (2,))
    (back,) = said(core, on, on)
    assert (back.cause, back.antenna_faults) == ("antenna 2 connected again", ())


def test_a_port_that_never_had_an_antenna_is_no_fault() -> None:
    core = intake()
    assert said(core, note(AntennaState(1, True), AntennaState(4, False))) == []
    assert said(core, note(AntennaState(4, True))) == []
    assert [status.antenna_faults for status in said(core, note(AntennaState(4, False)))] == [(4,)]


def test_an_antenna_that_is_off_is_not_said_again_after_a_restart() -> None:
    core = intake(totals=ReaderTotals(antenna_faults=(2,)))
    assert said(core, note(AntennaState(2, False))) == []


@pytest.mark.parametrize("count", [None, 1_200])
def test_reads_that_a_reader_lost_are_said_with_their_number_if_it_tells(count: int | None) -> None:
    core = intake()
    (status,) = said(core, note(Lost(count)))
    assert (status.cause, status.reads_lost, status.reader) == ("overflow", count, "queue")
    assert core.status().readers["queue"].reads_lost == (count or 0)


def dropped(total: int, after_s: int) -> ReaderNote:
    at_us = NOW + after_s * S
    return note(Dropped(total), at_us=at_us, reader_at_us=at_us)


def test_messages_that_a_reader_dropped_are_lost_reads_by_what_its_counter_rose() -> None:
    core = intake()
    assert said(core, dropped(40, 0), dropped(40, 60)) == []
    (status,) = said(core, dropped(47, 120))
    assert (status.cause, status.reads_lost) == ("messages dropped", 7)
    assert said(core, dropped(41, 90)) == []
    (status,) = said(core, dropped(2, 180))
    assert status.reads_lost == 2, "the reader was restarted"
    assert core.status().readers["queue"].reads_lost == 9


def test_what_a_reader_dropped_while_the_gateway_was_away_is_said() -> None:
    core = intake(totals=ReaderTotals(dropped=40))
    assert [status.reads_lost for status in said(core, dropped(43, 0))] == [3]


def test_a_note_that_came_before_says_nothing_new() -> None:
    core = intake()
    assert len(said(core, note(Lost(1)), note(Lost(1)), key="sha256:1")) == 1
    keyed = ReaderNote(kind="overflow", at_us=NOW, key="7@x", facts=(Lost(1),))
    assert len(said(core, keyed, keyed)) == 1


# --- clocks


def beat(at_us: int, ahead_us: int, ntp: Ntp = Ntp(True, 0.0)) -> ReaderNote:  # noqa: B008 - a value
    return note(ntp, at_us=at_us, reader_at_us=at_us + ahead_us)


def test_a_clock_that_is_set_is_said_with_its_step() -> None:
    core = intake()
    assert said(core, beat(NOW, 0), beat(NOW + 60 * S, 0)) == []
    step, wrong = said(core, beat(NOW + 120 * S, HOUR))
    assert (step.cause, step.clock_ms, step.up) == ("clock_step", 3_600_000, False)
    assert (wrong.cause, wrong.clock_ms) == ("clock_wrong", 3_600_000)
    step, right = said(core, beat(NOW + 180 * S, 0), beat(NOW + 240 * S, 0))
    assert (step.cause, step.clock_ms) == ("clock_step", -3_600_000)
    assert (right.cause, right.clock_ms) == ("clock_right", 0)


def test_a_reader_an_hour_slow_is_said_and_its_sightings_are_of_now() -> None:
    core = intake()
    (wrong,) = said(core, beat(NOW, -HOUR), beat(NOW + 60 * S, -HOUR))
    assert (wrong.cause, wrong.clock_ms) == ("clock_wrong", -3_600_000)
    at_us = NOW + 61 * S
    seen, _ = sightings(core, [read(at_us, reader_at_us=at_us - HOUR)])
    assert (seen.first_us, seen.replayed) == (at_us, False)
    assert (seen.clock_source, seen.clock_offset_ms) == ("estimated", 3_600_000)


def test_that_a_reader_is_slow_is_known_after_a_kill() -> None:
    core = intake()
    said(core, beat(NOW, -HOUR), beat(NOW + 60 * S, -HOUR))
    core.take(Report("queue", NOW, [beat(NOW + 61 * S, -HOUR)]), NOW)
    row = core.batch(NOW).readers["queue"]
    again = intake(totals=msgspec.msgpack.decode(row, type=ReaderTotals))
    seen, _ = sightings(again, [read(reader_at_us=NOW - HOUR)])
    assert not seen.replayed


def test_a_sighting_of_a_reader_with_a_time_server_says_ntp() -> None:
    core = intake()
    said(core, beat(NOW, 0))
    seen, gone = sightings(core, [read(NOW + S, reader_at_us=NOW + S - 40_000)])
    assert (seen.clock_source, seen.clock_offset_ms, seen.first_us) == ("ntp", 0, NOW + S - 40_000)
    assert gone.clock_source == "ntp"


def test_the_gateways_clock_is_vouched_for_in_heartbeats_and_sightings() -> None:
    core = intake()
    said(core, beat(NOW, 0))
    core.clock(ClockState(synchronised=False), NOW)
    seen, _ = sightings(core, [read()])
    assert seen.clock_synchronised is True
    core.clock(ClockState(synchronised=None), NOW + 300 * S)
    core.heartbeat(NOW, depth=0, age_ms=0)
    assert [event.clock_synchronised for event in events(core) if isinstance(event, Heartbeat)] == [
        None
    ]


def test_a_step_of_the_gateways_clock_is_in_the_next_heartbeat_only() -> None:
    core = intake()
    core.clock(ClockState(-30 * S, 0, 30 * S, True), NOW)
    core.clock(ClockState(0, 0, 29 * S, True), NOW)
    for _ in range(2):
        core.heartbeat(NOW, depth=0, age_ms=0)
    first, second = (event for event in events(core) if isinstance(event, Heartbeat))
    assert (first.clock_step_ms, first.clock_ahead_ms) == (-30_000, 29_000)
    assert first.clock_synchronised is False
    assert (second.clock_step_ms, second.clock_ahead_ms) == (0, 29_000)


def test_a_jump_of_the_gateways_clock_makes_no_reader_replay() -> None:
    core = intake()
    core.take(Report("queue", NOW, [read(reader_at_us=NOW)]), NOW)
    core.clock(ClockState(HOUR, HOUR, 0, True), NOW)
    core.take(Report("queue", NOW + HOUR, [read(NOW + HOUR + S, reader_at_us=NOW + S)]), NOW)
    assert [event.replayed for event in events(core) if isinstance(event, Sighting)] == [False] * 3


# --- inputs


@pytest.mark.parametrize(("first", "travel"), [(5, "forward"), (6, "reverse")])
def test_a_pair_of_inputs_tells_the_way_where_antennas_do_not(first: int, travel: str) -> None:
    core = intake("gpi = [5, 6]")
    for number, pin in enumerate((first, 11 - first)):
        at_us = NOW + number * S
        core.take(Report("queue", at_us, [note(Pin(pin, True), at_us=at_us)]), at_us)
    seen, gone = sightings(core, [read(NOW + 2 * S)])
    assert (seen.travel, gone.travel) == (travel, travel)


def test_the_antennas_tell_the_way_before_the_inputs_do() -> None:
    core = intake("gpi = [5, 6]\nentry = [1]\nexit = [2]")
    for pin in (5, 6):
        core.take(Report("queue", NOW, [note(Pin(pin, True))]), NOW)
    _, gone = sightings(core, [read(antenna=2, rssi_dbm=-50.0), read(NOW + S, rssi_dbm=-50.0)])
    assert gone.travel == "reverse"


def test_inputs_of_a_reader_whose_clock_is_wrong_are_set_right_as_its_reads_are() -> None:
    core = intake("gpi = [5, 6]")
    core.take(Report("queue", NOW, [read(reader_at_us=NOW + HOUR)]), NOW)
    for pin in (5, 6):
        late = note(Pin(pin, True), at_us=NOW + 8 * S, reader_at_us=NOW + HOUR)
        core.take(Report("queue", NOW + 8 * S, [late]), NOW + 8 * S)
    core.expire(NOW + 60 * S)
    assert [event.travel for event in events(core) if isinstance(event, SightingGone)] == [
        "forward"
    ]


# --- what a sighting says of the tag


@pytest.mark.parametrize(
    ("epc", "pc", "scheme"),
    [
        (SGTIN, None, "sgtin-96"),
        (SGTIN, 0x3000, "sgtin-96"),
        (SGTIN, 0x31A1, "opaque"),
        (SGTIN, 0x2800, "opaque"),
        (bytes.fromhex("3074257BF7194E4000001A"), None, "opaque"),
        (bytes.fromhex("E2806894000040017790E471"), 0x3000, "opaque"),
        (bytes.fromhex("A0B1C2D3E4F5061728394A5B"), None, "opaque"),
        (bytes.fromhex("3314257BF40C0E400000162E"), None, "grai-96"),
    ],
)
def test_a_sighting_names_the_scheme_of_its_tag(epc: bytes, pc: int | None, scheme: str) -> None:
    seen, gone = sightings(intake(), [read(epc=epc, pc=pc)])
    assert (seen.scheme, gone.scheme) == (scheme, scheme)


def test_a_pc_that_comes_with_a_later_read_counts() -> None:
    seen, gone = sightings(intake(), [read(), read(pc=0x31A1)])
    assert (seen.scheme, gone.scheme) == ("sgtin-96", "opaque")


def test_the_answer_of_a_tag_is_passed_on_and_no_number_with_it() -> None:
    proof = Proof(challenge=b"\x05\x4c", answer=b"\xee\x69")
    seen, gone = sightings(intake(), [read(epc=CARD), read(epc=CARD, proof=proof)])
    assert seen.proof is None
    assert gone.proof is not None
    assert (gone.proof.challenge, gone.proof.answer) == (proof.challenge, proof.answer)
