"""Become the owner of input partitions: fence, read the committed position, restore the state.

In this order, never another. Were the position read first, the old owner could commit between the two, and
its batch would be done twice.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from schemas.topics import TOPICS
from stream.catch_up import catch_up
from stream.log.contract import (
    EventLog,
    LogError,
    Ownership,
    PositionLost,
    Record,
    TopicMissing,
    TopicPartition,
)
from stream.log.crash import passing
from stream.stage import Stage
from stream.state import KeyedState

_journal = structlog.get_logger(__name__)


class StateUnreadable(LogError):  # noqa: N818 - named by what is wrong
    """The log holds what this program cannot go on from. Nothing was changed or deleted."""


@dataclass(slots=True, kw_only=True)
class Owned:
    """An input partition of a stage that this process owns, with its state as of `position`."""

    stage: Stage
    partition: int
    ownership: Ownership
    state: KeyedState
    #: Next input offset.
    position: int
    #: Whether a position was committed before.
    known: bool

    @property
    def input(self) -> TopicPartition:
        """The partition that is read."""
        return TopicPartition(self.stage.input, self.partition)

    @property
    def changelog(self) -> TopicPartition:
        """The partition that keeps the state."""
        return TopicPartition(self.stage.changelog, self.partition)


async def check_topics(log: EventLog, stages: Sequence[Stage]) -> None:
    """See that every topic of the stages is there with its partitions.

    Raises `TopicMissing`, or `StateUnreadable` for another partition count (its keys lie elsewhere).
    """
    names = sorted({name for stage in stages for name in _topics(stage)})
    found = await log.describe(names)
    missing = [name for name in names if found[name] is None]
    if missing:
        raise TopicMissing(f"{', '.join(missing)}: run `gatebook topics apply` first")
    for name in names:
        there = found[name]
        want = TOPICS[name].partitions
        if there is not None and there.partitions != want:
            raise StateUnreadable(
                f"{name} has {there.partitions} partitions and should have {want}: "
                "see `gatebook topics check`"
            )


async def take_over(
    log: EventLog, stages: Iterable[Stage], partitions: Sequence[int]
) -> list[Owned]:
    """Own the partitions of every stage, each with its restored state and its position.

    Raises `LogError`. Whoever owned them before can commit nothing from the fence on.
    """
    owned = await _fence(log, [(stage, number) for stage in stages for number in partitions])
    await _find_positions(log, owned)
    await _restore(log, owned)
    return owned


async def _fence(log: EventLog, wanted: Sequence[tuple[Stage, int]]) -> list[Owned]:
    async def one(stage: Stage, number: int) -> Owned:
        place = TopicPartition(stage.input, number)
        ownership = await log.take_over(stage.name, place)
        position = await ownership.committed()
        return Owned(
            stage=stage,
            partition=number,
            ownership=ownership,
            state=stage.new_state(),
            position=-1 if position is None else position,
            known=position is not None,
        )

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(*want), name=f"fence {want[1]}") for want in wanted]
    return [task.result() for task in tasks]


async def _find_positions(log: EventLog, owned: Sequence[Owned]) -> None:
    bounds = await log.bounds([one.input for one in owned])
    for one in owned:
        first, end = bounds[one.input]
        if one.position > end:
            raise PositionLost(
                f"{one.stage.name} has read {one.stage.input}/{one.partition} up to {one.position}, "
                f"but it ends at {end}: was the topic made anew?"
            )
        if 0 <= one.position < first:
            _journal.error(
                "records were deleted before they were read",
                stage=one.stage.name,
                partition=one.partition,
                lost=first - one.position,
            )
        one.position = max(one.position, first)


async def _restore(log: EventLog, owned: Sequence[Owned]) -> None:
    places = {one.changelog: one for one in owned}
    bounds = await log.bounds(list(places))
    reader = await log.reader({at: first for at, (first, _) in bounds.items()})

    async def load(records: Sequence[Record]) -> None:
        for record in records:
            passing("worker.restoring")
            _load(places[TopicPartition(record.topic, record.partition)], record)

    try:
        ends = {at: end for at, (_, end) in bounds.items()}
        rows = await catch_up(reader, ends, load, _journal.bind(what="state rows"))
    finally:
        await reader.aclose()
    for one in owned:
        if len(one.state) and not one.known:
            raise StateUnreadable(
                f"the {one.stage.name} stage has state for {one.stage.input}/{one.partition}, but the log has "
                "forgotten its position (Kafka does so after offsets.retention.minutes without a commit); "
                "set the group's offset again, or everything would be read and done twice"
            )
    _journal.info(
        "taken over",
        partitions=[f"{one.stage.name}/{one.partition}@{one.position}" for one in owned],
        changelog_rows=rows,
        state_rows=sum(len(one.state) for one in owned),
    )


def _load(one: Owned, record: Record) -> None:
    try:
        one.state.load((record.key or b"").decode(), record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StateUnreadable(
            f"{record.topic}/{record.partition} offset {record.offset} is no state row of this "
            f"version of the {one.stage.name} stage ({type(error).__name__}); the state is left as "
            "it is: run the version that wrote it, or migrate it"
        ) from error


def _topics(stage: Stage) -> tuple[str, ...]:
    return (stage.input, stage.changelog, *stage.references)
