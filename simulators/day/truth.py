"""What must come of the scenes of a simulated day, one line of JSON a scene. Values only.

The rules for it are those of the border (docs/crossings.md), never what the stages put out.
"""

from typing import Literal

import msgspec

from schemas.message import Country, Direction


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """How a thing is tied to a crossing; `id` None: nobody knows it."""

    id: str | None
    basis: Literal["read", "declared", "inferred", "missing", "conflicting"]


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """One passage of a vehicle, found again by what was heard of it first and when."""

    #: Truck, person or token that was read.
    anchor: str
    first_us: int
    pair: str
    direction: Direction
    #: Lanes that the notice may name.
    lanes: tuple[str, ...]
    #: Any of them.
    states: tuple[str, ...]
    trip: str | None
    #: All findings of the last notice; `flags_may`: those that may be there or not.
    flags: tuple[str, ...] = ()
    flags_may: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    #: Lane classes that the vehicle may use in the end.
    may_use: tuple[str, ...] = ()
    #: Lane classes that no revision may open that is made before then; None: no revision at all.
    may_not_use: tuple[str, ...] = ()
    shut_until_us: int | None = None
    #: Lane classes that are closed in the end.
    shut_in_the_end: tuple[str, ...] = ()
    #: What the first notices said, before the vehicle was at the booth.
    flags_before_booth: tuple[str, ...] = ()
    #: What some revision must have said, even if it was taken back.
    said: tuple[str, ...] = ()
    #: Whether it goes on with a crossing that was diverted from another pair.
    continues: bool = False
    #: The end of the crossing for each person, None for nobody known: its kind and moment. None: not looked at.
    ends: tuple[tuple[str | None, str, int], ...] | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A border record that must be there, and its state."""

    person: str
    pair: str
    entered: Country
    left: Country
    office: str | None
    other_office: str | None
    lane: str
    at_us: int
    #: `in_force`: live or corrected.
    state: Literal["live", "corrected", "retracted", "in_force"] = "live"
    #: Other moments that were right for a while, before somebody set them right.
    was_us: tuple[int, ...] = ()
    #: None: not looked at.
    role: str | None = None
    anomalies: tuple[str, ...] | None = None
    #: When the stay began that its exit closes, and whether the exit is known to be that stay's end. None: no
    #: record of the person came before it.
    closes_us: int | None = None
    closes: Literal["exit", "missing_exit"] | None = None


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """A story at the border, and everything that must come of it; nothing else may."""

    scene: str
    #: The odd case, or `plain`.
    odd: str
    pair: str
    #: From its first event to its last.
    from_us: int
    until_us: int
    #: Ids and tokens of all that belongs to it: what names one of them is of this scene.
    things: tuple[str, ...]
    crossings: tuple[Crossing, ...]
    records: tuple[Entry, ...]
    #: Persons who went over in truth, once a passage, heard or not.
    went_over: int
    #: Rows of the unmatched queue that must be open: kind, and subject unless it is the crossing.
    waiting: tuple[tuple[str, str | None], ...] = ()
    #: Kinds of rows that may be there or not.
    waiting_may: tuple[str, ...] = ()
    alerts: tuple[tuple[str, str], ...] = ()
    #: Alerts that may be there or not: their kinds.
    alerts_may: tuple[str, ...] = ()
    #: Flags of cards: card and kind.
    card_flags: tuple[tuple[str, str], ...] = ()
    #: Filings that must be refused: their trip numbers.
    refused: tuple[str, ...] = ()
    #: How trips must stand at the end.
    trips: dict[str, str] = {}
