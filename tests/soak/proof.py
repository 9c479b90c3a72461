"""What `gate-events` says after a run, checked event by event as it is read: numbers, links, signatures, balance.

It holds no events, so it also takes what a long run leaves. Each fault is an `AssertionError` with its place.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.batch import Totals
from gateway.identity import epc_token
from gateway.outbox_look import Look
from gateway.signing import is_signature
from gateway.tracker import Stay
from schemas.chain import CHAIN, SIGNATURE, first_link, next_link, split_signature
from schemas.gate import Heartbeat, ReaderStatus, SightingGone, SightingSeen
from schemas.message import Message
from schemas.wire import decode
from simulators.load import Load
from stream.log.contract import Record, TopicPartition
from stream.log.open import open_log
from tests.gateway.rig import KEY

TOPIC: Final = "gate-events"
_BITS: Final = (1 << 64) - 1


class Gap(NamedTuple):
    """A span in which nobody heard a reader, as the gateway reported it."""

    from_us: int
    to_us: int
    cause: str


class Window(NamedTuple):
    """A run of reads that did not come: the times of the reads before and after it, where there are any."""

    before_us: int | None
    after_us: int | None
    reads: int


class Lane:
    """What came of one lane, whose reader has the same name."""

    def __init__(self) -> None:
        self.reads = 0
        #: By token; left empty when only sums are kept.
        self.tokens: Counter[str] = Counter()
        #: First time of each token.
        self.first_us: dict[str, int] = {}
        #: Sum over all reads of a number that each token has: equal sums, equal reads.
        self.sum = 0


class Proof:
    """Follows one gateway's events in the log."""

    def __init__(self, url: str, public_key: bytes, *, tokens: bool = True) -> None:
        """`tokens`: keep which tokens came, not only their sums."""
        self.url = url
        self._public_key = public_key
        self._tokens = tokens
        self._at = {TopicPartition(TOPIC, number): 0 for number in range(6)}
        #: By epoch: eight bytes of each event's digest; the number of an event is its place plus one.
        self._digests: dict[str, array[int]] = {}
        self._link = b""
        self._unsigned = 0
        self._open_seen: dict[str, str] = {}
        self._reads_gone = 0
        self.lanes: defaultdict[str, Lane] = defaultdict(Lane)
        self.gaps: defaultdict[str, list[Gap]] = defaultdict(list)
        self.kinds: Counter[str] = Counter()
        #: Records beyond the events: what was sent again after a kill.
        self.repeated = 0
        self.signatures = 0
        self.beat: Heartbeat | None = None
        self.statuses: list[ReaderStatus] = []

    @property
    def events(self) -> int:
        """Distinct events."""
        return sum(map(len, self._digests.values()))

    async def catch_up(self) -> None:
        """Read and check what the log holds now."""
        async with await open_log(self.url) as log:
            ends = {place: end for place, (_, end) in (await log.bounds(list(self._at))).items()}
            reader = await log.reader(self._at)
            try:
                while any(self._at[place] < end for place, end in ends.items()):
                    records = await reader.poll(2_000, 0.2)
                    for record in records:
                        self._at[TopicPartition(TOPIC, record.partition)] = record.offset + 1
                        self._take(record)
                    if not records:
                        break
            finally:
                await reader.aclose()

    def finish(self) -> None:
        """Check what must hold at the end: one epoch, all signed, no stay that was seen and never ended."""
        assert len(self._digests) == 1, f"epochs: {list(self._digests)}"
        assert self._unsigned == 0, f"{self._unsigned} events behind the last signature"
        assert not self._open_seen, f"{len(self._open_seen)} stays were seen and never ended"
        assert self.beat is not None

    def _take(self, record: Record) -> None:
        value = record.value or b""
        event = decode(TOPIC, value)
        gateway, epoch, number = str(getattr(event, "event_id", "")).split(".")
        seq, digest = int(number), int.from_bytes(sha256(value).digest()[:8], "big")
        digests = self._digests.setdefault(epoch, array("Q"))
        if seq <= len(digests):
            assert digests[seq - 1] == digest, f"event {seq} came again with other bytes"
            self.repeated += 1
            return
        assert seq == len(digests) + 1, f"event {seq} after {len(digests)}: numbers are missing"
        digests.append(digest)
        self._verify(record, gateway, epoch, seq)
        self._account(event)

    def _verify(self, record: Record, gateway: str, epoch: str, seq: int) -> None:
        """The link of an event, and the signature where it has one."""
        headers = dict(record.headers)
        before = self._link or first_link(gateway, epoch, self._public_key)
        self._link = next_link(before, seq, record.value or b"")
        assert headers.get(CHAIN) == self._link, f"the link of event {seq} is wrong"
        self._unsigned += 1
        if (header := headers.get(SIGNATURE)) is not None:
            parts = split_signature(header)
            assert parts is not None
            assert is_signature(self._public_key, parts.signature, self._link), f"event {seq}"
            self.signatures += 1
            self._unsigned = 0

    def _account(self, event: Message) -> None:
        self.kinds[type(event).__name__] += 1
        match event:
            case SightingSeen():
                self._open_seen[event.event_id] = event.token
            case SightingGone():
                self._gone(event)
            case ReaderStatus():
                self.statuses.append(event)
                if event.gap_from_us is not None and event.gap_to_us is not None:
                    gap = Gap(event.gap_from_us, event.gap_to_us, event.cause)
                    self.gaps[event.reader].append(gap)
            case Heartbeat():
                balanced(event)
                assert event.reads_gone == self._reads_gone, "counted and sent reads differ"
                self.beat = event
            case _:
                pass

    def _gone(self, event: SightingGone) -> None:
        self._reads_gone += event.reads
        lane = self.lanes[event.lane]
        lane.reads += event.reads
        lane.sum = (lane.sum + event.reads * token_number(event.token)) & _BITS
        if self._tokens:
            lane.tokens[event.token] += event.reads
            lane.first_us.setdefault(event.token, event.first_us)
        if event.observed:
            token = self._open_seen.pop(event.seen_event_id or "", None)
            assert token == event.token, f"{event.event_id} ends a stay that was not seen"
        else:
            assert event.seen_event_id is None


def balanced(beat: Heartbeat) -> None:
    """Every read that was decoded is somewhere."""
    parts = beat.reads_gone + beat.reads_open + beat.reads_duplicate + beat.reads_rejected
    assert beat.reads == parts, f"{beat.reads} reads decoded, {parts} accounted for: {beat}"


class Stored(NamedTuple):
    """What an outbox file holds."""

    totals: Totals
    reads_open: int
    waiting: int

    def check(self) -> None:
        """Its balance, which holds in each commit."""
        totals = self.totals
        parts = totals.reads_gone + self.reads_open + totals.reads_duplicate + totals.reads_rejected
        assert totals.reads == parts, f"{totals.reads} reads decoded, {parts} accounted for: {self}"


def stored(path: Path) -> Stored:
    """Look into the outbox of a gateway that does not run."""
    look = Look(path)
    try:
        counters = look.rows("SELECT value FROM counters WHERE name = ''")
        totals = msgspec.msgpack.decode(counters[0][0], type=Totals) if counters else Totals()
        stays = look.rows("SELECT value FROM stays")
        ((waiting,),) = look.rows("SELECT count(*) FROM events")
    finally:
        look.close()
    reads_open = sum(msgspec.msgpack.decode(value, type=Stay).reads for (value,) in stays)
    return Stored(totals, reads_open, waiting)


def token_number(token: str) -> int:
    """A number of 64 bits that belongs to a token."""
    return int(token.rpartition(".")[2][:16], 16)


def expected_sum(load: Load, count: int) -> int:
    """`Lane.sum` of the first reads of a load."""
    return sum(token_number(_token(load, number)) for number in range(count)) & _BITS


def expected(load: Load, count: int) -> Counter[str]:
    """`Lane.tokens` of the first reads of a load."""
    return Counter(_token(load, number) for number in range(count))


def holes(load: Load, count: int, lane: Lane) -> list[Window]:
    """What did not come of the first reads of a load, of which each is of another tag."""
    found: list[Window] = []
    before_us: int | None = None
    missing = 0
    for number in range(count):
        at_us = lane.first_us.get(_token(load, number))
        if at_us is None:
            missing += 1
            continue
        if missing:
            found.append(Window(before_us, at_us, missing))
        before_us, missing = at_us, 0
    return [*found, Window(before_us, None, missing)] if missing else found


def unreported(
    found: Sequence[Window], gaps: Sequence[Gap], slack_us: int = 250_000
) -> list[Window]:
    """The holes that no reported gap touches; `slack_us`: how exact a reader's own clock is taken to be."""
    return [
        hole
        for hole in found
        if not any(
            (hole.after_us is None or gap.from_us <= hole.after_us + slack_us)
            and (hole.before_us is None or gap.to_us >= hole.before_us - slack_us)
            for gap in gaps
        )
    ]


def _token(load: Load, number: int) -> str:
    return str(epc_token(KEY, load.epc(number)))
