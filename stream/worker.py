"""The only loop of the stream: poll, step, commit.

A round takes what has come for the partitions that this process owns, steps it through their stages and
commits, for each partition as one: the outputs, the changelog rows and the next input position.

The state is changed before the commit, because a step reads what the step before it has written. So after
any failed commit the state in memory is wrong and is thrown away with the process: `run` raises, nothing
is tried again in place, and the next process restores the state from the changelog.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from schemas.audit import Audit
from schemas.topics import TOPICS
from stream.config import ConfigError, StreamTable
from stream.draft import Cause, Draft, OutputTooLarge, take_record
from stream.log.contract import EventLog, LogUnavailable, Reader, Record, TopicPartition
from stream.log.crash import passing
from stream.policy.random_checks import parse_key
from stream.reference import Reference
from stream.shipped import fold_shipped
from stream.stage import ReferenceChanged, Stage, Step, TakenOver
from stream.table import Table, port_table
from stream.takeover import Owned, check_topics, take_over

_journal = structlog.get_logger(__name__)

#: A line about lag and counts at most so often.
HEALTH_S: Final = 30.0

#: Ticks stay where they are written: a topic that is kept for ever gets them no more often than this.
KEPT_TICK_S: Final = 600.0

#: Reference rows taken in one round; bounds how long the input waits for a large load.
MAX_ROWS: Final = 500

Clock = Callable[[], int]


def read_random_key(name: str | None) -> bytes | None:
    """The key that draws random checks. Raises `ConfigError` for a file that cannot be used."""
    if name is None:
        return None
    try:
        return parse_key(Path(name).read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "expected 64 hex digits"
        raise ConfigError(f"stream.random_key_file: {name}: {why}") from error


def wall_clock_us() -> int:
    """The time that ticks carry: microseconds UTC."""
    return time.time_ns() // 1_000


class Worker:
    """Runs stages over the partitions that it owns. Made by `Worker.start`.

    Attributes:
        counts: records, outputs, changes, commits, rejected, ticks since the start; shadow_hits: rules on trial
            that would have referred somebody, by rows of the audit.
    """

    def __init__(
        self,
        *,
        log: EventLog,
        owned: Sequence[Owned],
        table: Table,
        reader: Reader,
        settings: StreamTable,
        clock: Clock,
    ) -> None:
        """Everything is taken over already."""
        self.counts: Counter[str] = Counter()
        self._log = log
        self._owned = {one.input: one for one in owned}
        if len(self._owned) != len(owned):
            raise ValueError("two stages read one topic: they cannot share a worker")
        self._table = table
        self._reader = reader
        self._settings = settings
        self._clock = clock
        self._next_tick = dict.fromkeys((one.stage.input for one in owned), 0.0)
        self._next_health = 0.0

    @classmethod
    async def start(
        cls,
        log: EventLog,
        stages: Sequence[Stage],
        settings: StreamTable,
        clock: Clock = wall_clock_us,
    ) -> "Worker":
        """Load the reference tables, take the partitions over, restore their state.

        Raises `LogError`. May be cancelled: until `run` nothing is written.
        """
        await check_topics(log, stages)
        topics = [topic for stage in stages for topic in stage.references]
        key = read_random_key(settings.random_key_file)
        reference = fold_shipped(settings.policy, Reference(port_table(), random_key=key))
        table = Table(topics, reference)
        await table.load(log)
        owned = await take_over(log, stages, settings.numbers)
        reader = await log.reader({one.input: one.position for one in owned})
        return cls(log=log, owned=owned, table=table, reader=reader, settings=settings, clock=clock)

    @property
    def reference_counts(self) -> Mapping[str, int]:
        """Reference rows: loaded at the start, changed since, rejected."""
        return self._table.counts

    async def run(self, stop: asyncio.Event) -> None:
        """Go round until `stop` is set; the running round is finished and committed.

        Raises what went wrong (`LogError`, or a group of them). The process must then end.
        """
        drafts = self._new_drafts()
        for one in self._owned.values():
            self._step_all(drafts, one, TakenOver())
        await self._commit(drafts)
        self._next_health = time.monotonic() + HEALTH_S
        while not stop.is_set():
            await self.round()
            await self._say_health()

    async def round(self) -> None:
        """One round: reference rows first, then input, then ticks that are due; one commit each."""
        records = await self._reader.poll(
            self._settings.batch, min(self._settings.commit_ms / 1_000, self._settings.tick_s)
        )
        if records:
            passing("worker.polled")
        drafts = self._new_drafts()
        for row in await self._table.changes(MAX_ROWS):
            self._table.reference.fold(row.topic, row.key, row.message)
            for one in self._owned.values():
                if row.topic in one.stage.references:
                    self._step_all(drafts, one, row)
        self._step_input(drafts, records)
        self._tick(drafts)
        if records:
            passing("worker.stepped")
        await self._commit(drafts)
        if records:
            passing("worker.committed")

    def _new_drafts(self) -> dict[TopicPartition, Draft]:
        return {at: Draft(one.stage, one.partition) for at, one in self._owned.items()}

    def _step_all(
        self, drafts: dict[TopicPartition, Draft], one: Owned, given: ReferenceChanged | TakenOver
    ) -> None:
        step = one.stage.step(one.state, self._table.reference, given)
        if not (step.outputs or step.changes):
            return
        try:
            drafts[one.input].take(step, Cause(self._clock()))
        except OutputTooLarge as error:
            # There is no record to reject: the crossings that it touches stay as they were.
            self.counts["outputs_too_large"] += 1
            _journal.error("step left out", stage=one.stage.name, why=str(error))
            return
        one.state.apply(step.changes)
        self._count(step)

    def _step_input(self, drafts: dict[TopicPartition, Draft], records: Sequence[Record]) -> None:
        reference = self._table.reference
        rejected = []
        for record in records:
            at = TopicPartition(record.topic, record.partition)
            one = self._owned[at]
            step = take_record(drafts[at], one.stage, one.state, reference, record)
            one.position = record.offset + 1
            if step.outputs or step.changes:
                self._count(step)
                rejected += [record for output in step.outputs if output.topic == "rejected"]
        self.counts["records"] += len(records)
        if rejected:
            self.counts["rejected"] += len(rejected)
            first = rejected[0]
            _journal.warning(
                "records rejected",
                count=len(rejected),
                first=f"{first.topic}/{first.partition}@{first.offset}",
            )

    def _tick(self, drafts: dict[TopicPartition, Draft]) -> None:
        now = time.monotonic()
        due = {topic for topic, at in self._next_tick.items() if now >= at}
        for topic in due:
            kept = TOPICS[topic].retention_ms is None and not TOPICS[topic].compacted
            tick_s = self._settings.tick_s
            self._next_tick[topic] = now + (max(tick_s, KEPT_TICK_S) if kept else tick_s)
        for at, one in self._owned.items():
            if one.stage.ticks and at.topic in due:
                drafts[at].tick(self._clock())
                self.counts["ticks"] += 1

    async def _commit(self, drafts: dict[TopicPartition, Draft]) -> None:
        """All partitions side by side: each waits for its own acknowledgements."""
        filled = [(at, draft) for at, draft in drafts.items() if draft]
        if len(filled) == 1:
            at, draft = filled[0]
            await self._owned[at].ownership.commit(draft.outgoing(), draft.next_offset)
        else:
            async with asyncio.TaskGroup() as group:
                for at, draft in filled:
                    ownership = self._owned[at].ownership
                    group.create_task(ownership.commit(draft.outgoing(), draft.next_offset))
        self.counts["commits"] += len(filled)

    def _count(self, step: Step) -> None:
        self.counts["outputs"] += len(step.outputs)
        self.counts["changes"] += len(step.changes)
        for output in step.outputs:
            if isinstance(output.message, Audit) and output.message.shadow:
                self.counts["shadow_hits"] += len(output.message.shadow)

    async def _say_health(self) -> None:
        now = time.monotonic()
        if now < self._next_health:
            return
        self._next_health = now + HEALTH_S
        try:
            bounds = await self._log.bounds(list(self._owned))
        except LogUnavailable as error:
            _journal.warning("lag unknown", why=str(error))
            return
        positions = self._reader.positions()
        _journal.info(
            "progress",
            lag={f"{at.topic}/{at.partition}": bounds[at][1] - positions[at] for at in bounds},
            state_rows=sum(len(one.state) for one in self._owned.values()),
            reference_rows=len(self._table.reference),
            reference=dict(self.reference_counts),
            **self.counts,
        )
