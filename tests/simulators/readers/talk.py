"""A simulated reader and the real decoder on one line, in a time of their own."""

import tomllib
from collections import Counter
from typing import Final

from gateway.protocols import PROTOCOLS
from gateway.reads import Outcome, Read
from simulators.device import MqttReader, SerialReader
from simulators.load import Load, LoadField
from simulators.readers import MQTT_KINDS, SERIAL_KINDS, MqttKind, SerialKind

NOON: Final = 1_772_460_000_000_000
STEP_US: Final = 10_000
LOAD: Final = Load(rate=40, total=100, new_every=3)


def options(kind: SerialKind | MqttKind) -> dict[str, object]:
    """The options of the configuration that the simulator prints."""
    return dict(tomllib.loads(f"it = {kind.options}")["it"])


def made(name: str, *traps: str, load: Load = LOAD) -> SerialReader:
    reader = SERIAL_KINDS[name].make(frozenset(traps))
    reader.field = LoadField(load)
    return reader


def published(name: str, *traps: str, batch: int = 0) -> MqttReader:
    reader = MQTT_KINDS[name].make(frozenset(traps), batch)
    reader.field = LoadField(LOAD)
    return reader


def talk(
    name: str, reader: SerialReader, seconds: float, *, start: bool = True, acknowledge: bool = True
) -> list[Outcome]:
    """What the decoder makes of it, repetitions left out as the gateway does it."""
    kind = SERIAL_KINDS[name]
    decoder = PROTOCOLS[kind.protocol].decoder(options(kind))
    outcomes: list[Outcome] = []
    known: set[str] = set()
    to_reader = decoder.start() if start else b""
    for now_us in range(NOON, NOON + round(seconds * 1e6), STEP_US):
        answer = reader.receive(to_reader, now_us) if to_reader else b""
        new = decoder.feed(answer + reader.due(now_us).data, now_us)
        due = decoder.due(now_us)
        to_reader = due.send if start else b""
        for outcome in [*new, *due.outcomes]:
            if isinstance(outcome, Read):
                to_reader += outcome.ack if outcome.ack and acknowledge else b""
                if outcome.key in known:
                    continue
                known |= {outcome.key} if outcome.key else set()
            outcomes.append(outcome)
    return outcomes + decoder.flush(NOON + round(seconds * 1e6))


def hear(name: str, reader: MqttReader, seconds: float) -> list[Outcome]:
    """What the decoder makes of the messages."""
    kind = MQTT_KINDS[name]
    decoder = PROTOCOLS[kind.protocol].decoder(options(kind))
    outcomes: list[Outcome] = []
    for now_us in range(NOON, NOON + round(seconds * 1e6), STEP_US):
        for _, payload in reader.due(now_us).publications:
            outcomes += decoder.feed(payload, now_us)
    return outcomes


def counted(outcomes: list[Outcome]) -> Counter[bytes]:
    """Reads by tag."""
    found: Counter[bytes] = Counter()
    for outcome in outcomes:
        if isinstance(outcome, Read):
            found[outcome.epc] += outcome.reads
    return found
