"""The same inputs under two sets of policies, and what differs: trips and lanes stages, record by record."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from schemas.arrival import ArrivalNotice
from schemas.gate import Tick
from schemas.message import Message
from schemas.policy import GatewayKey, Policy
from schemas.ports import Port
from schemas.topics import TOPICS, partition_of, topic_key
from schemas.wire import encode
from stream.lanes.step import LANES
from stream.log.contract import Record
from stream.ndjson import Line
from stream.reference import Reference
from stream.stage import ReferenceChanged, Stage, Step, advance
from stream.state import KeyedState
from stream.trips.step import TRIPS

_STAGES: Final[tuple[Stage, ...]] = (TRIPS, LANES)


class Difference(NamedTuple):
    """One field of a crossing's last notice under both sets."""

    crossing_id: str
    field: str
    left: tuple[str, ...]
    right: tuple[str, ...]


def notices_under(
    policies: Iterable[Policy], lines: Iterable[Line], ports: Mapping[str, Port]
) -> dict[str, ArrivalNotice]:
    """The last notice of each crossing. Policies in the recording itself count only as keys of gateways."""
    run = _Run(ports)
    for row in policies:
        run.reference.fold("policies", row.policy_id, row)
    for line in lines:
        if line.topic == "policies" and not isinstance(line.message, GatewayKey):
            continue
        run.feed(line.topic, line.key, line.message)
    return run.notices


def differences(
    left: Mapping[str, ArrivalNotice], right: Mapping[str, ArrivalNotice]
) -> Iterator[Difference]:
    """What differs, by crossing and field."""
    for crossing_id in sorted(left.keys() | right.keys()):
        one, two = _shown(left.get(crossing_id)), _shown(right.get(crossing_id))
        for field in one:
            if one[field] != two[field]:
                yield Difference(crossing_id, field, one[field], two[field])


def _shown(notice: ArrivalNotice | None) -> dict[str, tuple[str, ...]]:
    may = None if notice is None else notice.eligibility
    return {
        "lanes": () if may is None else may.lanes,
        "tier": () if may is None or may.tier is None else (may.tier,),
        "reasons": () if may is None else may.reasons,
        "missing": () if may is None else may.missing,
        "referral_causes": () if notice is None else notice.referral_causes,
        "flags": () if notice is None else notice.flags,
        "state": () if notice is None else (notice.state,),
    }


class _Run:
    """Both stages in one process, every partition of them."""

    def __init__(self, ports: Mapping[str, Port]) -> None:
        self.reference = Reference(ports)
        self.notices: dict[str, ArrivalNotice] = {}
        self._states: dict[tuple[str, int], KeyedState] = {}
        self._offset = 0
        self._waiting: deque[tuple[str, str, Message | None]] = deque()

    def feed(self, topic: str, key: str, message: Message | None) -> None:
        self._waiting.append((topic, key, message))
        while self._waiting:
            self._one(*self._waiting.popleft())

    def _one(self, topic: str, key: str, message: Message | None) -> None:
        if isinstance(message, ArrivalNotice):
            self.notices[message.crossing_id] = message
        if any(topic in stage.references for stage in _STAGES):
            self.reference.fold(topic, key, message)
        for stage in _STAGES:
            if topic in stage.references:
                given = ReferenceChanged(topic, key, message)
                for (name, _), state in sorted(self._states.items()):
                    if name == stage.name:
                        self._done(state, stage.step(state, self.reference, given))
            if topic == stage.input and message is not None:
                self._record(stage, key, message)

    def _record(self, stage: Stage, key: str, message: Message) -> None:
        partitions = TOPICS[stage.input].partitions
        partition = (
            message.partition
            if isinstance(message, Tick)
            else partition_of(key.encode(), partitions)
        )
        state = self._states.setdefault((stage.name, partition), stage.new_state())
        record = Record(stage.input, partition, self._offset, key.encode(), encode(message), (), 0)
        self._offset += 1
        for step in advance(stage, state, self.reference, record):
            self._done(state, step)

    def _done(self, state: KeyedState, step: Step) -> None:
        state.apply(step.changes)
        for topic, message in step.outputs:
            self._waiting.append((topic, topic_key(message), message))


def summary(found: Sequence[Difference], crossings: int) -> str:
    """One line for people."""
    differ = len({one.crossing_id for one in found})
    return f"{crossings} crossings, {differ} differ"
