"""Topics `watch-lists` and `referrals-restricted`: for cleared readers only. No other topic holds any of it."""

from typing import Annotated, Literal

import msgspec

from schemas.message import Country, Direction, Id, Message, Micros, NoteText, Part


class Listing(Part, frozen=True, kw_only=True):
    """A card or tag on one version of one list, effective-dated."""

    list_id: Id
    #: Of the list, as its owner counts.
    version: Annotated[int, msgspec.Meta(ge=1)]
    entry_id: Id
    #: Whose list it is.
    owner: Country
    effective_from_us: Micros
    #: None: until further notice. A withdrawn listing ends at the moment from which it was wrong.
    effective_to_us: Micros | None = None
    accepted_at_us: Micros
    #: What a cleared officer reads.
    reason: NoteText

    def holds_at(self, at_us: int) -> bool:
        """Whether it is in force at a moment."""
        until_us = self.effective_to_us
        return self.effective_from_us <= at_us and (until_us is None or at_us < until_us)


class WatchListEntry(Message, frozen=True, kw_only=True, tag="watch_list_entry"):
    """Topic `watch-lists`: everything that lists say of a card or tag. A later row of it supersedes the earlier one."""

    v: Literal[1] = 1
    #: The card or tag, known to gatebook or not; for an unknown one its token.
    credential_id: Id
    listings: Annotated[tuple[Listing, ...], msgspec.Meta(max_length=64)]


class Hit(Part, frozen=True, kw_only=True):
    """A listing that a card or tag of the crossing is on."""

    credential_id: Id
    list_id: Id
    version: int
    entry_id: Id
    owner: Country
    #: How the card belongs to the crossing: heard by a reader, keyed by an officer, or only declared.
    basis: Literal["read", "keyed", "declared"]
    #: The listing was accepted only after the crossing's end.
    late: bool = False
    reason: NoteText


class RestrictedReferral(Message, frozen=True, kw_only=True, tag="restricted_referral"):
    """Topic `referrals-restricted`: a crossing that a watch list names. It changes nothing else that is written."""

    v: Literal[1] = 1
    crossing_id: Id
    revision: int
    pair: Id
    direction: Direction
    lane: Id
    #: Sorted; empty once it is cleared.
    hits: tuple[Hit, ...]
    #: Every listing that it stood for was withdrawn, or its card is not of this crossing after all.
    cleared: bool = False
    #: First read of the crossing.
    first_us: Micros
    #: Event time of the crossing's latest input.
    at_us: Micros
