"""Commands `gatebook audit`: check chains and draws in a file, count what rules did."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from schemas.audit import Audit
from stream.audit_check import AuditCheck, RuleCounts
from stream.ndjson import LineError
from stream.policy.random_checks import parse_key
from stream.replay_cli import read_lines

__all__ = ["app"]

FINDINGS: Final = 1
USAGE: Final = 2

#: Findings that are printed; the rest is only counted.
MAX_PRINTED: Final = 50

app = typer.Typer(
    no_args_is_help=True,
    help="The audit: check its chains and draws, count what rules did.",
    pretty_exceptions_enable=False,
)

_File = Annotated[Path, typer.Argument(metavar="FILE", help="NDJSON that holds rows of `audit`.")]


@app.callback()
def _audit() -> None:
    """The audit: check its chains and draws, count what rules did."""


@app.command("check")
def check(
    file: _File,
    key_file: Annotated[
        Path | None, typer.Option(help="A published key of random checks: 64 hex digits.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON.")] = False,
) -> None:
    """Verify that no row was changed, left out or moved; with a key, that each draw by it is right.

    The end of each chain is printed: compare it with one that was kept elsewhere. Exit codes: 0 whole, 1 findings, 2 usage.
    """
    audit = AuditCheck(None if key_file is None else _key(key_file))
    found = 0
    for row in _rows(file):
        for one in [row] if isinstance(row, LineError) else audit.take(row):
            found += 1
            if found <= MAX_PRINTED:
                print(one)
    ends = {writer: [seq, link.hex()] for writer, (seq, link) in sorted(audit.ends.items())}
    if as_json:
        told = {"rows": audit.rows, "findings": found, "draws": audit.draws, "ends": ends}
        print(json.dumps(told))
    else:
        for writer, (seq, link) in ends.items():
            print(f"{writer}: ends with row {seq}, link {link}")
        drawn = f", {audit.draws['made']} draws made again" if key_file is not None else ""
        print(f"{audit.rows} rows{drawn}, {found} findings")
    if found:
        raise typer.Exit(FINDINGS)


@app.command("rules")
def rules(file: _File) -> None:
    """How many crossings each cause referred, and each rule on trial would have: by the last row of each crossing.

    Exit codes: 0 all lines read, 1 some were bad, 2 usage.
    """
    counts = RuleCounts()
    bad = 0
    for row in _rows(file):
        if isinstance(row, LineError):
            bad += 1
        else:
            counts.take(row)
    for one in counts.rules():
        print(f"{one.crossings}\t{'shadow' if one.shadow else 'in force'}\t{one.rule}")
    _say(f"{counts.crossings} crossings, {bad} bad lines")
    if bad:
        raise typer.Exit(FINDINGS)


def _rows(file: Path) -> Iterator[Audit | LineError]:
    """Rows of the audit and lines that cannot be read; lines of other topics are passed over."""
    try:
        with file.open("rb") as lines:
            for line in read_lines(lines):
                if isinstance(line, LineError):
                    yield line
                elif isinstance(line.message, Audit):
                    yield line.message
    except OSError as error:
        _say(f"{file}: {error.strerror}")
        raise typer.Exit(USAGE) from None


def _key(file: Path) -> bytes:
    try:
        return parse_key(file.read_text(encoding="ascii"))
    except OSError as error:
        _say(f"{file}: {error.strerror}")
    except ValueError:
        _say(f"{file}: expected 64 hex digits")
    raise typer.Exit(USAGE)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
