"""Try mutants on the cases: `python -m tests.cases.mutating` prints those that no case notices.

--share N/OF     one of OF parts of the mutants
--only TEXT      mutants whose name holds TEXT
--explain        for each survivor, which cases reach it and in what these come out otherwise
"""

import argparse
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple

import orjson

from tests.cases.mutants import ROOT, Mutant, every, in_place
from tests.cases.running import (
    FOLDER,
    Case,
    converges,
    differences,
    final,
    read_case,
    run,
    shuffled_by,
)

#: Orders that are tried once a case came out right as written.
ORDERS: Final = 3

#: Modules that have to do with repeats, order and restarts: their mutants are tried in the other ways too.
ORDERLY: Final = tuple(
    f"stream.{name}"
    for name in (
        *("lanes.draft", "lanes.heard", "lanes.people", "lanes.regroup", "lanes.sequence"),
        *("lanes.settle", "lanes.step", "lanes.timers", "lanes.touched", "lanes.world"),
        *("lanes.decide", "lanes.past", "trips.accept", "trips.uses", "trips.versions"),
    )
)

#: So many cases, the quickest ones, in the other ways.
MOST_CASES: Final = 8

#: No case needs so long; a mutant that does goes round for ever.
MOST_S: Final = 10.0

#: Mutants that cannot change a result, each with the reason.
REVIEWED: Final = FOLDER / "equivalent.txt"

#: Mutants that no case notices yet. The list may only become shorter.
UNNOTICED: Final = FOLDER / "unnoticed.txt"


class Reached(NamedTuple):
    """A case, which lines of which files it runs, and how long that takes."""

    name: str
    case: Case
    lines: frozenset[tuple[str, int]]
    took_s: float


class TooLongError(BaseException):
    """The mutant does not come to an end."""


def reach(names: Sequence[str]) -> list[Reached]:
    """The cases, the quickest first."""
    files = {str(ROOT / f"{one.module.replace('.', '/')}.py") for one in every()}
    found = []
    for name in names:
        case = read_case(name)
        lines: set[tuple[str, int]] = set()
        began = time.perf_counter()
        run(case.lines)
        took_s = time.perf_counter() - began
        with _traced(files, lines):
            run(case.lines)
        found.append(Reached(name, case, frozenset(lines), took_s))
    return sorted(found, key=lambda one: (one.took_s, one.name))


class _traced:  # noqa: N801 - reads as a word
    def __init__(self, files: set[str], lines: set[tuple[str, int]]) -> None:
        self._files, self._lines = files, lines

    def __enter__(self) -> None:
        self._before = sys.gettrace()
        sys.settrace(self._called)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, event: str, _: object) -> Any:
        name = frame.f_code.co_filename
        if name not in self._files:
            return None
        self._lines.add((name, frame.f_code.co_firstlineno))
        return self._line

    def _line(self, frame: FrameType, event: str, _: object) -> Any:
        self._lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line


def noticed_by(mutant: Mutant, cases: Sequence[Reached]) -> str | None:
    """The first case that comes out otherwise than written, and in which way; None when none does."""
    near = [one for one in cases if _reaches(one, mutant)]
    with in_place(mutant):
        for one in near:
            if _is_red(partial(_as_written, one.case)):
                return one.name
        for one in near[:MOST_CASES] if mutant.module in ORDERLY else ():
            for way, tried in _other_ways(one.case):
                if _is_red(tried):
                    return f"{one.name} ({way})"
    return None


def _reaches(one: Reached, mutant: Mutant) -> bool:
    # A table is read from anywhere.
    file = str(ROOT / f"{mutant.module.replace('.', '/')}.py")
    return (
        mutant.change is None or (file, mutant.line) in one.lines or _near(one, file, mutant.line)
    )


def _near(one: Reached, file: str, line: int) -> bool:
    """Conditions over several lines count as their neighbours do."""
    return any((file, line + by) in one.lines for by in (-2, -1, 1, 2))


def _as_written(case: Case) -> object:
    return differences(run(case.lines), case.expect)


def _in_order(case: Case, seed: int) -> object:
    return differences(run(shuffled_by(case.lines, seed)), case.expect, in_order=False)


def _other_ways(case: Case) -> Iterator[tuple[str, Callable[[], object]]]:
    doubled = [line for line in case.lines for _ in (1, 2)]
    yield "doubled", lambda: differences(run(doubled), case.expect)
    yield "killed", lambda: run(case.lines, killed=True) != run(case.lines)
    for seed in range(ORDERS if converges(case) else 0):
        yield f"order {seed}", partial(_in_order, case, seed)


def _is_red(tried: Callable[[], object]) -> bool:
    signal.setitimer(signal.ITIMER_REAL, MOST_S)
    try:
        return bool(tried())
    except TooLongError:
        return True
    except Exception:  # noqa: BLE001 - whatever a broken rule does to the program is red
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_long(*_: object) -> None:
    raise TooLongError


def listed(file: Path) -> dict[str, str]:
    """Mutants that a list names, with the reason that stands behind ` -- `, if any."""
    found = {}
    for line in file.read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, why = line.partition(" -- ")
            found[name] = why
    return found


def explain(mutant: Mutant, cases: Sequence[Reached]) -> str:
    """Which cases reach a survivor, and what comes out otherwise although no expectation says so."""
    near = [one for one in cases if _reaches(one, mutant)]
    lines = [f"    reached by {len(near)}: {' '.join(one.name for one in near[:6])}"]
    for one in near:
        plain = run(one.case.lines)
        with in_place(mutant):
            other = run(one.case.lines)
        if plain != other:
            before, after = final(plain), final(other)
            lines += [
                f"    {one.name}: {name}: {before[name]} -> {after[name]}"[:600]
                for name in before.keys() | after.keys()
                if before[name] != after[name]
            ]
            if before == after:
                lines.append(f"    {one.name}: only what was written on the way")
            if len(lines) > 4:
                break
    return "\n".join(lines)


def _say(text: str, *, error: bool = False) -> None:
    stream = sys.stderr if error else sys.stdout
    stream.write(text + "\n")
    stream.flush()


def main() -> int:
    """Print survivors that nobody has reviewed; exit code 1 when there are any."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", default="0/1")
    parser.add_argument("--only", default="")
    parser.add_argument(
        "--modules", default="", help="such as lanes.ends,trips.check; default: all"
    )
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--again", action="store_true", help="also those of unnoticed.txt")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_long)
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    part, of = (int(one) for one in given.share.split("/"))
    cases = reach(sorted(path.stem for path in Path(FOLDER).glob("*.ndjson")))
    known = listed(REVIEWED) | ({} if given.again else listed(UNNOTICED))
    modules = [f"stream.{name}" for name in given.modules.split(",") if name]
    wanted = [one for one in every() if not modules or one.module in modules]
    tried = [one for one in wanted if given.only in one.name][part::of]
    left = []
    for mutant in tried:
        if mutant.name in known:
            continue
        by = noticed_by(mutant, cases)
        if by is None:
            left.append(mutant.name)
            if not given.json:
                _say(f"{mutant.name} (line {mutant.line})")
                if given.explain:
                    _say(explain(mutant, cases))
    if given.json:
        _say(orjson.dumps({"tried": len(tried), "left": left}).decode())
    else:
        _say(f"{len(tried)} mutants, {len(left)} that no case notices", error=True)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
