"""Commands `gatebook exchange`: the two ends of a pipe to a partner's adapter, what a country is told and its acks."""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import structlog
import typer

from schemas.exchange import ExchangeAck
from schemas.wire import SchemaError, decode, encode, headers, to_json
from stream import journal
from stream.catch_up import catch_up, from_beginning
from stream.ledger.acknowledged import TOPIC_COUNTRY
from stream.lifetime import FATAL, stop_on_signals, supervised, unless_stopped
from stream.log.contract import EventLog, LogError, Outgoing, Reader, Record, TopicPartition
from stream.log.open import LogUrlError, open_log, parse_log_url
from stream.ndjson import MAX_LINE_BYTES, LineError, parse_line

FINDINGS: Final = 1
USAGE: Final = 2
SOURCE: Final = "gatebook/exchange-ack"
MAX_RECORDS: Final = 500
WAIT_S: Final = 0.5

_journal = structlog.get_logger(__name__)

app = typer.Typer(
    no_args_is_help=True,
    help="What a country is told, and what its partner made of it.",
    pretty_exceptions_enable=False,
)

LogOption = Annotated[
    str, typer.Option("--log", metavar="URL", help="The event log, such as sqlite:var/log.db.")
]


class Told(StrEnum):
    """What `--country` may name."""

    US = "US"
    CA = "CA"
    MX = "MX"


@app.callback()
def _app() -> None:
    """What a country is told, and what its partner made of it."""


@app.command("told")
def told(
    log: LogOption,
    country: Annotated[Told, typer.Option(help="Who is told.")],
    once: Annotated[bool, typer.Option("--once", help="Stop at the log's present end.")] = False,
) -> None:
    """Print what a country is told as NDJSON, from the beginning, until SIGTERM or Ctrl-C. Acks are left out."""
    _check_url(log)
    journal.configure()
    raise typer.Exit(asyncio.run(_told(log, f"exchange-{country.value.lower()}", once)))


@app.command("ack")
def ack(
    log: LogOption,
    file: Annotated[str, typer.Argument(metavar="FILE", help="NDJSON; - for a pipe.")] = "-",
) -> None:
    """Write acknowledgements, NDJSON lines {"topic":"exchange-…", "key":…, "at_us":…, "value":{…}}, as they come.

    A bad line is named and left out (exit 1 at the end).
    """
    _check_url(log)
    try:
        with closing(sys.stdin.buffer if file == "-" else Path(file).open("rb")) as lines:
            written, bad = asyncio.run(_ack(log, lines))
    except OSError as error:
        _say(f"{file}: {error.strerror or error}")
        raise typer.Exit(USAGE) from None
    except LogError as error:
        _say(f"{error}; writing the same lines again is safe")
        raise typer.Exit(FATAL) from None
    print(f"{written} acknowledgements written")
    if bad:
        raise typer.Exit(FINDINGS)


async def _told(url: str, topic: str, once: bool) -> int:
    async def start(log: EventLog) -> tuple[Reader, Mapping[TopicPartition, int]]:
        return await from_beginning(log, [topic])

    async def work(
        started: tuple[Reader, Mapping[TopicPartition, int]], stop: asyncio.Event
    ) -> None:
        reader, ends = started
        if once:
            await unless_stopped(catch_up(reader, ends, _print, _journal), stop)
        while not once and not stop.is_set():
            await _print(await reader.poll(MAX_RECORDS, WAIT_S))

    return await supervised(url, start, work, stop_on_signals())


async def _print(records: Sequence[Record]) -> None:
    for line in _lines(records):
        sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _lines(records: Sequence[Record]) -> Iterator[bytes]:
    for record in records:
        try:
            message = decode(record.topic, record.value or b"")
        except SchemaError as error:
            at = {"partition": record.partition, "offset": record.offset}
            _journal.warning("record left out", reason=error.reason, **at)
            continue
        if not isinstance(message, ExchangeAck):
            key = (record.key or b"").decode(errors="replace")
            yield to_json(record.topic, key, record.at_ms * 1_000, message)


async def _ack(url: str, lines: BinaryIO) -> tuple[int, int]:
    """How many were written, and how many lines were bad. Each is durable before the next is read."""
    log = await open_log(url)
    written = bad = number = 0
    try:
        appender = await log.appender()
        try:
            while text := await asyncio.to_thread(lines.readline, MAX_LINE_BYTES + 1):
                number += 1
                if not text.strip():
                    continue
                found = _outgoing(number, text)
                if isinstance(found, LineError):
                    _say(str(found))
                    bad += 1
                else:
                    await appender.append([found])
                    written += 1
        finally:
            await appender.aclose()
    finally:
        await log.aclose()
    return written, bad


def _outgoing(number: int, text: bytes) -> Outgoing | LineError:
    line = parse_line(number, text)
    if isinstance(line, LineError):
        return line
    if line.topic not in TOPIC_COUNTRY:
        return LineError(number, "$.topic", f"expected one of {', '.join(TOPIC_COUNTRY)}")
    if not isinstance(line.message, ExchangeAck):
        return LineError(
            number, "$.value.type", "the ledger stage writes it; expected exchange_ack"
        )
    head = headers(line.message, source=SOURCE, at_us=line.message.at_us)
    return Outgoing(line.topic, line.key.encode(), encode(line.message), head)


def _check_url(log: str) -> None:
    try:
        parse_log_url(log)
    except LogUrlError as error:
        _say(str(error))
        raise typer.Exit(USAGE) from None


def _say(text: str) -> None:
    print(text, file=sys.stderr)
