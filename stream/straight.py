"""All stages in one process without a log: what the workers would write for these records, in one fixed order.

A record's outputs run through the stages to quiescence, in the order of the registry, before the next
record is taken. So the same records in the same order give the same bytes.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from schemas.gate import Tick
from schemas.message import Message
from schemas.topics import PARTITIONS, TOPICS, partition_of, topic_key
from schemas.wire import SchemaError, encode
from stream.draft import Cause, Draft, OutputTooLarge, take_record
from stream.log.contract import Outgoing, Record
from stream.reference import Reference
from stream.stage import ReferenceChanged, Stage, read_row
from stream.state import KeyedState

#: Deliveries that one record may cause before the stages are taken to feed each other for ever.
MAX_DELIVERIES: Final = 100_000

#: As often as a worker writes ticks.
TICK_US: Final = 10_000_000

Rows = dict[tuple[str, int], dict[str, bytes]]
"""Changelog rows by stage and partition."""


class Written(NamedTuple):
    """A record that a stage wrote."""

    topic: str
    key: str
    at_us: int
    value: bytes


class Straight:
    """Runs records through stages. `take` one after the other; `rows` and `restore` are a kill and a restart."""

    def __init__(self, stages: Sequence[Stage], reference: Reference) -> None:
        """`stages` in the order in which they see what the others write."""
        self.reference = reference
        self.counts: Counter[str] = Counter()
        self._stages = tuple(stages)
        self._states: dict[tuple[str, int], KeyedState] = {}
        self._rows: Rows = {}
        self._waiting: tuple[deque[Record | ReferenceChanged], ...] = tuple(
            deque() for _ in self._stages
        )
        self._offsets: Counter[tuple[str, int]] = Counter()
        self._followed = {topic for stage in stages for topic in stage.references}
        self._written: list[Written] = []
        self._ticked_us: int | None = None

    def take(self, topic: str, key: str, at_us: int, message: Message | None) -> list[Written]:
        """What follows from one record; None deletes a reference row."""
        partition = message.partition if isinstance(message, Tick) else _partition(topic, key)
        return self.take_raw(
            topic, partition, key, at_us, None if message is None else encode(message)
        )

    def take_raw(
        self, topic: str, partition: int, key: str, at_us: int, value: bytes | None
    ) -> list[Written]:
        """What follows from the bytes of one record, in the order in which it was written."""
        self._written = []
        self.counts["records"] += 1
        self._route(topic, partition, key.encode(), at_us, value)
        self._settle(at_us)
        return self._written

    def pass_time(self, at_us: int) -> list[Written]:
        """Tick all partitions of stages with timers, if as much time has passed as between a worker's ticks."""
        if self._ticked_us is not None and at_us < self._ticked_us + TICK_US:
            return []
        self._ticked_us = at_us
        written: list[Written] = []
        for stage in self._stages:
            if stage.ticks:
                for partition in range(PARTITIONS):
                    if (stage.name, partition) in self._states:
                        tick = Tick(partition=partition, at_us=at_us)
                        written += self.take(stage.input, topic_key(tick), at_us, tick)
                        self.counts["records"] -= 1
        return written

    def rows(self) -> Rows:
        """The changelog as it stands: all that a restart needs beside the reference rows."""
        return {at: dict(rows) for at, rows in self._rows.items()}

    def restore(self, rows: Mapping[tuple[str, int], Mapping[str, bytes]]) -> None:
        """Throw the state away and read it again from changelog rows, in whatever order they stand."""
        by_name = {stage.name: stage for stage in self._stages}
        self._states = {}
        self._rows = {at: dict(kept) for at, kept in rows.items()}
        for at, kept in rows.items():
            state = by_name[at[0]].new_state()
            for key, row in reversed(list(kept.items())):
                state.load(key, row)
            self._states[at] = state

    def digests(self) -> dict[tuple[str, int], str]:
        """A hash of each state that is not empty."""
        return {at: state.digest() for at, state in sorted(self._states.items()) if len(state)}

    def _route(
        self, topic: str, partition: int, key: bytes, at_us: int, value: bytes | None
    ) -> None:
        """Put a record before the stages that take it as input or follow it as reference."""
        offset = self._offsets[topic, partition]
        self._offsets[topic, partition] += 1
        record = Record(topic, partition, offset, key, value, (), at_us // 1_000)
        if topic in self._followed:
            self._follow(record)
        for stage, waiting in zip(self._stages, self._waiting, strict=True):
            if stage.input == topic:
                waiting.append(record)

    def _follow(self, record: Record) -> None:
        try:
            row = read_row(record)
        except SchemaError:
            self.counts["rows_rejected"] += 1
            return
        self.reference.fold(row.topic, row.key, row.message)
        for stage, waiting in zip(self._stages, self._waiting, strict=True):
            if row.topic in stage.references:
                waiting.append(row)

    def _settle(self, at_us: int) -> None:
        for _ in range(MAX_DELIVERIES):
            stage, waiting = next(
                (
                    (one, queue)
                    for one, queue in zip(self._stages, self._waiting, strict=True)
                    if queue
                ),
                (None, None),
            )
            if stage is None or waiting is None:
                return
            given = waiting.popleft()
            if isinstance(given, Record):
                self._step_input(stage, given, at_us)
            else:
                self._step_row(stage, given, at_us)
        raise RuntimeError(f"more than {MAX_DELIVERIES} deliveries follow from one record")

    def _step_input(self, stage: Stage, record: Record, at_us: int) -> None:
        draft = Draft(stage, record.partition)
        state = self._state(stage, record.partition)
        take_record(draft, stage, state, self.reference, record)
        self._keep(stage, record.partition, draft.outgoing(), at_us)

    def _step_row(self, stage: Stage, row: ReferenceChanged, at_us: int) -> None:
        for (name, partition), state in sorted(self._states.items(), key=lambda pair: pair[0]):
            if name == stage.name:
                draft = Draft(stage, partition)
                step = stage.step(state, self.reference, row)
                try:
                    draft.take(step, Cause(at_us))
                except OutputTooLarge:
                    # As a worker does: there is no record to reject, so the state stays as it was.
                    self.counts["outputs_too_large"] += 1
                    continue
                state.apply(step.changes)
                self._keep(stage, partition, draft.outgoing(), at_us)

    def _state(self, stage: Stage, partition: int) -> KeyedState:
        at = (stage.name, partition)
        if at not in self._states:
            self._states[at] = stage.new_state()
            self._rows[at] = {}
        return self._states[at]

    def _keep(self, stage: Stage, partition: int, outgoing: Sequence[Outgoing], at_us: int) -> None:
        rows = self._rows[stage.name, partition]
        for one in outgoing:
            key = (one.key or b"").decode()
            if one.topic == stage.changelog:
                if one.value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = one.value
                continue
            self.counts[one.topic] += 1
            self._written.append(Written(one.topic, key, at_us, one.value or b""))
            self._route(one.topic, _partition(one.topic, key), one.key or b"", at_us, one.value)


def _partition(topic: str, key: str) -> int:
    return partition_of(key.encode(), TOPICS[topic].partitions)
