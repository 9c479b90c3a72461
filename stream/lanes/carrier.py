"""What a carrier is told of a crossing: an allow-list of the arrival notice, field by field.

Nothing passes that is not named here. Referral causes, findings about persons and cards, tiers, reasons and what an
officer decided in detail have no field to pass by (need-to-know: the carrier's view never shows security reasons).
Whether a lane is open is shown, since the driver has to choose one; why it is closed is not.
"""

import hashlib
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from schemas.arrival import ArrivalNotice, CrossingState
from schemas.carrier import CarrierNotice, CarrierState

#: Every outcome but a release looks alike, so a hold tells nothing.
STATES: Final[dict[CrossingState, CarrierState]] = {
    "announced": "announced",
    "approaching": "approaching",
    "at_primary": "at_booth",
    "secondary": "see_officer",
    "held": "see_officer",
    "refused": "see_officer",
    "turned_back": "see_officer",
    "paroled": "see_officer",
    "withdrawn": "see_officer",
    "released": "released",
    "entered": "released",
    "closed": "released",
    "u_turn": "left",
    "diverted": "diverted",
    "lost": "lost",
    "expired": "expired",
    "merged": "merged",
}

#: Documents that the carrier can still file, by what `eligibility` calls them.
DOCUMENTS: Final = ("carrier", "importer", "manufacturer", "shipments")

#: Findings that only compare the filing with what came: the carrier mends them by an amendment.
FINDINGS: Final = (
    "driver_mismatch",
    "port_mismatch",
    "port_unverified",
    "trailer_mismatch",
    "trip_conflict",
    "truck_mismatch",
    "vin_mismatch",
)

_LATE: Final = "filed_late:"


def carrier_notice(notice: ArrivalNotice, revision: int) -> CarrierNotice:
    """The carrier's view of a notice, as `revision`."""
    return CarrierNotice(
        crossing_id=notice.crossing_id,
        revision=revision,
        pair=notice.pair,
        direction=notice.direction,
        state=STATES[notice.state],
        lane=notice.lane,
        position=notice.position,
        eta_us=notice.eta_us,
        eta_p90_us=notice.eta_p90_us,
        trip_number=_trip(notice),
        lanes=notice.eligibility.lanes,
        missing=tuple(sorted({*_missing(notice)})),
        findings=tuple(sorted({*_findings(notice)})),
        decision=_decision(notice),
        merged_into=notice.merged_into,
        split_from=notice.split_from,
        continues=notice.continues,
        at_us=notice.at_us,
    )


def content(notice: CarrierNotice) -> bytes:
    """Hash of what the carrier sees: without revision and running time."""
    same = msgspec.structs.replace(notice, revision=0, at_us=0)
    return hashlib.blake2b(msgspec.msgpack.encode(same), digest_size=8).digest()


def _trip(notice: ArrivalNotice) -> str | None:
    return next((link.id for link in notice.links if link.role == "trip"), None)


def _missing(notice: ArrivalNotice) -> Iterator[str]:
    if "no_manifest" in notice.flags:
        yield "trip"
    for one in notice.eligibility.missing:
        _, _, what = one.partition(":")
        if what in DOCUMENTS:
            yield what


def _findings(notice: ArrivalNotice) -> Iterator[str]:
    for flag in notice.flags:
        minutes = flag.removeprefix(_LATE)
        if flag in FINDINGS or (flag.startswith(_LATE) and minutes.isascii() and minutes.isdigit()):
            yield flag


def _decision(notice: ArrivalNotice) -> Literal["released", "see_officer"] | None:
    if notice.decision is None:
        return None
    return "released" if notice.decision == "released" else "see_officer"
