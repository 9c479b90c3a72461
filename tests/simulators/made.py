"""A small simulated world, and what the pure stages make of it, for tests of the simulators."""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Final

from gateway.identity import TokenKey, epc_token
from schemas.gate import Decision, SightingGone, SightingSeen, Tick, event_id
from schemas.message import Message
from schemas.topics import topic_key
from simulators.committed import Committed
from simulators.fleet import Fleet
from simulators.planning import demo_key, demo_port
from simulators.site import DIRECTION, PAIR, READERS
from simulators.world import Stay, World, build_world
from stream.reference import Reference
from stream.stage import Input, ReferenceChanged, Stage
from stream.stages import STAGES
from stream.table import port_table

#: 2026-03-02 14:00 UTC; any moment would do.
NOON: Final = 1_772_460_000_000_000
SECOND: Final = 1_000_000
KEY: Final[TokenKey] = demo_key(7)


def draws(seed: int) -> random.Random:
    """Chances that repeat."""
    return random.Random(seed)  # noqa: S311 - repeatable


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that other threads or processes do."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


def small_world(seed: int = 7, *, seconds: int = 30, start_us: int = NOON) -> World:
    """The world of a seed."""
    fleet = Fleet(draws(seed), KEY, demo_port())
    return build_world(fleet, start_us, seconds * SECOND)


def heard(world: World, stays: Iterable[Stay] | None = None) -> list[Message]:
    """Gate events of the world as a gateway would write them, in the order of their times."""
    points = {
        (reader.id, point.antenna): point for reader in READERS for point in reader.read_points
    }
    every = [stay for one in world.passages for stay in one.stays] if stays is None else stays
    timed: list[tuple[int, bool, Stay | Decision]] = []
    for stay in every:
        timed.append((stay.from_us + 100_000, True, stay))
        timed.append((stay.until_us + 5 * SECOND, False, stay))
    timed += [(one.decision.at_us, True, one.decision) for one in world.passages]
    timed.sort(key=lambda one: one[0])
    events: list[Message] = []
    seen: dict[Stay, str] = {}
    number = 0
    for at_us, first, what in timed:
        if isinstance(what, Decision):
            events.append(what)
            continue
        number += 1
        name = event_id("gw1", "e1", number)
        point = points[what.reader, what.antenna]
        start = SightingSeen(
            event_id=name,
            pair=PAIR,
            lane=point.lane,
            read_point=point.id,
            position=point.position,
            to_booth_s=point.to_booth_s,
            direction=DIRECTION,
            token=epc_token(KEY, what.epc) or "",
            first_us=what.from_us,
            last_us=at_us if first else what.until_us,
            at_us=at_us,
            reads=3,
            clock_source="received",
        )
        if first:
            seen[what] = name
            events.append(start)
        else:
            events.append(_gone(start, seen[what]))
    return events


def _gone(stay: SightingSeen, seen: str) -> SightingGone:
    same = {
        name: getattr(stay, name)
        for name in SightingGone.__struct_fields__
        if name != "v" and hasattr(stay, name)
    }
    return SightingGone(observed=True, seen_event_id=seen, reason="lost", **same)


def staged(world: World, events: Iterable[Message]) -> list[tuple[str, Message]]:
    """What the stages write for these events, topic and message, in order; trips are only passed on."""
    reference = Reference(port_table())
    states = {stage.name: stage.new_state() for stage in STAGES.values()}
    by_input = {stage.input: stage for stage in STAGES.values()}
    written: list[tuple[str, Message]] = []

    def step(stage: Stage, given: Input | ReferenceChanged) -> None:
        found = stage.step(states[stage.name], reference, given)
        states[stage.name].apply(found.changes)
        for topic, output in found.outputs:
            if topic == "trips":
                reference.fold(topic, topic_key(output), output)
                step(STAGES["lanes"], ReferenceChanged(topic, topic_key(output), output))
                continue
            if topic != STAGES["trips"].input:
                written.append((topic, output))
            if topic in by_input:
                step(by_input[topic], Input(0, 0, output))

    for topic, row in world.rows:
        if topic in by_input:
            step(by_input[topic], Input(0, 0, row))
        else:
            reference.fold(topic, topic_key(row), row)
    last_us = NOON
    for event in events:
        step(STAGES["lanes"], Input(0, 0, event))
        last_us = getattr(event, "at_us", last_us)
    step(STAGES["lanes"], Input(0, 0, Tick(partition=0, at_us=last_us)))
    return written


def committed(outputs: Iterable[tuple[str, Message]]) -> Committed:
    """Outputs, folded."""
    found = Committed()
    for _, message in outputs:
        found.take(message)
    return found
