"""What is wrong with a gateway, by what was seen of it."""

from typing import Any

import pytest

from gateway.batch import ReaderTotals, Totals
from gateway.intake import Status
from gateway.vitals import Spool, Vitals, http_status, judge

NOW = 1_800_000_000_000_000
S = 1_000_000


def vitals(**other: Any) -> Vitals:
    readers = {"booth": ReaderTotals(up=True, reads=5), "queue": ReaderTotals(up=True)}
    good = Vitals(
        at_us=NOW,
        status=Status(totals=Totals(), open_stays=2, readers=readers),
        spool=Spool(7, NOW - S, 1 << 20, 1 << 30),
        unwritten="",
        unwritten_since_us=None,
        turned_us=NOW - 50_000,
        log_connected=True,
        log_away_since_us=None,
        synchronised=True,
        events_sent=3,
        outages={},
    )
    return good._replace(**other)


def reasons(seen: Vitals) -> list[tuple[str, str]]:
    found = judge("gw-1", seen, log_away_us=30 * S)
    assert (http_status(found) == 200) == (not found.reasons)
    assert (found.status == "ok") == (not found.reasons)
    return [(reason.what, reason.detail) for reason in found.reasons]


def test_all_is_well_only_when_everything_is() -> None:
    found = judge("gw-1", vitals(), log_away_us=30 * S)
    assert (found.status, found.reasons, found.warnings) == ("ok", [], [])
    assert (found.outbox_events, found.open_sightings) == (7, 2)
    assert found.readers == {"booth": True, "queue": True}


@pytest.mark.parametrize(
    ("seen", "what", "words"),
    [
        (
            vitals(unwritten="disk is full", unwritten_since_us=NOW - 9 * S),
            "outbox_not_written",
            "for 9 s: disk is full",
        ),
        (vitals(spool=None), "outbox_silent", "does not answer"),
        (vitals(turned_us=NOW - 8 * S), "stalled", "for 8 s"),
        (vitals(synchronised=False), "clock_unsynchronised", "no time server"),
        (
            vitals(log_connected=False, log_away_since_us=NOW - 31 * S),
            "log_away",
            "for 31 s",
        ),
    ],
)
def test_each_fault_is_a_reason_with_its_words(seen: Vitals, what: str, words: str) -> None:
    ((reason, detail),) = reasons(seen)
    assert reason == what
    assert words in detail


def test_a_reader_that_is_down_is_named_with_its_cause() -> None:
    readers = {"booth": ReaderTotals(up=False, cause="unplugged"), "new": ReaderTotals()}
    seen = vitals(status=Status(totals=Totals(), open_stays=0, readers=readers))
    found = judge("gw-1", seen, log_away_us=30 * S).reasons
    assert [(one.what, one.reader, one.detail) for one in found] == [
        ("reader_down", "booth", "unplugged"),
        ("reader_down", "new", "not connected yet"),
    ]


def test_a_log_that_is_away_for_a_moment_is_a_warning() -> None:
    seen = vitals(log_connected=False, log_away_since_us=NOW - 29 * S)
    found = judge("gw-1", seen, log_away_us=30 * S)
    assert (found.reasons, [one.what for one in found.warnings]) == ([], ["log_away"])


def test_a_kernel_that_says_nothing_of_its_clock_is_no_reason() -> None:
    assert reasons(vitals(synchronised=None)) == []


def test_an_antenna_that_its_reader_misses_is_a_warning() -> None:
    readers = {"booth": ReaderTotals(up=True, antenna_faults=(2, 4))}
    seen = vitals(status=Status(totals=Totals(), open_stays=0, readers=readers))
    (warning,) = judge("gw-1", seen, log_away_us=30 * S).warnings
    assert (warning.what, warning.reader, warning.detail) == (
        "antenna_fault",
        "booth",
        "antennas 2, 4",
    )


def test_a_filling_outbox_and_a_refused_reload_are_warnings() -> None:
    seen = vitals(spool=Spool(9, None, 80, 100), reload_refused=["lane[0].id: wrong"])
    found = judge("gw-1", seen, log_away_us=30 * S)
    assert found.reasons == []
    assert [one.what for one in found.warnings] == ["outbox_filling", "reload_refused"]
