"""The contract of a stage, and the one way in which a record reaches it.

A stage is pure: `step(state, reference, given) -> Step`. It changes nothing, reads no clock and does no
I/O; the worker (or a replay) applies the changes and writes the outputs.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, cast

import msgspec

from schemas.alert import Rejected, RejectReason
from schemas.message import Message
from schemas.topics import TOPICS, partition_of, topic_key
from schemas.wire import SchemaError, decode
from stream.log.contract import Record
from stream.reference import Reference
from stream.state import Change, KeyedState


class Input(NamedTuple):
    """A record of the stage's input topic, decoded."""

    partition: int
    offset: int
    message: Message


class ReferenceChanged(NamedTuple):
    """A reference row came; `reference` already holds it. `message` is None when it was deleted."""

    topic: str
    key: str
    message: Message | None


class TakenOver(NamedTuple):
    """The partition has a new owner: look at everything once and say what differs."""


Given = Input | ReferenceChanged | TakenOver


class Output(NamedTuple):
    """A message for a topic; its key is `schemas.topics.topic_key`."""

    topic: str
    message: Message


class Step(NamedTuple):
    """What a stage wants done."""

    changes: list[Change]
    outputs: list[Output]


NOTHING = Step([], [])


class Admitted(NamedTuple):
    """What a record's origin allows: messages to be stepped now, in order, and what else follows from it."""

    messages: Sequence[Message]
    step: Step = NOTHING


class Stage(Protocol):
    """A stage of the stream."""

    #: Its name on the command line, in transactional ids and in logs.
    name: str
    #: Topic that it consumes.
    input: str
    #: Topic that keeps its state, with the partitions of `input`.
    changelog: str
    #: Reference topics that it looks things up in.
    references: tuple[str, ...]
    #: Whether its timers need ticks in its input.
    ticks: bool

    def new_state(self) -> KeyedState:
        """The empty state of one input partition."""
        ...

    def step(self, state: KeyedState, reference: Reference, given: Given) -> Step:
        """What follows from `given`. Reads `state`, never writes it."""
        ...


class Guarded(Stage, Protocol):
    """A stage that looks at where a record comes from before it uses what is in it."""

    def admit(
        self, state: KeyedState, reference: Reference, record: Record, message: Message
    ) -> Admitted:
        """Which messages may be used now: this one, or ones that waited for it, or none."""
        ...


def advance(
    stage: Stage, state: KeyedState, reference: Reference, record: Record
) -> Iterator[Step]:
    """Decode a record of the stage's input and step; what cannot be taken becomes a `Rejected`.

    Each step must be applied to the state before the next one is asked for.
    """
    message = _message(stage, record)
    if isinstance(message, Step):
        yield message
        return
    messages: Sequence[Message] = (message,)
    if hasattr(stage, "admit"):
        messages, step = cast("Guarded", stage).admit(state, reference, record, message)
        if step is not NOTHING:
            yield step
    for one in messages:
        yield stage.step(state, reference, Input(record.partition, record.offset, one))


def rejected(stage: Stage, record: Record, reason: RejectReason, detail: str) -> Output:
    """The dead letter of a record."""
    return Output(
        "rejected",
        Rejected(
            stage=stage.name,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            raw=record.value,
            reason=reason,
            detail=detail[:400],
        ),
    )


def _message(stage: Stage, record: Record) -> Message | Step:
    """The message of a record, or the step that rejects it."""
    if record.value is None:
        return _reject(stage, record, "malformed", "a record without a value")
    try:
        message = decode(record.topic, record.value)
    except SchemaError as error:
        return _reject(stage, record, error.reason, str(error))
    key = topic_key(message)
    if (
        key != "tick"
        and partition_of(key.encode(), TOPICS[record.topic].partitions) != record.partition
    ):
        return _reject(stage, record, "wrong_partition", f"key {key[:80]!r} belongs elsewhere")
    return message


def _reject(stage: Stage, record: Record, reason: RejectReason, detail: str) -> Step:
    return Step([], [rejected(stage, record, reason, detail)])


def encode_change(change: Change) -> bytes | None:
    """A state change as a changelog row; None deletes the key."""
    return None if change.value is None else msgspec.msgpack.encode(change.value)


def read_row(record: Record) -> ReferenceChanged:
    """A record of a reference topic as a row; one without value deletes. Raises `SchemaError`."""
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError:
        key = ""
    if not key:
        raise SchemaError("malformed", "$", "the record has no key that is text")
    if record.value is None:
        return ReferenceChanged(record.topic, key, None)
    message = decode(record.topic, record.value)
    if topic_key(message) != key:
        raise SchemaError("invalid", "$", "the record's key is not its message's own")
    return ReferenceChanged(record.topic, key, message)
