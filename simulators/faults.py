"""What goes wrong at a border, as changes of simulated traffic and of what simulated readers send.

Pure. `unheard` takes reads away; the two wrappers spoil what a reader sends without taking a good read away, so
the same border records must come of it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import orjson

from simulators.device import MqttReader, Publication, Published, Sent, SerialReader
from simulators.fleet import Draws
from simulators.site import heard_by
from simulators.world import Passage

#: One of so many chunks or messages is spoiled.
ONE_OF: Final = 40

#: A Bluetooth beacon, which Zebra readers report on the topic of the tag events.
_BEACON: Final = {
    "data": {"Address": "02:00:00:00:00:01", "RSSI": -66, "beaconType": "EDDYSTONE_TLM"},
    "eventNum": 1,
    "timestamp": "2026-09-07T12:53:07.484+00:00",
    "type": "BLE_DATA",
}


def unheard(passages: Sequence[Passage]) -> tuple[tuple[Passage, ...], str | None]:
    """The passages, but no reader at the booth hears the card of one driver; and who that is.

    It is the first driver who enters with a card of his own; None where there is none.
    """
    for at, passage in enumerate(passages):
        person = next((card for card in passage.crew.cards if card.kind == "driver_card"), None)
        if person is None or passage.crew.story not in ("plain", "passenger", "double"):
            continue
        reader, point = heard_by(passage.expected.lane, "primary")
        stays = tuple(
            stay
            for stay in passage.stays
            if (stay.epc, stay.reader, stay.antenna) != (person.epc, reader.id, point.antenna)
        )
        deaf = replace(passage, stays=stays)
        return (*passages[:at], deaf, *passages[at + 1 :]), person.holder
    return tuple(passages), None


class NoisyLine:
    """A serial reader whose line picks up garbage, and damaged copies of its frames."""

    def __init__(self, reader: SerialReader, draws: Draws) -> None:
        """`draws` say when and what."""
        self.field = reader.field
        self._reader = reader
        self._draws = draws

    def receive(self, data: bytes, now_us: int) -> bytes:
        """As the reader answers."""
        return self._reader.receive(data, now_us)

    def due(self, now_us: int) -> Sent:
        """What the reader says, now and then with damage in front of it."""
        sent = self._reader.due(now_us)
        if not sent.data or self._draws.randrange(0, ONE_OF):
            return sent
        return Sent(self._damage(sent.data) + sent.data, sent.next_due_us)

    def _damage(self, frame: bytes) -> bytes:
        at = self._draws.randrange(1, len(frame))
        match self._draws.randrange(0, 3):
            case 0:
                # No byte that begins a frame: garbage in front of a frame must not cost the frame.
                noise = self._draws.randbytes(self._draws.randrange(1, 12))
                return noise.replace(frame[:1], b"\x00")
            case 1:
                return frame[:at] + bytes((frame[at] ^ 0x01,)) + frame[at + 1 :]
            case _:
                return frame[:-1] + bytes((frame[-1] ^ 0x80,))


class NoisyTopic:
    """An MQTT reader whose topic also carries beacons, text that is no JSON, and repeated messages."""

    def __init__(self, reader: MqttReader, draws: Draws) -> None:
        """`draws` say when and what."""
        self.field = reader.field
        self._reader = reader
        self._draws = draws

    def due(self, now_us: int) -> Published:
        """What the reader publishes, now and then with more after it."""
        published = self._reader.due(now_us)
        if not published.publications or self._draws.randrange(0, ONE_OF // 4):
            return published
        more = self._noise(published.publications[-1])
        return Published([*published.publications, more], published.next_due_us)

    def kept(self, since_us: int) -> list[Publication]:
        """As the reader keeps them."""
        return self._reader.kept(since_us)

    def _noise(self, last: Publication) -> Publication:
        match self._draws.randrange(0, 3):
            case 0:
                beacon = _BEACON | {"eventNum": self._draws.randrange(1, 1 << 30)}
                return Publication("data", orjson.dumps(beacon))
            case 1:
                return Publication("data", b"offline %d" % self._draws.randrange(1, 1 << 30))
            case _:
                return last
