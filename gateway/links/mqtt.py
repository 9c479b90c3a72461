"""MQTT 3.1.1: paho's network thread receives, the event loop handles, acknowledged after the commit.

QoS 1 and a persistent session: what was not acknowledged, the broker sends again (measured with mosquitto
2.0.11). Packet ids mean nothing on another connection, so a ticket carries the connection on which its
message came, and tickets of an older one are dropped.

Back-pressure: a broker stops at its limit of messages in flight, but mosquitto 2.0.11 holds it only until
the first acknowledgement (seen). So the network thread itself waits once `HAND_OVER` messages or
`HAND_OVER_BYTES` are not handled yet.
"""

import asyncio
import secrets
import threading
from collections.abc import Sequence
from typing import Final

import structlog
from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
    topic_matches_sub,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.cross_check import parse_broker
from gateway.hand_over import HandOver
from gateway.link import Chunk, Clock, Link, LinkDown, LinkUp, Oversize, Said, Tell, Ticket
from gateway.tables import Config, MqttTable, TopicTable

#: A payload beyond this is not looked at; protects memory and the parser's time.
MAX_PAYLOAD: Final = 1_048_576

#: Bytes of such a payload that are kept.
HEAD_BYTES: Final = 256

#: What may wait between the network thread and the event loop.
HAND_OVER: Final = 200
HAND_OVER_BYTES: Final = 8 * MAX_PAYLOAD

KEEP_ALIVE_S: Final = 20
CONNECT_S: Final = 5.0

#: Waits between attempts, seconds: paho doubles them from the first to the last.
FIRST_WAIT_S: Final = 1
LAST_WAIT_S: Final = 8

#: Topics whose reader is remembered; topics are the sender's choice.
MAX_TOPICS: Final = 1_000

_log = structlog.get_logger("gateway.links.mqtt")


def links(config: Config, now_us: Clock) -> list[Link]:
    """A link for each broker."""
    return [MqttLink(table, now_us) for table in config.mqtt]


class MqttLink:
    """One connection to a broker, with all readers that speak through it."""

    def __init__(self, table: MqttTable, now_us: Clock) -> None:
        """Nothing is connected yet."""
        self.readers = tuple(dict.fromkeys(topic.reader for topic in table.topics))
        self._table = table
        self._now_us = now_us
        self._host, self._port = parse_broker(table.url)
        self._gate = HandOver(HAND_OVER, HAND_OVER_BYTES)
        self._routes: dict[str, TopicTable | None] = {}
        self._warned: set[str] = set()
        self._lock = threading.Lock()
        #: Raised at each connection and each loss of one; tickets of another number are stale.
        self._generation = 0
        self._connected = False
        self._stopping = threading.Event()
        self._said: asyncio.Queue[tuple[Said, int | None]] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client = self._new_client()

    async def run(self, tell: Tell) -> None:
        """Connect, subscribe, tell; paho's thread connects again for ever."""
        self._loop = asyncio.get_running_loop()
        self._gate.set(open_=True)
        self._client.connect_async(self._host, self._port, KEEP_ALIVE_S)
        self._client.loop_start()
        try:
            while True:
                said, size = await self._said.get()
                try:
                    await tell(said)
                finally:
                    self._gate.leave(size)
        finally:
            self._stopping.set()
            self._gate.set(open_=False)
            self._client.disconnect()
            await asyncio.to_thread(self._client.loop_stop)

    async def write(self, reader: str, data: bytes) -> bool:  # noqa: ARG002 - nothing to send
        """Readers on MQTT report by themselves."""
        return not data

    def acknowledge(self, tickets: Sequence[Ticket]) -> None:
        """Send the acknowledgements that still mean something."""
        with self._lock:
            for ticket in tickets:
                if self._connected and ticket.generation == self._generation:
                    self._client.ack(ticket.mid, 1)

    # ---- in paho's thread

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._table.client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_S
        client.reconnect_delay_set(FIRST_WAIT_S, LAST_WAIT_S)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _on_connect(
        self,
        client: Client,
        userdata: object,  # noqa: ARG002 - paho's signature, here and below
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,  # noqa: ARG002
    ) -> None:
        if reason.is_failure:
            self._down(f"the broker at {self._table.url} refuses the connection: {reason}")
            return
        with self._lock:
            self._generation += 1
            self._connected = True
        _log.info("broker_connected", mqtt=self._table.id, session_kept=flags.session_present)
        for reader in self.readers:
            self._say(LinkUp(reader, self._now_us()))
        client.subscribe([(topic.filter, 1) for topic in self._table.topics])

    def _on_subscribe(
        self,
        client: Client,  # noqa: ARG002
        userdata: object,  # noqa: ARG002
        mid: int,  # noqa: ARG002
        reasons: list[ReasonCode],
        properties: Properties | None,  # noqa: ARG002
    ) -> None:
        for topic, reason in zip(self._table.topics, reasons, strict=False):
            if reason.value != 1:
                cause = f"the broker does not give {topic.filter} with QoS 1: {reason}"
                self._say(LinkDown(topic.reader, self._now_us(), cause))

    def _on_connect_fail(self, client: Client, userdata: object) -> None:  # noqa: ARG002
        self._down(f"no broker answers at {self._table.url}")
        self._jitter()

    def _on_disconnect(
        self,
        client: Client,  # noqa: ARG002
        userdata: object,  # noqa: ARG002
        flags: DisconnectFlags,  # noqa: ARG002
        reason: ReasonCode,
        properties: Properties | None,  # noqa: ARG002
    ) -> None:
        with self._lock:
            was_connected, self._connected = self._connected, False
            self._generation += 1
        if self._stopping.is_set():
            return
        if was_connected:
            self._down(f"the connection to the broker at {self._table.url} broke: {reason}")
        self._jitter()

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:  # noqa: ARG002
        at_us = self._now_us()
        route = self._route(message)
        ticket = Ticket(self._generation, message.mid) if message.qos else None
        if route is None:
            if ticket is not None:
                self.acknowledge([ticket])
            return
        payload = bytes(message.payload)
        said: Said = Chunk(route.reader, payload, at_us, route.kind, ticket)
        if len(payload) > MAX_PAYLOAD:
            said = Oversize(route.reader, payload[:HEAD_BYTES], len(payload), at_us, ticket)
        if ticket is None:
            self._warn(route.reader, "qos_0_loses_reads")
        size = min(len(payload), MAX_PAYLOAD)
        if self._gate.enter(size):
            self._say(said, size)

    def _route(self, message: MQTTMessage) -> TopicTable | None:
        """Which reader speaks on the topic; None for a subscription that is configured no more."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return None
        if topic not in self._routes:
            if len(self._routes) >= MAX_TOPICS:
                self._routes.clear()
            rows = self._table.topics
            found = next((row for row in rows if topic_matches_sub(row.filter, topic)), None)
            self._routes[topic] = found
        route = self._routes[topic]
        if route is None:
            self._warn(self._table.id, "message_of_no_reader")
        return route

    def _warn(self, name: str, text: str) -> None:
        if (mark := f"{name} {text}") not in self._warned:
            self._warned.add(mark)
            _log.warning(text, name=name)

    def _down(self, cause: str) -> None:
        for reader in self.readers:
            self._say(LinkDown(reader, self._now_us(), cause))

    def _say(self, said: Said, size: int | None = None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._said.put_nowait, (said, size))

    def _jitter(self) -> None:
        """Gateways that lost the same broker come back one after the other."""
        self._stopping.wait(secrets.randbelow(500) / 1000)
