"""How the topics of an event log differ from the table in `schemas.topics`, without I/O."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.topics import Topic
from stream.log.contract import TopicState


class Finding(NamedTuple):
    """A difference, and what to do about it."""

    topic: str
    #: `missing`, `partitions`, `compaction` or `retention`.
    kind: str
    wanted: str
    found: str
    advice: str


def differences(topics: Iterable[Topic], states: Mapping[str, TopicState | None]) -> list[Finding]:
    """What differs, in the order of the table."""
    found = []
    for topic in topics:
        state = states.get(topic.name)
        if state is None:
            advice = "run `gatebook topics apply`"
            found.append(Finding(topic.name, "missing", describe(topic), "nothing", advice))
            continue
        found.extend(_compare(topic, state))
    return found


def describe(topic: Topic) -> str:
    """A topic in words, such as `6 partitions, kept 7 days`."""
    return f"{topic.partitions} partitions, {_kept(topic.compacted, topic.retention_ms)}"


def _compare(topic: Topic, state: TopicState) -> Iterable[Finding]:
    if state.partitions != topic.partitions:
        yield Finding(
            topic.name,
            "partitions",
            str(topic.partitions),
            str(state.partitions),
            "refused: the count decides which key is in which partition, so every key would be cut "
            "off from its state; moving to another count is a migration of the topic and its changelog",
        )
    if state.compacted != topic.compacted:
        yield Finding(
            topic.name,
            "compaction",
            "compacted" if topic.compacted else "not compacted",
            "compacted" if state.compacted else "not compacted",
            "set cleanup.policy; compaction of a topic that is not a table loses records",
        )
    wanted_ms = None if topic.compacted else topic.retention_ms
    if state.retention_ms != wanted_ms:
        yield Finding(
            topic.name,
            "retention",
            _kept(compacted=False, retention_ms=wanted_ms),
            _kept(compacted=False, retention_ms=state.retention_ms),
            "set retention.ms",
        )


def _kept(compacted: bool, retention_ms: int | None) -> str:
    if compacted:
        return "the last value of each key"
    if retention_ms is None:
        return "kept for ever"
    days = retention_ms / 86_400_000
    return f"kept {days:g} days"
