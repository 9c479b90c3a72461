"""MQTT against a real mosquitto, in both versions: nothing that was not acknowledged is lost, whoever goes away."""

import asyncio
from typing import Literal

import pytest

from gateway.link import Envelope, Oversize, Ticket
from gateway.links.mqtt import MAX_PAYLOAD, MqttLink
from gateway.now import anchored_clock
from gateway.tables import MqttTable, TopicTable
from tests.gateway.broker import Broker
from tests.gateway.heard import Heard, hearing

Version = Literal["3.1.1", "5"]


@pytest.fixture(params=["3.1.1", "5"])
def version(request: pytest.FixtureRequest) -> Version:
    found: Version = request.param
    return found


def link_to(broker: Broker, version: Version, *filters: str) -> MqttLink:
    topics = tuple(
        TopicTable(filter=filter_, reader=filter_.split("/")[0])
        for filter_ in filters or ("queue/data",)
    )
    table = MqttTable(
        id="yard",
        url=f"mqtt://127.0.0.1:{broker.port}",
        client_id="gw-1",
        topics=topics,
        version=version,
    )
    return MqttLink(table, anchored_clock())


def tickets(heard: Heard) -> list[Ticket]:
    return [chunk.ticket for chunk in heard.chunks() if chunk.ticket is not None]


def payloads(heard: Heard) -> list[bytes]:
    return [chunk.data for chunk in heard.chunks()]


async def test_messages_are_heard_for_the_reader_of_their_topic(
    broker: Broker, version: Version
) -> None:
    broker.start()
    await broker.ready()
    async with hearing(link_to(broker, version, "queue/+/data", "booth/#")) as heard:
        await heard.until(lambda: heard.ups() == 2)
        await broker.publish([b"one"], "queue/north/data")
        await broker.publish([b"two"], "booth/a/b")
        await heard.until(lambda: len(heard.chunks()) == 2)
        assert {(chunk.reader, chunk.data) for chunk in heard.chunks()} == {
            ("queue", b"one"),
            ("booth", b"two"),
        }


async def test_a_broker_that_is_down_at_the_start_is_waited_for(
    broker: Broker, version: Version
) -> None:
    async with hearing(link_to(broker, version)) as heard:
        await heard.until(heard.downs)
        assert "no broker answers" in heard.causes()[0]
        broker.start()
        await heard.until(heard.ups)


async def test_what_was_not_acknowledged_comes_again_and_the_rest_does_not(
    broker: Broker, version: Version
) -> None:
    broker.start()
    await broker.ready()
    link = link_to(broker, version)
    async with hearing(link) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"1", b"2", b"3"])
        await heard.until(lambda: len(heard.chunks()) == 3)
        link.acknowledge(tickets(heard)[:2])
    async with hearing(link_to(broker, version)) as heard:
        await heard.until(heard.chunks)
        await broker.publish([b"4"])
        await heard.until(lambda: b"4" in payloads(heard))
        assert payloads(heard) == [b"3", b"4"]


async def test_what_came_while_the_gateway_was_away_is_heard_later(
    broker: Broker, version: Version
) -> None:
    broker.start()
    await broker.ready()
    async with hearing(link_to(broker, version)) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"0"])
        await heard.until(heard.chunks)
    messages = [b"%d" % number for number in range(2_000)]
    await broker.publish(messages)
    link = link_to(broker, version)
    async with hearing(link) as heard:
        for count in range(1, 2_002):
            await heard.until(lambda count=count: len(heard.chunks()) >= count)  # type: ignore[misc]
            link.acknowledge(tickets(heard)[count - 1 : count])
        assert payloads(heard) == [b"0", *messages]


async def test_without_acknowledgements_the_broker_stops(broker: Broker, version: Version) -> None:
    """How far it goes on after the first one is the broker's affair: 2.0.11 sends all at once."""
    broker.start()
    await broker.ready()
    link = link_to(broker, version)
    async with hearing(link) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"%d" % number for number in range(100)])
        await heard.until(lambda: len(heard.chunks()) == 20)
        link.acknowledge(tickets(heard)[:5])
        await heard.until(lambda: len(heard.chunks()) >= 25)


async def test_a_broker_that_restarts_is_an_outage_and_its_messages_come_again(
    broker: Broker, version: Version
) -> None:
    broker.start()
    await broker.ready()
    link = link_to(broker, version)
    async with hearing(link) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"1", b"2"])
        await heard.until(lambda: len(heard.chunks()) == 2)
        stale = tickets(heard)
        broker.stop()
        await heard.until(heard.downs)
        assert "broke" in heard.causes()[0]
        broker.start()
        await heard.until(lambda: len(heard.chunks()) == 4)
        link.acknowledge(stale)
        await broker.publish([b"3"])
        await heard.until(lambda: len(heard.chunks()) == 5)
    async with hearing(link_to(broker, version)) as heard:
        await heard.until(lambda: len(heard.chunks()) == 3)
        assert sorted(payloads(heard)) == [b"1", b"2", b"3"]


async def test_a_payload_over_the_limit_is_not_looked_at(broker: Broker, version: Version) -> None:
    broker.start()
    await broker.ready()
    async with hearing(link_to(broker, version)) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"x" * (MAX_PAYLOAD + 1), b"y" * MAX_PAYLOAD])
        await heard.until(heard.chunks)
        large = next(said for said in heard.all if isinstance(said, Oversize))
        assert (large.size, len(large.head)) == (MAX_PAYLOAD + 1, 256)
        assert large.ticket is not None
        assert len(heard.chunks()[0].data) == MAX_PAYLOAD
        assert (
            large.envelope == heard.chunks()[0].envelope == Envelope("queue/data", 1, retain=False)
        )


async def test_a_message_sent_with_qos_0_has_nothing_to_acknowledge(
    broker: Broker, version: Version
) -> None:
    broker.start()
    await broker.ready()
    async with hearing(link_to(broker, version)) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"1"])
        await heard.until(heard.chunks)
        await broker.publish([b"2"], qos=0)
        await heard.until(lambda: len(heard.chunks()) == 2)
        assert [chunk.ticket is None for chunk in heard.chunks()] == [False, True]
        assert [chunk.envelope and chunk.envelope.qos for chunk in heard.chunks()] == [1, 0]


async def test_a_subscription_of_an_earlier_configuration_is_acknowledged_and_dropped(
    broker: Broker, version: Version
) -> None:
    broker.start()
    await broker.ready()
    async with hearing(link_to(broker, version, "queue/data", "old/data")) as heard:
        await heard.until(lambda: heard.ups() == 2)
        await broker.publish([b"0"], "old/data")
        await heard.until(heard.chunks)
    async with hearing(link_to(broker, version)) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"%d" % number for number in range(30)], "old/data")
        await broker.publish([b"mine"])
        await heard.until(heard.chunks)
        assert payloads(heard) == [b"mine"]


async def test_gateways_of_the_same_name_throw_each_other_out_more_and_more_slowly(
    broker: Broker, version: Version
) -> None:
    broker.start()
    await broker.ready()
    async with (
        hearing(link_to(broker, version)) as one,
        hearing(link_to(broker, version)) as other,
    ):
        clock = anchored_clock()
        began_us = clock()
        await one.until(lambda: one.downs() >= 5)
        assert "broke" in other.causes()[0]
        # Half of 0.1 + 0.2 + 0.4 + 0.8 s at least.
        assert clock() - began_us > 750_000


async def test_mqtt_5_waits_for_acknowledgements_at_the_configured_number(broker: Broker) -> None:
    broker.start()
    await broker.ready()
    topics = (TopicTable(filter="queue/data", reader="queue"),)
    table = MqttTable(
        id="yard",
        url=f"mqtt://127.0.0.1:{broker.port}",
        client_id="gw-1",
        topics=topics,
        version="5",
        receive_maximum=3,
    )
    link = MqttLink(table, anchored_clock())
    async with hearing(link) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"%d" % number for number in range(10)])
        # QoS 0 waits for nobody, so what could come before it has come.
        await broker.publish([b"last"], qos=0)
        await heard.until(lambda: b"last" in payloads(heard))
        assert payloads(heard) == [b"0", b"1", b"2", b"last"]
        link.acknowledge(tickets(heard))
        await heard.until(lambda: len(heard.chunks()) > 4)


async def test_a_port_without_mqtt_is_named(broker: Broker, version: Version) -> None:
    """A program that takes connections and closes them is told from one that is not there."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with (
        await asyncio.start_server(close, "127.0.0.1", broker.port),
        hearing(link_to(broker, version)) as heard,
    ):
        await heard.until(heard.downs)
        assert f"no MQTT {version} on this port" in heard.causes()[0]


async def test_the_waits_between_attempts_grow(broker: Broker, version: Version) -> None:
    """At a refused port six attempts take more than two seconds: 0.1 + 0.2 + 0.4 + 0.8 + 1.6, half of it at least."""
    clock = anchored_clock()
    began_us = clock()
    async with hearing(link_to(broker, version)) as heard:
        await heard.until(lambda: heard.downs() == 6)
    assert clock() - began_us > 1_500_000
