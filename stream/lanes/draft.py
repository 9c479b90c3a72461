"""The changes and outputs of one step of the lanes stage."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from schemas.gate import (
    Correction,
    Decision,
    EpochStarted,
    Heartbeat,
    ManualRead,
    ReaderStatus,
    Sighting,
    Skipped,
)
from schemas.message import Message
from schemas.watch import CredentialSighting
from stream.lanes.arrival_time import moved
from stream.lanes.audited import Chained
from stream.lanes.decide import word_of
from stream.lanes.due import HORIZON_US, due_us, wake_us
from stream.lanes.ended import too_late, without_crossing
from stream.lanes.gateways import with_heartbeat, with_lane
from stream.lanes.heard import stay_of
from stream.lanes.packed import Packed, pack
from stream.lanes.quiet import heard_again, says_the_same
from stream.lanes.regroup import Regroup
from stream.lanes.restricted import look, touched_by_lists
from stream.lanes.rows import (
    CLOCK_KEY,
    SECOND,
    TRAIL_KEY,
    Crossing,
    Row,
    Watched,
    crossing_key,
    gateway_key,
    pending_key,
    sequence_key,
    watched_key,
)
from stream.lanes.sequence import (
    announced,
    bad_id_alert,
    gap_alert,
    lost_tail_alert,
    parts_of,
    place,
)
from stream.lanes.settle import settle
from stream.lanes.shelves import LanesState
from stream.lanes.timers import revived, timed
from stream.lanes.touched import hears_again, named_anew, touched_by, with_holders
from stream.lanes.waits import close_quarters
from stream.lanes.world import World
from stream.reference import Reference
from stream.stage import NOTHING, Output, Step
from stream.state import Change

Counted = (
    Sighting
    | Heartbeat
    | ReaderStatus
    | Skipped
    | EpochStarted
    | Decision
    | ManualRead
    | Correction
)

#: A stay that lasts longer than this after its first event is told to the watch stage again at its end.
LONG_STAY_US: Final = 5 * SECOND

#: Crossings that compete for one trip look at each other at most this often in one step.
ROUNDS: Final = 4


class LanesDraft:
    """Collects what follows from one record."""

    def __init__(self, state: LanesState, reference: Reference) -> None:
        """Nothing follows yet."""
        self._state = state
        self._reference = reference
        self._world = World(state, reference)
        self._changes: dict[str, Change] = {}
        self._outputs: list[Output] = []
        self._now_us = state.clock.now_us
        self._chained = Chained(state.trail())
        #: Whether the input is a sighting, so that rows and time are as they were.
        self._hearing = False

    def done(self) -> Step:
        """The step."""
        world = self._world
        if world.opened != self._state.clock.opened or self._now_us != self._state.clock.now_us:
            clock = replace(self._state.clock, opened=world.opened, now_us=self._now_us)
            self._set(CLOCK_KEY, clock)
        if (trail := self._chained.longer()) is not None:
            self._set(TRAIL_KEY, trail)
        if not self._changes and not self._outputs:
            return NOTHING
        return Step(list(self._changes.values()), self._outputs)

    # ---- repeats and losses

    def is_new(self, event: Counted) -> bool:
        """Note the event in its writer's sequence; False when it is a repeat."""
        parts = parts_of(event.event_id)
        if parts is None:
            alert = bad_id_alert(event.event_id, event.pair, event.at_us)
            self._outputs.append(Output("alerts", alert))
            return False
        placed = place(self._state.sequence(parts.writer, parts.epoch), parts.seq)
        if placed.sequence is None:
            return False
        sequence, gap = placed.sequence, placed.gap
        if isinstance(event, Skipped):
            sequence, gap = announced(sequence, gap, event.from_seq, event.to_seq)
        self._set(sequence_key(parts.writer, parts.epoch), sequence)
        if gap is not None:
            self._outputs.append(Output("alerts", gap_alert(parts, gap, event.pair, event.at_us)))
        return True

    # ---- what gateways say

    def beat(self, event: Heartbeat) -> None:
        """A gateway is alive."""
        parts = parts_of(event.event_id)
        if parts is not None:
            before = self._state.gateway(parts.writer)
            self._set(
                gateway_key(parts.writer), with_heartbeat(before, event, self._state.clock.now_us)
            )

    def begin_epoch(self, event: EpochStarted) -> None:
        """A gateway had to begin a new outbox: what it had numbered and never sent is lost."""
        parts = parts_of(event.event_id)
        if parts is None:
            return
        sequence = self._state.sequence(parts.writer, event.previous_epoch)
        alert = lost_tail_alert(parts, event, 0 if sequence is None else sequence.high)
        if alert is not None:
            self._outputs.append(Output("alerts", alert))

    def heard(self, event: Sighting, *, gone: bool) -> None:
        """A stay began, goes on or is over."""
        credential = self._reference.credential(event.token)
        if credential is None and event.scheme != "opaque":
            return  # goods on board carry tags too; only an enrolled one is a vehicle's
        parts = parts_of(event.event_id)
        writer = "" if parts is None else parts.writer
        gateway = self._state.gateway(writer)
        served = with_lane(gateway, event)
        if served is not None:
            self._set(gateway_key(writer), served)
        untrusted = gateway is not None and gateway.untrusted
        who = event.token if credential is None else credential.holder
        stay = stay_of(event, who, gone=gone, untrusted=untrusted)
        if self._now_us - stay.last_us > HORIZON_US:
            self._outputs.append(Output("unmatched", too_late(event)))
            home = None
        else:
            self._hearing = True
            regroup = Regroup(self._world, event.pair, event.at_us)
            home = regroup.stay(stay) or None
            self._settle_changed(event.event_id)
        if not gone or event.last_us - event.first_us > LONG_STAY_US or event.replayed:
            subject = event.token if credential is None else credential.credential_id
            self._outputs.append(
                Output("credential-sightings", _told(event, subject, home, untrusted))
            )

    # ---- what officers say

    def say(self, message: Decision | ManualRead | Correction) -> None:
        """An officer decided, keyed or set right."""
        Regroup(self._world, message.pair, message.at_us).word(word_of(message))
        self._settle_changed(message.event_id)

    # ---- time and reference rows

    def tick(self, now_us: int) -> None:
        """Time passes."""
        self._now_us = max(self._now_us, now_us)
        late = self._state.due(self._now_us)
        for crossing in late:
            if not crossing.closed:
                self._timed(crossing, now_us)
        self._close_quarters()
        self._settle_changed("tick")
        for crossing in late:
            if crossing.closed and self._now_us >= wake_us(crossing):
                self._set(crossing_key(crossing.crossing_id), None)
                if self._state.watched_row(crossing.crossing_id) is not None:
                    self._set(watched_key(crossing.crossing_id), None)
        for row in self._state.pending():
            if self._now_us - row.word.at_us < HORIZON_US:
                break
            # Its row in the unmatched queue stays open: a person closes it.
            self._set(pending_key(row.word.event_id), None)

    def _close_quarters(self) -> None:
        """Waits of quarters of an hour that are over, and ETAs that do not stand after them."""
        closed = close_quarters(self._state, self._reference, self._now_us)
        for key, row in closed.rows.items():
            self._set(key, row)
        self._outputs.extend(Output("lane-waits", one) for one in closed.waits)
        if closed.waits:
            now = [self._world.get(one.crossing_id) or one for one in self._state.open()]
            for crossing, eta in moved(now, closed.rows, self._now_us):
                at_us = max(crossing.at_us, self._now_us)
                self._world.put_settled(replace(crossing, eta=eta, at_us=at_us))

    def _timed(self, crossing: Crossing, now_us: int) -> None:
        if self._now_us >= due_us(crossing) or crossing.held:
            late = timed(crossing, self._state, self._now_us)
            if late != crossing:
                self._world.put_settled(replace(late, at_us=max(late.at_us, self._now_us)))
        elif crossing.recheck_us is not None and self._now_us >= crossing.recheck_us:
            passed = replace(crossing, passed_us=crossing.recheck_us)
            self._world.put_settled(replace(passed, at_us=max(crossing.at_us, now_us)))

    def reference_changed(self, topic: str, key: str, message: Message | None) -> None:
        """A reference row changed: look again at the crossings that it touches."""
        if topic != "watch-lists":  # they change nothing that anybody else is told
            touched = _in_order(touched_by(self._state, self._reference, topic, key, message))
            self._look_again(touched, f"{topic}:{key}", regroup=hears_again(topic))
        for crossing in _in_order(
            touched_by_lists(self._state, self._reference, topic, key, message)
        ):
            self._watch(self._world.get(crossing.crossing_id) or crossing)

    def taken_over(self) -> None:
        """Look at everything once."""
        every = _in_order((*self._state.open(), *self._state.closed()))
        self._look_again(every, "taken_over", regroup=False)

    def _look_again(self, touched: list[Crossing], cause: str, *, regroup: bool) -> None:
        anew = [one for one in touched if named_anew(one, self._reference)]
        for crossing in anew:
            self._world.put(with_holders(crossing, self._reference))
        again = touched if regroup else anew
        for pair in dict.fromkeys(one.pair for one in again):
            here = [one for one in again if one.pair == pair]
            Regroup(self._world, pair, max(one.at_us for one in here)).look_again(here)
        done = self._settle_changed(cause)
        for crossing in touched:
            if crossing.crossing_id not in done:
                self._world.put(crossing)
        self._settle_changed(cause)

    # ---- writing

    def _settle_changed(self, cause: str) -> set[str]:
        """Look at every crossing that changed; then at those that compete with one for a trip."""
        done: set[str] = set()
        for _ in range(ROUNDS):
            trips: dict[str, None] = {}
            for crossing in list(self._world.changed()):
                if (
                    crossing.crossing_id not in done
                    or self._world.get(crossing.crossing_id) is not crossing
                ):
                    trips.update(dict.fromkeys(self._settle(crossing, cause)))
                    done.add(crossing.crossing_id)
            others = self._rivals(trips) if trips else []
            if not others:
                break
            for other in others:
                done.discard(other.crossing_id)
                self._world.put(other)
        self._settle_pending(cause)
        return done

    def _settle(self, crossing: Crossing, cause: str) -> list[str]:
        """Keep the crossing if it differs from what the state holds; returns the trips whose use changed."""
        before = self._state.crossing(crossing.crossing_id)
        if (
            before is not None
            and self._hearing
            and (says_the_same(before, crossing) or heard_again(before, crossing))
        ):
            if before != crossing:
                self._keep(crossing)
            return []
        settled = settle(revived(crossing, self._now_us), self._world, cause)
        now = settled.crossing
        self._world.put_settled(now)
        if settled.outputs or now != before:
            self._keep(now)
        self._outputs.extend(self._chained.outputs(settled.outputs))
        self._watch(now)
        old = None if before is None else before.use
        if old == now.use:
            return []
        return [use.trip for use in (old, now.use) if use is not None]

    def _watch(self, crossing: Crossing) -> None:
        """What watch lists say of the crossing, for cleared readers: a row and a topic of its own."""
        key = watched_key(crossing.crossing_id)
        changed = self._changes.get(key)
        before = changed.value if changed else self._state.watched_row(crossing.crossing_id)
        looked = look(crossing, before if isinstance(before, Watched) else None, self._reference)
        if looked is not None:
            self._set(key, looked.row)
            self._outputs.append(Output("referrals-restricted", looked.referral))

    def _rivals(self, trips: Iterable[str]) -> list[Crossing]:
        """Crossings that may be joined with the trips."""
        found: dict[str, Crossing] = {}
        for number in trips:
            for one in touched_by(
                self._state, self._reference, "trips", number, self._reference.trip(number)
            ):
                now = self._world.get(one.crossing_id)
                if now is not None and now.merged_into is None and now.use is None:
                    found[one.crossing_id] = now
        return _in_order(found.values())

    def _settle_pending(self, cause: str) -> None:
        """Rows of words without a crossing that this step opened or closed."""
        for event_id, row in self._world.take_pending_changes():
            key = pending_key(event_id)
            before = self._state.pending_row(event_id)
            if row == before:
                continue
            self._set(key, row)
            if before is None and row is not None:
                self._outputs.append(Output("unmatched", without_crossing(row)))
            elif before is not None and row is None:
                closed = replace(
                    without_crossing(before),
                    closed_by=cause,
                    closed_at_us=max(self._now_us, before.word.at_us),
                )
                self._outputs.append(Output("unmatched", closed))

    def _keep(self, crossing: Crossing) -> None:
        row = pack(crossing) if crossing.closed else crossing
        self._set(crossing_key(crossing.crossing_id), row)

    def _set(self, key: str, value: Row | Packed | None) -> None:
        self._changes[key] = Change(key, value)


def _told(event: Sighting, subject: str, home: str | None, untrusted: bool) -> CredentialSighting:
    return CredentialSighting(
        credential_id=subject,
        token=event.token,
        tid_token=event.tid_token,
        pair=event.pair,
        lane=event.lane,
        read_point=event.read_point,
        position=event.position,
        direction=event.direction,
        first_us=event.first_us,
        last_us=event.last_us,
        at_us=event.at_us,
        clock_source=event.clock_source,
        source_event_id=event.event_id,
        crossing_id=home,
        untrusted=untrusted,
        ambiguous=event.ambiguous,
    )


def _in_order(crossings: Iterable[Crossing]) -> list[Crossing]:
    """In an order that a state restored from its changelog has too."""
    return sorted(crossings, key=lambda crossing: crossing.number)
