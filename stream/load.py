"""Load reference rows and filings from NDJSON into the event log: all lines are good, or nothing is written."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO, Final, NamedTuple, get_args

from schemas.policy import TargetingPack
from schemas.ports import Port
from schemas.reference import ReferenceRow
from schemas.topics import TOPICS
from schemas.trips import TripFiling
from schemas.wire import encode, headers
from stream.identifiers.rows import check_row
from stream.log.contract import EventLog, LogError, Outgoing
from stream.ndjson import MAX_LINE_BYTES, Line, LineError, Seal, parse_line
from stream.policy.targeting import broken_rules
from stream.sealed_rows import sealing
from stream.trips.check import check_filing
from stream.trips.resolve import Register

#: The rows of trips: only the trips stage writes them.
TRIPS: Final = "trips"

#: Topics that reference rows are loaded into.
REFERENCE_TOPICS: Final = tuple(
    name
    for name, topic in TOPICS.items()
    if name != TRIPS and topic.messages and set(topic.messages) <= set(get_args(ReferenceRow))
)

#: Filings are no reference rows: the trips stage takes them and makes the rows of `trips`.
FILINGS: Final = "trip-filings"

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
    #: Identifiers that are odd in good lines, and the first of them.
    odd: int = 0
    warnings: Sequence[LineError] = ()
    #: Filings among the good lines.
    filings: int = 0


class LoadInterrupted(LogError):  # noqa: N818 - named by what happened
    """The log failed in the middle of a load.

    Attributes:
        written: rows that are surely there. Loading the whole file again is safe.
    """

    def __init__(self, why: str, written: int) -> None:
        """Keep the count."""
        super().__init__(why)
        self.written = written


def check_rows(
    lines: BinaryIO,
    ports: Mapping[str, Port] | None = None,
    register: Register | None = None,
    seal: Seal | None = None,
) -> Checked:
    """Read every line; empty lines are skipped.

    `ports`: the port table that filings are checked by. `register` takes the rows that filings of the same
    file may be resolved by. `seal` seals personal data; without it none may come.
    """
    counts = Counter[str]()
    findings: list[LineError] = []
    warnings: list[LineError] = []
    for number, line in _lines(lines, seal or sealing(None)):
        wrong, odd = _looked_at(number, line, ports or {})
        counts["bad" if wrong else "rows"] += 1
        findings += wrong[: MAX_FINDINGS - len(findings)]
        if wrong or isinstance(line, LineError) or line.message is None:
            continue
        counts["odd"] += len(odd)
        warnings += odd[: MAX_FINDINGS - len(warnings)]
        counts["filings"] += line.topic == FILINGS
        if register is not None:
            register.add(line.message)
    return Checked(
        rows=counts["rows"],
        bad=counts["bad"],
        findings=findings,
        odd=counts["odd"],
        warnings=tuple(warnings),
        filings=counts["filings"],
    )


async def write_rows(
    log: EventLog,
    lines: BinaryIO,
    resolve: Callable[[TripFiling], TripFiling] | None = None,
    seal: Seal | None = None,
) -> int:
    """Append every row, in order; return how many. `resolve` finds the ids that filings lack, `seal` seals.

    The lines must have been checked. Raises `LoadInterrupted`, or `ValueError` for a line that has changed.
    """
    appender = await log.appender()
    written = 0
    chunk: list[Outgoing] = []
    try:
        for _, line in _lines(lines, seal or sealing(None)):
            if isinstance(line, LineError):
                raise ValueError(f"the file has changed while it was read: {line}")  # noqa: TRY004
            if resolve is not None and isinstance(line.message, TripFiling):
                line = line._replace(message=resolve(line.message))  # noqa: PLW2901
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


def _looked_at(
    number: int, line: Line | LineError, ports: Mapping[str, Port]
) -> tuple[list[LineError], list[LineError]]:
    """What is wrong with a line, and what is only odd about it."""
    if isinstance(line, LineError):
        return [line], []
    match line.message:
        case None:
            return [], []
        case TripFiling() as filing:
            verdict = check_filing(filing, ports)
            if verdict.refused is not None:
                return [LineError(number, "$.value", verdict.refused)], []
            odd = [(one.path, one.code, one.detail) for one in verdict.findings]
            return [], [_finding(number, *one) for one in odd]
        case TargetingPack() as pack:
            bad = broken_rules(pack)
            return [LineError(number, "$.value.rules", str(one)) for one in bad], []
        case message:
            found = list(check_row(message))
            wrong = [
                _finding(number, path, one.code, one.detail)
                for path, one in found
                if one.severity == "reject"
            ]
            return wrong, [
                _finding(number, path, one.code, one.detail)
                for path, one in found
                if one.severity == "warn"
            ]


def _finding(number: int, path: str, code: str, detail: str) -> LineError:
    return LineError(number, f"$.value.{path}", f"{code}: {detail}")


def _lines(lines: BinaryIO, seal: Seal) -> Iterator[tuple[int, Line | LineError]]:
    for number, text in enumerate(_bounded(lines), 1):
        if text is None:
            yield number, LineError(number, "$", f"longer than {MAX_LINE_BYTES} bytes")
        elif text:
            yield number, _loadable(parse_line(number, text, seal), number)


def _bounded(lines: BinaryIO) -> Iterator[bytes | None]:
    """Each line without its end; None for one that is too long to be held."""
    while text := lines.readline(MAX_LINE_BYTES + 1):
        if len(text) <= MAX_LINE_BYTES or text.endswith(b"\n"):
            yield text.strip()
            continue
        while (rest := lines.readline(MAX_LINE_BYTES + 1)) and not rest.endswith(b"\n"):
            pass
        yield None


def _loadable(line: Line | LineError, number: int) -> Line | LineError:
    if isinstance(line, LineError):
        return line
    if line.topic == FILINGS:
        if isinstance(line.message, TripFiling):
            return line
        return LineError(number, "$.value.type", "the stages write it; expected trip_filing")
    if line.topic == TRIPS:
        detail = f"the trips stage writes it; load a trip_filing into {FILINGS} instead"
        return LineError(number, "$.topic", detail)
    if line.topic not in REFERENCE_TOPICS:
        known = ", ".join((*REFERENCE_TOPICS, FILINGS))
        return LineError(number, "$.topic", f"expected one of {known}")
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
