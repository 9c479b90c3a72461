"""Where a broker is, and which keys of an `[[mqtt]]` table fit together."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.link import LinkUrlError
from gateway.tables import Finding, MqttTable


class BrokerUrl(NamedTuple):
    """A broker's address."""

    host: str
    port: int
    tls: bool


def parse_broker(url: str) -> BrokerUrl:
    """Where `mqtt://HOST[:1883]` or `mqtts://HOST[:8883]` leads; raises `LinkUrlError`.

    Source of the ports: the service names `mqtt` and `secure-mqtt` registered with IANA.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise LinkUrlError(f"{url!r}: {error}") from None
    if parts.scheme not in {"mqtt", "mqtts"} or not host or parts.path.strip("/") or parts.query:
        raise LinkUrlError(f"{url!r} is not mqtt://HOST:PORT or mqtts://HOST:PORT")
    if parts.username is not None or parts.password is not None:
        raise LinkUrlError(
            "a name or password in the URL is not supported, it would be logged: use username and password_file"
        )
    tls = parts.scheme == "mqtts"
    return BrokerUrl(host, port or (8883 if tls else 1883), tls)


def broker_check(path: str, table: MqttTable, *, tls: bool) -> Iterator[Finding]:
    """What does not fit together in one `[[mqtt]]` table."""
    if not tls:
        for name in ("ca", "cert", "key"):
            if getattr(table, name) is not None:
                yield Finding(
                    f"{path}.{name}",
                    "needs TLS, but the url is mqtt://",
                    "write url = 'mqtts://...'",
                )
    for name, other in (("cert", "key"), ("key", "cert"), ("password_file", "username")):
        if getattr(table, name) is not None and getattr(table, other) is None:
            yield Finding(f"{path}.{other}", f"missing, but there is {name}", f"add {other}")
    if table.version != "5":
        for name in ("session_expiry_s", "receive_maximum"):
            if getattr(table, name) is not None:
                what = f"MQTT {table.version} cannot say it to the broker"
                yield Finding(f"{path}.{name}", what, "write version = '5', or leave it out")
