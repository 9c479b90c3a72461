"""What the trips stage remembers: trips that can still change, and that there was a number once."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.reference import Trip
from schemas.trips import TripUse
from stream.state import KeyedState

HOUR_US: Final = 3_600_000_000

#: A trip that nobody used expires so long after its declared arrival.
EXPIRY_US: Final = 24 * HOUR_US

#: So long after its declared arrival a trip no longer changes: the horizon of crossings, after the expiry.
FORGET_US: Final = EXPIRY_US + 7 * 24 * HOUR_US


class TripRow(msgspec.Struct, frozen=True, kw_only=True, tag="trip_row"):
    """A trip, the filings that made it, and what crossings say of it."""

    trip: Trip
    #: The last filings taken, so that the same one again is nothing new.
    filing_ids: tuple[str, ...]
    #: The last that each crossing said of the trip.
    said: tuple[TripUse, ...] = ()


class PastTrip(msgspec.Struct, frozen=True, kw_only=True, tag="past_trip"):
    """A number that was used up: it is not free, and nothing else is known of it."""

    version: int


class TripsState(KeyedState):
    """Rows by trip number, with the hour in which time alone changes them."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__(TripRow | PastTrip)
        self._due: defaultdict[int, set[str]] = defaultdict(set)

    def row(self, number: str) -> TripRow | PastTrip | None:
        """The row of a trip."""
        row = self.get(number)
        return row if isinstance(row, TripRow | PastTrip) else None

    def due(self, now_us: int) -> Iterator[tuple[str, TripRow]]:
        """Trips for which `due_us` has come, by number."""
        last = now_us // HOUR_US
        numbers = {number for hour in self._due if hour <= last for number in self._due[hour]}
        for number in sorted(numbers):
            row = self.get(number)
            if isinstance(row, TripRow) and due_us(row.trip) <= now_us:
                yield number, row

    def _changed(self, key: str, old: msgspec.Struct | None, new: msgspec.Struct | None) -> None:
        if isinstance(old, TripRow):
            hour = due_us(old.trip) // HOUR_US
            self._due[hour].discard(key)
            if not self._due[hour]:
                del self._due[hour]
        if isinstance(new, TripRow):
            self._due[due_us(new.trip) // HOUR_US].add(key)


def due_us(trip: Trip) -> int:
    """When time alone changes a trip: it expires, or nothing about it changes any more."""
    return trip.eta_us + (EXPIRY_US if trip.status == "on_file" else FORGET_US)
