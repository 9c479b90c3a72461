"""What a crossing makes of its trip: the version that counts, late filings, ports."""

from typing import Any

import pytest
from msgspec.structs import replace

from schemas.reference import Trip, Truck
from stream.table import port_table
from stream.trips.arrival import late_minutes, port_flag
from stream.trips.versions import as_of, followed_by, on_file_since, usable_by
from tests.stream.border import ROWS, Border, Desk, at, trip
from tests.stream.trips.filings import HOUR, Office, amended, filing, used

MINUTE = 60
PORTS = port_table()


def arrive(border: Border, until: str = "primary") -> Desk:
    desk = Desk()
    for point, when in (("L01-queue", 0), ("L01-primary", 60)):
        for token in ("k1.truck1", "k1.ana"):
            border.feed(desk.seen(token, point, when))
        if point.endswith(until):
            break
    return desk


def changed(trip_row: Trip, when: float, **changes: Any) -> Trip:
    after = replace(trip_row, version=trip_row.version + 1, accepted_at_us=at(when), **changes)
    return followed_by(trip_row, after)


def test_the_version_in_force_at_a_moment_is_the_last_one_accepted_by_then() -> None:
    office = Office().take(
        filing(filed_at_us=at(0)),
        amended(2, filed_at_us=at(10), truck=None),
        amended(3, filed_at_us=at(20)),
    )
    found = [as_of(office.trip, at(when)) for when in (-1, 0, 9, 10, 19, 20, 99)]
    assert [None if one is None else one.version for one in found] == [None, 1, 1, 2, 2, 3, 3]
    assert [one.truck for one in found if one] == ["truck:1"] * 2 + [None] * 2 + ["truck:1"] * 2
    assert all(one.shipments == office.trip.shipments for one in found if one)


def test_shipments_of_a_version_before_a_cancellation_come_back() -> None:
    office = Office().take(
        filing(filed_at_us=at(0)),
        amended(2, action="cancel", filed_at_us=at(10)),
        filing(version=3, filing_id="again", filed_at_us=at(20), shipments=()),
    )
    first, again = as_of(office.trip, at(5)), as_of(office.trip, at(25))
    assert first is not None
    assert again is not None
    assert ([one.control_number for one in first.shipments], again.shipments) == (
        ["ABCD000101"],
        (),
    )


def test_a_trip_is_usable_by_the_crossing_that_used_it_and_by_no_other() -> None:
    row = Office().take(filing(), used("c1")).trip
    assert usable_by(row, "c1", None) == row
    assert usable_by(row, "c2", None) is None


def test_an_amendment_accepted_after_the_end_changes_nothing_about_a_crossing() -> None:
    border = Border()
    desk = arrive(border)
    border.feed(desk.decision("released", 90))
    before = border.notice()
    border.change_row(changed(trip(), 91, drivers=("person:ben",)))
    assert border.notice() == before


def test_an_amendment_accepted_before_the_end_corrects_a_crossing_whenever_it_is_delivered() -> (
    None
):
    border = Border()
    desk = arrive(border)
    border.feed(desk.decision("released", 90))
    assert "driver_mismatch" not in border.notice().flags
    border.change_row(changed(trip(), 89, drivers=("person:ben",)))
    assert "driver_mismatch" in border.notice().flags


def test_a_trip_cancelled_while_the_vehicle_queues_is_no_manifest_any_more() -> None:
    border = Border()
    arrive(border, "queue")
    assert "no_manifest" not in border.notice().flags
    border.change_row(changed(trip(), 30, status="cancelled"))
    assert "no_manifest" in border.notice().flags


def test_a_trip_that_expired_unused_still_counts_for_the_crossing_that_has_it() -> None:
    border = Border()
    arrive(border)
    before = border.notice()
    border.change_row(replace(trip(), status="expired"))
    assert border.notice() == before


def test_a_trip_that_another_pair_used_is_no_candidate() -> None:
    border = Border(rows=(*ROWS[:-1], replace(trip(), status="used", used_by="elsewhere")))
    arrive(border)
    assert "no_manifest" in border.notice().flags


def test_trips_that_fit_equally_well_are_all_shown_and_none_is_chosen() -> None:
    border = Border(rows=(*ROWS, trip("ABCD0002")))
    arrive(border)
    (link,) = [link for link in border.notice().links if link.role == "trip"]
    assert (link.basis, link.candidates) == ("conflicting", ("ABCD0001", "ABCD0002"))


def test_a_declared_driver_whom_nobody_knows_is_declared_without_id() -> None:
    border = Border(rows=(*ROWS[:-1], replace(trip(), drivers=(), unresolved=("driver",))))
    border.feed(Desk().seen("k1.truck1", "L01-queue", 0))
    drivers = [link for link in border.notice().links if link.role == "driver"]
    assert [(link.id, link.basis) for link in drivers] == [(None, "declared")]
    assert border.notice().provisional


@pytest.mark.parametrize(
    ("accepted_min", "arrived_min", "late"),
    [(-60, 0, 0), (-59, 0, 1), (-30, 0, 30), (0, 0, 60), (15, 0, 75), (-59.5, 0, 1)],
)
def test_a_filing_is_late_by_what_is_missing_to_the_limit(
    accepted_min: float, arrived_min: float, late: int
) -> None:
    row = trip(accepted_at_us=at(accepted_min * MINUTE), eta_us=at(9 * HOUR))
    assert late_minutes(row, at(arrived_min * MINUTE), 60) == late
    assert late_minutes(replace(row, eta_us=at(arrived_min * MINUTE)), None, 60) == late


def test_an_amendment_is_no_late_filing_but_one_after_a_cancellation_is() -> None:
    office = Office().take(filing(filed_at_us=at(-9000)), amended(2, filed_at_us=at(-10)))
    assert on_file_since(office.trip) == at(-9000)
    office.take(
        amended(3, action="cancel", filed_at_us=at(-9)),
        filing(version=4, filing_id="again", filed_at_us=at(-8)),
    )
    assert on_file_since(office.trip) == at(-8)


def test_the_notice_says_how_late_the_trip_was_filed_by_the_gate_or_the_eta() -> None:
    late = trip(eta_us=at(0), filed_at_us=at(-1800), accepted_at_us=at(-1800))
    border = Border(rows=(*ROWS[:-1], late))
    arrive(border)
    written = [[flag for flag in one.flags if "late" in flag] for one in border.written("arrivals")]
    assert written[0] == ["filed_late:30"]
    assert written[-1] == ["filed_late:29"]


def test_another_vin_than_the_trucks_is_flagged_and_a_missing_one_is_not() -> None:
    vin = "1FVACXCY3FHGN3106"
    for row_vin, declared, flagged in ((vin, vin, False), (vin, "X", True), (None, "X", False)):
        rows = (*ROWS[:-1], Truck(id="truck:1", vin=row_vin), replace(trip(), truck_vin=declared))
        border = Border(rows=rows)
        arrive(border, "queue")
        assert ("vin_mismatch" in border.notice().flags) == flagged


@pytest.mark.parametrize(
    ("code", "direction", "pair", "flag"),
    [
        ("2304", "MX>US", "lar-wtb", None),
        ("2304", "MX>US", "lar-col", None),  # one code, two bridges
        ("2305", "MX>US", "lar-wtb", "port_mismatch"),
        ("9999", "MX>US", "lar-wtb", "port_unverified"),
        ("240", "US>MX", "lar-wtb", None),
        ("800", "US>MX", "lar-wtb", "port_mismatch"),
        ("452", "US>CA", "det-amb", "port_unverified"),
        ("0440", "US>CA", "det-tun", "port_unverified"),  # its own code has no public source
        ("240", "US>MX", "ota-tij", "port_unverified"),  # it has no code at all
        ("2304", "MX>US", "no-such", None),
    ],
)
def test_a_wrong_port_is_said_only_where_both_codes_are_known(
    code: str, direction: str, pair: str, flag: str | None
) -> None:
    row = trip(port_code=code, direction=direction)
    assert port_flag(row, pair, PORTS) == flag
