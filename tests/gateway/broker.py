"""A real mosquitto on a free loopback port, with the configuration that the project ships."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from paho.mqtt import publish

from tests.gateway.certificates import Pair
from tests.gateway.rig import ROOT

CONFIG: Final = ROOT / "ops/mosquitto/mosquitto.conf"


def find_mosquitto() -> str | None:
    """The broker's program; Debian keeps it where a user's path does not look."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A port of the loopback interface on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Broker:
    """A broker that can be stopped, killed and started again on the same port with the same folder."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.tls_port = free_port()
        #: Further lines of its configuration.
        self.more = ""

    def use_tls(self, ca: str, server: Pair) -> None:
        """A second listener, for clients with a certificate of the authority only."""
        self.more += (
            f"listener {self.tls_port} 127.0.0.1\nallow_anonymous true\nrequire_certificate true\n"
            f"cafile {ca}\ncertfile {server.cert}\nkeyfile {server.key}\n"
        )

    def start(self) -> None:
        """Start it; it may take a moment until it answers."""
        text = CONFIG.read_text()
        changed = {
            "listener 1883 127.0.0.1": f"listener {self.port} 127.0.0.1",
            "persistence_location /var/lib/mosquitto/": f"persistence_location {self._folder}/",
        }
        for old, new in changed.items():
            assert old in text
            text = text.replace(old, new)
        if os.geteuid() == 0:
            text += "\nuser root\n"
        text += self.more
        path = self._folder / "mosquitto.conf"
        path.write_text(text)
        with (self._folder / "mosquitto.log").open("ab") as log:
            command = [self._program, "-c", str(path)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    async def ready(self) -> None:
        """Wait until it answers."""
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.01)
                    continue
                writer.close()
                await writer.wait_closed()
                return

    def stop(self) -> None:
        """End it in order: it keeps its sessions."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        self._process = None

    async def publish(
        self, payloads: Sequence[bytes], topic: str = "queue/data", qos: int = 1
    ) -> None:
        """What a reader sends; returns when the broker has it."""
        rows: publish.MessagesList = [(topic, payload, qos, False) for payload in payloads]
        await asyncio.to_thread(publish.multiple, rows, hostname="127.0.0.1", port=self.port)
