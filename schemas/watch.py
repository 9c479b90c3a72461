"""Topics `credential-sightings` and `credential-flags`: where cards were heard, and what is wrong with one.

The lanes stage sees one port pair at a time; the watch stage sees one card at all of them.
"""

from typing import Literal

from schemas.gate import ClockSource
from schemas.message import Direction, Id, Message, Micros, Position


class CredentialSighting(Message, frozen=True, kw_only=True, tag="credential_sighting"):
    """A card or tag was heard at a read point: once at the beginning, again with the end of a long stay."""

    v: Literal[1] = 1
    #: For an unknown card its token.
    credential_id: Id
    token: Id
    tid_token: Id | None = None
    pair: Id
    lane: Id
    read_point: Id
    position: Position
    direction: Direction
    first_us: Micros
    last_us: Micros
    #: When the gateway wrote the event.
    at_us: Micros
    clock_source: ClockSource
    source_event_id: Id
    #: None: too late for any crossing.
    crossing_id: Id | None
    #: The gateway's clock was far from the stream's.
    untrusted: bool = False


FlagKind = Literal["impossible_travel", "two_lanes", "tid_mismatch", "dead_card"]


class CredentialFlag(Message, frozen=True, kw_only=True, tag="credential_flag"):
    """Something is wrong with a card: its crossings are not eligible for a special lane while it stands."""

    v: Literal[1] = 1
    credential_id: Id
    kind: FlagKind
    at_us: Micros
    #: Event ids of the sightings that show it.
    evidence: tuple[Id, ...] = ()
    #: Taken back.
    cleared: bool = False
