"""The events of a stay: what leaves the gateway about a tag, with tokens in place of its numbers."""

from typing import TypedDict

from gateway.best_lane import is_ambiguous, other_lanes
from gateway.epc import tag_number
from gateway.identity import TokenKey, epc_token, tid_token
from gateway.reads import Proof
from gateway.tracker import Ending, Stay
from gateway.travel import travel_of
from schemas.gate import ClockSource, SightingGone, SightingSeen, TagProof, Travel
from schemas.message import Direction, Position


class Sightings:
    """Makes the events of one port pair with one token key."""

    def __init__(self, pair: str, key: TokenKey) -> None:
        """`key` makes the tokens."""
        self._pair = pair
        self._key = key
        #: Whether the gateway's clock is known to be right.
        self.synchronised: bool | None = None

    def seen(
        self, event_id: str, stay: Stay, now_us: int, passed: Travel = "unknown"
    ) -> SightingSeen:
        """The tag counts as present. `passed`: which way vehicles went past the read point meanwhile."""
        fields = self._fields(stay, now_us, passed)
        return SightingSeen(event_id=event_id, moved_from=stay.moved_from, **fields)

    def gone(
        self, event_id: str, stay: Stay, now_us: int, reason: Ending, passed: Travel = "unknown"
    ) -> SightingGone:
        """The stay is over."""
        return SightingGone(
            event_id=event_id,
            observed=stay.observed,
            seen_event_id=stay.seen_event_id,
            reason=reason,
            **self._fields(stay, now_us, passed),
        )

    def _fields(self, stay: Stay, now_us: int, passed: Travel) -> "_Fields":
        point = stay.point
        travel = travel_of(stay.passage)
        token = epc_token(self._key, stay.epc)
        if token is None:
            raise ValueError("a stay without an EPC: the intake rejects those reads")
        return {
            "pair": self._pair,
            "lane": point.lane,
            "read_point": point.id,
            "position": point.position,
            "to_booth_s": point.to_booth_s,
            "direction": point.direction,
            "token": token,
            "tid_token": tid_token(self._key, stay.tid),
            "scheme": tag_number(stay.epc, stay.pc, stay.xpc).scheme,
            "first_us": stay.first_us,
            "last_us": stay.last_us,
            "at_us": now_us,
            "reads": stay.reads,
            "peak_rssi_dbm": stay.peak_rssi_dbm,
            "antennas": stay.antennas,
            "other_lanes": other_lanes(stay.voices, point.lane),
            "ambiguous": is_ambiguous(stay.voices, point.id, point.lane),
            "travel": passed if travel == "unknown" else travel,
            "clock_source": stay.clock_source,
            "clock_offset_ms": round(stay.clock_offset_us / 1_000),
            "clock_synchronised": self.synchronised,
            "replayed": stay.replayed,
            "proof": _proof(stay.proof),
        }


def _proof(proof: Proof | None) -> TagProof | None:
    return None if proof is None else TagProof(challenge=proof.challenge, answer=proof.answer)


class _Fields(TypedDict):
    """What both messages say."""

    pair: str
    lane: str
    read_point: str
    position: Position
    to_booth_s: int | None
    direction: Direction
    token: str
    tid_token: str | None
    scheme: str
    first_us: int
    last_us: int
    at_us: int
    reads: int
    peak_rssi_dbm: float | None
    antennas: tuple[int, ...]
    other_lanes: tuple[str, ...]
    ambiguous: bool
    travel: Travel
    clock_source: ClockSource
    clock_offset_ms: int
    clock_synchronised: bool | None
    replayed: bool
    proof: TagProof | None
