"""Load reference rows from NDJSON into the event log: all lines are good, or nothing is written."""

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple, get_args

from schemas.reference import ReferenceRow
from schemas.topics import TOPICS
from schemas.wire import encode, headers
from stream.log.contract import EventLog, LogError, Outgoing
from stream.ndjson import MAX_LINE_BYTES, Line, LineError, parse_line

#: Topics that reference rows stand in.
REFERENCE_TOPICS: Final = tuple(
    name
    for name, topic in TOPICS.items()
    if topic.messages and set(topic.messages) <= set(get_args(ReferenceRow))
)

#: Findings that are kept; the rest is only counted.
MAX_FINDINGS: Final = 50

#: Rows of one append.
CHUNK: Final = 1_000

SOURCE: Final = "gatebook/reference-load"


class Checked(NamedTuple):
    """What a file holds."""

    rows: int
    bad: int
    #: The first bad lines.
    findings: list[LineError]


class LoadInterrupted(LogError):  # noqa: N818 - named by what happened
    """The log failed in the middle of a load.

    Attributes:
        written: rows that are surely there. Loading the whole file again is safe.
    """

    def __init__(self, why: str, written: int) -> None:
        """Keep the count."""
        super().__init__(why)
        self.written = written


def check_rows(lines: BinaryIO) -> Checked:
    """Read every line; empty lines are skipped."""
    rows = bad = 0
    findings: list[LineError] = []
    for line in _lines(lines):
        if isinstance(line, Line):
            rows += 1
            continue
        bad += 1
        if len(findings) < MAX_FINDINGS:
            findings.append(line)
    return Checked(rows, bad, findings)


async def write_rows(log: EventLog, lines: BinaryIO) -> int:
    """Append every row, in order; return how many.

    The lines must have been checked. Raises `LoadInterrupted`, or `ValueError` for a line that has changed.
    """
    appender = await log.appender()
    written = 0
    chunk: list[Outgoing] = []
    try:
        for line in _lines(lines):
            if isinstance(line, LineError):
                raise ValueError(f"the file has changed while it was read: {line}")  # noqa: TRY004
            chunk.append(_outgoing(line))
            if len(chunk) == CHUNK:
                await appender.append(chunk)
                written += len(chunk)
                chunk = []
        await appender.append(chunk)
        return written + len(chunk)
    except LogError as error:
        raise LoadInterrupted(str(error), written) from error
    finally:
        await appender.aclose()


def _lines(lines: BinaryIO) -> Iterator[Line | LineError]:
    for number, text in enumerate(_bounded(lines), 1):
        if text is None:
            yield LineError(number, "$", f"longer than {MAX_LINE_BYTES} bytes")
        elif text:
            yield _reference_line(parse_line(number, text), number)


def _bounded(lines: BinaryIO) -> Iterator[bytes | None]:
    """Each line without its end; None for one that is too long to be held."""
    while text := lines.readline(MAX_LINE_BYTES + 1):
        if len(text) <= MAX_LINE_BYTES or text.endswith(b"\n"):
            yield text.strip()
            continue
        while (rest := lines.readline(MAX_LINE_BYTES + 1)) and not rest.endswith(b"\n"):
            pass
        yield None


def _reference_line(line: Line | LineError, number: int) -> Line | LineError:
    if isinstance(line, Line) and line.topic not in REFERENCE_TOPICS:
        return LineError(number, "$.topic", f"expected one of {', '.join(REFERENCE_TOPICS)}")
    return line


def _outgoing(line: Line) -> Outgoing:
    if line.message is None:
        return Outgoing(line.topic, line.key.encode(), None)
    return Outgoing(
        line.topic,
        line.key.encode(),
        encode(line.message),
        headers(line.message, source=SOURCE, at_us=line.at_us),
    )
