"""Simulated MQTT readers against a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from simulators.device import Tag
from simulators.follow import now_us
from simulators.mqtt_port import SUBSCRIBED_TOPIC, MqttPort
from simulators.preparing import broker_ready
from simulators.programs import free_port, gatebook
from simulators.readers.zebra_iotc import ZebraReader
from simulators.supervise import Supervisor
from tests.gateway.broker import Broker
from tests.simulators.made import until

CARD = bytes.fromhex("E2806894000040017790E471")


class Subscriber:
    """A client that keeps its session, as a gateway does."""

    def __init__(self, port: int, name: str = "gateway") -> None:
        self.messages: list[mqtt.MQTTMessage] = []
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, name, clean_session=False, protocol=mqtt.MQTTv311
        )
        self._client.on_connect = lambda client, *_: client.subscribe("readers/#", qos=1)
        self._client.on_message = lambda _client, _data, message: self.messages.append(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def data(self) -> list[dict[str, object]]:
        """Tag events so far."""
        payloads = [one.payload for one in self.messages if one.topic.endswith("/data")]
        return [orjson.loads(payload)["data"] for payload in payloads]

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@asynccontextmanager
async def published(name: str, reader: ZebraReader, port: int) -> AsyncIterator[MqttPort]:
    with MqttPort(name, reader, ("127.0.0.1", port), now_us) as mqtt_port:
        running = asyncio.create_task(mqtt_port.run())
        try:
            yield mqtt_port
        finally:
            running.cancel()
            await asyncio.wait({running})


def seen_now() -> ZebraReader:
    reader = ZebraReader()
    reader.field.enter(Tag(CARD, 2, -48), now_us() + 60_000_000)
    return reader


async def test_tag_events_and_heartbeats_arrive_on_their_topics(broker: Broker) -> None:
    broker.start()
    await broker.ready()
    subscriber = Subscriber(broker.port)
    try:
        async with published("zebra", seen_now(), broker.port):
            await until(lambda: len({one.topic for one in subscriber.messages}) == 2)
            await until(lambda: len(subscriber.data()) >= 3)
    finally:
        subscriber.leave()
    assert {one.topic for one in subscriber.messages} == {
        "readers/zebra/data",
        "readers/zebra/management",
    }
    assert {(one["idHex"], one["antenna"]) for one in subscriber.data()} == {(CARD.hex(), 2)}


async def test_a_broker_that_comes_late_gets_what_was_heard_meanwhile(broker: Broker) -> None:
    taps: list[str] = []
    reader = seen_now()
    with MqttPort(
        "zebra", reader, ("127.0.0.1", broker.port), now_us, lambda topic, _: taps.append(topic)
    ) as port:
        running = asyncio.create_task(port.run())
        await until(lambda: len(taps) > 5)
        broker.start()
        await broker.ready()
        subscriber = Subscriber(broker.port)
        try:
            await until(lambda: len(subscriber.data()) >= 3)
        finally:
            subscriber.leave()
            running.cancel()
            await asyncio.wait({running})


async def test_a_stopped_reader_is_silent_until_it_is_told_to_start(broker: Broker) -> None:
    broker.start()
    await broker.ready()
    subscriber = Subscriber(broker.port)
    reader = seen_now()
    try:
        with MqttPort("zebra", reader, ("127.0.0.1", broker.port), now_us, stopped=True) as port:
            running = asyncio.create_task(port.run())
            await broker.publish([b"hello"], "readers/zebra/other")
            await until(lambda: len(subscriber.messages) == 1)
            assert reader.kept(0) == []
            while not subscriber.data():
                await broker.publish([b"start"], "readers/zebra/control")
            await until(lambda: port.unacknowledged == 0)
            running.cancel()
            await asyncio.wait({running})
    finally:
        subscriber.leave()


@pytest.mark.timeout(90)
async def test_with_the_small_broker_events_are_sent_again_to_a_subscriber_that_was_away(
    tmp_path: Path,
) -> None:
    port = free_port()
    async with Supervisor(tmp_path, lambda _: None) as running:
        running.start("broker", gatebook("simulate", "broker", "--port", str(port)))
        await broker_ready(port)
        async with published("zebra", seen_now(), port) as zebra:
            await until(lambda: len(zebra.reader.kept(0)) >= 3)
            missed = [orjson.loads(one.payload)["data"]["eventNum"] for one in zebra.reader.kept(0)]
            subscriber = Subscriber(port)
            try:
                await until(
                    lambda: {one["eventNum"] for one in subscriber.data()}.issuperset(missed)
                )
            finally:
                subscriber.leave()
    assert all(one.topic != SUBSCRIBED_TOPIC for one in subscriber.messages)
