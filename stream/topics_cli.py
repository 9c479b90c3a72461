"""Commands `gatebook topics apply` and `gatebook topics check`."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Final, NoReturn

import typer

from schemas.topics import TOPICS
from stream.log.contract import LogError
from stream.log.open import LogUrlError, open_log
from stream.topics_check import Finding, describe, differences

FINDINGS: Final = 1
USAGE: Final = 2
FATAL: Final = 3

topics = typer.Typer(
    no_args_is_help=True,
    help="Make and check the topics of the event log.",
    pretty_exceptions_enable=False,
)

LogOption = Annotated[
    str, typer.Option("--log", metavar="URL", help="The event log, such as sqlite:var/log.db.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")]


@topics.callback()
def _topics() -> None:
    """Make and check the topics of the event log."""


@topics.command()
def apply(log: LogOption, as_json: JsonOption = False) -> None:
    """Make the topics that are missing, then check all. Exit 1 when one differs from the table."""
    made, found = _run(log, make=True)
    if not as_json:
        for name in made:
            typer.echo(f"made {name}: {describe(TOPICS[name])}")
        if not made:
            typer.echo(f"nothing to make: all {len(TOPICS)} topics are there")
    _report(found, {"made": list(made)}, as_json=as_json)


@topics.command()
def check(log: LogOption, as_json: JsonOption = False) -> None:
    """Compare partitions, compaction and retention with the table. Exit 1 when one differs."""
    _, found = _run(log, make=False)
    if not as_json and not found:
        typer.echo(f"all {len(TOPICS)} topics are as they should be")
    _report(found, {}, as_json=as_json)


def _run(url: str, *, make: bool) -> tuple[Sequence[str], list[Finding]]:
    try:
        return asyncio.run(_look(url, make=make))
    except LogUrlError as error:
        _fail(str(error), USAGE)
    except LogError as error:
        _fail(str(error), FATAL)


async def _look(url: str, *, make: bool) -> tuple[Sequence[str], list[Finding]]:
    async with await open_log(url) as log:
        made = await log.create(list(TOPICS.values())) if make else []
        states = await log.describe(list(TOPICS))
    return made, differences(TOPICS.values(), states)


def _report(found: list[Finding], more: dict[str, list[str]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**more, "findings": [finding._asdict() for finding in found]}))
    else:
        for finding in found:
            typer.echo(
                f"{finding.topic}: {finding.kind}: wanted {finding.wanted}, found {finding.found}; "
                f"{finding.advice}"
            )
    if found:
        raise typer.Exit(FINDINGS)


def _fail(text: str, code: int) -> NoReturn:
    typer.echo(f"gatebook topics: {text}", err=True)
    raise typer.Exit(code)
