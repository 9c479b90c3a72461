"""Every case in its ways: plainly, doubled, in permitted orders, killed at every record, amid foreign traffic."""

import random

import pytest

from tests.cases.running import FOLDER, differences, read_case, run, shuffled

NAMES = sorted(path.stem for path in FOLDER.glob("*.ndjson"))


@pytest.mark.parametrize("name", NAMES)
def test_a_case_comes_out_as_written(name: str) -> None:
    case = read_case(name)
    assert differences(run(case.lines), case.expect) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_case_with_every_record_doubled_comes_out_as_written(name: str) -> None:
    case = read_case(name)
    assert differences(run([line for line in case.lines for _ in (1, 2)]), case.expect) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_case_killed_at_every_record_writes_the_same_bytes(name: str) -> None:
    case = read_case(name)
    assert run(case.lines, killed=True) == run(case.lines)


@pytest.mark.parametrize("name", NAMES)
def test_a_case_in_fifty_permitted_orders_comes_out_as_written(name: str) -> None:
    case = read_case(name)
    for seed in range(50):
        order = shuffled(case.lines, random.Random(seed))  # noqa: S311 - a seeded order, no secret
        assert differences(run(order), case.expect, in_order=False) == [], f"order {seed}"
