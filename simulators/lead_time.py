"""How long before the booth notices came, and how well they told the time there. Pure.

A truck is at the booth with the first notice that has it there; the time of a notice is that of the event behind it.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from schemas.arrival import ArrivalNotice
from stream.ndjson import Line, parse_line

_BEFORE: Final = ("queue", "gate", "approach")
_SECOND: Final = 1_000_000

#: What a notice says is taken as of this long after the first one: then all cards have been heard.
SETTLED_US: Final = 10 * _SECOND


class Told(NamedTuple):
    """What a crossing's notices said before the booth."""

    at_us: int
    #: The ETA and its p90 as they stood ten seconds later, and how often the ETA was changed.
    eta_us: int | None
    p90_us: int | None
    moved: int


class LeadTimes(NamedTuple):
    """Figures; times in seconds, None where nothing was measured."""

    #: Crossings that came to a booth, those of them with a notice before it, and those whose first notice had an ETA.
    at_booth: int
    noticed: int
    with_eta: int
    lead_p50: int | None
    lead_p90: int | None
    #: How far the first ETA was off, either way.
    error_p50: int | None
    error_p90: int | None
    #: First notices with a p90, and how many of these trucks were at the booth by then.
    with_p90: int
    within_p90: int
    #: Changes of the ETA at a read point, in all.
    moves: int

    def __str__(self) -> str:
        """One line for people."""
        lead = f"lead time p50 {_span(self.lead_p50)}, p90 {_span(self.lead_p90)}"
        error = f"first ETA off by p50 {_span(self.error_p50)}, p90 {_span(self.error_p90)}"
        held = f"{self.within_p90} of {self.with_p90} within its p90"
        return (
            f"{self.noticed} of {self.at_booth} noticed before the booth; {lead}; {error}; {held}"
        )


class LeadTimer:
    """Takes notices in the order of their writing."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._told: dict[str, Told] = {}
        self._where: dict[str, tuple[str, int | None]] = {}
        self._booth: dict[str, int] = {}

    def take(self, notice: ArrivalNotice) -> None:
        """One notice."""
        name = notice.crossing_id
        if notice.position not in _BEFORE:
            self._booth.setdefault(name, notice.at_us)
            return
        if name in self._booth:
            return
        told = self._told.get(name)
        if told is None:
            told = Told(notice.at_us, notice.eta_us, notice.eta_p90_us, 0)
        elif notice.at_us <= told.at_us + SETTLED_US:
            told = told._replace(eta_us=notice.eta_us, p90_us=notice.eta_p90_us)
        elif (
            notice.eta_us is not None
            and self._where[name][0] == notice.position
            and self._where[name][1] != notice.eta_us
        ):
            told = told._replace(moved=told.moved + 1)
        self._told[name] = told
        self._where[name] = (notice.position, notice.eta_us)

    def figures(self) -> LeadTimes:
        """What was measured."""
        came = [
            (at_us, self._told[name]) for name, at_us in self._booth.items() if name in self._told
        ]
        leads = sorted(at_us - told.at_us for at_us, told in came)
        errors = sorted(abs(at_us - told.eta_us) for at_us, told in came if told.eta_us is not None)
        bounds = [(at_us, told.p90_us) for at_us, told in came if told.p90_us is not None]
        return LeadTimes(
            at_booth=len(self._booth),
            noticed=len(came),
            with_eta=len(errors),
            lead_p50=rank(leads, 50),
            lead_p90=rank(leads, 90),
            error_p50=rank(errors, 50),
            error_p90=rank(errors, 90),
            with_p90=len(bounds),
            within_p90=sum(at_us <= p90_us for at_us, p90_us in bounds),
            moves=sum(told.moved for _, told in came),
        )


def lead_times(lines: Iterable[bytes]) -> LeadTimes:
    """The figures of outputs in NDJSON; lines that are no notice are left out."""
    timer = LeadTimer()
    for number, text in enumerate(lines, start=1):
        if b'"arrivals"' in text[:80]:
            line = parse_line(number, text)
            if isinstance(line, Line) and isinstance(line.message, ArrivalNotice):
                timer.take(line.message)
    return timer.figures()


def rank(times_us: Sequence[int], per_cent: int) -> int | None:
    """The nearest-rank quantile of sorted times, in whole seconds."""
    if not times_us:
        return None
    return times_us[-(-len(times_us) * per_cent // 100) - 1] // _SECOND


def _span(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds} s" if seconds < 300 else f"{seconds / 60:.0f} min"
