"""Full samples of what carriers, cleared readers and auditors get."""

from typing import Final

from schemas.audit import Audit, AuditedDraw, linked
from schemas.carrier import CarrierNotice
from schemas.message import Message
from schemas.policy import WatchListEdition
from schemas.restricted import Hit, Listing, RestrictedReferral, WatchListEntry

_T: Final = 1_795_543_200_000_000
_CROSSING: Final = "8f0d0bd6-6a0e-5f0c-9f5c-2f9d4d1f3b11"

REFERRAL_SAMPLES: Final[tuple[Message, ...]] = (
    WatchListEdition(
        policy_id="watch_list:tco-us",
        effective_from_us=_T,
        effective_to_us=_T + 9,
        accepted_at_us=_T,
        source="unverified",
        list_id="tco-us",
        version=7,
        owner="US",
        entries=1_204,
        sha256="ab" * 32,
    ),
    WatchListEntry(
        credential_id="card:0001",
        listings=(
            Listing(
                list_id="tco-us",
                version=7,
                entry_id="tco-us:0042",
                owner="US",
                effective_from_us=_T,
                effective_to_us=_T + 9,
                accepted_at_us=_T,
                reason="call the desk that keeps the list",
            ),
        ),
    ),
    CarrierNotice(
        crossing_id=_CROSSING,
        revision=2,
        pair="lar-wtb",
        direction="MX>US",
        state="approaching",
        lane="L01",
        position="queue",
        eta_us=_T + 60,
        eta_p90_us=_T + 90,
        trip_number="ABCD0001",
        lanes=("fast", "general"),
        missing=("importer",),
        findings=("filed_late:12",),
        decision="see_officer",
        merged_into="0b1f2b64-30a5-5e5c-8a39-3f1c7f8e4a02",
        split_from="0b1f2b64-30a5-5e5c-8a39-3f1c7f8e4a03",
        continues="0b1f2b64-30a5-5e5c-8a39-3f1c7f8e4a04",
        at_us=_T,
    ),
    RestrictedReferral(
        crossing_id=_CROSSING,
        revision=1,
        pair="lar-wtb",
        direction="MX>US",
        lane="L01",
        hits=(
            Hit(
                credential_id="card:0001",
                list_id="tco-us",
                version=7,
                entry_id="tco-us:0042",
                owner="US",
                basis="read",
                late=True,
                reason="call the desk that keeps the list",
            ),
        ),
        cleared=True,
        first_us=_T,
        at_us=_T + 1,
    ),
    linked(
        Audit(
            v=1,
            writer="lanes-2",
            seq=1,
            previous=bytes(range(32)),
            link=bytes(32),
            crossing_id=_CROSSING,
            pair="lar-wtb",
            direction="MX>US",
            revision=4,
            at_us=_T,
            judged_as_of_us=_T,
            lanes=("general",),
            tier="T1",
            reasons=("fast:driver_programme",),
            missing=("fast:importer",),
            causes=("random:0123456789abcdef",),
            shadow=("targeted:south.trial@1",),
            failed=("south.codes@1",),
            draw=AuditedDraw(key_sha256="01" * 32, value="00" * 8, per_million=20_000, drawn=True),
            policies=("lanes-us@0123456789abcdef",),
            trip_number="ABCD0001",
            trip_version=2,
            decision="released",
            how="entered",
            ended_at_us=_T + 1,
            input_event_ids=("gw1.e1.1",),
        )
    ),
)
