"""What a site's policy switches on, read by name so that a site without policies has everything off."""

from typing import Final

from schemas.message import Direction
from stream.reference import Reference

#: The policy row of one pair, and the one of all pairs.
SWITCHES: Final = "switches"


def releases_in_motion(reference: Reference, pair: str, direction: Direction) -> bool:
    """Whether an exit read without a decision is a release (rolling through under trusted-traveller rules)."""
    return _switch(reference, pair, direction, "release_in_motion")


def requires_signatures(reference: Reference, pair: str) -> bool:
    """Whether events of a writer that has no key are refused at the pair."""
    return _switch(reference, pair, "", "require_signatures")


def _switch(reference: Reference, pair: str, direction: str, switch: str) -> bool:
    """The most particular row decides."""
    for name in (f"{SWITCHES}:{pair}:{direction}", f"{SWITCHES}:{pair}", SWITCHES):
        row = reference.policy(name)
        if row is not None:
            return bool(getattr(row, switch, False))
    return False
