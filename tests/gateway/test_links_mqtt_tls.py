"""MQTT over TLS against a real mosquitto that takes only clients with a certificate of its own authority."""

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import pbkdf2_hmac
from pathlib import Path
from typing import Any, Literal

import pytest

from gateway.links.mqtt import MqttLink
from gateway.now import anchored_clock
from gateway.tables import MqttTable, TopicTable
from tests.gateway.broker import Broker
from tests.gateway.certificates import EXPIRED, Authority, Pair
from tests.gateway.heard import Heard, hearing


@dataclass
class Yard:
    """A broker, its authority and the client's part of the configuration."""

    broker: Broker
    authority: Authority
    client: Pair
    keys: dict[str, Any] = field(default_factory=dict)

    def link(self, **other: Any) -> MqttLink:
        keys = {"ca": self.authority.ca, "cert": self.client.cert, "key": self.client.key}
        found = {**keys, **self.keys, **other}
        table = MqttTable(
            id="yard",
            url=found.pop("url", f"mqtts://localhost:{self.broker.tls_port}"),
            client_id="gw-1",
            topics=(TopicTable(filter="queue/data", reader="queue"),),
            **found,
        )
        return MqttLink(table, anchored_clock())


@pytest.fixture(params=["3.1.1", "5"])
def version(request: pytest.FixtureRequest) -> Literal["3.1.1", "5"]:
    found: Literal["3.1.1", "5"] = request.param
    return found


@pytest.fixture
def yard(broker: Broker, tmp_path: Path, version: str) -> Yard:
    authority = Authority(tmp_path, "yard")
    broker.use_tls(authority.ca, authority.issue("broker", "localhost"))
    return Yard(broker, authority, authority.issue("gw-1"), {"version": version})


async def served(yard: Yard) -> None:
    yard.broker.start()
    await yard.broker.ready()


async def refused(heard: Heard, text: str) -> None:
    """The link says why, and goes on trying."""
    await heard.until(lambda: heard.downs() >= 3)
    assert heard.ups() == 0
    assert text in heard.causes()[-1]


async def test_a_client_with_a_certificate_hears_and_nothing_unacknowledged_is_lost(
    yard: Yard,
) -> None:
    await served(yard)
    async with hearing(yard.link()) as heard:
        await heard.until(heard.ups)
        await yard.broker.publish([b"1"])
        await heard.until(heard.chunks)
    async with hearing(yard.link()) as heard:
        await heard.until(heard.chunks)
        assert [chunk.data for chunk in heard.chunks()] == [b"1"]


async def test_a_client_without_a_certificate_is_refused_and_told_what_to_set(yard: Yard) -> None:
    await served(yard)
    async with hearing(yard.link(cert=None, key=None)) as heard:
        await refused(heard, "client certificate")


async def test_a_certificate_of_a_foreign_authority_is_refused(yard: Yard, tmp_path: Path) -> None:
    await served(yard)
    foreign = Authority(tmp_path, "foreign").issue("gw-1")
    async with hearing(yard.link(cert=foreign.cert, key=foreign.key)) as heard:
        await refused(heard, "does not know the authority that signed our certificate")


async def test_an_expired_certificate_is_refused(yard: Yard) -> None:
    await served(yard)
    old = yard.authority.issue("old", until=EXPIRED)
    async with hearing(yard.link(cert=old.cert, key=old.key)) as heard:
        await refused(heard, "our client certificate has expired")


async def test_a_renewed_certificate_is_taken_without_a_restart(yard: Yard) -> None:
    await served(yard)
    old = yard.authority.issue("gw", until=EXPIRED)
    async with hearing(yard.link(cert=old.cert, key=old.key)) as heard:
        await heard.until(heard.downs)
        assert yard.authority.issue("gw") == old
        await heard.until(heard.ups)


async def test_a_server_of_a_wrong_name_is_refused_by_us(yard: Yard) -> None:
    await served(yard)
    async with hearing(yard.link(url=f"mqtts://127.0.0.1:{yard.broker.tls_port}")) as heard:
        await refused(heard, "IP address mismatch, certificate is not valid for '127.0.0.1'")


async def test_a_server_of_a_foreign_authority_is_refused_by_us(yard: Yard, tmp_path: Path) -> None:
    await served(yard)
    async with hearing(yard.link(ca=Authority(tmp_path, "other").ca)) as heard:
        await refused(heard, "set ca to the authority that signed it")


async def test_a_server_with_an_expired_certificate_is_refused_by_us(
    broker: Broker, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "yard")
    broker.use_tls(authority.ca, authority.issue("broker", "localhost", until=EXPIRED))
    yard = Yard(broker, authority, authority.issue("gw-1"))
    await served(yard)
    async with hearing(yard.link()) as heard:
        await refused(heard, "certificate has expired: renew it")


async def test_tls_on_a_port_without_it_is_named(yard: Yard) -> None:
    await served(yard)
    async with hearing(yard.link(url=f"mqtts://localhost:{yard.broker.port}")) as heard:
        await heard.until(heard.downs)
        assert "no TLS" in heard.causes()[0]


async def test_no_tls_on_a_port_with_it_is_named(yard: Yard) -> None:
    await served(yard)
    url = f"mqtt://localhost:{yard.broker.tls_port}"
    async with hearing(yard.link(url=url, ca=None, cert=None, key=None)) as heard:
        await refused(heard, "or TLS is wanted (mqtts://)")


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("ca", None, "No such file"),
        ("ca", "no pem", "PEM is wanted"),
        ("cert", "no pem", "PEM is wanted"),
        ("key", None, "No such file"),
        ("password_file", None, "No such file"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named(
    yard: Yard, tmp_path: Path, name: str, text: str | None, cause: str
) -> None:
    path = tmp_path / "broken"
    if text is not None:
        path.write_text(text)
    async with hearing(yard.link(**{"username": "gw-1", name: str(path)})) as heard:
        await refused(heard, cause)
        assert str(path) in heard.causes()[0]


async def test_a_key_of_another_certificate_is_named(yard: Yard) -> None:
    other = yard.authority.issue("other")
    async with hearing(yard.link(key=other.key)) as heard:
        await refused(heard, "the key is not the certificate's")


async def test_a_password_is_read_from_its_file_and_a_wrong_one_is_named(
    yard: Yard, tmp_path: Path
) -> None:
    """The broker's own file is as mosquitto_passwd writes it: PBKDF2, SHA-512, 101 rounds."""
    salt = b"twelve bytes"
    digest = pbkdf2_hmac("sha512", b"secret", salt, 101)
    (tmp_path / "names").write_text(
        f"gw-1:$7$101${b64encode(salt).decode()}${b64encode(digest).decode()}\n"
    )
    yard.broker.more += f"password_file {tmp_path / 'names'}\n"
    await served(yard)
    password = tmp_path / "password"
    password.write_text("wrong\n")
    async with hearing(yard.link(username="gw-1", password_file=str(password))) as heard:
        await heard.until(heard.downs)
        assert "refuses the connection: Not authorized" in heard.causes()[0]
        password.write_text("secret\n")
        await heard.until(heard.ups)
