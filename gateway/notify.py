"""What systemd is told: ready, reloading, stopping, and that work goes on (the watchdog).

One datagram a word to the socket that `NOTIFY_SOCKET` names. Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

#: Pings in the time that systemd allows without one.
PINGS: Final = 4

_log = structlog.get_logger("gateway.notify")


class Notifier:
    """Tells the service manager, if there is one."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`."""
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        #: Seconds without a ping after which the daemon is killed; None: nobody watches.
        self.watchdog_s = None if self._address is None else _watchdog_s(environment)

    def ready(self, status: str) -> None:
        """Started, or reloaded: it works now."""
        self._say(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._say(f"STATUS={status}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._say("STOPPING=1\nSTATUS=stopping")

    async def watch(self, progress: Callable[[], int]) -> None:
        """Ping while `progress` gives a new value each time; returns at once where nobody watches."""
        if self.watchdog_s is None:
            return
        last: int | None = None
        while True:
            if (now := progress()) != last:
                self._say("WATCHDOG=1")
            else:
                _log.error("no_progress", watchdog_s=self.watchdog_s)
            last = now
            await asyncio.sleep(self.watchdog_s / PINGS)

    def _say(self, text: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.setblocking(False)
                out.sendto(text.encode(), self._address)
        except OSError as error:
            _log.warning("systemd_not_told", reason=error.strerror)


def _address(name: str) -> str | None:
    """Where datagrams go: a path, or with `@` a name in the abstract namespace."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else None


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    text, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if process and process != str(os.getpid()):
        return None
    return int(text) / 1e6 if text.isascii() and text.isdigit() and int(text) > 0 else None
