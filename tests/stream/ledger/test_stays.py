"""A person's chain: which stay each record closes and opens, and what is odd about it."""

import pytest

from schemas.border import BorderRecord
from schemas.ids import record_id, stay_id
from tests.stream.ledger.desk import ANA, DAY, HOUR, MINUTE, NOON, LedgerDesk, end


def test_a_first_record_is_a_baseline_and_opens_a_stay() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON))
    first = desk.records()["c1"]
    assert (first.baseline, first.closes, first.anomalies) == (True, None, ())
    assert first.opens == stay_id(record_id("c1", ANA))
    assert desk.waiting() == []


def test_the_next_record_closes_the_stay_and_leaves_the_first_one_alone() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON))
    written = desk.take(end("c2", "US>MX", NOON + 3 * HOUR))
    (second,) = [one for one in written if isinstance(one, BorderRecord)]
    assert second.closes is not None
    assert (second.closes.stay_id, second.closes.country) == (desk.records()["c1"].opens, "US")
    assert (second.closes.opened_at_us, second.closes.closed_at_us) == (NOON, NOON + 3 * HOUR)
    assert (second.closes.basis, second.closes.closed_by) == ("exit", second.record_id)
    assert (second.baseline, second.anomalies, second.revision) == (False, (), 1)


def test_a_round_trip_over_three_countries_is_in_order() -> None:
    desk = LedgerDesk()
    for number, way in enumerate(("MX>US", "US>CA", "CA>US", "US>MX", "MX>US")):
        desk.take(end(f"c{number}", way, NOON + number * DAY))
    assert [one.anomalies for one in desk.records().values()] == [()] * 5
    assert [one.closes.country for one in desk.records().values() if one.closes] == [
        "US",
        "CA",
        "US",
        "MX",
    ]


@pytest.mark.parametrize(
    ("second", "anomaly"), [("MX>US", "entered_twice"), ("CA>MX", "no_open_stay")]
)
def test_a_record_that_leaves_another_country_leaves_the_stay_without_an_end(
    second: str, anomaly: str
) -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON), end("c2", second, NOON + DAY))
    odd = desk.records()["c2"]
    assert odd.anomalies == (anomaly,)
    assert odd.closes is not None
    assert (odd.closes.country, odd.closes.basis) == ("US", "missing_exit")
    assert (odd.closes.closed_by, odd.closes.closed_at_us) == (None, None)
    (waiting,) = desk.waiting()
    assert (waiting.kind, waiting.subject, waiting.since_us) == ("missing_exit", ANA, NOON + DAY)
    assert waiting.unmatched_id == f"missing_exit|{odd.closes.stay_id}"
    assert waiting.evidence == (desk.records()["c1"].record_id, odd.record_id)


def test_a_late_record_between_gives_the_end_and_takes_anomaly_and_row_back() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON), end("c3", "MX>US", NOON + DAY))
    desk.take(end("c2", "US>MX", NOON + HOUR))
    records = desk.records()
    assert desk.waiting() == []
    assert [records[name].anomalies for name in ("c1", "c2", "c3")] == [(), (), ()]
    assert [records[name].revision for name in ("c1", "c2", "c3")] == [1, 1, 2]
    assert records["c3"].closes is not None
    assert records["c3"].closes.opened_by == records["c2"].record_id
    assert records["c3"].closes.basis == "exit"
    assert records["c3"].state == "live"


def test_a_retraction_between_brings_the_anomaly_and_the_row_back() -> None:
    desk = LedgerDesk()
    desk.take(
        end("c1", "MX>US", NOON), end("c2", "US>MX", NOON + HOUR), end("c3", "MX>US", NOON + DAY)
    )
    desk.take(end("c2", "US>MX", NOON + HOUR, revision=2, how="withdrawn"))
    records = desk.records()
    assert records["c3"].anomalies == ("entered_twice",)
    assert records["c3"].revision == 2
    assert [row.kind for row in desk.waiting()] == ["missing_exit"]
    assert records["c2"].state == "retracted"
    assert (records["c2"].closes, records["c2"].opens, records["c2"].anomalies) == (None, None, ())
    desk.take(end("c2", "US>MX", NOON + HOUR, revision=3))
    assert desk.records()["c3"].anomalies == ()
    assert desk.records()["c2"].closes is not None
    assert desk.waiting() == []


def test_a_corrected_moment_that_changes_the_order_changes_both_sides() -> None:
    desk = LedgerDesk()
    desk.take(
        end("c1", "MX>US", NOON), end("c2", "US>MX", NOON + HOUR), end("c3", "MX>US", NOON + DAY)
    )
    desk.take(end("c2", "US>MX", NOON + 2 * DAY, revision=2))
    records = desk.records()
    assert records["c2"].closes is not None
    assert records["c2"].closes.opened_by == records["c3"].record_id
    assert records["c3"].anomalies == ("entered_twice",)
    assert (records["c2"].state, records["c2"].revision) == ("corrected", 2)


def test_the_first_record_retracted_makes_the_next_one_the_baseline() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON), end("c2", "MX>US", NOON + DAY))
    desk.take(end("c1", "MX>US", NOON, revision=2, how="refused"))
    second = desk.records()["c2"]
    assert (second.baseline, second.closes, second.anomalies) == (True, None, ())
    assert desk.waiting() == []


@pytest.mark.parametrize(("apart", "overlaps"), [(MINUTE - 1, True), (MINUTE, False)])
def test_two_records_within_a_minute_overlap_and_both_say_so(apart: int, overlaps: bool) -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON), end("c2", "US>MX", NOON + apart))
    found = [one.anomalies for one in desk.records().values()]
    assert found == [("overlap",) if overlaps else ()] * 2
    assert desk.records()["c1"].revision == (2 if overlaps else 1)


@pytest.mark.parametrize(("apart", "disordered"), [(10 * MINUTE, True), (10 * MINUTE + 1, False)])
def test_a_record_that_fits_only_after_the_next_one_is_in_an_impossible_order(
    apart: int, disordered: bool
) -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "US>MX", NOON))
    desk.take(end("c2", "US>MX", NOON + DAY), end("c3", "MX>US", NOON + DAY + apart))
    odd = ("entered_twice", "impossible_order") if disordered else ("entered_twice",)
    assert desk.records()["c2"].anomalies == odd
    assert desk.records()["c3"].anomalies == ()


def test_two_records_that_fit_in_no_order_are_in_no_impossible_one() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON))
    desk.take(end("c2", "CA>US", NOON + DAY), end("c3", "MX>CA", NOON + DAY + MINUTE))
    assert desk.records()["c2"].anomalies == ("entered_twice",)
    assert desk.records()["c3"].anomalies == ("no_open_stay",)


def test_a_crossing_that_ended_otherwise_has_no_part_in_the_chain() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON), end("c2", "US>MX", NOON + HOUR, how="refused"))
    desk.take(end("c3", "US>MX", NOON + 2 * HOUR))
    third = desk.records()["c3"]
    assert third.closes is not None
    assert third.closes.opened_by == desk.records()["c1"].record_id


def test_an_older_end_that_comes_after_a_newer_one_makes_no_record() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON, revision=2, how="withdrawn"))
    assert desk.take(end("c1", "MX>US", NOON, revision=1)) == []
    desk.take(end("c1", "MX>US", NOON, revision=3))
    assert (desk.records()["c1"].state, desk.records()["c1"].revision) == ("live", 1)
