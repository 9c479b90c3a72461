"""MQTT against a real mosquitto: nothing that was not acknowledged is lost, whoever goes away."""

import asyncio

from gateway.hand_over import HandOver
from gateway.link import Oversize, Ticket
from gateway.links.mqtt import MAX_PAYLOAD, MqttLink
from gateway.now import anchored_clock
from gateway.tables import MqttTable, TopicTable
from tests.gateway.broker import Broker
from tests.gateway.heard import Heard, hearing


def link_to(broker: Broker, *filters: str) -> MqttLink:
    topics = tuple(
        TopicTable(filter=filter_, reader=filter_.split("/")[0])
        for filter_ in filters or ("queue/data",)
    )
    table = MqttTable(
        id="yard", url=f"mqtt://127.0.0.1:{broker.port}", client_id="gw-1", topics=topics
    )
    return MqttLink(table, anchored_clock())


def tickets(heard: Heard) -> list[Ticket]:
    return [chunk.ticket for chunk in heard.chunks() if chunk.ticket is not None]


def payloads(heard: Heard) -> list[bytes]:
    return [chunk.data for chunk in heard.chunks()]


async def test_messages_are_heard_for_the_reader_of_their_topic(broker: Broker) -> None:
    broker.start()
    await broker.ready()
    async with hearing(link_to(broker, "queue/+/data", "booth/#")) as heard:
        await heard.until(lambda: heard.ups() == 2)
        await broker.publish([b"one"], "queue/north/data")
        await broker.publish([b"two"], "booth/a/b")
        await heard.until(lambda: len(heard.chunks()) == 2)
        assert {(chunk.reader, chunk.data) for chunk in heard.chunks()} == {
            ("queue", b"one"),
            ("booth", b"two"),
        }


async def test_a_broker_that_is_down_at_the_start_is_waited_for(broker: Broker) -> None:
    async with hearing(link_to(broker)) as heard:
        await heard.until(heard.downs)
        assert "no broker answers" in heard.causes()[0]
        broker.start()
        await heard.until(heard.ups)


async def test_what_was_not_acknowledged_comes_again_and_the_rest_does_not(broker: Broker) -> None:
    broker.start()
    await broker.ready()
    link = link_to(broker)
    async with hearing(link) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"1", b"2", b"3"])
        await heard.until(lambda: len(heard.chunks()) == 3)
        link.acknowledge(tickets(heard)[:2])
    async with hearing(link_to(broker)) as heard:
        await heard.until(heard.chunks)
        await broker.publish([b"4"])
        await heard.until(lambda: b"4" in payloads(heard))
        assert payloads(heard) == [b"3", b"4"]


async def test_what_came_while_the_gateway_was_away_is_heard_later(broker: Broker) -> None:
    broker.start()
    await broker.ready()
    async with hearing(link_to(broker)) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"0"])
        await heard.until(heard.chunks)
    messages = [b"%d" % number for number in range(2_000)]
    await broker.publish(messages)
    link = link_to(broker)
    async with hearing(link) as heard:
        for count in range(1, 2_002):
            await heard.until(lambda count=count: len(heard.chunks()) >= count)  # type: ignore[misc]
            link.acknowledge(tickets(heard)[count - 1 : count])
        assert payloads(heard) == [b"0", *messages]


async def test_without_acknowledgements_the_broker_stops(broker: Broker) -> None:
    """How far it goes on after the first one is the broker's affair: 2.0.11 sends all at once."""
    broker.start()
    await broker.ready()
    link = link_to(broker)
    async with hearing(link) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"%d" % number for number in range(100)])
        await heard.until(lambda: len(heard.chunks()) == 20)
        link.acknowledge(tickets(heard)[:5])
        await heard.until(lambda: len(heard.chunks()) >= 25)


async def test_a_broker_that_restarts_is_an_outage_and_its_messages_come_again(
    broker: Broker,
) -> None:
    broker.start()
    await broker.ready()
    link = link_to(broker)
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
    async with hearing(link_to(broker)) as heard:
        await heard.until(lambda: len(heard.chunks()) == 3)
        assert sorted(payloads(heard)) == [b"1", b"2", b"3"]


async def test_a_payload_over_the_limit_is_not_looked_at(broker: Broker) -> None:
    broker.start()
    await broker.ready()
    async with hearing(link_to(broker)) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"x" * (MAX_PAYLOAD + 1), b"y" * MAX_PAYLOAD])
        await heard.until(heard.chunks)
        large = next(said for said in heard.all if isinstance(said, Oversize))
        assert (large.size, len(large.head)) == (MAX_PAYLOAD + 1, 256)
        assert large.ticket is not None
        assert len(heard.chunks()[0].data) == MAX_PAYLOAD


async def test_a_message_sent_with_qos_0_has_nothing_to_acknowledge(broker: Broker) -> None:
    broker.start()
    await broker.ready()
    async with hearing(link_to(broker)) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"1"])
        await heard.until(heard.chunks)
        await broker.publish([b"2"], qos=0)
        await heard.until(lambda: len(heard.chunks()) == 2)
        assert [chunk.ticket is None for chunk in heard.chunks()] == [False, True]


async def test_a_subscription_of_an_earlier_configuration_is_acknowledged_and_dropped(
    broker: Broker,
) -> None:
    broker.start()
    await broker.ready()
    async with hearing(link_to(broker, "queue/data", "old/data")) as heard:
        await heard.until(lambda: heard.ups() == 2)
        await broker.publish([b"0"], "old/data")
        await heard.until(heard.chunks)
    async with hearing(link_to(broker)) as heard:
        await heard.until(heard.ups)
        await broker.publish([b"%d" % number for number in range(30)], "old/data")
        await broker.publish([b"mine"])
        await heard.until(heard.chunks)
        assert payloads(heard) == [b"mine"]


async def test_a_slow_gateway_holds_the_network_thread_not_the_memory() -> None:
    gate = HandOver(most=2, most_bytes=100)
    gate.set(open_=True)
    assert gate.enter(10)
    assert gate.enter(10)
    third = asyncio.create_task(asyncio.to_thread(gate.enter, 10))
    done, _ = await asyncio.wait([third], timeout=0.05)
    assert not done
    gate.leave(10)
    async with asyncio.timeout(5):
        assert await third


async def test_a_piece_larger_than_all_room_passes_when_nothing_else_is_there() -> None:
    gate = HandOver(most=2, most_bytes=100)
    gate.set(open_=True)
    assert gate.enter(500)


async def test_the_network_thread_is_let_go_when_the_link_ends() -> None:
    gate = HandOver(most=1, most_bytes=100)
    gate.set(open_=True)
    assert gate.enter(10)
    waiting = asyncio.create_task(asyncio.to_thread(gate.enter, 10))
    gate.set(open_=False)
    async with asyncio.timeout(5):
        assert await waiting is False
