"""A whole day: which story is told when and where, and what is written of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from schemas.policy import Switches
from schemas.ports import Port
from schemas.reference import OfficeHours
from simulators.day import truth
from simulators.day.cast import parties
from simulators.day.happening import Outage, Row
from simulators.day.odd import ODD
from simulators.day.places import CLOSED, DAY, HOUR, MINUTE, PAIRS, Places, Way, site_row, ways_of
from simulators.day.plain import plain
from simulators.day.recording import Recorder, beats
from simulators.day.story import LOADED_BEFORE_US, Story
from simulators.day.told import TOLD
from simulators.fleet import Draws
from stream.shipped import shipped

PLAIN: Final = "plain"

#: After the last vehicle: until the longest time-out is over (2 h, held for 6 h by a silent gateway).
RUN_OUT_US: Final = 9 * HOUR

#: Where vehicles may leave in motion: an exit read lets them in where no officer has decided.
IN_MOTION: Final = Way("pha-rey", "US>MX")

#: 1970-01-01 was a Thursday; 0 is Monday.
_WEEKDAY_OF_DAY_0: Final = 3

#: Shares of the pairs and of the way into the US.
_SHARES: Final = (("lar-wtb", 0.5), ("det-amb", 0.8), ("pha-rey", 1.0))


class RateError(ValueError):
    """A name that is no odd case, or a rate that is none; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a day is made of."""

    start_us: int
    #: Stories; some of them are several passages.
    scenes: int = 1_000
    #: Of all stories, by odd case.
    rates: Mapping[str, float]
    #: How long vehicles come.
    for_us: int = DAY


class Day(NamedTuple):
    """A day."""

    recording: list[bytes]
    truth: tuple[truth.Scene, ...]


def rates_of(texts: Iterable[str]) -> dict[str, float]:
    """Rates from `NAME=RATE`, later ones win; `all` is every odd case. Raises `RateError`."""
    rates: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name != "all" and name not in ODD:
            raise RateError(f"no odd case {name!r}; --odd list shows them")
        try:
            rate = float(number)
        except ValueError:
            raise RateError(f"{text!r} is not NAME=RATE") from None
        if not 0 <= rate <= 1:
            raise RateError(f"{text!r}: a rate is between 0 and 1")
        rates.update(dict.fromkeys(TOLD if name == "all" else (name,), rate))
    if sum(rates.values()) > 1:
        raise RateError("the rates add up to more than 1")
    return rates


def build_day(settings: Settings, draws: Draws, ports: Mapping[str, Port]) -> Day:
    """The same settings and draws give the same day, to the byte."""
    places = Places(ports, settings.start_us)
    stories = []
    for number, name in enumerate(_names(settings, draws), start=1):
        at_us = settings.start_us + HOUR + settings.for_us * number // (settings.scenes + 1)
        way = _way(draws, places)
        story = Story(number, name, way=way, at_us=at_us, places=places, draws=draws)
        tell = plain if name == PLAIN else ODD[name].tell
        tell(story)
        stories.append(story)
    outages = [outage for story in stories for outage in story.outages]
    recording = _recorded(stories, settings, places, outages)
    return Day(recording, tuple(_truth(one, outages, _until_us(settings)) for one in stories))


def truth_lines(day: Day) -> bytes:
    """Truth as `gatebook score` reads it."""
    return b"".join(msgspec.json.encode(one) + b"\n" for one in day.truth)


def _names(settings: Settings, draws: Draws) -> list[str]:
    """As many of each as its rate says, at least one, in an order that is drawn."""
    names = [
        name
        for name, rate in sorted(settings.rates.items())
        for _ in range(max(1, round(rate * settings.scenes)) if rate else 0)
    ]
    names += [PLAIN] * (settings.scenes - len(names))
    for at in range(len(names) - 1, 0, -1):
        other = draws.randrange(0, at + 1)
        names[at], names[other] = names[other], names[at]
    return names


def _way(draws: Draws, places: Places) -> Way:
    drawn = draws.random()
    pair = next(pair for pair, share in _SHARES if drawn < share)
    return ways_of(places.ports[pair])[0 if draws.random() < 0.6 else 1]


def _truth(story: Story, outages: Sequence[Outage], until_us: int) -> truth.Scene:
    story.must.expire(until_us)
    moments = [one.from_us for one in story.stays] + [one.at_us for one in story.words]
    if any(
        one.pair == stay.way.pair and one.from_us - MINUTE < stay.from_us < one.until_us
        for one in outages
        for stay in story.stays
    ):
        story.must.nothing_in_time()
    return story.must.scene(
        story.name,
        story.odd,
        story.way.pair,
        min(moments, default=story.at_us),
        max(moments, default=story.at_us),
    )


def _recorded(
    stories: Sequence[Story], settings: Settings, places: Places, outages: Sequence[Outage]
) -> list[bytes]:
    recorder = Recorder(outages)
    recorder.rows(_shared(settings.start_us, places))
    recorder.rows(row for story in stories for row in story.rows)
    until_us = _until_us(settings)
    notices = [notice for story in stories for notice in story.notices]
    notices += beats(settings.start_us, until_us, outages)
    recorder.gateways([stay for story in stories for stay in story.stays], notices)
    recorder.words(word for story in stories for word in story.words)
    return list(recorder.lines())


def _open_on_other_days(start_us: int) -> tuple[OfficeHours, ...]:
    """Hours of a port that is closed while vehicles come, in whatever time zone it is."""
    first = (start_us // DAY + _WEEKDAY_OF_DAY_0) % 7
    days = tuple(sorted((first + later) % 7 for later in range(3, 6)))
    return (OfficeHours(days=days, from_min=0, until_min=1_440),)


def _until_us(settings: Settings) -> int:
    """When the recording ends."""
    return settings.start_us + HOUR + settings.for_us + RUN_OUT_US


def _shared(start_us: int, places: Places) -> Iterable[Row]:
    at_us = start_us - LOADED_BEFORE_US - MINUTE
    for pair in PAIRS:
        yield Row(topic="sites", at_us=at_us, message=site_row(places.ports[pair]))
    closed = site_row(places.ports[CLOSED], _open_on_other_days(start_us))
    yield Row(topic="sites", at_us=at_us, message=closed)
    for party in parties(start_us):
        yield Row(topic="parties", at_us=at_us, message=party)
    for row in shipped("today"):
        yield Row(topic="policies", at_us=at_us, message=row)
    motion = Switches(
        policy_id=f"switches:{IN_MOTION.pair}:{IN_MOTION.direction}",
        effective_from_us=0,
        accepted_at_us=0,
        source="invented for the simulated day",
        release_in_motion=True,
    )
    yield Row(topic="policies", at_us=at_us, message=motion)
