"""When time alone does something to a crossing, and which crossings that is now: found without looking at the others."""

import heapq
from collections.abc import Callable, Iterator
from typing import Final

from stream.lanes.rows import HOUR, MINUTE, Crossing

#: After its last read a crossing waits this long for the next (FHWA-HOP-12-049: 120 min window).
MATCH_US: Final = 120 * MINUTE
#: After its end, sightings of the vehicle still belong to it for this long.
AFTER_END_US: Final = 10 * MINUTE
#: Closed crossings can be revised for this long.
HORIZON_US: Final = 7 * 24 * HOUR


def due_us(crossing: Crossing) -> int:
    """When time alone closes the crossing."""
    if crossing.ended_at_us is not None:
        return crossing.ended_at_us + AFTER_END_US
    return crossing.last_us + MATCH_US


def wake_us(crossing: Crossing) -> int:
    """From when on a tick has to look at the crossing: to close it, to look at its cards, or to forget it."""
    if crossing.closed:
        return max(crossing.last_us, crossing.ended_at_us or 0) + HORIZON_US
    if crossing.held:
        return -1
    due, recheck = due_us(crossing), crossing.recheck_us
    return due if recheck is None or recheck > due else recheck


class Alarms:
    """One alarm a crossing, never later than it has to be. An early one is set anew when its time is past.

    So a crossing that goes on costs nothing here: its time only ever moves on.
    """

    def __init__(self) -> None:
        """None is set."""
        self._heap: list[tuple[int, str]] = []
        self._set: dict[str, int] = {}

    def put(self, crossing: Crossing) -> None:
        """The crossing changed or is new."""
        name, wake = crossing.crossing_id, wake_us(crossing)
        before = self._set.get(name)
        if before is None or wake < before:
            self._set[name] = wake
            heapq.heappush(self._heap, (wake, name))

    def drop(self, name: str) -> None:
        """The crossing is gone; its alarm is passed over."""
        self._set.pop(name, None)

    def past(self, now_us: int) -> Iterator[str]:
        """Crossings whose alarm is past, in no order, some of them perhaps too early. Changes nothing."""
        heap, places = self._heap, [0]
        while places:
            place = places.pop()
            if place < len(heap) and heap[place][0] <= now_us:
                wake, name = heap[place]
                if self._set.get(name) == wake:
                    yield name
                places += (2 * place + 1, 2 * place + 2)

    def renew(self, now_us: int, find: Callable[[str], Crossing | None]) -> None:
        """Set the alarms that are past anew."""
        names = []
        while self._heap and self._heap[0][0] <= now_us:
            wake, name = heapq.heappop(self._heap)
            if self._set.get(name) == wake:
                del self._set[name]
                names.append(name)
        for name in names:
            crossing = find(name)
            if crossing is not None:
                self.put(crossing)
