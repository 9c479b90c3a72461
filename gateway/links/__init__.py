"""Every way in which bytes may reach the gateway: one file here, one line below."""

from collections.abc import Callable
from typing import Final

from gateway.link import Clock, Link
from gateway.links import capture, mqtt, rfc2217, serial, tcp
from gateway.tables import Config

#: The scheme of a reader's `link` -> what makes the links of that kind from a configuration.
LINKS: Final[dict[str, Callable[[Config, Clock], list[Link]]]] = {
    "serial": serial.links,
    "tcp": tcp.links,
    "rfc2217": rfc2217.links,
    "mqtt": mqtt.links,
    "capture": capture.links,
}
