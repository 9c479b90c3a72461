"""The file that readers and officers follow."""

import asyncio
from pathlib import Path

import pytest

from simulators.follow import follow
from simulators.site import READERS
from simulators.world_file import (
    DecisionLine,
    ReaderLine,
    StayLine,
    WorldFileError,
    WorldLine,
    end_line,
    parse_world_line,
    passage_lines,
    reader_lines,
)
from tests.simulators.made import small_world


def test_stays_and_decisions_come_back_as_they_were_written_in_the_order_of_time() -> None:
    world = small_world()
    text = reader_lines(READERS) + passage_lines(world.passages)
    lines = [parse_world_line(at, line) for at, line in enumerate(text.splitlines(), start=1)]
    assert [one.id for one in lines if isinstance(one, ReaderLine)] == [one.id for one in READERS]
    stays = [one for one in lines if isinstance(one, StayLine)]
    assert sorted((one.from_us, bytes.fromhex(one.epc)) for one in stays) == sorted(
        (stay.from_us, stay.epc) for one in world.passages for stay in one.stays
    )
    decisions = [one.decision for one in lines if isinstance(one, DecisionLine)]
    assert sorted(decisions, key=lambda one: one.at_us) == decisions
    assert {one.event_id for one in decisions} == {one.decision.event_id for one in world.passages}
    times = [
        one.from_us if isinstance(one, StayLine) else one.decision.at_us
        for one in lines
        if isinstance(one, StayLine | DecisionLine)
    ]
    assert times == sorted(times)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b'{"kind":"truck"}', b'{"kind":"stay","from_us":"noon"}', b"\xff"],
)
def test_a_line_that_cannot_be_used_is_named_by_its_number(text: bytes) -> None:
    with pytest.raises(WorldFileError, match="line 7: "):
        parse_world_line(7, text)


def test_a_card_number_that_is_no_hex_is_refused() -> None:
    line = b'{"kind":"stay","from_us":1,"until_us":2,"reader":"r","antenna":1,"epc":"E2ZZ","rssi_dbm":-5}'
    with pytest.raises(WorldFileError):
        parse_world_line(1, line)


async def test_a_file_that_grows_is_followed_to_its_end_line(tmp_path: Path) -> None:
    path = tmp_path / "world.ndjson"
    head, rest = reader_lines(READERS), passage_lines(small_world().passages)
    path.write_bytes(head)
    seen: list[WorldLine] = []
    heads = asyncio.Event()

    async def reading() -> None:
        async for line in follow(path):
            seen.append(line)
            if len(seen) == len(READERS):
                heads.set()

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(reading())
        await heads.wait()
        with path.open("ab") as file:
            # In two pieces that cut a line.
            file.write(rest[:1000])
            file.flush()
            file.write(rest[1000:] + end_line() + b"never read\n")
    assert len(seen) == len(READERS) + len(rest.splitlines())
