"""The demo's live picture in a terminal: trucks on their way, border records, programs."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

from rich import box
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from schemas.arrival import ArrivalNotice, CrossingState
from schemas.border import BorderRecord
from simulators.committed import Committed
from simulators.supervise import Program
from simulators.verdict import counted

#: Rows of each table, the newest ones: as many as fit, but not more than this ...
MOST_ROWS: Final = 12
#: ... and not fewer.
LEAST_ROWS: Final = 3
#: Lines of the picture that are no rows.
OTHER_LINES: Final = 12
#: The picture is drawn again at most so often, seconds.
EVERY_S: Final = 0.2

_STYLES: Final[dict[CrossingState, str]] = {
    "approaching": "yellow",
    "at_primary": "cyan",
    "entered": "green",
    "closed": "green",
    "refused": "red",
}


class Screen:
    """A picture that is drawn over and over. Use as a context manager."""

    def __init__(self) -> None:
        """Nothing is drawn yet."""
        self._live = Live(auto_refresh=False)
        room = (self._live.console.height - OTHER_LINES) // 2
        self._rows = max(LEAST_ROWS, min(MOST_ROWS, room))
        self._drawn = 0.0

    def __enter__(self) -> "Screen":
        """Take the terminal; what others write to stderr appears above the picture."""
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back; the last picture stays."""
        self._live.__exit__(kind, error, trace)

    def show(
        self, head: str, committed: Committed, programs: Iterable[Program], *, at_once: bool = False
    ) -> None:
        """Draw, unless that was done just now."""
        now = time.monotonic()
        if now - self._drawn < EVERY_S and not at_once:
            return
        self._drawn = now
        picture = Group(
            Text(head, style="bold"),
            arrivals(newest(committed)[: self._rows]),
            records(newest_records(committed)[: self._rows]),
            program_line(programs),
        )
        self._live.update(picture, refresh=True)


def newest(committed: Committed) -> list[ArrivalNotice]:
    """The notices that changed last, newest first."""
    return sorted(committed.notices.values(), key=lambda notice: notice.at_us, reverse=True)


def newest_records(committed: Committed) -> list[BorderRecord]:
    """The records written last, newest first."""
    return sorted(committed.records.values(), key=lambda record: record.entry.at_us, reverse=True)


def arrivals(notices: Sequence[ArrivalNotice]) -> Table:
    """Trucks on their way, at the booth, and through."""
    table = _table("Arrivals")
    for column in (
        "time",
        "lane",
        "state",
        "at booth",
        "truck",
        "persons",
        "trip",
        "shipments",
        "to see",
    ):
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for notice in notices:
        table.add_row(
            clock(notice.at_us),
            notice.lane,
            Text(notice.state, style=_STYLES.get(notice.state, "")),
            "" if notice.eta_us is None else clock(notice.eta_us),
            _linked(notice, "truck"),
            _linked(notice, "driver", "passenger", "person"),
            _linked(notice, "trip"),
            str(len(notice.shipments)),
            ", ".join(notice.flags),
        )
    return table


def records(every: Sequence[BorderRecord]) -> Table:
    """One line a person: entry into one country, exit from the other."""
    table = _table("Border records")
    for column in ("time", "person", "role", "entry", "exit", "state", "record"):
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for record in every:
        entry, left = record.entry, record.exit
        table.add_row(
            clock(entry.at_us),
            record.person,
            record.role,
            f"{entry.country} {entry.office_code} {entry.lane}",
            f"{left.country} {left.office_code}",
            record.state,
            record.record_id[:8],
        )
    return table


def program_line(programs: Iterable[Program]) -> Text:
    """Which process is what, and how often it was started again."""
    line = Text("Programs: ")
    for one in programs:
        again = f" ({counted(one.restarts, 'restart')})" if one.restarts else ""
        style = "red" if one.state != "running" else "yellow" if one.restarts else ""
        line.append(f"{one.name} {one.pid or '-'}{again}  ", style)
    return line


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", expand=True, box=box.SIMPLE_HEAD, padding=(0, 1)
    )


def clock(at_us: int) -> str:
    """A time of day, UTC."""
    return f"{datetime.fromtimestamp(at_us / 1e6, UTC):%H:%M:%S}"


def _linked(notice: ArrivalNotice, *roles: str) -> str:
    """Who or what is tied to the crossing; `?` for unknown, in brackets when only declared."""
    found = []
    for link in notice.links:
        if link.role in roles:
            name = (link.id or "?").partition(":")[2] or link.id or "?"
            found.append(name if link.basis == "read" or link.role == "trip" else f"({name})")
    return " ".join(found)
