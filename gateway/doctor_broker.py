"""The doctor's look at a broker: reach it as the gateway would, under another name, and ask what it takes.

The gateway's own name would throw a running gateway out. So what a broker allows by the name of a client
may differ from what is seen here.
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.broker import BrokerAway, connect, new_client, place, silent_cause
from gateway.broker_url import parse_broker
from gateway.diagnosis import Notes
from gateway.tables import MqttTable

#: How long the broker may take to answer, seconds.
ANSWER_S: Final = 5.0

#: What a reader may put into one message: `maxPayloadSizePerReport` of the Zebra IoT Connector, and a topic.
LARGEST_REPORT: Final = 256_000 + 1_000

#: A certificate that ends sooner is renewed now.
RENEW: Final = timedelta(days=30)

_LOOK_S: Final = 0.1


class _Answers:
    """What a broker answers to one connection."""

    def __init__(self, table: MqttTable) -> None:
        self._table = table
        self.cause = ""
        self.properties: Properties | None = None
        self.granted: list[ReasonCode] | None = None

    def on_connect(
        self,
        client: Client,
        userdata: object,  # noqa: ARG002 - paho's signature, here and below
        flags: ConnectFlags,  # noqa: ARG002
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self.cause = f"the broker refuses the connection: {reason}"
            return
        self.properties = properties
        filters = [topic.filter for topic in self._table.topics]
        if self._table.version == "5":
            client.subscribe([(filter_, SubscribeOptions(qos=1)) for filter_ in filters])
        else:
            client.subscribe([(filter_, 1) for filter_ in filters])

    def on_subscribe(
        self,
        client: Client,  # noqa: ARG002
        userdata: object,  # noqa: ARG002
        mid: int,  # noqa: ARG002
        reasons: list[ReasonCode],
        properties: Properties | None,  # noqa: ARG002
    ) -> None:
        self.granted = reasons

    def on_log(self, client: Client, userdata: object, level: int, text: str) -> None:  # noqa: ARG002
        if "failed to receive" in text:
            self.cause = silent_cause(self._table, text)


def look_at_broker(table: MqttTable, notes: Notes) -> None:
    """Connect, subscribe, and say what stands in the way; takes up to some 15 s."""
    _certificates(table, notes)
    answers = _Answers(table)
    name = f"{table.client_id[:57]}-doctor"
    try:
        client = new_client(table, name, clean=True)
        client.on_connect, client.on_subscribe = answers.on_connect, answers.on_subscribe
        client.on_log = answers.on_log
        connect(client, table)
    except BrokerAway as error:
        fix = f"mend that, or url, ca, cert and key of [[mqtt]] {table.id}"
        notes.wrong("the broker cannot be used", str(error), fix)
        return
    _ask(client, answers)
    if answers.granted is None:
        why = answers.cause or silent_cause(table, "")
        fix = (
            f"mend that in the broker or in [[mqtt]] {table.id}; it was asked under the name {name}"
        )
        notes.wrong("the broker does not take us", why, fix)
        return
    notes.good(f"{place(table)} answers, MQTT {table.version}")
    _subscriptions(table, answers.granted, notes)
    _limits(table, answers.properties, notes)


def _ask(client: Client, answers: _Answers) -> None:
    """Let paho work until everything is answered, the connection has ended, or the time is over."""
    end_s = time.monotonic() + ANSWER_S
    while client.loop(_LOOK_S) == MQTTErrorCode.MQTT_ERR_SUCCESS and time.monotonic() < end_s:
        if answers.granted is not None:
            client.disconnect()
            client.loop(_LOOK_S)
            return
    client.disconnect()
    client.loop(_LOOK_S)


def _subscriptions(table: MqttTable, granted: list[ReasonCode], notes: Notes) -> None:
    for topic, reason in zip(table.topics, granted, strict=False):
        if reason.value == 1:
            notes.good(f"{topic.filter} with QoS 1")
            continue
        why = f"the broker answers: {reason}"
        fix = f"allow {table.username or table.client_id} to read {topic.filter} with QoS 1 in its access rules"
        notes.wrong(f"{topic.filter} cannot be had with QoS 1", why, fix)


def _limits(table: MqttTable, found: Properties | None, notes: Notes) -> None:
    """What the broker says of its limits (MQTT 5, section 3.2.2.3), and what no broker says."""
    if table.version == "5":
        largest = getattr(found, "MaximumPacketSize", None)
        if largest is None:
            notes.good("no limit of a message's size")
        elif largest < LARGEST_REPORT:
            why = (
                f"its maximum packet size is {largest}, a reader's report may have {LARGEST_REPORT}"
            )
            fix = (
                f"set max_packet_size of the broker to {LARGEST_REPORT} or more, or smaller reports"
            )
            notes.wrong("the broker drops large reports of readers", why, fix)
        else:
            notes.good(f"messages of up to {largest} bytes")
    else:
        why = "MQTT 3.1.1 has no way to ask"
        fix = f"set version = '5' to ask, or see that max_packet_size is {LARGEST_REPORT} or more"
        notes.wrong("the largest message that the broker takes", why, fix, "unknown")
    why = "no version of MQTT has a way to ask; mosquitto drops all beyond 1,000 in silence by default"
    fix = "compare max_queued_messages and persistence with ops/mosquitto/mosquitto.conf"
    notes.wrong("how much the broker keeps while the gateway is away", why, fix, "unknown")


def _certificates(table: MqttTable, notes: Notes) -> None:
    """Our own files, before the broker complains of them."""
    if not parse_broker(table.url).tls:
        return
    for text in (table.ca, table.cert):
        if text is not None:
            _certificate(Path(text), notes)
    if (
        table.key is not None
        and Path(table.key).exists()
        and Path(table.key).stat().st_mode & 0o077
    ):
        why = "whoever has the key can speak to the broker as this gateway"
        notes.wrong(f"others can read {table.key}", why, f"chmod 600 {table.key}")


def _certificate(path: Path, notes: Notes) -> None:
    try:
        first = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError):
        # The connection says what is wrong with the file.
        return
    left = first.not_valid_after_utc - datetime.fromtimestamp(time.time(), UTC)
    day = f"{first.not_valid_after_utc:%Y-%m-%d}"
    if left < RENEW:
        what = f"{path} has ended" if left < timedelta() else f"{path} ends in {left.days} days"
        notes.wrong(what, f"it is good until {day}", f"renew it in {path}: no restart is needed")
    else:
        notes.good(f"{path} is good until {day}")
