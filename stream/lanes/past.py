"""A crossing as it was just before a sighting or an officer's word, in the order of grouping."""

from typing import NamedTuple

from stream.lanes.ends import End, end_before, overall
from stream.lanes.rows import SLACK_US, Crossing, Heard, Key, Ruling


class Past(NamedTuple):
    """The part of a crossing that comes before something."""

    crossing: Crossing
    heard: tuple[Heard, ...]
    rulings: tuple[Ruling, ...]
    end: End | None

    @property
    def opener(self) -> Key:
        """The place of its first stay."""
        return self.heard[0].key

    @property
    def last_us(self) -> int:
        """The last read of those stays."""
        if self.heard is self.crossing.heard:
            return self.crossing.last_us
        return max([one.last_us for one in self.heard])

    @property
    def undecided(self) -> bool:
        """Whether no officer of the entered country had said anything."""
        return overall(self.rulings, self.heard[0].direction) is None


def past_of(crossing: Crossing, key: Key) -> Past | None:
    """The crossing before `key`; None when nothing had been heard of it."""
    heard, rulings = crossing.heard, crossing.rulings
    key_us = key[0]
    if not heard or heard[0].first_us > key_us or heard[0].key >= key:
        return None
    if heard[-1].first_us >= key_us and heard[-1].key >= key:
        heard = tuple([one for one in heard if one.first_us <= key_us and one.key < key])
    if rulings and rulings[-1].at_us + SLACK_US >= key_us and rulings[-1].key >= key:
        rulings = tuple([one for one in rulings if one.key < key])
    if heard is crossing.heard and rulings is crossing.rulings:
        # The crossing says itself how it ended. Being diverted is known from rows, which grouping does not ask.
        how, at_us = crossing.how, crossing.ended_at_us
        known = None if how is None or how == "diverted" or at_us is None else End(how, at_us)
        return Past(crossing, heard, rulings, known)
    return Past(crossing, heard, rulings, end_before(crossing, heard, rulings))
