"""What one partition's round will commit: outputs in order, one changelog row a key, the next position."""

from typing import Final, NamedTuple

from msgspec.structs import replace

from schemas.alert import Rejected
from schemas.border import BorderRecord, Unmatched
from schemas.gate import Tick
from schemas.message import Message
from schemas.topics import MAX_VALUE_BYTES, topic_key
from schemas.wire import encode, headers
from stream.log.contract import Outgoing, Record
from stream.log.outgoing import MAX_KEY_BYTES
from stream.reference import Reference
from stream.stage import Output, Stage, Step, advance, encode_change, rejected
from stream.state import Change, KeyedState

#: Room that a dead letter keeps for its own fields beside the raw bytes.
REJECTED_ROOM: Final = 8_192

#: How much of a strange key a dead letter keeps.
MAX_REJECTED_KEY: Final = 1_024

#: Above this size of an input record its state rows are measured at once, not only by the log: a record
#: that makes a row too large must become a dead letter, or it would stop the stream at every start.
LARGE_RECORD: Final = 65_536


class OutputTooLarge(Exception):  # noqa: N818 - named as `RecordTooLarge` of the event log
    """A step wants to write more into one record than a topic takes."""


class Cause(NamedTuple):
    """What made a step happen, as far as headers tell it."""

    #: Time for an output that carries none of its own, microseconds UTC.
    at_us: int
    #: W3C trace context of the input record.
    trace: bytes | None = None
    #: Whether the input is so large that what follows from it may be too large.
    large: bool = False


class Draft:
    """Collects the steps of one stage and partition until they are committed as one.

    Outputs are never merged. Changes are: the last one of a key wins, at the place of the key's first.
    """

    def __init__(self, stage: Stage, partition: int) -> None:
        """Nothing to commit yet."""
        self._stage = stage
        self._partition = partition
        self._outputs: list[Outgoing] = []
        self._rows: dict[str, Change] = {}
        self.next_offset: int | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._outputs or self._rows) or self.next_offset is not None

    def take(self, step: Step, cause: Cause) -> None:
        """Add a step, whole or (raising `OutputTooLarge`) not at all."""
        source = f"gatebook/{self._stage.name}"
        outputs = [_outgoing(output, source, cause) for output in step.outputs]
        for change in step.changes:
            if cause.large or len(change.key) > MAX_KEY_BYTES // 4:
                _check(self._stage.changelog, change.key.encode(), encode_change(change) or b"")
        self._outputs.extend(outputs)
        for change in step.changes:
            self._rows[change.key] = change

    def tick(self, at_us: int) -> None:
        """Write the time into the input partition itself."""
        tick = Tick(partition=self._partition, at_us=at_us)
        self._outputs.append(
            Outgoing(
                self._stage.input,
                topic_key(tick).encode(),
                encode(tick),
                headers(tick, source=f"gatebook/{self._stage.name}", at_us=at_us),
                self._partition,
            )
        )

    def outgoing(self) -> list[Outgoing]:
        """Everything to be written: outputs in the order of their steps, then the changelog rows."""
        rows = [
            Outgoing(
                self._stage.changelog,
                change.key.encode(),
                encode_change(change),
                partition=self._partition,
            )
            for change in self._rows.values()
        ]
        return self._outputs + rows


def take_record(
    draft: Draft, stage: Stage, state: KeyedState, reference: Reference, record: Record
) -> Step:
    """Step one input record into the draft and the state; return all that was taken.

    A step whose output is too large becomes a dead letter and leaves the state as it was.
    """
    large = len(record.value or b"") > LARGE_RECORD
    cause = Cause(record.at_ms * 1_000, _trace(record), large)
    taken = Step([], [])
    for wanted in advance(stage, state, reference, record):
        step = wanted
        try:
            draft.take(step, cause)
        except OutputTooLarge as error:
            step = Step([], [rejected(stage, record, "invalid", str(error))])
            draft.take(step, cause)
        state.apply(step.changes)
        taken.changes.extend(step.changes)
        taken.outputs.extend(step.outputs)
    draft.next_offset = record.offset + 1
    return taken


def event_time_us(message: Message) -> int | None:
    """The time of what a message tells, where it has one."""
    match message:
        case BorderRecord(entry=entry):
            return entry.at_us
        case Unmatched(closed_at_us=closed, since_us=since):
            return since if closed is None else closed
        case _:
            at_us = getattr(message, "at_us", None)
            return at_us if isinstance(at_us, int) else None


def _outgoing(output: Output, source: str, cause: Cause) -> Outgoing:
    message = output.message
    if isinstance(message, Rejected):
        message = _cut(message)
    key, value = topic_key(message).encode(), encode(message)
    _check(output.topic, key, value)
    at_us = event_time_us(message)
    found = headers(
        message, source=source, at_us=cause.at_us if at_us is None else at_us, trace=cause.trace
    )
    return Outgoing(output.topic, key, value, found)


def _check(topic: str, key: bytes, value: bytes) -> None:
    if len(value) > MAX_VALUE_BYTES:
        raise OutputTooLarge(f"a record of {len(value)} bytes for {topic}")
    if len(key) > MAX_KEY_BYTES:
        raise OutputTooLarge(f"a key of {len(key)} bytes for {topic}")


def _cut(rejected: Rejected) -> Rejected:
    """A dead letter that fits: a record that fills its topic's limit must not stop the stream."""
    raw, key = rejected.raw, rejected.key
    room = MAX_VALUE_BYTES - REJECTED_ROOM
    if (raw is None or len(raw) <= room) and (key is None or len(key) <= MAX_REJECTED_KEY):
        return rejected
    whole = 0 if raw is None else len(raw)
    return replace(
        rejected,
        raw=None if raw is None else raw[:room],
        key=None if key is None else key[:MAX_REJECTED_KEY],
        detail=f"{rejected.detail[:300]} (cut; {whole} bytes as it came)",
    )


def _trace(record: Record) -> bytes | None:
    return next((value for name, value in record.headers if name == "traceparent"), None)
