"""What a third country may see of a border that is not its own: counts of a day, none of which is about a few people.

A cell below `k` is not shown. Neither is one that could be reckoned from what is shown, also by who knows this rule:
beside small hours the first other hour is hidden, and if all that is hidden does not add up to more than `k`, the
whole day is. No total over days, pairs or directions is given, and no id.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from schemas.ports import Port
from stream.ledger.allowed import local_time

#: Smallest count that is shown unless told otherwise; a choice of this project, no law's.
DEFAULT_K: Final = 10

#: Below this a hidden cell could have one value only.
MIN_K: Final = 2

HOURS: Final = 24
ENTERED: Final = "entered"
TAKEN_BACK: Final = "taken_back"

#: Ends of crossings without a record, as the last notice of a crossing has them, and records that were retracted.
OUTCOMES: Final = (
    TAKEN_BACK,
    "refused",
    "turned_back",
    "held",
    "paroled",
    "withdrawn",
    "u_turn",
    "diverted",
    "lost",
    "expired",
)


class Ended(NamedTuple):
    """One stored record (`entered`, `taken_back`) or crossing (the other outcomes), without any id."""

    pair: str
    left: str
    entered: str
    at_us: int
    outcome: str


class Shown(NamedTuple):
    """A total and its parts, None where it is hidden."""

    total: int | None
    cells: tuple[int | None, ...]


class Aggregate(NamedTuple):
    """A day of one direction of a pair. Persons entered, by hour; the outcomes stand each by itself."""

    pair: str
    direction: str
    day: str
    #: The zone whose day and hours these are: that of the office that is entered.
    zone: str
    k: int
    entered: int | None
    hours: tuple[int | None, ...]
    outcomes: Mapping[str, int | None]


def hidden(cells: Sequence[int], k: int) -> Shown:
    """Hide what is small and what would give it away; raises ValueError for a `k` that hides nothing.

    Whatever is shown, each hidden cell can be at least two numbers for who knows this rule.
    """
    if k < MIN_K:
        raise ValueError(f"k is {k}: at least {MIN_K}")
    small = {at for at, cell in enumerate(cells) if cell < k}
    if not small:
        return Shown(sum(cells), tuple(cells))
    # One more than the small ones, and always the first: chosen by its size it would tell about its size.
    other = next((at for at in range(len(cells)) if at not in small), None)
    gone = small if other is None else small | {other}
    if sum(cells[at] for at in gone) <= k:
        return Shown(None, (None,) * len(cells))
    return Shown(sum(cells), tuple(None if at in gone else cell for at, cell in enumerate(cells)))


def observed(
    ended: Iterable[Ended],
    ports: Mapping[str, Port],
    country: str,
    day: date,
    k: int = DEFAULT_K,
) -> list[Aggregate]:
    """The day of every direction of every pair that the country is no part of, by pair and direction.

    A pair without anything is there as well: that one is left out would tell that there was nobody.
    """
    hours: dict[tuple[str, str], Counter[int]] = {}
    outcomes: dict[tuple[str, str], Counter[str]] = {}
    for port in ports.values():
        if country not in ("US", port.other_country):
            for direction in (f"US>{port.other_country}", f"{port.other_country}>US"):
                hours[port.pair, direction] = Counter()
    for one in ended:
        if country in (one.left, one.entered, *_countries(ports.get(one.pair))):
            continue
        at = _at(one.at_us, _zone(ports.get(one.pair), one.entered))
        if at is None or at.date() != day:
            continue
        key = (one.pair, f"{one.left}>{one.entered}")
        hours.setdefault(key, Counter())
        if one.outcome == ENTERED:
            hours[key][at.hour] += 1
        else:
            outcomes.setdefault(key, Counter())[one.outcome] += 1
    return [
        _aggregate(key, ports.get(key[0]), day, hours[key], outcomes.get(key, Counter()), k=k)
        for key in sorted(hours)
    ]


def _aggregate(
    key: tuple[str, str],
    port: Port | None,
    day: date,
    hours: Counter[int],
    outcomes: Counter[str],
    *,
    k: int,
) -> Aggregate:
    pair, direction = key
    shown = hidden([hours[hour] for hour in range(HOURS)], k)
    return Aggregate(
        pair=pair,
        direction=direction,
        day=day.isoformat(),
        zone=_zone(port, direction[-2:]),
        k=k,
        entered=shown.total,
        hours=shown.cells,
        outcomes={one: None if outcomes[one] < k else outcomes[one] for one in OUTCOMES},
    )


def _countries(port: Port | None) -> tuple[str, ...]:
    return () if port is None else ("US", port.other_country)


def _zone(port: Port | None, country: str) -> str:
    if port is None or country not in _countries(port):
        return "Etc/UTC"
    return port.us_timezone if country == "US" else port.other_timezone


def _at(at_us: int, zone: str) -> datetime | None:
    try:
        return datetime.fromisoformat(local_time(at_us, zone))
    except ValueError:
        return None
