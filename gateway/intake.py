"""The core between the readers and the outbox: what decoders gave, and links said, to one `Batch`.

Pure: the same reports in the same order give the same batch. It runs ahead of the outbox, so a batch that
could not be stored must be tried again, never made anew.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from gateway.anchor import ClockState, is_synchronised
from gateway.batch import (
    REJECT_BYTES,
    Batch,
    EventRow,
    Follows,
    Kept,
    KeyRow,
    Numbering,
    ReaderTotals,
    RejectRow,
    Totals,
)
from gateway.clock import Taken
from gateway.desk import Desk, News, Spell
from gateway.identity import TokenKey
from gateway.link import LinkDown, LinkUp, Ticket
from gateway.points import points_by_id, points_of
from gateway.reads import Outcome, Read, ReaderNote, Rejected
from gateway.sightings import Sightings
from gateway.tables import Config
from gateway.tracker import Change, Gone, Seen, Stay, Tracker
from schemas.gate import (
    EpochStarted,
    Heartbeat,
    ReaderStatus,
    Travel,
)
from schemas.message import Message
from schemas.wire import encode


class Report(NamedTuple):
    """What a reader's decoder made of one piece of bytes."""

    reader: str
    at_us: int
    outcomes: Sequence[Outcome]
    #: The key of the whole message, where the bytes were one.
    payload_key: str | None = None
    ticket: Ticket | None = None


class Status(NamedTuple):
    """What can be said of a gateway without a card's number."""

    totals: Totals
    open_stays: int
    readers: Mapping[str, ReaderTotals]
    #: How the time of each reader was taken when it was last heard.
    clocks: Mapping[str, Taken] = MappingProxyType({})


Told = Report | LinkUp | LinkDown

_pack = msgspec.msgpack.encode


class Intake:
    """Takes reports, gives batches."""

    def __init__(self, config: Config, key: TokenKey, kept: Kept, now_us: int) -> None:
        """Go on from what the outbox kept of earlier runs."""
        self._pair = config.gateway.pair
        self._sightings = Sightings(config.gateway.pair, key)
        self._numbering = Numbering(config.gateway.id, kept.epoch, kept.next_seq)
        self._totals = kept.totals
        self._tracker = Tracker()
        self._desks = {
            reader.id: Desk(
                reader.id,
                points_of(config, reader.id),
                kept.keys,
                kept.readers.get(reader.id) or ReaderTotals(),
                deaf=not reader.link.startswith("mqtt:"),
            )
            for reader in config.readers
        }
        self._events: list[EventRow] = []
        self._keys: list[KeyRow] = []
        self._rejects: list[RejectRow] = []
        self._changed: set[str] = set()
        #: Whether a counter of the gateway's own changed, and nothing else.
        self._counted = False
        self._clock = ClockState()
        if kept.follows is not None:
            self._begin(kept.follows, now_us)
        self._resume(kept, config, now_us)

    def succeed(self, before: "Intake") -> None:
        """Go on from an intake of another configuration, all of which is stored: nobody stopped listening.

        The readers of both keep their clocks, keys and states; this intake was made from what is stored.
        """
        for name, desk in before._desks.items():  # noqa: SLF001 - one of us
            if name in self._desks:
                desk.rewire(self._desks[name])
                self._desks[name] = desk
        refused = before.status().totals.refused
        self._totals.refused = max(self._totals.refused, refused)

    @property
    def urgent(self) -> bool:
        """Whether something waits that should be stored at once."""
        return bool(self._events or self._keys or self._rejects)

    @property
    def changed(self) -> bool:
        """Whether anything waits to be stored."""
        return self.urgent or self.heard or self._counted or bool(self._changed)

    @property
    def heard(self) -> bool:
        """Whether reads wait to be stored."""
        return self._tracker.touched

    def take(self, told: Told, now_us: int) -> None:
        """Take what a reader's decoder or link has said."""
        match told:
            case Report():
                self._report(told, now_us)
            case LinkUp(reader=reader, at_us=at_us):
                self._status(reader, at_us, self._desks[reader].up(at_us))
            case LinkDown(reader=reader, at_us=at_us, cause=cause):
                self._status(reader, at_us, self._desks[reader].down(at_us, cause))

    def expire(self, now_us: int) -> None:
        """Time has come to `now_us`: end what has been quiet for too long."""
        for change in self._tracker.expire(now_us):
            self._emit(change, now_us)

    def clock(self, state: ClockState, now_us: int) -> None:
        """Take what has become of the gateway's own clock."""
        if state.jumped_us:
            for desk in self._desks.values():
                desk.clock.shift(state.jumped_us)
        self._clock = state._replace(step_us=self._clock.step_us + state.step_us)
        claims = (desk.clock.claim_us(now_us) for desk in self._desks.values())
        known = [claim for claim in claims if claim is not None]
        self._sightings.synchronised = is_synchronised(state, known)

    def heartbeat(self, now_us: int, *, depth: int, age_ms: int) -> None:
        """Say that the gateway is alive, with its counters and the state of its outbox."""
        totals = self._totals
        seq, name = self._numbering.take()
        beat = Heartbeat(
            event_id=name,
            pair=self._pair,
            at_us=now_us,
            outbox_depth=depth,
            outbox_age_ms=age_ms,
            reads=totals.reads,
            reads_gone=totals.reads_gone,
            reads_open=sum(stay.reads for stay in self._tracker.stays()),
            reads_duplicate=totals.reads_duplicate,
            reads_rejected=totals.reads_rejected,
            glimpses=totals.glimpses,
            overflows=totals.overflows,
            clock_step_ms=self._clock.step_us // 1_000,
            clock_ahead_ms=self._clock.ahead_us // 1_000,
            clock_synchronised=self._sightings.synchronised,
            readers=tuple(desk.health() for desk in self._desks.values()),
        )
        self._write(seq, now_us, beat)
        self._clock = self._clock._replace(step_us=0)

    def beat_refused(self) -> None:
        """A heartbeat was left out, because the outbox is nearly full."""
        self._totals.beats_refused += 1
        self._counted = True

    def unheard(self, reader: str, from_us: int, to_us: int, cause: str) -> None:
        """Nobody heard a reader for a while, though it is up."""
        self._status(reader, to_us, Spell(cause, min(from_us, to_us)))

    def status(self) -> Status:
        """Counters and readers as they are, for a person to look at."""
        return Status(
            totals=self._totals,
            open_stays=len(self._tracker),
            readers={name: desk.totals for name, desk in self._desks.items()},
            clocks={
                name: desk.clock.taken(desk.totals.last_heard_us or 0)
                for name, desk in self._desks.items()
            },
        )

    def refused(self, count: int) -> None:
        """The log refused events; `Skipped` stands in their place."""
        self._totals.refused += count

    def batch(self, covered_us: int) -> Batch:
        """What came since the last batch; all that was heard up to `covered_us` is in it or before."""
        self._totals.covered_us = covered_us
        stays = self._tracker.take_touched()
        batch = Batch(
            events=self._events,
            stays={key: None if stay is None else _pack(stay) for key, stay in stays.items()},
            keys=self._keys,
            rejects=self._rejects,
            totals=_pack(self._totals),
            readers={name: _pack(self._desks[name].totals) for name in self._changed},
        )
        self._events, self._keys, self._rejects = [], [], []
        self._changed, self._counted = set(), False
        return batch

    # ---- what readers say

    def _report(self, report: Report, now_us: int) -> None:
        reader, at_us, outcomes, key, _ = report
        desk = self._desks[reader]
        desk.totals.last_heard_us = at_us
        self._changed.add(reader)
        repeated = key is not None and key in desk.payloads
        for outcome in outcomes:
            if isinstance(outcome, Read):
                self._read(desk, outcome, now_us, repeated=repeated)
            elif not repeated:
                self._other(desk, outcome)
        if key is not None and not repeated:
            self._keys.append(desk.payloads.add(key))
        for news in desk.clock_news():
            self._say(desk, at_us, news)

    def _other(self, desk: Desk, outcome: ReaderNote | Rejected) -> None:
        """Count what is no read."""
        match outcome:
            case ReaderNote(kind=kind, key=key):
                if key is not None:
                    if key in desk.ring:
                        return
                    self._keys.append(desk.ring.add(key))
                desk.count_note(kind)
                for news in desk.hear(outcome):
                    self._say(desk, outcome.at_us, news)
            case Rejected():
                self._reject(desk, outcome)

    def _read(self, desk: Desk, read: Read, now_us: int, *, repeated: bool) -> None:
        totals = self._totals
        totals.reads += read.reads
        desk.totals.reads += read.reads
        if repeated or (read.key is not None and read.key in desk.ring):
            totals.reads_duplicate += read.reads
            return
        if read.key is not None:
            self._keys.append(desk.ring.add(read.key))
        point = desk.points.find(read.antenna)
        if point is None or not read.epc:
            totals.reads_rejected += read.reads
            self._reject(desk, _unusable(read))
            return
        reader_us = read.reader_at_us
        when = None if reader_us is None else desk.clock.place(reader_us, read.at_us)
        for change in self._tracker.hear(point, read, when):
            self._emit(change, now_us)

    def _reject(self, desk: Desk, rejected: Rejected) -> None:
        desk.count_reject(rejected.reason)
        raw, detail = rejected.raw[:REJECT_BYTES], rejected.detail[:400]
        self._rejects.append(RejectRow(rejected.at_us, desk.reader, rejected.reason, detail, raw))

    # ---- what links say

    def _status(self, reader: str, at_us: int, spell: Spell | None) -> None:
        """Write how a reader is, with the span in which nobody heard it."""
        if spell is None:
            return
        self._say(self._desks[reader], at_us, News(spell.cause), spell.since_us)

    def _say(self, desk: Desk, at_us: int, news: News, since_us: int | None = None) -> None:
        """Write what is new of a reader."""
        totals = desk.totals
        seq, name = self._numbering.take()
        status = ReaderStatus(
            event_id=name,
            pair=self._pair,
            reader=desk.reader,
            up=totals.up,
            at_us=at_us,
            gap_from_us=since_us,
            gap_to_us=None if since_us is None else at_us,
            cause=news.cause[:400],
            clock_ms=news.clock_ms,
            reads_lost=news.reads_lost,
            antenna_faults=totals.antenna_faults,
            rejects=dict(totals.rejects),
        )
        self._changed.add(desk.reader)
        self._write(seq, at_us, status)

    # ---- sightings

    def _emit(self, change: Change, now_us: int) -> None:
        stay = change.stay
        seq, name = self._numbering.take()
        match change:
            case Seen():
                stay.seen_event_id = name
                seen = self._sightings.seen(name, stay, now_us, self._passed(stay))
                self._write(seq, now_us, seen)
            case Gone(reason=reason):
                self._totals.reads_gone += stay.reads
                self._totals.glimpses += not stay.observed
                self._totals.overflows += reason == "overflow"
                gone = self._sightings.gone(name, stay, now_us, reason, self._passed(stay))
                self._write(seq, now_us, gone)

    def _passed(self, stay: Stay) -> Travel:
        """Which way vehicles went past the inputs of the read point while the tag was there."""
        if not stay.point.gpi:
            return "unknown"
        pins = (desk.pins.get(stay.point.id) for desk in self._desks.values())
        pair = next((pair for pair in pins if pair is not None), None)
        return "unknown" if pair is None else pair.between(stay.first_us, stay.last_us)

    def _write(self, seq: int, at_us: int, event: Message) -> None:
        self._events.append(EventRow(seq, at_us, encode(event)))

    def _begin(self, follows: Follows, now_us: int) -> None:
        """Say that this epoch follows a damaged one: its event 1."""
        seq, name = self._numbering.take()
        started = EpochStarted(
            event_id=name,
            pair=self._pair,
            at_us=now_us,
            previous_epoch=follows.epoch,
            last_seq_known=follows.last_seq,
            cause=follows.cause[:400],
        )
        self._write(seq, now_us, started)

    def _resume(self, kept: Kept, config: Config, now_us: int) -> None:
        """Go on with the open stays; those of read points that are configured no more are over."""
        points = points_by_id(config)
        orphans = []
        for stay in kept.stays:
            point = points.get(stay.point.id)
            if point is None:
                orphans.append(stay)
            else:
                stay.point = point
        self._tracker.restore(kept.stays, now_us)
        for change in self._tracker.end(orphans, "stopped"):
            self._emit(change, now_us)
        for name, desk in self._desks.items():
            if name in kept.readers:
                desk.resume(self._totals.covered_us)
                self._changed.add(name)


def _unusable(read: Read) -> Rejected:
    """A read of no card, or of an antenna that is no read point."""
    reason = "no_read_point" if read.epc else "empty_epc"
    return Rejected(reason=reason, raw=read.epc, at_us=read.at_us, detail=f"antenna {read.antenna}")
