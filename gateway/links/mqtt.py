"""MQTT 3.1.1 and 5: a network thread receives, the event loop handles, acknowledged after the commit.

QoS 1 and a persistent session: what was not acknowledged, the broker sends again (measured with mosquitto
2.0.11, both versions). Packet ids mean nothing on another connection, so a ticket carries the connection on which its
message came, and tickets of an older one are dropped.

Back-pressure: a broker stops at its limit of messages in flight, but mosquitto 2.0.11 holds it only until
the first acknowledgement (seen). So the network thread itself waits once `HAND_OVER` messages or
`HAND_OVER_BYTES` are not handled yet.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog
from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
    topic_matches_sub,
)
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.broker import BrokerAway, connect, new_client, place, session_expiry_s, silent_cause
from gateway.hand_over import HandOver
from gateway.link import (
    Chunk,
    Clock,
    Envelope,
    Link,
    LinkDown,
    LinkUp,
    Oversize,
    Said,
    Tell,
    Ticket,
)
from gateway.network import LAST_WAIT_S, Retry
from gateway.tables import Config, MqttTable, TopicTable

#: A payload beyond this is not looked at; protects memory and the parser's time.
MAX_PAYLOAD: Final = 1_048_576

#: Bytes of such a payload that are kept.
HEAD_BYTES: Final = 256

#: What may wait between the network thread and the event loop.
HAND_OVER: Final = 200
HAND_OVER_BYTES: Final = 8 * MAX_PAYLOAD

#: How long a broker may take to answer CONNECT, and how often the thread looks whether it is to stop, seconds.
ANSWER_S: Final = 5.0
LOOK_S: Final = 0.5

#: How long the end waits for the thread: a connection that is being made cannot be broken off.
STOP_S: Final = 2.0

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
        self._place = place(table)
        self._retry = Retry()
        self._gate = HandOver(HAND_OVER, HAND_OVER_BYTES)
        self._routes: dict[str, TopicTable | None] = {}
        self._warned: set[str] = set()
        self._lock = threading.Lock()
        #: Raised at each connection and each loss of one; tickets of another number are stale.
        self._generation = 0
        #: The client of the present connection, once the broker has answered.
        self._client: Client | None = None
        #: Why the attempt at work has failed, where that is known before its end.
        self._cause = ""
        #: Whether readers can be heard only once the broker has answered the subscription.
        self._up_at_subscribe = True
        self._stopping = threading.Event()
        self._said: asyncio.Queue[tuple[Said | Exception, int | None]] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, tell: Tell) -> None:
        """Tell what the thread hears; it connects again for ever."""
        self._loop = asyncio.get_running_loop()
        self._stopping.clear()
        self._gate.set(open_=True)
        thread = threading.Thread(target=self._work, name=f"mqtt {self._place}", daemon=True)
        thread.start()
        try:
            while True:
                said, size = await self._said.get()
                if isinstance(said, Exception):
                    raise said
                try:
                    await tell(said)
                finally:
                    self._gate.leave(size)
        finally:
            self._stopping.set()
            self._gate.set(open_=False)
            with self._lock:
                if self._client is not None:
                    self._client.disconnect()
            await asyncio.to_thread(thread.join, STOP_S)

    async def write(self, reader: str, data: bytes) -> bool:  # noqa: ARG002 - nothing to send
        """Readers on MQTT report by themselves."""
        return not data

    def acknowledge(self, tickets: Sequence[Ticket]) -> None:
        """Send the acknowledgements that still mean something."""
        with self._lock:
            for ticket in tickets:
                if self._client is not None and ticket.generation == self._generation:
                    self._client.ack(ticket.mid, 1)

    # ---- in the link's thread

    def _work(self) -> None:
        """Connect, hear, and connect again until told to stop."""
        try:
            while not self._stopping.is_set():
                began_s = time.monotonic()
                self._cause = ""
                try:
                    self._once()
                except BrokerAway as error:
                    self._down(str(error))
                # Two gateways under one name throw each other out at once: such a connection is no success.
                if time.monotonic() - began_s > LAST_WAIT_S:
                    self._retry.worked()
                self._stopping.wait(self._retry.wait_s())
        except Exception as error:  # noqa: BLE001 - raised again in the task that runs the link
            self._say(error)

    def _once(self) -> None:
        """One connection from its beginning to its end; raises `BrokerAway` with why it ended."""
        client = new_client(self._table, self._table.client_id)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_log = self._on_log
        connect(client, self._table)
        try:
            self._hear(client)
        finally:
            self._lose()
        raise BrokerAway(self._cause or silent_cause(self._table, ""))

    def _hear(self, client: Client) -> None:
        """Let paho work until the connection has ended, or the end of the link has come."""
        answer_s = time.monotonic() + ANSWER_S
        while client.loop(LOOK_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            if self._stopping.is_set() and not client.want_write():
                return
            if not self._cause and self._client is None and time.monotonic() > answer_s:
                self._cause = f"{self._place} takes connections but does not answer: no MQTT there?"
                return

    def _lose(self) -> None:
        """No ticket means anything from now on."""
        with self._lock:
            self._client = None
            self._generation += 1

    def _on_log(self, client: Client, userdata: object, level: int, text: str) -> None:  # noqa: ARG002
        """Until the broker has answered: paho passes on in no other way why TLS failed."""
        if "failed to receive" in text:
            self._cause = silent_cause(self._table, text)

    def _on_connect(
        self,
        client: Client,
        userdata: object,  # noqa: ARG002 - paho's signature, here and below
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        client.on_log = None
        if reason.is_failure:
            self._cause = f"the broker at {self._place} refuses the connection: {reason}"
            return
        with self._lock:
            self._generation += 1
            self._client = client
        _log.info("broker_connected", mqtt=self._table.id, session_kept=flags.session_present)
        kept_s = getattr(properties, "SessionExpiryInterval", None)
        if kept_s is not None and kept_s < session_expiry_s(self._table):
            self._warn(self._table.id, f"broker_keeps_the_session_for_{kept_s}_s_only")
        # A session that was kept may speak before the subscription is answered; a new one cannot.
        self._up_at_subscribe = not flags.session_present
        if flags.session_present:
            self._up(self.readers)
        topics = self._table.topics
        if self._table.version == "5":
            client.subscribe([(topic.filter, SubscribeOptions(qos=1)) for topic in topics])
        else:
            client.subscribe([(topic.filter, 1) for topic in topics])

    def _on_subscribe(
        self,
        client: Client,  # noqa: ARG002
        userdata: object,  # noqa: ARG002
        mid: int,  # noqa: ARG002
        reasons: list[ReasonCode],
        properties: Properties | None,  # noqa: ARG002
    ) -> None:
        refused = [
            (topic, reason)
            for topic, reason in zip(self._table.topics, reasons, strict=False)
            if reason.value != 1
        ]
        if self._up_at_subscribe:
            deaf = {topic.reader for topic, _ in refused}
            self._up([reader for reader in self.readers if reader not in deaf])
        for topic, reason in refused:
            cause = f"the broker does not give {topic.filter} with QoS 1: {reason}"
            self._say(LinkDown(topic.reader, self._now_us(), cause))

    def _on_disconnect(
        self,
        client: Client,  # noqa: ARG002
        userdata: object,  # noqa: ARG002
        flags: DisconnectFlags,  # noqa: ARG002
        reason: ReasonCode,
        properties: Properties | None,  # noqa: ARG002
    ) -> None:
        answered = self._client is not None
        self._lose()
        if answered:
            self._cause = f"the connection to the broker at {self._place} broke: {reason}"
        self._cause = self._cause or silent_cause(self._table, "")

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:  # noqa: ARG002
        at_us = self._now_us()
        route = self._route(message)
        ticket = Ticket(self._generation, message.mid) if message.qos else None
        if route is None:
            if ticket is not None:
                self.acknowledge([ticket])
            return
        payload = bytes(message.payload)
        envelope = Envelope(message.topic, message.qos, message.retain)
        said: Said = Chunk(route.reader, payload, at_us, route.kind, ticket, envelope)
        if len(payload) > MAX_PAYLOAD:
            head = payload[:HEAD_BYTES]
            said = Oversize(route.reader, head, len(payload), at_us, ticket, envelope)
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

    def _up(self, readers: Sequence[str]) -> None:
        for reader in readers:
            self._say(LinkUp(reader, self._now_us()))

    def _down(self, cause: str) -> None:
        for reader in self.readers:
            self._say(LinkDown(reader, self._now_us(), cause))

    def _say(self, said: Said | Exception, size: int | None = None) -> None:
        if self._loop is None or self._stopping.is_set():
            return
        # At the very end the event loop may be closed already, and nobody listens.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._said.put_nowait, (said, size))
