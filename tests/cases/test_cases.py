"""Every case in its ways: plainly, doubled, in permitted orders, killed at every record, amid foreign traffic."""

import hashlib
import os

import pytest

from schemas.wire import decode
from tests.cases.foreign import is_foreign, with_foreign
from tests.cases.running import (
    FOLDER,
    NAMES,
    converges,
    differences,
    final,
    read_case,
    run,
    shuffled_by,
)

#: The long ways are gone whole by every fourth case of a run; which ones changes with the cases. The others are put
#: into fewer orders, and amid no foreign traffic. `GATEBOOK_ALL_CASES=1` goes all ways with all.
PARTS = 1 if os.environ.get("GATEBOOK_ALL_CASES") else 4
ORDERS, FEWER_ORDERS = 50, 12


def _whole() -> list[str]:
    written = b"".join((FOLDER / f"{name}.ndjson").read_bytes() for name in NAMES)
    return NAMES[hashlib.sha256(written).digest()[0] % PARTS :: PARTS]


WHOLE = _whole()


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
def test_a_case_in_permitted_orders_comes_out_as_written(name: str) -> None:
    case = read_case(name)
    for seed in range((ORDERS if name in WHOLE else FEWER_ORDERS) if converges(case) else 0):
        order = shuffled_by(case.lines, seed)
        assert differences(run(order), case.expect, in_order=False) == [], f"order {seed}"


@pytest.mark.parametrize("name", WHOLE)
def test_a_case_amid_two_hundred_foreign_vehicles_comes_out_as_written(name: str) -> None:
    case = read_case(name)
    lines = with_foreign(case.lines)
    written = run(lines)
    own = [one for one in written if not is_foreign(decode(one.topic, one.value))]
    assert differences(own, case.expect) == []
    foreign = final([one for one in written if is_foreign(decode(one.topic, one.value))])
    if len(lines) > len(case.lines):
        assert [one["state"] for one in foreign["records"]] == ["live"] * 200
        assert foreign["unmatched"] == []
        assert foreign["rejected"] == []
