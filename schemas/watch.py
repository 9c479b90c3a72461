"""Topics `credential-sightings`, `credential-flags` and `last-places`: where cards were heard, and what is wrong with one.

The lanes stage sees one port pair at a time; the watch stage sees one card at all of them.
"""

from typing import Literal

from schemas.gate import ClockSource
from schemas.message import Direction, Id, Message, Micros, Part, Position


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
    #: Another lane heard it as well, and nobody can tell which one it was in.
    ambiguous: bool = False


FlagKind = Literal["impossible_travel", "two_lanes", "tid_mismatch", "dead_card"]


class FlagProof(Part, frozen=True, kw_only=True):
    """One thing that is wrong with a card, and the sightings that show it: the earliest ones that do."""

    kind: FlagKind
    #: When the sighting that completes the proof began.
    at_us: Micros
    #: Event ids of the sightings.
    evidence: tuple[Id, ...]
    #: Port pairs at which they were.
    pairs: tuple[Id, ...]
    #: It rests on coordinates without a source.
    unverified: bool = False


class CredentialFlag(Message, frozen=True, kw_only=True, tag="credential_flag"):
    """What is wrong with a card, all of it: a later row of the card supersedes an earlier one.

    While a proof stands, the card's crossings are not eligible for a special lane. The topic is compacted, so
    a row without proofs takes everything back.
    """

    v: Literal[1] = 1
    credential_id: Id
    #: At most one a kind, by kind.
    proofs: tuple[FlagProof, ...] = ()
    #: Tokens under which the card was heard in what proves it, or in what was taken back.
    tokens: tuple[Id, ...] = ()


class LastPlace(Message, frozen=True, kw_only=True, tag="last_place"):
    """Where a trailer's tag was heard last, once nobody has heard it for a while: there it may stand."""

    v: Literal[1] = 1
    credential_id: Id
    #: `trailer:` id.
    trailer: Id
    pair: Id
    lane: Id
    read_point: Id
    position: Position
    direction: Direction
    last_us: Micros
    source_event_id: Id
    crossing_id: Id | None
    #: The gateway's clock was far from the stream's.
    untrusted: bool = False
