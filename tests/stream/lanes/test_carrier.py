"""What carriers are told: nothing but what the allow-list names, and nothing new when only that changed."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.arrival import ArrivalNotice, CrossingState, Eligibility, Link
from schemas.carrier import CarrierNotice, CarrierState
from schemas.gate import Outcome
from schemas.message import Message
from schemas.reference import Commodity, CredentialState, CredentialStatus, Shipment
from schemas.wire import encode
from stream.lanes.carrier import DOCUMENTS, FINDINGS, STATES, carrier_notice, content
from tests.stream.border import PAIR, Border, Desk, at, card, tick
from tests.stream.lanes.test_convergence import BORDER_ROWS, orders
from tests.stream.lanes.test_step import arrive, plain, refused

MARK = "MARKED"
MARKED = st.text("abcdefgh:_", min_size=1, max_size=12).map(lambda text: f"{MARK}{text}")
#: Real words that an officer reads and a carrier must not.
SECRET = (
    "undeclared_occupant",
    "unknown_card",
    "card_lost",
    "card_revoked_late",
    "impossible_travel",
    "random_key_missing",
    "targeting_failed:south.goods@1",
    "hazmat",
    "filed_late:MARKED",
    "filed_late:",
    "ambiguous_lane",
)


@st.composite
def links(draw: Any) -> Link:
    return Link(
        role=draw(st.sampled_from(("driver", "passenger", "person", "truck", "trailer"))),
        id=draw(MARKED),
        basis=draw(st.sampled_from(("read", "declared", "conflicting"))),
        credential_id=draw(MARKED),
        candidates=tuple(draw(st.lists(MARKED, max_size=2))),
        keyed_by=draw(MARKED),
    )


@st.composite
def hidden(draw: Any) -> dict[str, Any]:
    """Everything of a notice that a carrier must not see."""
    shipment = Shipment(
        control_number=draw(MARKED),
        importer=draw(MARKED),
        commodities=(Commodity(description=draw(MARKED), hazmat=True),),
    )
    return {
        "first_read_us": at(draw(st.integers(0, 900))),
        "last_read_us": at(draw(st.integers(0, 900))),
        "links": tuple(draw(st.lists(links(), max_size=3))),
        "shipments": (shipment,) if draw(st.booleans()) else (),
        "tier": draw(MARKED),
        "reasons": tuple(draw(st.lists(MARKED, max_size=3))),
        "missing": tuple(draw(st.lists(st.sampled_from(("fast:driver_card", "MARKED:load"))))),
        "referral_causes": tuple(
            draw(st.lists(MARKED | st.sampled_from(("officer", "random:00")), max_size=3))
        ),
        "flags": tuple(draw(st.lists(MARKED | st.sampled_from(SECRET), max_size=4))),
        "provisional": draw(st.booleans()),
        "source_event_ids": tuple(draw(st.lists(MARKED, max_size=2))),
        "revision": draw(st.integers(1, 99)),
    }


#: Outcomes and states that a carrier cannot tell apart.
HELD: tuple[Outcome, ...] = tuple(one for one in get_args(Outcome) if one != "released")
SEEN: tuple[CrossingState, ...] = tuple(one for one in STATES if STATES[one] == "see_officer")

shown = st.fixed_dictionaries(
    {
        "state": st.sampled_from([one for one in STATES if one not in SEEN]),
        "lanes": st.lists(st.sampled_from(("fast", "general", "empty")), unique=True).map(tuple),
        "missing": st.lists(st.sampled_from([f"fast:{one}" for one in DOCUMENTS]), unique=True),
        "flags": st.lists(
            st.sampled_from((*FINDINGS, "no_manifest", "filed_late:12")), unique=True
        ),
        "eta_us": st.none() | st.just(at(60)),
    }
)


def notice(open_to_all: dict[str, Any], secret: dict[str, Any], **changes: Any) -> ArrivalNotice:
    usual = ArrivalNotice(
        crossing_id="c1",
        revision=secret["revision"],
        pair=PAIR,
        direction="MX>US",
        state=open_to_all["state"],
        lane="L01",
        position="queue",
        first_read_us=secret["first_read_us"],
        last_read_us=secret["last_read_us"],
        eta_us=open_to_all["eta_us"],
        links=(*secret["links"], Link(role="trip", id="ABCD0001", basis="declared")),
        shipments=secret["shipments"],
        eligibility=Eligibility(
            lanes=open_to_all["lanes"],
            tier=secret["tier"],
            reasons=secret["reasons"],
            missing=(*open_to_all["missing"], *secret["missing"]),
        ),
        referral_causes=secret["referral_causes"],
        flags=(*secret["flags"], *open_to_all["flags"]),
        provisional=secret["provisional"],
        source_event_ids=secret["source_event_ids"],
        at_us=at(30),
    )
    return msgspec.structs.replace(usual, **changes)


@given(shown, hidden())
def test_nothing_passes_that_the_list_does_not_name(
    open_to_all: dict[str, Any], secret: dict[str, Any]
) -> None:
    told = encode(carrier_notice(notice(open_to_all, secret), 1)).decode(errors="replace")
    assert MARK not in told
    for word in (*SECRET, "random:00", "driver_card"):
        assert word not in told.replace("filed_late:12", "")


@given(shown, hidden(), hidden(), st.data())
def test_notices_that_differ_in_security_reasons_alone_are_one_to_a_carrier(
    open_to_all: dict[str, Any],
    one: dict[str, Any],
    other: dict[str, Any],
    data: st.DataObject,
) -> None:
    first, second = (data.draw(st.sampled_from(HELD)) for _ in range(2))
    states = [open_to_all["state"]] * 2
    if data.draw(st.booleans()):
        states = [data.draw(st.sampled_from(SEEN)) for _ in range(2)]
    left = notice(open_to_all, one, decision=first, state=states[0])
    right = notice(open_to_all, other, decision=second, state=states[1])
    assert carrier_notice(left, 1) == carrier_notice(right, 1)
    assert content(carrier_notice(left, 1)) == content(carrier_notice(right, 2))


def test_what_the_carrier_can_mend_is_told() -> None:
    secret: dict[str, Any] = {
        "revision": 1, "first_read_us": 0, "last_read_us": 0, "links": (), "shipments": (), "tier": "T1",
        "reasons": (), "missing": (), "referral_causes": (), "flags": (), "provisional": True,
        "source_event_ids": (),
    }  # fmt: skip
    seen = {
        "state": "approaching",
        "lanes": ("general",),
        "missing": ("fast:importer", "csa:importer", "fast:shipments"),
        "flags": ("no_manifest", "port_mismatch", "filed_late:12"),
        "eta_us": at(60),
    }
    told = carrier_notice(notice(seen, secret, decision="refused"), 3)
    assert told.missing == ("importer", "shipments", "trip")
    assert told.findings == ("filed_late:12", "port_mismatch")
    assert told.trip_number == "ABCD0001"
    assert told.lanes == ("general",)
    assert told.decision == "see_officer"
    assert told.eta_us == at(60)
    assert told.revision == 3


def test_every_state_of_a_crossing_has_a_word_for_carriers() -> None:
    assert set(STATES) == set(get_args(CrossingState))
    assert set(STATES.values()) == set(get_args(CarrierState))


def carriers(border: Border) -> list[CarrierNotice]:
    return border.written("carrier-notices")


def test_a_carrier_follows_its_truck_to_its_release() -> None:
    told = carriers(Border().feed(*plain()))
    assert [one.revision for one in told] == list(range(1, len(told) + 1))
    assert [one.state for one in told if one.position == "primary"][-1] == "released"
    assert told[-1].decision == "released"
    assert told[-1].trip_number == "ABCD0001"


def test_a_refused_truck_is_told_to_see_the_officer_and_no_more() -> None:
    told = carriers(Border().feed(*refused()))
    assert (told[-1].state, told[-1].decision) == ("see_officer", "see_officer")


@settings(max_examples=60)
@given(orders())
def test_the_last_carrier_notice_is_always_the_view_of_the_last_notice(
    both: tuple[list[Message], list[Message]],
) -> None:
    border = Border(rows=BORDER_ROWS).feed(*both[1], tick(20_000))
    last = {one.crossing_id: one for one in carriers(border)}
    notices = border.last_notices()
    assert last.keys() == notices.keys()
    for name, one in notices.items():
        assert content(last[name]) == content(carrier_notice(one, 1))
    revisions = [(one.crossing_id, one.revision) for one in carriers(border)]
    assert len(set(revisions)) == len(revisions)
    assert max(one.revision for one in last.values()) <= max(
        one.revision for one in notices.values()
    )


@pytest.mark.parametrize("state", ["lost", "suspended"])
def test_a_card_that_goes_bad_gives_a_notice_to_officers_and_none_to_carriers(
    state: CredentialState,
) -> None:
    border = Border().feed(*arrive(Desk()))
    notices, told = len(border.written("arrivals")), len(carriers(border))
    status = CredentialStatus(state=state, effective_from_us=0, accepted_at_us=at(21))
    border.change_row(msgspec.structs.replace(card("k1.ana", "person:ana"), statuses=(status,)))
    assert len(border.written("arrivals")) == notices + 1
    assert len(carriers(border)) == told
