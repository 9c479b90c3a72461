"""What the outbox stores as one: events, open stays, message keys, counters, rejects. Values only."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from gateway.tracker import Stay, StayKey
from schemas.gate import event_id

#: Rejects that are kept for a person to look at.
REJECTS_KEPT: Final = 10_000

#: Bytes of a reject that are kept.
REJECT_BYTES: Final = 1_024


class EventRow(NamedTuple):
    """An event as it waits for the event log: `value` is what Kafka will carry, byte for byte."""

    seq: int
    at_us: int
    value: bytes


class WaitingRow(NamedTuple):
    """An event as it leaves the outbox, with its place in the chain of its gateway (`schemas.chain`)."""

    seq: int
    at_us: int
    value: bytes
    #: Its link; None: the gateway had no signing key.
    chain: bytes | None
    #: The `signature` header, on the last event of a commit.
    signature: bytes | None
    #: The epoch that its number counts in.
    epoch: str


class Follows(NamedTuple):
    """What an epoch follows whose outbox was damaged or lost."""

    epoch: str
    #: The greatest number that the old outbox surely gave out; None when it could not be read.
    last_seq: int | None
    cause: str


class KeyRow(NamedTuple):
    """A message key of a reader, and the how-manieth of its keys it is."""

    reader: str
    number: int
    key: str


class RejectRow(NamedTuple):
    """Something that gave no read. It may hold an EPC: it stays in the gateway."""

    at_us: int
    reader: str
    reason: str
    detail: str
    raw: bytes


class Totals(msgspec.Struct, kw_only=True):
    """Counters of a gateway since its epoch began. `reads` is every read that a decoder gave."""

    reads: int = 0
    reads_gone: int = 0
    reads_duplicate: int = 0
    reads_rejected: int = 0
    glimpses: int = 0
    #: Stays that were closed because too many were open.
    overflows: int = 0
    #: Events that the log refused; `Skipped` went out in their place.
    refused: int = 0
    #: Heartbeats that were not written because the outbox was nearly full.
    beats_refused: int = 0
    #: Everything that was heard up to here is stored.
    covered_us: int | None = None


class ReaderTotals(msgspec.Struct, kw_only=True):
    """Counters and state of one reader."""

    reads: int = 0
    #: By reason.
    rejects: dict[str, int] = {}
    #: What the reader said besides reads, by kind.
    notes: dict[str, int] = {}
    last_heard_us: int | None = None
    up: bool = False
    #: Since when it cannot be heard; None while it is up or was never there.
    down_since_us: int | None = None
    cause: str = ""
    #: By how much its clock is known to be slow; 0: it is not.
    clock_lag_us: int = 0
    #: Antennas that it says are not connected, of those that should be.
    antenna_faults: tuple[int, ...] = ()
    #: Reads that it says it lost, as far as it counts them.
    reads_lost: int = 0
    #: Its own counter of messages thrown away, when it last said; None: it never did.
    dropped: int | None = None


class Batch(NamedTuple):
    """What one transaction of the outbox stores; encoded, so that nothing in it changes any more."""

    events: Sequence[EventRow]
    #: `Stay` as msgpack; None: it is closed.
    stays: Mapping[StayKey, bytes | None]
    keys: Sequence[KeyRow]
    rejects: Sequence[RejectRow]
    #: `Totals` as msgpack.
    totals: bytes
    #: `ReaderTotals` as msgpack, of the readers that changed.
    readers: Mapping[str, bytes]


class Kept(NamedTuple):
    """What an outbox file holds of earlier runs."""

    epoch: str
    next_seq: int
    stays: Sequence[Stay]
    #: By reader, oldest first.
    keys: Mapping[str, Sequence[KeyRow]]
    totals: Totals
    readers: Mapping[str, ReaderTotals]
    #: Set while the epoch has no event yet and follows a damaged one: its first event must say so.
    follows: Follows | None = None


class Numbering:
    """Gives out the event ids of one epoch, without gaps."""

    def __init__(self, gateway: str, epoch: str, next_seq: int) -> None:
        """`next_seq`: the first number that is free."""
        self._gateway = gateway
        self._epoch = epoch
        self.next_seq = next_seq

    def take(self) -> tuple[int, str]:
        """The next number and the event id with it."""
        seq = self.next_seq
        self.next_seq = seq + 1
        return seq, event_id(self._gateway, self._epoch, seq)
