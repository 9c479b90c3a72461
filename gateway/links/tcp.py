"""Raw TCP: a reader with a network port, or a terminal server that passes the bytes of a line as they are.

Nobody answers for a connection that is silent, so the kernel asks (keep-alive): a cable that is pulled is
known after 25 s. While the gateway cannot take more, nothing is read, and TCP makes
the sender wait.
"""

import asyncio
import errno
import socket
from collections.abc import Sequence
from typing import Final

from gateway.link import Chunk, Clock, Link, LinkDown, LinkUp, TcpUrl, Tell, Ticket, parse_link
from gateway.network import Retry, address, keep_alive
from gateway.tables import Config

#: Bytes of one read: garbage made to cost a decoder the most must not hold the others up for long. asyncio
#: holds at most twice as many and then stops reading.
READ_BYTES: Final = 8_192

CONNECT_S: Final = 5.0

#: How long a command may take to go out; who takes none for so long is gone.
WRITE_S: Final = 2.0


def links(config: Config, now_us: Clock) -> list[Link]:
    """A link for each reader on a TCP port."""
    urls = {reader.id: parse_link(reader.link) for reader in config.readers}
    return [TcpLink(name, url, now_us) for name, url in urls.items() if isinstance(url, TcpUrl)]


class ConnectionLost(OSError):  # noqa: N818 - named by what happened
    """There is no connection, or none any more; the text is for a person."""


class TcpLink:
    """One connection with one reader at its end."""

    def __init__(self, reader: str, url: TcpUrl, now_us: Clock) -> None:
        """Nothing is connected yet."""
        self.readers: tuple[str, ...] = (reader,)
        self._reader = reader
        self._name = address(url.host, url.port)
        self._url = url
        self._now_us = now_us
        self._retry = Retry()
        self._writer: asyncio.StreamWriter | None = None

    async def run(self, tell: Tell) -> None:
        """Connect, hear, and connect again for ever."""
        while True:
            try:
                stream, self._writer = await self._connect()
                await tell(LinkUp(self._reader, self._now_us()))
                await self._hear(stream, tell)
            except ConnectionLost as error:
                at_us, cause = self._now_us(), str(error)
                self._close()
                await tell(LinkDown(self._reader, at_us, cause))
            finally:
                self._close()
            await asyncio.sleep(self._retry.wait_s())

    async def write(self, reader: str, data: bytes) -> bool:  # noqa: ARG002 - there is one reader
        """Send bytes; False when nobody is connected, or takes them too slowly, and then is left."""
        writer = self._writer
        if writer is None:
            return False
        try:
            async with asyncio.timeout(WRITE_S):
                writer.write(data)
                await writer.drain()
        except TimeoutError:
            # What waits would go out later, when the gateway says that it did not.
            writer.transport.abort()
            return False
        except OSError:
            return False
        return not writer.is_closing()

    def acknowledge(self, tickets: Sequence[Ticket]) -> None:
        """A line has no tickets."""

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that notices when the other side is gone. Raises `ConnectionLost`."""
        host, port = self._url
        try:
            async with asyncio.timeout(CONNECT_S):
                stream, writer = await asyncio.open_connection(host, port, limit=READ_BYTES)
        except TimeoutError as error:
            text = f"{self._name} does not answer: off, unplugged, or another address"
            raise ConnectionLost(text) from error
        except socket.gaierror as error:
            raise ConnectionLost(f"no host is called {host}: {error.strerror}") from error
        except (OSError, UnicodeError) as error:
            raise ConnectionLost(self._cause(error)) from error
        # Only an empty buffer tells that the kernel has taken a command.
        writer.transport.set_write_buffer_limits(high=0)
        keep_alive(writer.get_extra_info("socket"))
        return stream, writer

    async def _hear(self, stream: asyncio.StreamReader, tell: Tell) -> None:
        """Tell what comes until the connection breaks."""
        while True:
            try:
                data = await stream.read(READ_BYTES)
            except OSError as error:
                raise ConnectionLost(self._cause(error)) from error
            if not data:
                text = (
                    f"{self._name} closed the connection: restarted, or it serves another program"
                )
                raise ConnectionLost(text)
            # A terminal server that is in use accepts and closes: that is no success.
            self._retry.worked()
            await tell(Chunk(self._reader, data, self._now_us()))

    def _cause(self, error: Exception) -> str:
        code = error.errno if isinstance(error, OSError) else None
        if code == errno.ECONNREFUSED:
            return f"nobody listens at {self._name}: wrong port, or its service is off"
        if code in {errno.EHOSTUNREACH, errno.ENETUNREACH}:
            return f"there is no way to {self._name}: off, unplugged, or another network"
        if code == errno.ETIMEDOUT:
            return f"{self._name} does not answer any more: off or unplugged"
        return f"the connection to {self._name} broke: {_text(error)}"

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.transport.abort()


def _text(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
