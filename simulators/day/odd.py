"""The registry of odd cases: one small story each, by name, with the number of its line among the border's edge cases.

`plain` is every other vehicle. A story tells what happens and, beside it, what must come of it.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from simulators.day.story import Story

Tell = Callable[[Story], None]


class Odd(NamedTuple):
    """An odd case."""

    name: str
    #: Its line in the table of edge cases of docs/simulators.md.
    number: int
    #: What is odd, in one line.
    what: str
    tell: Tell


ODD: Final[dict[str, Odd]] = {}


def odd(name: str, number: int, what: str) -> Callable[[Tell], Tell]:
    """Register a story."""

    def keep(tell: Tell) -> Tell:
        ODD[name] = Odd(name, number, what, tell)
        return tell

    return keep
