"""Commands `gatebook policy`: the rules that ship, targeting rules checked, two sets compared."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from schemas.policy import Policy, TargetingPack
from stream.ndjson import Line, LineError, parse_line
from stream.policy.random_checks import draw, parse_key
from stream.policy.targeting import broken_rules
from stream.policy_compare import differences, outcomes_under, summary
from stream.replay_cli import is_expectation
from stream.shipped import SETS, lines_of, shipped
from stream.table import port_table

__all__ = ["app"]

FINDINGS = 1
USAGE = 2

app = typer.Typer(
    no_args_is_help=True,
    help="Policies: the rules that ship, checked and compared.",
    pretty_exceptions_enable=False,
)


class SetChoice(StrEnum):
    """The sets that ship."""

    TODAY = "today"
    PAPER_2021 = "paper-2021"


_SetArgument = Annotated[SetChoice, typer.Argument(metavar="SET", help=" or ".join(SETS))]


@app.callback()
def _policy() -> None:
    """Policies: the rules that ship, checked and compared."""


@app.command("list")
def show(name: _SetArgument = SetChoice.TODAY) -> None:
    """What a set holds: id, kind, since when, and its source."""
    for row in shipped(name.value):
        kind = row.__struct_config__.tag
        print(f"{row.policy_id}\t{kind}\t{row.effective_from_us}\t{row.source}")


@app.command("rows")
def rows(name: _SetArgument = SetChoice.TODAY) -> None:
    """Print a set as NDJSON for `gatebook reference load`; rows that only the other set has are deleted."""
    own = {row.policy_id for row in shipped(name.value)}
    others = {row.policy_id for other in SETS for row in shipped(other)} - own
    for policy_id in sorted(others):
        gone = {"topic": "policies", "key": policy_id, "at_us": 0, "value": None}
        print(json.dumps(gone))
    for line in lines_of(name.value):
        print(line.decode())


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Policy rows, NDJSON.")],
) -> None:
    """Check policy rows and compile their targeting rules. Exit codes: 0 good, 1 findings, 2 usage."""
    bad = 0
    for number, line in _lines(file):
        wrong = [str(line)] if isinstance(line, LineError) else _wrong(number, line)
        for text in wrong:
            print(text)
        bad += len(wrong)
    if bad:
        raise typer.Exit(FINDINGS)
    print("good")


@app.command("compare")
def compare(
    left: Annotated[str, typer.Argument(metavar="A", help="A set that ships, or a file of rows.")],
    right: Annotated[str, typer.Argument(metavar="B", help="As A.")],
    recording: Annotated[Path, typer.Argument(help="What went in: NDJSON, reference rows first.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a difference.")] = False,
) -> None:
    """Run a recording under two sets of policies and print what differs. Exit codes: 0 done, 1 bad lines, 2 usage."""
    inputs: list[Line] = []
    for _, line in _lines(recording):
        if isinstance(line, LineError):
            _say(f"{recording}: {line}")
            raise typer.Exit(FINDINGS)
        inputs.append(line)
    ports = port_table()
    one, two = (outcomes_under(_policies(name), inputs, ports) for name in (left, right))
    found = list(differences(one, two))
    for row in found:
        if as_json:
            print(json.dumps(row._asdict()))
        else:
            print(f"{row.crossing_id} {row.field}: {_text(row.left)} | {_text(row.right)}")
    for text in summary(found, len(one.keys() | two.keys())):
        _say(text)


@app.command("prove-draw")
def prove_draw(
    crossing: Annotated[str, typer.Argument(help="The crossing's id.")],
    key_file: Annotated[Path, typer.Option(help="The key, once it is published: 64 hex digits.")],
    per_million: Annotated[int, typer.Option(min=0, max=1_000_000, help="The rate of its tier.")],
) -> None:
    """Draw a crossing's random check again: whether it had to be drawn, and the hash that was published."""
    try:
        key = parse_key(key_file.read_text(encoding="ascii"))
    except OSError as error:
        _say(f"{key_file}: {error.strerror}")
        raise typer.Exit(USAGE) from None
    except ValueError:
        _say(f"{key_file}: expected 64 hex digits")
        raise typer.Exit(USAGE) from None
    print(json.dumps(draw(key, crossing, per_million)._asdict()))


def _policies(name: str) -> tuple[Policy, ...]:
    if name in SETS:
        return shipped(name)
    found = []
    for _, line in _lines(Path(name)):
        if isinstance(line, LineError):
            _say(f"{name}: {line}")
            raise typer.Exit(USAGE)
        if isinstance(line.message, Policy):
            found.append(line.message)
    return tuple(found)


def _wrong(number: int, line: Line) -> list[str]:
    if line.topic != "policies":
        return [f"line {number}: $.topic: expected policies"]
    if not isinstance(line.message, TargetingPack):
        return []
    return [f"line {number}: $.value.rules: {one}" for one in broken_rules(line.message)]


def _lines(file: Path) -> list[tuple[int, Line | LineError]]:
    try:
        text = file.read_bytes()
    except OSError as error:
        _say(f"{file}: {error.strerror}")
        raise typer.Exit(USAGE) from None
    numbered: Final = enumerate(text.splitlines(), 1)
    used = ((number, one) for number, one in numbered if one.strip() and not is_expectation(one))
    return [(number, parse_line(number, one)) for number, one in used]


def _text(values: tuple[str, ...]) -> str:
    return ", ".join(values) or "-"


def _say(text: str) -> None:
    print(text, file=sys.stderr)
