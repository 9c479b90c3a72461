"""What links share: waits between attempts, and noticing that the other side of a network is gone."""

import secrets
import socket
from typing import Final

#: Waits between attempts, seconds: doubled from the first to the last, and jittered.
FIRST_WAIT_S: Final = 0.1
LAST_WAIT_S: Final = 8.0

#: Keep-alive: silence before the first probe, between probes, and how many may stay without an answer.
IDLE_S: Final = 10
PROBE_S: Final = 5
PROBES: Final = 3


class Retry:
    """The waits of one link. The jitter lets gateways that lost one device come back one by one."""

    def __init__(self, first_s: float = FIRST_WAIT_S, last_s: float = LAST_WAIT_S) -> None:
        """Waits of `first_s` at first, doubled up to `last_s`."""
        self._first_s = first_s
        self._last_s = last_s
        self._next_s = first_s

    def wait_s(self) -> float:
        """Seconds before the next attempt: between half and one and a half of this step's wait."""
        wait_s = self._next_s * (0.5 + secrets.randbelow(1000) / 1000)
        self._next_s = min(self._next_s * 2, self._last_s)
        return wait_s

    def worked(self) -> None:
        """What was attempted was of use: the next failure is a new one."""
        self._next_s = self._first_s


def keep_alive(connection: socket.socket) -> None:
    """Let the kernel find out within 25 s that nobody is there any more, in silence and while sending."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
    lost_ms = (IDLE_S + PROBES * PROBE_S) * 1000
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, lost_ms)


def address(host: str, port: int) -> str:
    """`HOST:PORT` as it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
