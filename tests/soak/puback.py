"""A relay between a gateway and its broker that notes when each message went to the gateway and when it was acknowledged.

MQTT 3.1.1: a PUBLISH (type 3) with QoS 1 carries its packet id behind the topic (section 3.3.2), a PUBACK (type 4) is four bytes
with that id (section 3.4). Nothing is changed on the way.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

PUBLISH = 3
PUBACK = 4


class Relay:
    """One connection at a time. Use as an asynchronous context manager."""

    def __init__(self, broker: int, topic: bytes) -> None:
        """`broker`: its port on loopback. Only messages of `topic` are noted."""
        self._broker = broker
        self._topic = topic
        self._sent: dict[int, float] = {}
        self._server: asyncio.Server | None = None
        self.port = 0
        #: Seconds from a message's last byte to its acknowledgement, in the order of the acknowledgements.
        self.waits: list[float] = []

    async def __aenter__(self) -> "Relay":
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._one, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _one(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        far, to_far = await asyncio.open_connection("127.0.0.1", self._broker)
        tasks = {
            asyncio.ensure_future(_copy(near, to_far, self._from_gateway)),
            asyncio.ensure_future(_copy(far, to_near, self._from_broker)),
        }
        with suppress(asyncio.CancelledError):  # the end of the run; asyncio's server shows it else
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for writer in (to_near, to_far):
            writer.close()

    def _from_broker(self, kind: int, flags: int, body: bytes) -> None:
        if kind != PUBLISH or not flags & 0b0110:
            return
        size = int.from_bytes(body[:2], "big")
        if body[2 : 2 + size] == self._topic:
            self._sent[int.from_bytes(body[2 + size : 4 + size], "big")] = time.perf_counter()

    def _from_gateway(self, kind: int, flags: int, body: bytes) -> None:
        if kind == PUBACK:
            sent_s = self._sent.pop(int.from_bytes(body[:2], "big"), None)
            if sent_s is not None:
                self.waits.append(time.perf_counter() - sent_s)


async def _copy(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    note: Callable[[int, int, bytes], None],
) -> None:
    """Pass packets on whole: one byte of type and flags, the length in base 128, the rest (section 2.2)."""
    try:
        while True:
            head = await source.readexactly(1)
            packet, length, shift = head, 0, 0
            while True:
                digit = await source.readexactly(1)
                packet += digit
                length |= (digit[0] & 0x7F) << shift
                shift += 7
                if not digit[0] & 0x80:
                    break
            body = await source.readexactly(length)
            note(head[0] >> 4, head[0] & 0x0F, body)
            sink.write(packet + body)
            await sink.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return
