"""The rows of the audit that the lanes stage writes: what was decided at the booth and at the end, and by what.

A row is written when a vehicle comes to primary, when it ends, and in between only when what was decided changes.
It never says anything of watch lists but which editions were published.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.audit import FIRST, Audit, AuditedDraw, linked
from schemas.message import Message
from schemas.policy import (
    FilingLimits,
    LaneRules,
    Policy,
    Recognition,
    ReferralRates,
    TargetingPack,
    WatchListEdition,
)
from schemas.topics import TOPICS, partition_of
from stream.lanes.crossing import primary_us
from stream.lanes.join import Joined
from stream.lanes.notice import Noticed
from stream.lanes.rows import Crossing, Trail
from stream.lanes.switches import switches_in_force
from stream.lanes.vehicle import as_of
from stream.policy.in_force import in_force, most_particular
from stream.policy.random_checks import Draw
from stream.policy.targeting import asked
from stream.reference import Reference
from stream.stage import Output

INPUT: Final = TOPICS["gate-events"]


def audited(crossing: Crossing, noticed: Noticed, joined: Joined) -> Audit | None:
    """The row for a notice that changed, not yet linked; None before primary and for what was merged.

    The policies that counted are added once it is known that the row says something new (`with_policies`).
    """
    ended = crossing.how is not None
    lost = crossing.lost_at_us is not None and not ended
    if crossing.merged_into is not None or not (ended or primary_us(crossing) is not None):
        return None
    notice, trip = noticed.notice, joined.trip
    return Audit(
        v=1,
        writer=writer_of(crossing.pair),
        seq=1,
        previous=FIRST,
        link=FIRST,
        crossing_id=crossing.crossing_id,
        pair=crossing.pair,
        direction=crossing.direction,
        revision=notice.revision,
        at_us=notice.at_us,
        judged_as_of_us=as_of(crossing).at_us,
        lanes=notice.eligibility.lanes,
        tier=notice.eligibility.tier,
        reasons=notice.eligibility.reasons,
        missing=notice.eligibility.missing,
        causes=notice.referral_causes,
        shadow=noticed.targeted.shadow,
        failed=(*noticed.targeted.failed, *noticed.targeted.shadow_failed),
        draw=_draw(noticed.random.draw),
        trip_number=None if trip is None else trip.trip_number,
        trip_version=None if trip is None else trip.version,
        decision=notice.decision,
        how="lost" if lost else crossing.how,
        ended_at_us=crossing.lost_at_us if lost else crossing.ended_at_us,
        input_event_ids=notice.source_event_ids,
    )


def content(row: Audit) -> bytes:
    """Hash of what was decided: without the events behind it, the notice's revision and the time."""
    same = replace(row, revision=0, at_us=0, input_event_ids=())
    return hashlib.blake2b(msgspec.msgpack.encode(same), digest_size=8).digest()


def writer_of(pair: str) -> str:
    """The stage with the partition of its input in which the pair's events stand."""
    return f"lanes-{partition_of(pair.encode(), INPUT.partitions)}"


class Chained:
    """The end of a partition's chain, as a step makes it longer."""

    def __init__(self, before: Trail | None) -> None:
        """`before`: the end as the state has it."""
        self._trail = before
        self._longer = False

    def outputs(self, written: Iterable[tuple[str, Message]]) -> list[Output]:
        """The outputs in their order, each audit row linked to the one before it."""
        return [
            Output(topic, self._linked(message) if isinstance(message, Audit) else message)
            for topic, message in written
        ]

    def longer(self) -> Trail | None:
        """The new end of the chain, None when no row was added."""
        return self._trail if self._longer else None

    def _linked(self, row: Audit) -> Audit:
        seq, link = (0, FIRST) if self._trail is None else (self._trail.seq, self._trail.link)
        row = linked(replace(row, seq=seq + 1, previous=link))
        self._trail, self._longer = Trail(seq=row.seq, link=row.link), True
        return row


def _draw(draw: Draw | None) -> AuditedDraw | None:
    if draw is None:
        return None
    return AuditedDraw(
        key_sha256=draw.key_sha256,
        value=f"{draw.value:016x}",
        per_million=draw.per_million,
        drawn=draw.drawn,
    )


def with_policies(row: Audit, crossing: Crossing, reference: Reference) -> Audit:
    """The row with the policy rows in force for the crossing, each by id and digest, sorted."""
    pair, direction, moment = crossing.pair, crossing.direction, as_of(crossing)
    rows: list[Policy | None] = [
        most_particular(reference.policies(LaneRules), pair, direction, moment),
        most_particular(reference.policies(FilingLimits), pair, direction, moment),
        most_particular(reference.policies(ReferralRates), pair, direction, moment),
        *in_force(reference.policies(Recognition), moment),
        *asked(reference.policies(TargetingPack), pair, direction, moment),
        *in_force(reference.policies(WatchListEdition), moment),
        *switches_in_force(reference, pair, direction, crossing.first_us),
    ]
    names = sorted(reference.policy_name(one.policy_id) for one in rows if one is not None)
    return replace(row, policies=tuple(names))
