"""What is written beside the arrival notice whenever that changes: the carrier's view, and the row for the audit."""

from msgspec.structs import replace

from schemas.message import Message
from stream.lanes import audited, carrier
from stream.lanes.join import Joined
from stream.lanes.notice import Noticed
from stream.lanes.rows import Crossing
from stream.reference import Reference


def tell(
    crossing: Crossing, noticed: Noticed, joined: Joined, reference: Reference
) -> tuple[Crossing, list[tuple[str, Message]]]:
    """The crossing with what was told, and what has to be written: topic and message."""
    outputs: list[tuple[str, Message]] = []
    told = carrier.carrier_notice(noticed.notice, crossing.carrier_revision + 1)
    says = carrier.content(told)
    if says != crossing.carrier_content:
        outputs.append(("carrier-notices", told))
        crossing = replace(crossing, carrier_content=says, carrier_revision=told.revision)
    row = audited.audited(crossing, noticed, joined)
    if row is not None and (decided := audited.content(row)) != crossing.audited:
        outputs.append(("audit", audited.with_policies(row, crossing, reference)))
        crossing = replace(crossing, audited=decided)
    return crossing, outputs
