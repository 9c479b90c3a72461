"""Runs a simulated MQTT reader against a broker: QoS 1, reconnecting for ever.

With a broker that keeps no sessions (`simulators.small_broker`) the reader also listens for word of a
subscriber that came back with a new session, and sends again what it kept.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from simulators.device import MqttReader, Publication
from simulators.site import control_topic, data_topic, management_topic

#: The broker of the demo without sessions says here who subscribed; see `simulators.small_broker`.
SUBSCRIBED_TOPIC: Final = "simulators/subscribed"

#: Messages that wait for a broker that is away; the oldest reads are worth least.
MAX_WAITING: Final = 20_000
#: How far back a reader goes for a subscriber with a new session.
KEPT_FOR_US: Final = 60_000_000

Clock = Callable[[], int]
#: Told of each message: topic and payload.
Tap = Callable[[str, bytes], None]


class MqttPort:
    """A reader and its connection. Use as a context manager."""

    def __init__(
        self,
        name: str,
        reader: MqttReader,
        broker: tuple[str, int],
        clock: Clock,
        tap: Tap | None = None,
        *,
        stopped: bool = False,
    ) -> None:
        """`broker`: host and port. `stopped`: silent until there is a message on `control_topic(name)`."""
        self.reader = reader
        #: Reads whose messages found no room while the broker was away.
        self.lost = 0
        self._control = control_topic(name)
        self._started = asyncio.Event()
        if not stopped:
            self._started.set()
        self._handed = self._acknowledged = 0
        self._topics = {"data": data_topic(name), "management": management_topic(name)}
        self._broker = broker
        self._clock = clock
        self._tap = tap
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv311
        )
        self._client.max_queued_messages_set(MAX_WAITING)
        self._client.max_inflight_messages_set(100)
        self._client.reconnect_delay_set(1, 2)
        self._client.on_connect = self._connected
        self._client.on_publish = self._taken_over
        self._client.on_message = self._message_came

    def __enter__(self) -> "MqttPort":
        """Begin to connect; the broker need not be there yet."""
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(*self._broker, keepalive=10)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        """Say goodbye to the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    async def run(self) -> None:
        """Publish until cancelled."""
        await self._started.wait()
        while True:
            before = self.reader.field.taken
            published = self.reader.due(self._clock())
            if not self._publish(published.publications):
                self.lost += self.reader.field.taken - before
            await asyncio.sleep(max(0.0, (published.next_due_us - self._clock()) / 1e6))

    @property
    def unacknowledged(self) -> int:
        """Messages that the broker has not taken over yet."""
        return self._handed - self._acknowledged

    def _publish(self, publications: list[Publication]) -> bool:
        """Send; False when a message found no room."""
        kept = True
        for channel, payload in publications:
            topic = self._topics[channel]
            sent = self._client.publish(topic, payload, qos=1)
            kept = kept and sent.rc != mqtt.MQTT_ERR_QUEUE_SIZE
            self._handed += sent.rc != mqtt.MQTT_ERR_QUEUE_SIZE
            if self._tap:
                self._tap(topic, payload)
        return kept

    def _connected(self, *_: object) -> None:
        self._client.subscribe([(SUBSCRIBED_TOPIC, 1), (self._control, 1)])

    def _taken_over(self, *_: object) -> None:
        """Runs in the client's own thread, which alone counts here."""
        self._acknowledged += 1

    def _message_came(self, _client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        """Runs in the client's own thread."""
        act = self._started.set if message.topic == self._control else self._send_again
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(act)

    def _send_again(self) -> None:
        self._publish(self.reader.kept(self._clock() - KEPT_FOR_US))
