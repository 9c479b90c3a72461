"""Start and stop a real Apache Kafka broker from `ops/kafka`."""

import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Final

from tests.needs import missing

ROOT: Final = Path(__file__).resolve().parent.parent
#: Where `ops/kafka/resolve.sh` puts the jars.
CACHE: Final = Path(os.environ.get("GATEBOOK_KAFKA_CACHE", ROOT / ".cache" / "kafka"))
JVM: Final = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:ActiveProcessorCount=1",
    "-Djava.awt.headless=true",
    f"-Dlog4j2.configurationFile={ROOT}/ops/kafka/log4j2.yaml",
)
#: 16 bytes in Kafka's base64 form: "gatebook-tests-1".
CLUSTER_ID: Final = "Z2F0ZWJvb2stdGVzdHMtMQ"
READY_WITHIN_S: Final = 90.0
PR_SET_PDEATHSIG: Final = 1


def lacking() -> str | None:
    """What a broker needs and is not on this machine; None when it can be started."""
    if shutil.which("java") is None:
        return "there is no Java (java) for the Kafka broker"
    if not (CACHE / "stamp").exists():
        return "Kafka's jars are not there: run ops/kafka/resolve.sh .cache/kafka"
    return None


class Broker:
    """One broker on free loopback ports, with its data and log in a folder."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started yet. Skips the test when something is lacking."""
        reason = lacking()
        if reason is not None:
            missing(reason)
        folder.mkdir(parents=True, exist_ok=True)
        self.log_file: Final = folder / "broker.log"
        self._data: Final = folder / "data"
        self._properties: Final = folder / "broker.properties"
        self._process: subprocess.Popen[bytes] | None = None
        self.port, controller_port = free_ports(2)
        self._properties.write_text(
            (ROOT / "ops/kafka/one-broker.properties")
            .read_text()
            .replace("@PORT@", str(self.port))
            .replace("@CONTROLLER_PORT@", str(controller_port))
            .replace("@DATA@", str(self._data))
        )

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, for the first time or again, and return when it answers a metadata request."""
        if not self._data.exists():
            self._tool(
                *("kafka.tools.StorageTool", "format", "--standalone"),
                *("-t", CLUSTER_ID, "-c", str(self._properties)),
            )
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command(), "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - calls prctl and nothing else
            )
        ends_at = time.monotonic() + READY_WITHIN_S
        while not answers(self.port):
            if self._process.poll() is not None or time.monotonic() > ends_at:
                self.stop()
                raise RuntimeError(
                    f"the broker did not start:\n{self.log_file.read_text()[-4000:]}"
                )
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would; its data stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it for good and delete its data; the log file stays."""
        self.kill()
        shutil.rmtree(self._data, ignore_errors=True)

    def _command(self) -> list[str]:
        return ["java", *JVM, "-cp", f"{CACHE}/libs/*"]

    def _tool(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._command(), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise RuntimeError(f"{arguments[:2]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout


def answers(port: int) -> bool:
    """Whether a broker on this loopback port knows at least one broker: itself.

    A Metadata request of version 1 for no topics (Kafka protocol guide, "Metadata API"): after the
    length and the correlation id its answer begins with the number of brokers.
    """
    request = struct.pack(">hhih4si", 3, 1, 1, 4, b"test", 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _die_with_parent() -> None:
    """A broker does not outlive a test run that is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
