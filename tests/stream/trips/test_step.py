"""The trips stage: filings, amendments, cancellations, uses and time."""

from typing import Any

import pytest

from schemas.alert import Rejected
from schemas.reference import Shipment
from schemas.trips import DeclaredPerson, DeclaredTrailer, DeclaredTruck
from schemas.wire import decode
from stream.trips.rows import PastTrip
from tests.stream.border import at
from tests.stream.trips.filings import HOUR, NUMBER, Office, amended, filing, tick, used

DAY = 24 * HOUR


def test_a_filing_puts_a_trip_on_file() -> None:
    office = Office().take(filing())
    assert (office.trip.status, office.trip.version) == ("on_file", 1)
    assert (office.trip.drivers, office.trip.truck) == (("person:ana",), "truck:1")
    assert office.trip.accepted_at_us == at(-7200)
    assert office.trip.findings == ()


def test_the_same_filing_again_is_nothing_new() -> None:
    office = Office().take(filing(), amended(), filing(), amended())
    assert len(office.outputs) == 2


def test_a_second_filing_of_a_number_on_file_is_refused_and_the_first_stays() -> None:
    office = Office().take(filing(), filing(filing_id="other", version=2, truck=None))
    assert office.refused() == ["duplicate: the trip is already on file in version 1"]
    assert office.trip.truck == "truck:1"


def test_a_dead_letter_holds_the_filing_whole() -> None:
    office = Office().take(filing(), filing(filing_id="other"))
    rejected = office.outputs[-1].message
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.stage, rejected.offset) == ("invalid", "trips", 1)
    assert decode("trip-filings", rejected.raw or b"") == filing(filing_id="other")


def test_an_amendment_is_a_new_version_that_remembers_the_old_one() -> None:
    swap = (DeclaredPerson(id="person:ben"),)
    office = Office().take(filing(), amended(drivers=swap, eta_us=at(1800)))
    assert (office.trip.version, office.trip.drivers) == (2, ("person:ben",))
    (before,) = office.trip.history
    assert (before.version, before.drivers, before.accepted_at_us) == (
        1,
        ("person:ana",),
        at(-7200),
    )


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_is_not_newer_is_stale(version: int) -> None:
    office = Office().take(filing(), amended(2), amended(version, filing_id="late"))
    assert office.refused() == [f"stale: version {version} comes after version 2"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"eta_us": at(DAY)}, "the ETA moves from 2026-03-02 to 2026-03-03"),
        ({"shipments": ()}, "other shipments (without 'ABCD000101')"),
        (
            {"shipments": (Shipment(control_number="ABCD000101"), Shipment(control_number="N2"))},
            "other shipments (with 'N2')",
        ),
        ({"direction": "US>MX", "port_code": "240"}, "the direction is MX>US"),
        ({"carrier": "party:other"}, "another carrier"),
    ],
)
def test_what_cannot_be_amended_is_refused_with_what_differs(
    changes: dict[str, Any], why: str
) -> None:
    office = Office().take(filing(), amended(**changes))
    assert office.refused() == [f"not_amendable: {why}; cancel the trip and file it again"]


def test_the_day_of_an_eta_is_that_of_the_port() -> None:
    """05:59 and 06:01 UTC are two days at Laredo in winter, although one in UTC."""
    evening, night = at(15.98 * HOUR), at(16.02 * HOUR)
    office = Office().take(filing(eta_us=evening), amended(eta_us=night))
    assert "moves from 2026-03-02 to 2026-03-03" in office.refused()[0]


def test_a_cancelled_trip_can_be_filed_again_and_only_that() -> None:
    cancel = amended(2, action="cancel")
    office = Office().take(filing(), cancel, amended(3))
    assert office.trip.status == "cancelled"
    assert office.refused() == ["not_amendable: the trip is cancelled; file it again"]
    office.take(filing(version=4, filing_id="again", shipments=()))
    assert (office.trip.status, office.trip.version) == ("on_file", 4)
    assert [one.status for one in office.trip.history] == ["on_file", "cancelled"]
    assert office.trip.history[1].shipments is not None


@pytest.mark.parametrize("action", ["amend", "cancel"])
def test_nothing_but_a_filing_begins_a_trip(action: str) -> None:
    office = Office().take(amended(2, action=action))
    assert office.refused() == [f"unknown_trip: nothing to {action}"]
    assert len(office.state) == 0


def test_a_trip_that_nobody_used_expires_a_day_after_its_eta() -> None:
    office = Office().take(filing(), tick(60 + DAY - 1))
    assert office.trip.status == "on_file"
    office.take(tick(60 + DAY), tick(60 + DAY + 10))
    assert [trip.status for trip in office.trips()] == ["on_file", "expired"]
    office.take(amended(filed_at_us=at(60 + DAY + 20)))
    assert office.refused() == ["not_amendable: more than 24 h after its ETA the trip has expired"]


def test_an_amendment_accepted_before_the_expiry_counts_when_it_comes_late() -> None:
    office = Office().take(filing(), tick(60 + DAY), amended(eta_us=at(1800)))
    assert office.trip.status == "on_file"
    office.take(tick(1799 + DAY), tick(1800 + DAY))
    assert [trip.status for trip in office.trips()][-2:] == ["on_file", "expired"]


def test_a_number_stays_taken_when_its_trip_is_forgotten() -> None:
    office = Office().take(filing(), tick(60 + DAY), tick(60 + 8 * DAY))
    assert office.state.get(NUMBER) == PastTrip(version=1)
    office.take(filing(filing_id="next year", version=9))
    office.take(used())
    assert office.refused() == [
        "duplicate: the trip number was used before",
        "too_late: no such trip can be used now",
    ]


def test_a_use_closes_a_trip_for_everything_accepted_after_it() -> None:
    office = Office().take(filing(), used(when=100), amended(2, filed_at_us=at(101)))
    assert (office.trip.status, office.trip.used_by) == ("used", "c1")
    assert office.refused() == ["not_amendable: a crossing has used the trip"]
    office.take(amended(2, filing_id="in time", filed_at_us=at(99)))
    assert (office.trip.status, office.trip.version) == ("used", 2)


def test_a_use_and_an_amendment_that_was_accepted_later_end_the_same_in_both_orders() -> None:
    late = amended(2, filed_at_us=at(101), drivers=(DeclaredPerson(id="person:ben"),))
    one = Office().take(filing(), used(when=100), late).trip
    other = Office().take(filing(), late, used(when=100)).trip
    assert one == other
    assert one.drivers == ("person:ana",)


def test_two_crossings_with_one_trip_raise_one_alert_and_the_earlier_one_has_it() -> None:
    second = used("c2", when=50, pair="lar-col")
    for uses in ((used(), second), (second, used())):
        office = Office().take(filing(), *uses, *uses)
        assert office.trip.used_by == "c2"
        assert [one.crossing_id for one in office.trip.uses] == ["c2", "c1"]
        assert {alert.kind for alert in office.alerts()} == {"trip_used_twice"}
        assert [alert.alert_id for alert in office.alerts()] == [f"{NUMBER}:c1:trip_used_twice"]


def test_a_trip_given_back_is_on_file_again() -> None:
    office = Office().take(filing(), used(), used(revision=2, how="released"))
    assert (office.trip.status, office.trip.used_by, office.trip.uses) == ("on_file", None, ())
    office.take(used(revision=1), used(revision=2))
    assert office.trip.status == "on_file"


def test_a_diverted_trip_stays_on_file_and_says_where_it_was() -> None:
    office = Office().take(filing(), used(how="diverted"))
    assert office.trip.status == "on_file"
    assert [(one.pair, one.how) for one in office.trip.uses] == [("lar-wtb", "diverted")]


def test_a_use_of_an_unknown_trip_is_a_dead_letter() -> None:
    assert Office().take(used()).refused() == ["unknown_trip: no such trip can be used now"]


def test_who_and_what_nobody_can_resolve_is_declared_and_unknown() -> None:
    office = Office().take(
        filing(
            drivers=(DeclaredPerson(id="person:ana"), DeclaredPerson(credential_id="card:9")),
            truck=DeclaredTruck(vin="1FVACXCY3FHGN3106"),
            trailers=(DeclaredTrailer(container="CSQU3054383"),),
        )
    )
    assert office.trip.drivers == ("person:ana",)
    assert office.trip.truck is None
    assert office.trip.unresolved == ("driver", "truck", "trailer")


def test_an_amendment_accepted_before_its_predecessor_is_taken_as_at_the_same_time() -> None:
    office = Office().take(filing(), amended(2, filed_at_us=at(-9000)))
    assert office.trip.accepted_at_us == at(-7200)
    assert [one.code for one in office.trip.findings] == ["accepted_out_of_order"]


def test_history_is_bounded_and_says_so() -> None:
    office = Office().take(filing(), *(amended(version) for version in range(2, 60)))
    assert (office.trip.version, len(office.trip.history)) == (59, 20)
    assert office.trip.history_cut
    assert office.trip.history[-1].version == 58
