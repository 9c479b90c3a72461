"""One full sample of every message, with every optional field filled: the source of the golden files."""

from typing import Final

from schemas.alert import Alert, Rejected
from schemas.arrival import ArrivalNotice, Eligibility, Link
from schemas.border import BorderEntry, BorderExit, BorderRecord, CrossingEnded, Side, Unmatched
from schemas.gate import (
    Decision,
    Heartbeat,
    ReaderHealth,
    ReaderStatus,
    SightingGone,
    SightingSeen,
    Skipped,
    Tick,
)
from schemas.message import Message
from schemas.reference import (
    Commodity,
    Credential,
    CredentialStatus,
    Membership,
    Party,
    Person,
    Plate,
    Shipment,
    Site,
    SiteLane,
    SiteOffice,
    SiteReadPoint,
    Trailer,
    Trip,
    TripTrailer,
    Truck,
)

_T: Final = 1_772_460_000_000_000
_TOKEN: Final = "k1.00112233445566778899aabbccddeeff"
_SIGHTING: Final = {
    "pair": "lar-wtb",
    "lane": "L01",
    "read_point": "L01-primary",
    "position": "primary",
    "to_booth_s": 0,
    "direction": "MX>US",
    "token": _TOKEN,
    "tid_token": "k1.ffeeddccbbaa99887766554433221100",
    "scheme": "opaque",
    "first_us": _T,
    "last_us": _T + 200_000,
    "at_us": _T + 250_000,
    "reads": 3,
    "peak_rssi_dbm": -37.5,
    "antennas": (1, 2),
    "other_lanes": ("L02",),
    "ambiguous": False,
    "travel": "forward",
    "clock_source": "estimated",
    "clock_offset_ms": -12,
    "clock_synchronised": True,
    "replayed": False,
}
_SHIPMENT: Final = Shipment(
    control_number="ABCDPAPS0001",
    importer="party:importer-1",
    manufacturer="party:maker-1",
    commodities=(
        Commodity(
            description="brake parts", hs_code="870830", quantity=40, weight_kg=812.5, hazmat=False
        ),
    ),
    other_department=False,
    release_status="on_file",
)

SAMPLES: Final[tuple[Message, ...]] = (
    SightingSeen(event_id="gw1.e1.1", moved_from="L03", **_SIGHTING),  # type: ignore[arg-type]
    SightingGone(
        event_id="gw1.e1.2",
        observed=True,
        seen_event_id="gw1.e1.1",
        reason="lost",
        **_SIGHTING,  # type: ignore[arg-type]
    ),
    Heartbeat(
        event_id="gw1.e1.3",
        pair="lar-wtb",
        at_us=_T,
        outbox_depth=2,
        outbox_age_ms=40,
        reads=100,
        reads_gone=70,
        reads_open=20,
        reads_duplicate=6,
        reads_rejected=4,
        glimpses=1,
        readers=(
            ReaderHealth(
                reader="r200-1", up=True, last_heard_us=_T, reads=100, rejects={"checksum": 2}
            ),
        ),
    ),
    ReaderStatus(
        event_id="gw1.e1.4",
        pair="lar-wtb",
        reader="r200-1",
        up=True,
        at_us=_T,
        gap_from_us=_T - 2_000_000,
        gap_to_us=_T,
        cause="unplugged",
        reads_lost=7,
        antenna_faults=(2,),
        rejects={"checksum": 2},
    ),
    Skipped(
        event_id="gw1.e1.9", pair="lar-wtb", at_us=_T, from_seq=5, to_seq=8, cause="damaged row"
    ),
    Tick(partition=3, at_us=_T),
    Decision(
        event_id="booth-1.e1.1",
        pair="lar-wtb",
        at_us=_T,
        country="US",
        authority="CBP",
        officer="officer-7",
        outcome="released",
        subjects="persons",
        persons=("person:0001",),
        crossing_id="8f0d0bd6-6a0e-5f0c-9f5c-2f9d4d1f3b11",
        revision_seen=3,
        lane="L01",
    ),
    Credential(
        token=_TOKEN,
        credential_id="card:0001",
        kind="driver_card",
        holder="person:0001",
        programme="FAST",
        tier="T3",
        tid_token="k1.ffeeddccbbaa99887766554433221100",
        statuses=(CredentialStatus(state="active", effective_from_us=_T, accepted_at_us=_T),),
        expires_us=_T + 1,
    ),
    Party(
        id="party:carrier-1",
        name="Carrier One",
        roles=("carrier",),
        memberships=(
            Membership(
                programme="C-TPAT",
                country="US",
                state="member",
                effective_from_us=_T,
                accepted_at_us=_T,
            ),
        ),
    ),
    Person(id="person:0001", key_id="seal-1", s92=b"\x00sealed", rest=b"\x01sealed"),
    Truck(
        id="truck:0001",
        vin="1FVACXCY3FHGN3106",
        plates=(Plate(number="TST0001", country="US", state="TX"),),
        fee_status="paid",
    ),
    Trailer(id="trailer:0001", plate=Plate(number="TSTR001", country="MX"), trailer_type="TL"),
    Trip(
        trip_number="ABCD0001",
        version=2,
        carrier="party:carrier-1",
        port_code="2304",
        direction="MX>US",
        eta_us=_T,
        filed_at_us=_T - 7,
        accepted_at_us=_T - 6,
        status="on_file",
        drivers=("person:0001",),
        passengers=("person:0002",),
        truck="truck:0001",
        trailers=(TripTrailer(trailer="trailer:0001", seals=("S-1",), load="loaded"),),
        shipments=(_SHIPMENT,),
    ),
    Site(
        pair="lar-wtb",
        effective_from_us=_T,
        offices=(
            SiteOffice(
                country="US", office_code="2304", authority="CBP", timezone="America/Chicago"
            ),
        ),
        lanes=(
            SiteLane(
                id="L01", direction="MX>US", lane_class="fast", group="ALL", neighbours=("L02",)
            ),
        ),
        read_points=(
            SiteReadPoint(id="L01-primary", lane="L01", position="primary", to_booth_s=0),
        ),
    ),
    ArrivalNotice(
        crossing_id="8f0d0bd6-6a0e-5f0c-9f5c-2f9d4d1f3b11",
        revision=3,
        pair="lar-wtb",
        direction="MX>US",
        state="approaching",
        lane="L01",
        position="queue",
        first_read_us=_T,
        last_read_us=_T + 1,
        eta_us=_T + 60,
        eta_p90_us=_T + 90,
        links=(
            Link(
                role="driver",
                id="person:0001",
                basis="conflicting",
                credential_id="card:0001",
                candidates=("person:0001", "person:0002"),
            ),
        ),
        shipments=(_SHIPMENT,),
        eligibility=Eligibility(
            lanes=("fast",), tier="T3", reasons=("no_policy",), missing=("carrier",)
        ),
        referral_causes=("random",),
        flags=("unknown_card",),
        decision="secondary",
        provisional=True,
        source_event_ids=("gw1.e1.1",),
        at_us=_T,
    ),
    CrossingEnded(
        crossing_id="8f0d0bd6-6a0e-5f0c-9f5c-2f9d4d1f3b11",
        person="person:0001",
        role="driver",
        revision=1,
        how="entered",
        pair="lar-wtb",
        entered=Side(country="US", office_code="2304", authority="CBP", lane="L01"),
        left=Side(country="MX", office_code="240", authority="ANAM"),
        at_us=_T,
        source_event_ids=("gw1.e1.1",),
    ),
    BorderRecord(
        record_id="1c8f5a61-52a4-5a52-8a3b-0a9d5b0f6c22",
        crossing_id="8f0d0bd6-6a0e-5f0c-9f5c-2f9d4d1f3b11",
        person="person:0001",
        role="driver",
        pair="lar-wtb",
        revision=1,
        state="live",
        entry=BorderEntry(country="US", office_code="2304", authority="CBP", lane="L01", at_us=_T),
        exit=BorderExit(country="MX", office_code="240", at_us=_T),
        anomalies=("baseline",),
        source_event_ids=("gw1.e1.1",),
        retention_class="entry_exit_15y",
        delete_after_us=_T + 9,
    ),
    Alert(
        alert_id="sequence_gap|gw1|e1|5|8",
        kind="sequence_gap",
        severity="critical",
        subject="gw1",
        pair="lar-wtb",
        at_us=_T,
        evidence=("gw1.e1.9",),
        what_to_do="look at its outbox",
    ),
    Unmatched(
        unmatched_id="c1|unknown_card|k1.x",
        kind="unknown_card",
        pair="lar-wtb",
        crossing_id="8f0d0bd6-6a0e-5f0c-9f5c-2f9d4d1f3b11",
        subject=_TOKEN,
        since_us=_T,
        why="no credential",
        evidence=("gw1.e1.1",),
        closed_by="credentials:k1.x",
        closed_at_us=_T + 5,
    ),
    Rejected(
        stage="lanes",
        topic="gate-events",
        partition=3,
        offset=12,
        key=b"lar-wtb",
        raw=b"\xc1",
        reason="malformed",
        detail="not msgpack",
    ),
)
