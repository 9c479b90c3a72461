"""No guard, operand or transition of the modules that decide can be disabled without a case turning red."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest

from tests.cases.mutants import MODULES, ROOT, Mutant, every, in_place
from tests.cases.mutating import REVIEWED, UNNOTICED, listed
from tests.cases.running import differences, read_case, run

#: A run tries one of so many parts, two processes side by side; which one changes with the source.
PARTS = 40

#: All of them, for an hour or so: `GATEBOOK_ALL_MUTANTS=1`.
WHOLE = bool(os.environ.get("GATEBOOK_ALL_MUTANTS"))


def test_every_mutant_has_one_name_and_can_be_put_in_place() -> None:
    mutants = every()
    assert [name for name, times in Counter(one.name for one in mutants).items() if times > 1] == []
    for module in MODULES:
        one = next(mutant for mutant in mutants if mutant.module == module)
        with in_place(one):
            pass


def test_a_mutant_changes_what_comes_out_and_is_gone_afterwards() -> None:
    case = read_case("refused")
    mutant = _named("lanes.ends:ENDINGS: without: 'refused'")
    with in_place(mutant):
        assert differences(run(case.lines), case.expect) != []
    assert differences(run(case.lines), case.expect) == []


def test_lists_name_only_mutants_that_there_are() -> None:
    names = {one.name for one in every()}
    gone = {name for file in (REVIEWED, UNNOTICED) for name in listed(file) if name not in names}
    assert gone == set(), "take them out of the lists"


def test_reviewed_mutants_say_why() -> None:
    assert [name for name, why in listed(REVIEWED).items() if not why] == []


@pytest.mark.timeout(7_200 if WHOLE else 300)
def test_every_mutant_of_this_runs_share_is_noticed_by_a_case(tmp_path: Path) -> None:
    sources = b"".join((ROOT / f"{one.replace('.', '/')}.py").read_bytes() for one in MODULES)
    part = int.from_bytes(hashlib.sha256(sources).digest()[:4]) % PARTS
    shares = [f"{at}/2" for at in (0, 1)]
    if not WHOLE:
        shares = [f"{2 * part + at}/{2 * PARTS}" for at in (0, 1)]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.cases.mutating", "--json", "--share", share],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        for share in shares
    ]
    found = [orjson.loads(one.communicate()[0]) for one in running]
    assert sum(one["tried"] for one in found) > 0
    assert [name for one in found for name in one["left"]] == []


def _named(name: str) -> Mutant:
    return next(one for one in every() if one.name == name)
