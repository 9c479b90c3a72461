"""The command lines of a demo's programs: each is a real process of its own."""

import shlex
import shutil
import socket
import sys
from pathlib import Path
from typing import Final, Literal

from simulators.layout import Places

BrokerKind = Literal["mosquitto", "amqtt"]

#: Debian puts mosquitto where the PATH of a plain user does not lead.
_MOSQUITTO_PATHS: Final = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")


def gatebook(*arguments: str) -> list[str]:
    """A command of gatebook, run by the interpreter that runs this."""
    return [sys.executable, "-m", "gatebook", *arguments]


def find_mosquitto() -> str | None:
    """Where mosquitto is, None when it is not on the machine."""
    found = shutil.which("mosquitto")
    return found or next((path for path in _MOSQUITTO_PATHS if Path(path).is_file()), None)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def broker(places: Places, port: int, mosquitto: str | None) -> list[str]:
    """The MQTT broker."""
    if mosquitto is None:
        return gatebook("simulate", "broker", "--port", str(port))
    return [mosquitto, "-c", str(places.mosquitto_conf)]


def traffic(places: Places, port: int, *, captures: bool, noise: int | None) -> list[str]:
    """All simulated readers."""
    more = ["--captures", str(places.captures)] if captures else []
    more += [] if noise is None else ["--noise", str(noise)]
    return gatebook(
        "simulate",
        "traffic",
        str(places.world),
        "--ports",
        str(places.ports),
        "--mqtt",
        f"127.0.0.1:{port}",
        *more,
    )


def officer(places: Places) -> list[str]:
    """The officers at their booths."""
    return gatebook("simulate", "officer", str(places.world), "--log", places.event_log)


def gateway(places: Places) -> list[str]:
    """The gateway daemon."""
    return gatebook("gateway", "run", "-c", str(places.gateway_toml))


def worker(places: Places, stage: str) -> list[str]:
    """A worker of the stream."""
    return gatebook("stream", "run", "--stage", stage, "--log", places.event_log)


def sink(places: Places) -> list[str]:
    """From the event log into the ledger database, whose tables it makes first where they are missing."""
    url = f"sqlite:///{places.ledger}"
    migrate = shlex.join(gatebook("database", "migrate", "--url", url))
    run = shlex.join(gatebook("database", "sink", "--url", url, "--log", places.event_log))
    return ["/bin/sh", "-c", f"{migrate} && exec {run}"]
