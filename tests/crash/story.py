"""Twelve trucks on two lanes, so that crossings are open wherever a worker dies."""

from collections.abc import Callable

from schemas.message import Message
from schemas.reference import Person
from schemas.restricted import Listing, WatchListEntry
from tests.stream.border import Desk, card, site, trip

TRUCKS = 12


def rows() -> list[Message]:
    """The site, everybody's card and tag, a trip for every second truck, and a driver on a watch list."""
    found: list[Message] = [site()]
    for n in range(TRUCKS):
        found += [card(f"k1.p{n}", f"person:{n}"), card(f"k1.t{n}", f"truck:{n}", "truck_tag")]
        if n % 3:
            found.append(Person(id=f"person:{n}", key_id="seal-1", s92=b"sealed", rest=b"kept"))
        if n % 2:
            found.append(
                trip(f"ABCD{n:04}", drivers=(f"person:{n}",), truck=f"truck:{n}", trailers=())
            )
    listing = Listing(
        list_id="tco-us",
        version=1,
        entry_id="e1",
        owner="US",
        effective_from_us=0,
        accepted_at_us=0,
        reason="call the desk",
    )
    return [*found, WatchListEntry(credential_id="cr-k1.p7", listings=(listing,))]


def events() -> list[Message]:
    """Arrivals, one refusal, an unknown card and the decisions, in the order of their times."""
    gateway, officer = Desk("gw1"), Desk("officer")
    script: list[tuple[float, Callable[[], Message]]] = []
    for n in range(TRUCKS):
        lane, start = f"L0{1 + n % 2}", 20.0 * n
        driver = f"k1.p{n}" if n != 5 else "k1.nobody"
        outcome = "refused" if n == 3 else "released"
        for late, token in enumerate((f"k1.t{n}", driver)):
            for point, after in (("queue", 0), ("primary", 22)):
                when = start + after + 0.2 * late
                script.append((when, _seen(gateway, token, f"{lane}-{point}", when)))
        script.append((start + 35, _decision(officer, outcome, start + 35, lane)))
    return [write() for _, write in sorted(script, key=lambda one: one[0])]


def _seen(desk: Desk, token: str, point: str, when: float) -> Callable[[], Message]:
    return lambda: desk.seen(token, point, when)


def _decision(desk: Desk, outcome: str, when: float, lane: str) -> Callable[[], Message]:
    return lambda: desk.decision(outcome, when, lane)
