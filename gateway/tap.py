"""What the running daemon hears, for whoever looks on: `gatebook gateway tap` and `capture`.

A unix socket beside the outbox, mode 0600. A client sends one JSON line, `Wish`, and gets JSON lines until it
hangs up. It never slows the daemon: lines that it does not take in time are dropped, and it is told how many.
Card numbers go out only to a client that asks for them; others see the beginning of the token.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import msgspec

from gateway.batch import EventRow
from gateway.identity import TokenKey, epc_token
from gateway.intake import Report, Told
from gateway.link import Chunk, LinkDown, LinkUp, Oversize
from gateway.reads import Outcome, Read, ReaderNote, Rejected
from schemas.gate import SightingGone, SightingSeen
from schemas.wire import SchemaError, decode

#: Bytes of lines that wait for one client.
MAX_WAITING: Final = 4 << 20

#: Tags whose tokens are kept.
TAGS: Final = 1_024

#: Characters of a token that are shown: the key's id and 8 of 32 hex characters.
SHOWN: Final = 8

Row = dict[str, object]
_json: Final = msgspec.json.Encoder()


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client wants: the first line that it sends."""

    want: Literal["tap", "capture"]
    #: Only this reader, or this lane.
    reader: str | None = None
    lane: str | None = None
    #: Show card numbers and raw bytes.
    numbers: bool = False


class Place(NamedTuple):
    """Where an antenna is, by the configuration."""

    lane: str
    read_point: str


class Viewer:
    """The lines that wait for one client."""

    def __init__(self, wish: Wish) -> None:
        """Nothing waits."""
        self.wish = wish
        self.dropped = 0
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self.filled = asyncio.Event()

    def offer(self, row: Row) -> None:
        """Add a line, or drop it when too much waits."""
        line = _json.encode(row) + b"\n"
        if self._size + len(line) > MAX_WAITING:
            self._lost += 1
            self.dropped += 1
        else:
            self._lines.append(line)
            self._size += len(line)
        self.filled.set()

    def take(self) -> bytes:
        """All that waits, and at its end how much was dropped meanwhile."""
        lines = b"".join(self._lines)
        if self._lost:
            lines += _json.encode({"kind": "dropped", "lines": self._lost}) + b"\n"
        self._lines.clear()
        self._size = self._lost = 0
        self.filled.clear()
        return lines


class Tap:
    """Passes on what goes by to the clients that look on. Costs nothing while there are none."""

    def __init__(
        self,
        key: TokenKey,
        place: Callable[[str, int | None], Place | None],
        reader_of: Callable[[str], str | None],
    ) -> None:
        """`place`: of a reader's antenna. `reader_of`: the reader of a read point."""
        #: Hashing costs more than all else here, and the same tags are heard again and again.
        self._shown = lru_cache(TAGS)(lambda epc: shown(epc_token(key, epc)))
        self._place = place
        self._reader_of = reader_of
        self._viewers: set[Viewer] = set()
        #: Lines that clients were too slow for, of those that have left.
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Lines that clients were too slow for."""
        return self._dropped + sum(viewer.dropped for viewer in self._viewers)

    def add(self, wish: Wish) -> Viewer:
        """A client that looks on from now."""
        viewer = Viewer(wish)
        self._viewers.add(viewer)
        return viewer

    def remove(self, viewer: Viewer) -> None:
        """It has hung up."""
        self._viewers.discard(viewer)
        self._dropped += viewer.dropped

    def rx(self, said: Chunk | Oversize) -> None:
        """A reader sent bytes; of a message that is too large there is its head and its size."""
        if self._viewers:
            self._captured(said.reader, _captured_row(said))

    def tx(self, reader: str, data: bytes, at_us: int) -> None:
        """A reader was sent bytes."""
        if self._viewers and data:
            self._captured(reader, {"at_us": at_us, "dir": "tx", "hex": data.hex().upper()})

    def report(self, told: Told) -> None:
        """A decoder gave something, or a link said something."""
        for viewer in self._viewers:
            if viewer.wish.want == "tap" and viewer.wish.reader in {None, told.reader}:
                for row in self._rows(told, viewer.wish):
                    viewer.offer(row)

    def stored(self, events: Sequence[EventRow]) -> None:
        """Events were committed."""
        viewers = [viewer for viewer in self._viewers if viewer.wish.want == "tap"]
        if not viewers:
            return
        for event in events:
            try:
                message = decode("gate-events", event.value)
            except SchemaError:
                continue
            if isinstance(message, SightingSeen | SightingGone):
                self._sighting(message, viewers)

    def _captured(self, reader: str, row: Row) -> None:
        for viewer in self._viewers:
            if viewer.wish.want == "capture" and viewer.wish.reader in {None, reader}:
                viewer.offer(row)

    def _sighting(self, message: SightingSeen | SightingGone, viewers: Sequence[Viewer]) -> None:
        seen = isinstance(message, SightingSeen)
        reader = self._reader_of(message.read_point)
        row: Row = {
            "kind": "seen" if seen else "gone",
            "at_us": message.at_us,
            "reader": reader,
            "lane": message.lane,
            "read_point": message.read_point,
            "token": shown(message.token),
            "reads": message.reads,
            "rssi_dbm": message.peak_rssi_dbm,
        }
        if isinstance(message, SightingGone):
            row |= {"reason": message.reason, "observed": message.observed}
        for viewer in viewers:
            wish = viewer.wish
            if wish.reader in {None, reader} and wish.lane in {None, message.lane}:
                viewer.offer(row)

    def _rows(self, told: Told, wish: Wish) -> list[Row]:
        match told:
            case Report():
                rows = (self._outcome(told.reader, outcome, wish) for outcome in told.outcomes)
                return [row for row in rows if wish.lane is None or row.get("lane") == wish.lane]
            case LinkUp(reader=reader, at_us=at_us) if wish.lane is None:
                return [{"kind": "up", "at_us": at_us, "reader": reader}]
            case LinkDown(reader=reader, at_us=at_us, cause=cause) if wish.lane is None:
                return [{"kind": "down", "at_us": at_us, "reader": reader, "cause": cause}]
        return []

    def _outcome(self, reader: str, outcome: Outcome, wish: Wish) -> Row:
        row: Row = {"kind": "", "at_us": outcome.at_us, "reader": reader}
        match outcome:
            case Read():
                place = self._place(reader, outcome.antenna)
                row |= {
                    "kind": "read",
                    "lane": None if place is None else place.lane,
                    "read_point": None if place is None else place.read_point,
                    "antenna": outcome.antenna,
                    "token": self._shown(outcome.epc),
                    "reads": outcome.reads,
                    "rssi_dbm": outcome.rssi_dbm,
                }
                return row | ({"epc": outcome.epc.hex().upper()} if wish.numbers else {})
            case ReaderNote():
                row |= {"kind": "note", "note": outcome.kind}
                return row | ({"detail": outcome.detail} if wish.numbers else {})
            case Rejected():
                row |= {"kind": "rejected", "reason": outcome.reason, "bytes": len(outcome.raw)}
                raw = {"raw": outcome.raw.hex().upper(), "detail": outcome.detail}
                return row | (raw if wish.numbers else {})


def _captured_row(said: Chunk | Oversize) -> Row:
    """A line of a capture (`gateway.capture_file`)."""
    data = said.data if isinstance(said, Chunk) else said.head
    row: Row = {"at_us": said.at_us, "dir": "rx", "hex": data.hex().upper()}
    if isinstance(said, Oversize):
        row["size"] = said.size
    elif said.kind != "data":
        row["kind"] = said.kind
    if said.envelope is not None:
        row |= said.envelope._asdict()
    return row


def shown(token: str | None) -> str | None:
    """The part of a token that may be shown."""
    if token is None:
        return None
    key_id, _, digits = token.partition(".")
    return f"{key_id}.{digits[:SHOWN]}"
