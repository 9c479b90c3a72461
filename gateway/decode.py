"""`gatebook decode`: what a reader said, out of a file or a pipe, as one NDJSON line an outcome."""

import sys
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Final, cast

import orjson
import typer

from gateway.capture_file import MAX_LINE, BadLine, Form, Heard, LineForm, detect, parse_line
from gateway.protocols import PROTOCOLS
from gateway.reads import Decoder, OptionError, WireProtocol
from gateway.transcript import Row, Transcript, bad_line_row

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

FORMS: Final[dict[Form, str]] = {
    "hex": "hex lines",
    "capture": "a gateway capture (NDJSON)",
    "json": "JSON lines",
    "payload": "one JSON document",
    "raw": "raw bytes",
    "escaped": "escaped lines",
}

#: A larger payload is not parsed, so no more of it is read.
MAX_PAYLOAD: Final = (1 << 20) + 1

_HELP = f"""\
Decode what a reader sent: one NDJSON line an outcome on stdout, a summary on stderr.

\b
Input, told apart by how it begins:
  hex lines      BB02220011C9..  or  HEX ; rx|tx ; SOURCE ; NOTE  (tx is passed over, `# ` is a comment)
  escaped lines  #KING 1302\\r\\n  below a first line `# escaped line`
  capture        {{"at_us": .., "dir": "rx", "hex": ".."}}  a line
  JSON           one payload a line, or one document (message protocols)
  raw bytes      anything else (stream protocols)

\b
Output:
  {{"kind": "read", "line", "epc", "rssi_dbm", "antenna", "pc", "at_us", ..}}
  {{"kind": "note", "line", "note", "detail", "at_us"}}
  {{"kind": "rejected", "line", "reason", "detail", "raw", "at_us"}}
`line` counts from 1 (null for raw bytes), `raw` is hex, what is not known is null.

Exit code: 0, or 1 when anything was rejected, 2 for a wrong call, 3 when the input broke off.

Protocols: {", ".join(sorted(PROTOCOLS))}.
"""


@app.command(help=_HELP)
def decode(
    protocol: Annotated[str, typer.Option(help="The reader's protocol.", metavar="NAME")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the protocol.", metavar="KEY=VALUE"),
    ] = None,
    file: Annotated[str, typer.Argument(help="A file; - is stdin.", metavar="FILE|-")] = "-",
) -> None:
    """Decode a file or a pipe."""
    wire = _protocol(protocol)
    decoder = _decoder(wire, settings or [])
    counts: Counter[str] = Counter()
    with _open(file) as stream:
        try:
            form = detect(stream.peek(), wire.framing)
            typer.echo(f"decode: {protocol}, {FORMS[form]} from {_name(file)}", err=True)
            for row in _rows(stream, form, Transcript(decoder, wire.framing)):
                counts[str(row["kind"])] += 1
                sys.stdout.buffer.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                if file == "-":
                    sys.stdout.buffer.flush()
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            typer.echo(f"decode: {_name(file)}: {error.strerror}", err=True)
            raise typer.Exit(3) from error
        sys.stdout.buffer.flush()
    reads, notes, rejected = counts["read"], counts["note"], counts["rejected"]
    typer.echo(f"decode: {reads} reads, {notes} notes, {rejected} rejected", err=True)
    raise typer.Exit(1 if rejected else 0)


def _rows(stream: BufferedReader, form: Form, transcript: Transcript) -> Iterator[Row]:
    match form:
        case "raw":
            while chunk := stream.read1(65536):
                yield from transcript.take(Heard(None, chunk, None))
        case "payload":
            yield from transcript.take(Heard(1, stream.read(MAX_PAYLOAD), None))
        case _:
            for line in _lines(stream, form):
                if isinstance(line, BadLine):
                    yield bad_line_row(line)
                else:
                    yield from transcript.take(line)
    yield from transcript.end()


def _lines(stream: BufferedReader, form: LineForm) -> Iterator[Heard | BadLine]:
    number = 0
    while text := stream.readline(MAX_LINE + 2):
        number += 1
        rest = text
        while len(rest) == MAX_LINE + 2 and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE + 2)
        line = parse_line(form, number, text)
        if line is not None:
            yield line


def _protocol(name: str) -> WireProtocol:
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    close = get_close_matches(name, PROTOCOLS, n=1)
    meant = f"did you mean {close[0]}?" if close else f"there is {', '.join(sorted(PROTOCOLS))}"
    raise typer.BadParameter(f"no protocol is called {name!r}: {meant}", param_hint="--protocol")


def _decoder(wire: WireProtocol, settings: list[str]) -> Decoder:
    options: dict[str, object] = {}
    for setting in settings:
        key, found, value = setting.partition("=")
        if not found or not key:
            raise typer.BadParameter(f"{setting!r} is not KEY=VALUE", param_hint="--set")
        options[key] = value
    try:
        return wire.decoder(options)
    except OptionError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from error


def _open(file: str) -> BufferedReader:
    if file == "-":
        if sys.stdin is None:
            raise typer.BadParameter("stdin is closed, so name a file", param_hint="FILE")
        if sys.stdin.isatty():
            typer.echo("decode: reading from the terminal, Ctrl-D ends", err=True)
        return cast("BufferedReader", sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from error


def _name(file: str) -> str:
    return "stdin" if file == "-" else file
