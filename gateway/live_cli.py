"""`gatebook gateway tap` and `capture`: look on at a running gateway through the socket beside its outbox."""

import json
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, NoReturn

import msgspec
import typer

from gateway.capture_file import delete_after, first_line
from gateway.now import anchored_clock
from gateway.tables import Config
from gateway.tap import Row, Wish
from gateway.tap_server import tap_path

FINDINGS: Final = 1
USAGE: Final = 2
FATAL: Final = 3

#: How long the gateway may take to say hello, seconds.
HELLO_S: Final = 10.0

#: A first line that is longer is not one of ours.
_FIRST_LINE: Final = 1_024

MIB: Final = 1 << 20
DAY_US: Final = 86_400_000_000


class NotRunning(Exception):  # noqa: N818 - named by what it means; the text says what to do
    """Nobody shows anything there."""


class _Written(NamedTuple):
    """What came of a capture."""

    chunks: int
    size: int
    dropped: int
    ended: str


def lines(path: Path, wish: Wish, seconds: float | None) -> Iterator[bytes]:
    """What the gateway shows, line by line, for so long or until it stops. Raises `NotRunning`.

    The first line is empty: now the gateway shows all that it hears.
    """
    end = None if seconds is None else time.monotonic() + seconds
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        try:
            server.settimeout(HELLO_S)
            server.connect(str(path))
            server.sendall(msgspec.json.encode(wish) + b"\n")
            rest = _hello(server)
        except OSError as error:
            raise NotRunning(f"{path}: {_reason(error)}") from error
        yield b""
        while True:
            *whole, rest = rest.split(b"\n")
            yield from whole
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return
            server.settimeout(left)
            try:
                came = server.recv(1 << 16)
            except TimeoutError:
                return
            if not came:
                raise NotRunning("the gateway has stopped")
            rest += came


def _hello(server: socket.socket) -> bytes:
    """Wait for the first line; what came after it."""
    came = b""
    while b"\n" not in came:
        more = server.recv(1 << 16)
        if not more:
            raise NotRunning("the gateway hung up")
        came += more
    first, _, rest = came.partition(b"\n")
    row = json.loads(first)
    if row.get("kind") != "hello":
        raise NotRunning(f"the gateway refuses: {row.get('reason', 'no reason given')}")
    return rest


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return "the gateway of this configuration does not run"
    return error.strerror or str(error)


def run_tap(config: Config, wish: Wish, *, as_json: bool, seconds: float | None) -> None:
    """Show what a running gateway hears, until Ctrl-C."""
    check_names(config, wish)
    with suppress(KeyboardInterrupt):
        try:
            for line in lines(tap_path(Path(config.outbox.path)), wish, seconds):
                if line:
                    typer.echo(line if as_json else table_line(json.loads(line)))
        except NotRunning as error:
            _stop(str(error), FATAL)


class Bounds(NamedTuple):
    """How long a capture goes on, how large it gets, and how long it may be kept."""

    seconds: float
    max_mb: int
    #: Days, 0: until somebody removes it.
    keep_days: int


def run_capture(config: Config, wish: Wish, out: Path, bounds: Bounds) -> None:
    """Write what one reader sends and is sent into a new file, mode 0600.

    Captures beside it whose time is over are removed.
    """
    check_names(config, wish)
    source = lines(tap_path(Path(config.outbox.path)), wish, bounds.seconds)
    try:
        next(source)
        now_us = anchored_clock()()
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except NotRunning as error:
        _stop(str(error), FATAL)
    except OSError as error:
        _stop(f"{out}: {error.strerror}", USAGE)
    typer.echo(f"{out}: capturing; Ctrl-C ends it", err=True)
    for old in remove_old(out.parent, now_us):
        typer.echo(f"{old}: removed: it was to be kept until now", err=True)
    with os.fdopen(descriptor, "wb") as file:
        if bounds.keep_days:
            until_us = now_us + bounds.keep_days * DAY_US
            file.write(first_line(wish.reader or "", now_us, until_us))
            file.flush()
        written = _write(source, file, bounds.max_mb * MIB)
    typer.echo(f"{out}: {written.chunks} chunks, {written.size} bytes; {written.ended}", err=True)
    if written.dropped:
        _stop(f"{written.dropped} chunks are missing: this disk was too slow", FINDINGS)


def remove_old(folder: Path, now_us: int) -> list[Path]:
    """Remove the captures of a folder that say that they may be kept no longer."""
    removed = []
    for path in sorted(folder.iterdir()):
        with suppress(OSError):
            if not stat.S_ISREG(path.lstat().st_mode):
                continue
            with path.open("rb") as file:
                until_us = delete_after(file.read(_FIRST_LINE))
            if until_us is not None and until_us <= now_us:
                path.unlink()
                removed.append(path)
    return removed


def _write(source: Iterator[bytes], file: BinaryIO, most: int) -> _Written:
    """Write chunks until they end or the file is as large as it may be."""
    chunks = size = dropped = 0
    ended = "the time is over"
    try:
        for line in source:
            if line.startswith(b'{"kind":"dropped"'):
                dropped += int(json.loads(line)["lines"])
                continue
            if size + len(line) + 1 > most:
                ended = f"the limit of {most // MIB} MiB is reached"
                break
            file.write(line + b"\n")
            file.flush()
            chunks, size = chunks + 1, size + len(line) + 1
    except KeyboardInterrupt:
        ended = "stopped"
    except NotRunning as error:
        ended = str(error)
    return _Written(chunks, size, dropped, ended)


def table_line(row: Row) -> str:
    """A row for a person."""
    stamp = row.get("at_us")
    at = ""
    if isinstance(stamp, int):
        seconds, rest = divmod(stamp, 1_000_000)
        at = time.strftime("%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1000:03d}"
    parts = [at, f"{row['kind']:<8}", f"{row.get('reader') or '-':<12}"]
    parts += [f"{name}={value}" for name, value in row.items() if _worth(name, value)]
    return "  ".join(parts)


def _worth(name: str, value: object) -> bool:
    return name not in {"kind", "at_us", "reader"} and value is not None


def check_names(config: Config, wish: Wish) -> None:
    """End with a word where the wish names a reader or a lane that is not configured."""
    for kind, name, known in (
        ("reader", wish.reader, [reader.id for reader in config.readers]),
        ("lane", wish.lane, [lane.id for lane in config.lanes]),
    ):
        if name is not None and name not in known:
            _stop(f"there is no {kind} {name!r}: there are {', '.join(known)}", USAGE)


def _stop(text: str, code: int) -> NoReturn:
    typer.echo(text, err=True)
    sys.exit(code)
