"""Full samples of the reference rows and of what trips are made of; `tests.schemas.samples` has the rest."""

from typing import Final

from schemas.message import Message
from schemas.reference import (
    Commodity,
    Credential,
    CredentialStatus,
    FeeStatus,
    Finding,
    Membership,
    OfficeHours,
    Party,
    Person,
    Plate,
    Shipment,
    Site,
    SiteCoordinates,
    SiteLane,
    SiteOffice,
    SiteReadPoint,
    Trailer,
    Trip,
    TripTrailer,
    TripUsed,
    TripVersion,
    Truck,
)
from schemas.trips import (
    DeclaredPerson,
    DeclaredTrailer,
    DeclaredTruck,
    TripFiling,
    TripUse,
)

_T: Final = 1_772_460_000_000_000
_TOKEN: Final = "k1.00112233445566778899aabbccddeeff"
SHIPMENT: Final = Shipment(
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

REFERENCE_SAMPLES: Final[tuple[Message, ...]] = (
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
        fees=(FeeStatus(state="not_paid", effective_from_us=_T, accepted_at_us=_T),),
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
        truck_vin="1FVACXCY3FHGN3106",
        trailers=(TripTrailer(trailer="trailer:0001", seals=("S-1",), load="loaded"),),
        shipments=(SHIPMENT,),
        carrier_code="ABCD",
        unresolved=("passenger",),
        history=(
            TripVersion(
                version=1,
                accepted_at_us=_T - 9,
                filed_at_us=_T - 10,
                status="on_file",
                port_code="2304",
                direction="MX>US",
                eta_us=_T,
                drivers=("person:0001",),
                passengers=("person:0002",),
                truck="truck:0001",
                truck_vin="1FVACXCY3FHGN3106",
                trailers=(TripTrailer(trailer="trailer:0002"),),
                shipments=(SHIPMENT,),
            ),
        ),
        history_cut=True,
        used_by="8f0d0bd6-6a0e-5f0c-9f5c-2f9d4d1f3b11",
        uses=(
            TripUsed(
                crossing_id="8f0d0bd6-6a0e-5f0c-9f5c-2f9d4d1f3b11",
                pair="lar-wtb",
                how="used",
                at_us=_T,
            ),
        ),
        findings=(
            Finding(
                code="vin_check_digit",
                path="truck.vin",
                detail="position 9 should be 3 and is 4",
            ),
        ),
    ),
    TripFiling(
        filing_id="filing-7",
        trip_number="ABCD0001",
        action="amend",
        version=2,
        filed_at_us=_T - 7,
        accepted_at_us=_T - 6,
        carrier="party:carrier-1",
        carrier_code="ABCD",
        port_code="2304",
        direction="MX>US",
        eta_us=_T,
        drivers=(DeclaredPerson(id="person:0001", credential_id="card:0001"),),
        passengers=(DeclaredPerson(credential_id="card:0002"),),
        truck=DeclaredTruck(
            id="truck:0001",
            vin="1FVACXCY3FHGN3106",
            plate=Plate(number="TST0001", country="US", state="TX"),
        ),
        trailers=(
            DeclaredTrailer(
                id="trailer:0001",
                plate=Plate(number="TSTR001", country="MX"),
                container="CSQU3054383",
                seals=("S-1",),
                load="loaded",
            ),
        ),
        shipments=(SHIPMENT,),
        carta_porte="CCC8e4b5-1f2a-4c3d-9e8f-0123456789ab",
    ),
    TripUse(
        trip_number="ABCD0001",
        crossing_id="8f0d0bd6-6a0e-5f0c-9f5c-2f9d4d1f3b11",
        pair="lar-wtb",
        how="used",
        revision=1,
        at_us=_T,
        source_event_id="gw1.e1.7",
    ),
    Site(
        pair="lar-wtb",
        effective_from_us=_T,
        offices=(
            SiteOffice(
                country="US",
                office_code="2304",
                authority="CBP",
                timezone="America/Chicago",
                hours=(OfficeHours(days=(0, 1, 2), from_min=360, until_min=1_440),),
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
        coordinates=SiteCoordinates(latitude=27.6, longitude=-99.5, source="a survey"),
    ),
)
