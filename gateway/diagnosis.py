"""What the doctor found: for each thing that it looked at, what is wrong, why, and the fix. Values only."""

from typing import Literal, NamedTuple

import msgspec

Weight = Literal["fatal", "finding", "unknown"]
"""`fatal`: the gateway cannot run. `unknown`: nobody can tell from here, a person must look."""


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, or that cannot be known."""

    what: str
    why: str
    fix: str
    weight: Weight = "finding"


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one look."""

    #: What was looked at, such as `reader booth-1`.
    at: str
    complaints: tuple[Complaint, ...] = ()
    #: What was seen and is good.
    seen: tuple[str, ...] = ()


class Notes:
    """Collects what one look sees."""

    def __init__(self, at: str) -> None:
        """`at`: what is looked at."""
        self.at = at
        self._complaints: list[Complaint] = []
        self._seen: list[str] = []

    def wrong(self, what: str, why: str, fix: str, weight: Weight = "finding") -> None:
        """Something is wrong, or cannot be known."""
        self._complaints.append(Complaint(what=what, why=why, fix=fix, weight=weight))

    def good(self, text: str) -> None:
        """Something is as it should be."""
        self._seen.append(text)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong so far."""
        return all(one.weight == "unknown" for one in self._complaints)

    def done(self) -> Looked:
        """What came of the look."""
        return Looked(at=self.at, complaints=tuple(self._complaints), seen=tuple(self._seen))


class Verdict(NamedTuple):
    """All looks together."""

    looked: tuple[Looked, ...]

    def count(self, weight: Weight) -> int:
        """How many complaints have this weight."""
        return sum(one.weight == weight for look in self.looked for one in look.complaints)

    @property
    def exit_code(self) -> int:
        """0: nothing is wrong; 1: findings; 3: the gateway cannot run. What is unknown changes nothing."""
        return 3 if self.count("fatal") else 1 if self.count("finding") else 0


def lines(look: Looked) -> list[str]:
    """A look as lines for a person."""
    mark = {"fatal": "FATAL", "finding": "WRONG", "unknown": "UNKNOWN"}
    found = [f"{look.at}: {mark[one.weight]}: {one.what}" for one in look.complaints]
    text = []
    for head, one in zip(found, look.complaints, strict=True):
        text += [head, f"    why: {one.why}", f"    fix: {one.fix}"]
    return text + [f"{look.at}: good: {seen}" for seen in look.seen]
