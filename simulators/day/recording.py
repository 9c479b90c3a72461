"""From the happenings of many scenes to the lines of a recording: numbers, and the order in which the event log got them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from msgspec.structs import replace

from schemas.gate import EpochStarted, Heartbeat, SightingGone, SightingSeen, Skipped, event_id
from schemas.ids import crossing_id
from schemas.message import Message
from schemas.topics import topic_key
from schemas.wire import to_json
from simulators.day.happening import Notice, Outage, Row, Stay, Word
from simulators.day.places import PAIRS, POSITIONS, SECOND

#: A tag counts as present after so long, and as gone after so much quiet.
SEEN_AFTER_US: Final = 300_000
GONE_AFTER_US: Final = 5 * SECOND
#: From the gateway into the event log.
ON_ITS_WAY_US: Final = 200_000
BEAT_US: Final = 60 * SECOND


class Written(NamedTuple):
    """Something that a gateway writes: it gets its number in this order."""

    at_us: int
    order: int
    what: Stay | Notice
    #: Of a stay: its end.
    gone: bool = False


class Sent(NamedTuple):
    """A line of the recording."""

    at_us: int
    order: int
    topic: str
    message: Message


class Recorder:
    """Numbers everything and puts it into order."""

    def __init__(self, outages: Iterable[Outage]) -> None:
        """`outages` of the pairs' gateways."""
        self._outages: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for one in outages:
            self._outages[gateway_of(one.pair)].append((one.from_us, one.until_us))
        self._lines: list[Sent] = []
        self._order = 0
        self._opened_by: dict[Stay, str] = {}

    def rows(self, rows: Iterable[Row]) -> None:
        """Reference rows and filings."""
        for row in rows:
            self._send(row.at_us, row.topic, row.message)

    def gateways(self, stays: Sequence[Stay], notices: Sequence[Notice]) -> None:
        """All that gateways write."""
        written: defaultdict[tuple[str, int], list[Written]] = defaultdict(list)
        for order, stay in enumerate(stays):
            gateway = stay.gateway or gateway_of(stay.way.pair)
            if stay.observed:
                at_us = stay.from_us + SEEN_AFTER_US
                written[gateway, stay.epochs[0]].append(Written(at_us, order, stay))
            at_us = stay.until_us + GONE_AFTER_US
            written[gateway, stay.epochs[1]].append(Written(at_us, order, stay, gone=True))
        for order, notice in enumerate(notices):
            written[notice.gateway, notice.epoch].append(Written(notice.at_us, order, notice))
        for (gateway, epoch), events in sorted(written.items(), key=itemgetter(0)):
            self._write(gateway, epoch, sorted(events, key=_when))

    def _write(self, gateway: str, epoch: int, events: Sequence[Written]) -> None:
        seen: dict[Stay, str] = {}
        sent_us = 0
        for number, one in enumerate(events, start=1):
            name = event_id(gateway, f"e{epoch}", number)
            what = one.what
            if isinstance(what, Notice):
                if what.kind == "lost":
                    continue
                heard_us = one.at_us - what.ahead_us
                sent_us = max(sent_us, what.sent_us, self._held(gateway, heard_us))
                self._send(sent_us, "gate-events", _notice(what, name, number, epoch))
                continue
            self._opened_by.setdefault(what, name)
            seen.setdefault(what, name)
            event = _gone(what, name, seen[what]) if one.gone else _seen(what, name)
            sent_us = max(sent_us, what.sent_us, self._held(gateway, one.at_us - what.ahead_us))
            self._send(sent_us, "gate-events", event)
            if what.again_us is not None:
                self._send(sent_us + what.again_us, "gate-events", event)

    def words(self, words: Iterable[Word]) -> None:
        """What officers say; after the gateways, whose numbers they may name."""
        desks: defaultdict[str, list[Word]] = defaultdict(list)
        for one in words:
            desks[one.desk].append(one)
        for desk, said in sorted(desks.items()):
            said.sort(key=lambda one: one.at_us)
            for number, word in enumerate(said, start=1):
                what = replace(word.what, event_id=event_id(desk, "e1", number))
                if word.about is not None:
                    named = crossing_id(word.pair, self._opened_by[word.about])
                    what = replace(what, crossing_id=named)
                self._send(word.at_us + word.after_us, "gate-events", what)

    def lines(self) -> Iterator[bytes]:
        """The recording."""
        for at_us, _, topic, message in sorted(self._lines, key=itemgetter(0, 1)):
            yield to_json(topic, topic_key(message), at_us, message) + b"\n"

    def _send(self, at_us: int, topic: str, message: Message) -> None:
        self._order += 1
        self._lines.append(Sent(at_us, self._order, topic, message))

    def _held(self, gateway: str, at_us: int) -> int:
        for from_us, until_us in self._outages.get(gateway, ()):
            if from_us <= at_us < until_us:
                return until_us
        return at_us + ON_ITS_WAY_US


def gateway_of(pair: str) -> str:
    """The gateway of a pair."""
    return f"gw-{pair}"


def beats(from_us: int, until_us: int, outages: Sequence[Outage]) -> Iterator[Notice]:
    """Heartbeats of the pairs' gateways; those of an outage say how long their outbox holds events."""
    for pair in PAIRS:
        down = [one for one in outages if one.pair == pair]
        for at_us in range(from_us, until_us, BEAT_US):
            yield Notice(
                pair=pair,
                gateway=gateway_of(pair),
                epoch=1,
                at_us=at_us,
                sent_us=at_us + ON_ITS_WAY_US,
                kind="beat",
                outbox_age_ms=max((one.age_ms(at_us) for one in down), default=0),
            )


def _seen(stay: Stay, name: str) -> SightingSeen:
    return SightingSeen(
        event_id=name,
        pair=stay.way.pair,
        lane=stay.lane,
        read_point=f"{stay.lane}-{stay.position}",
        position=stay.position,
        to_booth_s=POSITIONS[stay.position],
        direction=stay.way.direction,
        token=stay.token,
        tid_token=stay.tid_token,
        first_us=stay.from_us,
        last_us=stay.from_us + SEEN_AFTER_US - 100_000,
        at_us=stay.from_us + SEEN_AFTER_US,
        reads=3,
        other_lanes=stay.other_lanes,
        ambiguous=stay.ambiguous,
        clock_source="received",
    )


def _gone(stay: Stay, name: str, seen: str) -> SightingGone:
    start = _seen(stay, name)
    same = {
        field: getattr(start, field)
        for field in SightingGone.__struct_fields__
        if field not in ("v", "last_us", "at_us", "reads", "travel") and hasattr(start, field)
    }
    return SightingGone(
        **same,
        last_us=stay.until_us,
        at_us=stay.until_us + GONE_AFTER_US,
        reads=max(1, (stay.until_us - stay.from_us) // 100_000),
        travel="reverse" if stay.reverse else "forward",
        observed=stay.observed,
        seen_event_id=seen if stay.observed else None,
        reason="lost",
    )


def _notice(notice: Notice, name: str, number: int, epoch: int) -> Message:
    match notice.kind:
        case "beat":
            return Heartbeat(
                event_id=name,
                pair=notice.pair,
                at_us=notice.at_us,
                outbox_depth=0,
                outbox_age_ms=notice.outbox_age_ms,
                reads=0,
                reads_gone=0,
                reads_open=0,
                reads_duplicate=0,
                reads_rejected=0,
                glimpses=0,
            )
        case "skipped":
            return Skipped(
                event_id=name,
                pair=notice.pair,
                at_us=notice.at_us,
                from_seq=number - 1,
                to_seq=number - 1,
                cause="damaged row",
            )
        case "begun":
            return EpochStarted(
                event_id=name,
                pair=notice.pair,
                at_us=notice.at_us,
                previous_epoch=f"e{epoch - 1}",
                last_seq_known=notice.last_seq_known,
                cause="outbox made anew",
            )
        case other:
            raise ValueError(f"a gateway says nothing like {other!r}")


def _when(one: Written) -> tuple[int, int, bool]:
    return one.at_us, one.order, one.gone
