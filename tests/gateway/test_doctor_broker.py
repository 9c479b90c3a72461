"""The doctor's look at a real mosquitto: what stands in the way is named, what cannot be asked is said."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.diagnosis import Complaint, Looked, Notes
from gateway.doctor_broker import LARGEST_REPORT, look_at_broker
from gateway.links.mqtt import MqttLink
from gateway.now import anchored_clock
from gateway.tables import MqttTable, TopicTable
from tests.gateway.broker import Broker
from tests.gateway.certificates import EXPIRED, Authority
from tests.gateway.heard import hearing


def table(broker: Broker, **keys: Any) -> MqttTable:
    values: dict[str, Any] = {
        "id": "yard",
        "url": f"mqtt://127.0.0.1:{broker.port}",
        "client_id": "gw-1",
        "topics": (TopicTable(filter="queue/data", reader="queue"),),
        **keys,
    }
    return MqttTable(**values)


def look(settings: MqttTable) -> Looked:
    notes = Notes("broker yard")
    look_at_broker(settings, notes)
    return notes.done()


def wrong(looked: Looked) -> list[Complaint]:
    return [one for one in looked.complaints if one.weight != "unknown"]


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_good_broker_is_good_and_what_it_cannot_say_is_named(
    broker: Broker, version: str
) -> None:
    broker.start()
    await broker.ready()
    looked = look(table(broker, version=version))
    assert wrong(looked) == []
    assert "queue/data with QoS 1" in looked.seen
    unknown = [one.what for one in looked.complaints]
    assert "how much the broker keeps while the gateway is away" in unknown
    assert ("the largest message that the broker takes" in unknown) is (version == "3.1.1")


async def test_the_look_does_not_throw_a_running_gateway_out(broker: Broker) -> None:
    broker.start()
    await broker.ready()
    link = MqttLink(table(broker), anchored_clock())
    async with hearing(link) as heard:
        await heard.until(heard.ups)
        assert wrong(look(table(broker))) == []
        await broker.publish([b"1"])
        await heard.until(heard.chunks)
        assert heard.downs() == 0


def test_a_wrong_port_is_named(broker: Broker) -> None:
    (refused,) = wrong(look(table(broker)))
    assert "nobody listens there" in refused.why


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_subscription_that_the_broker_refuses_is_named(
    broker: Broker, tmp_path: Path, version: str
) -> None:
    (tmp_path / "acl").write_text("topic read booth/#\n")
    broker.more = f"acl_file {tmp_path}/acl\n"
    broker.start()
    await broker.ready()
    looked = look(table(broker, version=version))
    assert all("QoS 1" in one.what for one in wrong(looked))


async def test_a_broker_that_drops_large_reports_is_named_in_mqtt_5(broker: Broker) -> None:
    broker.more = "max_packet_size 100000\n"
    broker.start()
    await broker.ready()
    (small,) = wrong(look(table(broker, version="5")))
    assert "maximum packet size is 100000" in small.why
    assert str(LARGEST_REPORT) in small.fix


def test_tls_problems_are_named_with_the_dates_of_our_certificates(
    broker: Broker, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "yard")
    broker.use_tls(authority.ca, authority.issue("broker", "localhost"))
    broker.start()
    asyncio.run(broker.ready())
    url = f"mqtts://localhost:{broker.tls_port}"
    good = authority.issue("gw-1")
    Path(good.key).chmod(0o600)
    keys = {"url": url, "ca": authority.ca, "cert": good.cert, "key": good.key}
    looked = look(table(broker, **keys))
    assert wrong(looked) == []
    assert f"{good.cert} is good until 2099-01-01" in looked.seen
    (none,) = wrong(look(table(broker, url=url, ca=authority.ca)))
    assert "client certificate" in none.why
    old = authority.issue("old", until=EXPIRED)
    Path(old.key).chmod(0o644)
    found = wrong(look(table(broker, url=url, ca=authority.ca, cert=old.cert, key=old.key)))
    assert [one.what for one in found] == [
        f"{old.cert} has ended",
        f"others can read {old.key}",
        "the broker does not take us",
    ]
    assert "has expired" in found[2].why
