"""Reads by the clock: a field in which so many tags a second pass, each read exactly once.

For soak and kill runs: which reads there are follows from a seed alone, and a reader that has taken n of them has
sent the first n. Time begins when the reader is started and first asks; what it cannot send at once waits.
"""

from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from simulators.device import Field, Tag

EPC_BYTES: Final = 12
#: Reads that are taken at a time: bounds a chunk of a reader that was kept from sending.
MOST: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Which reads there are.

    Attributes:
        rate: reads a second.
        total: how many there are in all; None: without end.
        epcs: the tags by turns; empty: invented ones of the seed, a new one after each `new_every` reads.
    """

    rate: float
    total: int | None = None
    seed: int = 7
    new_every: int = 1
    epcs: tuple[bytes, ...] = ()
    antenna: int | None = 1

    def epc(self, number: int) -> bytes:
        """The tag of the read of this number, which counts from 0."""
        if self.epcs:
            return self.epcs[number % len(self.epcs)]
        text = f"{self.seed} {number // self.new_every}".encode()
        return blake2b(text, digest_size=EPC_BYTES).digest()

    def tags(self, count: int) -> Counter[bytes]:
        """How often each tag is among the first reads."""
        return Counter(self.epc(number) for number in range(count))


class LoadField(Field):
    """A field with the reads of a load."""

    def __init__(self, load: Load) -> None:
        """Nothing has been read."""
        super().__init__()
        self._load = load
        self._began_us: int | None = None

    @property
    def done(self) -> bool:
        """Whether the last read was taken."""
        return self._load.total is not None and self.taken >= self._load.total

    def present(self, now_us: int) -> list[Tag]:  # noqa: ARG002 - a tag passes, it does not stay
        """Nothing stays."""
        return []

    def heard(self, now_us: int, most: int = 1, antenna: int | None = None) -> list[Tag]:  # noqa: ARG002
        """The reads since the last time, 64 at most; all on the antenna that is named, if one is."""
        if self._began_us is None:
            self._began_us = now_us
        due = int((now_us - self._began_us) * self._load.rate / 1e6)
        if self._load.total is not None:
            due = min(due, self._load.total)
        first, last = self.taken, max(self.taken, min(due, self.taken + MOST))
        self.taken = last
        port = self._load.antenna if antenna is None else antenna
        return [Tag(self._load.epc(n), port, -40 - n % 25) for n in range(first, last)]

    def counted(self, now_us: int, each: int) -> list[tuple[Tag, int]]:  # noqa: ARG002
        """The reads since the last time, by tag."""
        tags: dict[bytes, Tag] = {}
        counts: Counter[bytes] = Counter()
        for tag in self.heard(now_us):
            tags.setdefault(tag.epc, tag)
            counts[tag.epc] += 1
        return [(tags[epc], count) for epc, count in counts.items()]
