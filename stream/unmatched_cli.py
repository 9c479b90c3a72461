"""Commands `gatebook unmatched`: what waits for its other half, and how a person closes a row."""

import asyncio
import sys
import time
from collections.abc import Coroutine, Iterable, Sequence
from typing import Annotated, Final

import orjson
import structlog
import typer
from msgspec import ValidationError, convert, to_builtins

from schemas.border import Closure, Unmatched
from schemas.ids import uuid5
from schemas.topics import topic_key
from schemas.wire import SchemaError, decode, encode, headers
from stream import journal
from stream.catch_up import catch_up, from_beginning
from stream.lifetime import FATAL
from stream.log.contract import LogError, Outgoing, Record
from stream.log.open import LogUrlError, open_log, parse_log_url

FINDINGS: Final = 1
USAGE: Final = 2
SOURCE: Final = "gatebook/unmatched-close"
TOPIC: Final = "unmatched"

_journal = structlog.get_logger(__name__)

app = typer.Typer(
    no_args_is_help=True,
    help="What waits for its other half: a departure without an entry, a crossing without an end.",
    pretty_exceptions_enable=False,
)

LogOption = Annotated[
    str, typer.Option("--log", metavar="URL", help="The event log, such as sqlite:var/log.db.")
]


@app.callback()
def _app() -> None:
    """What waits for its other half, and how a person closes a row."""


@app.command("list")
def list_(
    log: LogOption,
    every: Annotated[bool, typer.Option("--all", help="Closed rows too.")] = False,
    kind: Annotated[str, typer.Option(help="Only rows of this kind.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """Print the queue, oldest first. Exit 1 when a row is open, 0 when none is."""
    rows = _rows(log)
    wanted = [
        row
        for row in sorted(rows.values(), key=lambda row: (row.since_us, row.unmatched_id))
        if (every or row.closed_by is None) and kind in ("", row.kind)
    ]
    for row in wanted:
        print(orjson.dumps(to_builtins(row)).decode() if as_json else _line(row))
    still = sum(row.closed_by is None for row in wanted)
    print(f"{still} open, {len(wanted) - still} closed", file=sys.stderr)
    if still:
        raise typer.Exit(FINDINGS)


@app.command("close")
def close(
    log: LogOption,
    unmatched_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` prints it.")],
    authority: Annotated[str, typer.Option(help="Whose officer closes it, such as CBP.")],
    officer: Annotated[str, typer.Option(help="A pseudonym, never a name.")],
    reason: Annotated[str, typer.Option(help="Why nothing is awaited any more; names nobody.")],
) -> None:
    """Close a row; the ledger stage says so in the queue. Closing it again changes nothing."""
    row = _rows(log).get(unmatched_id)
    if row is None:
        _say(f"no row {unmatched_id}: see `gatebook unmatched list --all --log {log}`")
        raise typer.Exit(USAGE)
    if row.closed_by is not None:
        print(f"{unmatched_id} is closed already: {row.closed_by}")
        return
    try:
        closure = convert(
            to_builtins(_closure(row, authority, officer, reason, time.time_ns() // 1_000)), Closure
        )
    except ValidationError as error:
        _say(str(error))
        raise typer.Exit(USAGE) from None
    _asked(_write(log, closure))
    print(f"{unmatched_id}: the closure is written; the ledger stage takes the row out")


def _closure(row: Unmatched, authority: str, officer: str, reason: str, at_us: int) -> Closure:
    """The closure of a row. Its id comes from the row's, so that writing it twice is a repeat."""
    person = row.subject if (row.subject or "").startswith("person:") else None
    return Closure(
        event_id=f"unmatched-close.{uuid5(row.unmatched_id)}.1",
        unmatched_id=row.unmatched_id,
        kind=row.kind,
        pair=row.pair,
        person=person,
        crossing_id=row.crossing_id,
        subject=row.subject,
        since_us=row.since_us,
        at_us=at_us,
        authority=authority,
        officer=officer,
        reason=reason,
    )


def _rows(url: str) -> dict[str, Unmatched]:
    try:
        parse_log_url(url)
    except LogUrlError as error:
        _say(str(error))
        raise typer.Exit(USAGE) from None
    journal.configure()
    rows: dict[str, Unmatched] = {}
    _asked(_read(url, rows))
    return rows


async def _read(url: str, rows: dict[str, Unmatched]) -> None:
    async def take(records: Sequence[Record]) -> None:
        for name, row in _decoded(records):
            if row is None:
                rows.pop(name, None)
            else:
                rows[name] = row

    async with await open_log(url) as log:
        reader, ends = await from_beginning(log, [TOPIC])
        try:
            await catch_up(reader, ends, take, _journal)
        finally:
            await reader.aclose()


def _decoded(records: Iterable[Record]) -> Iterable[tuple[str, Unmatched | None]]:
    for record in records:
        name = (record.key or b"").decode(errors="replace")
        try:
            message = None if record.value is None else decode(TOPIC, record.value)
        except SchemaError as error:
            at = {"partition": record.partition, "offset": record.offset}
            _journal.warning("record left out", reason=error.reason, **at)
            continue
        yield name, message if isinstance(message, Unmatched) else None


async def _write(url: str, closure: Closure) -> None:
    async with await open_log(url) as log:
        appender = await log.appender()
        try:
            head = headers(closure, source=SOURCE, at_us=closure.at_us)
            key = topic_key(closure).encode()
            await appender.append([Outgoing("crossings", key, encode(closure), head)])
        finally:
            await appender.aclose()


def _asked(work: Coroutine[object, object, None]) -> None:
    try:
        asyncio.run(work)
    except LogError as error:
        _say(str(error))
        raise typer.Exit(FATAL) from None


def _line(row: Unmatched) -> str:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row.since_us // 1_000_000))
    state = row.age if row.closed_by is None else f"closed by {row.closed_by}"
    return f"{since}  {row.pair}  {row.kind}  {state}  {row.unmatched_id}"


def _say(text: str) -> None:
    print(text, file=sys.stderr)
