"""What a simulated reader is: a device model without I/O, and the tags that are in its field.

One file a protocol in `simulators.readers`. `simulators.pty_port` and `simulators.mqtt_port` run a model on a
real pseudo-terminal or against a real broker. Times are microseconds UTC and are always arguments.
"""

from typing import Final, Literal, NamedTuple, Protocol

#: Tags in one field beyond this are not heard: a real reader starves there as well.
MAX_TAGS: Final = 500


class Tag(NamedTuple):
    """A tag as an antenna hears it."""

    epc: bytes
    #: None where the reader has one antenna only and says nothing about it.
    antenna: int | None
    rssi_dbm: int


class Field:
    """The tags that a reader can hear now."""

    def __init__(self) -> None:
        """Nothing is there."""
        self._until: dict[tuple[int | None, bytes], tuple[Tag, int]] = {}
        self._turn = 0
        #: Reads that the reader has taken to send them.
        self.taken = 0

    def enter(self, tag: Tag, until_us: int) -> None:
        """The tag can be heard from now on, up to `until_us`."""
        if len(self._until) < MAX_TAGS:
            self._until[tag.antenna, tag.epc] = (tag, until_us)

    def present(self, now_us: int) -> list[Tag]:
        """The tags that are there now, in the order of their coming."""
        gone = [key for key, (_, until_us) in self._until.items() if until_us <= now_us]
        for key in gone:
            del self._until[key]
        return [tag for tag, _ in self._until.values()]

    def heard(self, now_us: int, most: int = 1, antenna: int | None = None) -> list[Tag]:
        """The reads of one round: `most` of the tags, by turns; only those of an antenna, if one is named."""
        tags = [tag for tag in self.present(now_us) if antenna in (None, tag.antenna)]
        if not tags:
            return []
        self._turn += 1
        start, count = self._turn * most % len(tags), min(most, len(tags))
        self.taken += count
        return [tags[(start + place) % len(tags)] for place in range(count)]

    def counted(self, now_us: int, each: int) -> list[tuple[Tag, int]]:
        """The reads of one report: every tag, with `each` reads."""
        tags = self.present(now_us)
        self.taken += each * len(tags)
        return [(tag, each) for tag in tags]


class Sent(NamedTuple):
    """Bytes that a serial reader sends now, and when it will have more; None: not before a command."""

    data: bytes
    next_due_us: int | None


class SerialReader(Protocol):
    """A reader on a serial line."""

    field: Field

    def receive(self, data: bytes, now_us: int) -> bytes:
        """Take bytes of the host; return what the reader answers at once. Never raises."""
        ...

    def due(self, now_us: int) -> Sent:
        """What the reader says by itself, now that it is `now_us`."""
        ...


Channel = Literal["data", "management"]


class Publication(NamedTuple):
    """An MQTT message of a reader."""

    channel: Channel
    payload: bytes


class Published(NamedTuple):
    """Messages that an MQTT reader sends now, and when it will have more."""

    publications: list[Publication]
    next_due_us: int


class MqttReader(Protocol):
    """A reader that publishes by MQTT."""

    field: Field

    def due(self, now_us: int) -> Published:
        """What the reader publishes, now that it is `now_us`."""
        ...

    def kept(self, since_us: int) -> list[Publication]:
        """What it still holds of its tag events since then, for a subscriber that has lost its session."""
        ...
