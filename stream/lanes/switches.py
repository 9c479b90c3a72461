"""What a site's policy switches on, read by name so that a site without policies has everything off."""

from typing import Final

from schemas.message import Direction
from schemas.policy import Switches
from stream.reference import Reference

#: The policy row of one pair, and the one of all pairs.
SWITCHES: Final = "switches"


def releases_in_motion(reference: Reference, pair: str, direction: Direction, at_us: int) -> bool:
    """Whether an exit read without a decision is a release (rolling through under trusted-traveller rules)."""
    return _switch(reference, pair, direction, "release_in_motion", at_us)


def requires_signatures(reference: Reference, pair: str, at_us: int) -> bool:
    """Whether events of a writer that has no key are refused at the pair."""
    return _switch(reference, pair, "", "require_signatures", at_us)


def uses_unverified(reference: Reference, pair: str, at_us: int) -> bool:
    """Whether events that no signature covers are used all the same, with the alert."""
    return _switch(reference, pair, "", "use_unverified", at_us)


def switches_in_force(
    reference: Reference, pair: str, direction: Direction, at_us: int
) -> list[Switches]:
    """The rows that may decide for a crossing that began at `at_us`: the most particular first."""
    rows = [reference.policy(name) for name in _names(pair, direction)]
    return [row for row in rows if isinstance(row, Switches) and row.holds_at(at_us)]


def _names(pair: str, direction: str) -> tuple[str, str, str]:
    return f"{SWITCHES}:{pair}:{direction}", f"{SWITCHES}:{pair}", SWITCHES


def _switch(reference: Reference, pair: str, direction: str, switch: str, at_us: int) -> bool:
    """The most particular row that is in force at `at_us` decides."""
    if not reference.policies(Switches):
        return False
    for name in _names(pair, direction):
        row = reference.policy(name)
        if isinstance(row, Switches) and row.holds_at(at_us):
            return bool(getattr(row, switch))
    return False
