"""A small HTTP server for a few pages on a loopback port. It takes GET and HEAD, and closes after each answer.

Everything about a request is bounded: its head in bytes and in time, and the connections that are open.
Source of the message forms and the status codes: RFC 9112 sections 2 to 5, RFC 9110 section 15.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final, NamedTuple

import structlog

from gateway.health import place_of

#: Bytes of a request's line and headers, and how long they may take to come.
MAX_HEAD: Final = 8_192
HEAD_S: Final = 5.0

#: How long an answer may take to be taken.
ANSWER_S: Final = 5.0

#: Connections that are open at once; one more is closed at once.
MAX_OPEN: Final = 16

#: A port that somebody else has is tried again after this, seconds.
AGAIN_S: Final = 5.0

_log = structlog.get_logger("gateway.http")


class Page(NamedTuple):
    """An answer."""

    status: HTTPStatus
    content_type: str
    body: bytes


Pages = Mapping[str, Callable[[], Awaitable[Page]]]
"""Path -> what makes its page."""


class _Refused(Exception):  # noqa: N818 - the request is refused with this status
    def __init__(self, status: HTTPStatus) -> None:
        self.status = status


class HttpServer:
    """Serves pages until it is cancelled."""

    def __init__(self, host: str, port: int, pages: Pages) -> None:
        """`port` 0: any that is free; `port` tells which once `ready` is set."""
        self._host = host
        self.port = port
        self._pages = pages
        self._open: set[asyncio.Task[None]] = set()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve for ever; a port that cannot be had is tried again and stops nothing else."""
        told = ""
        while True:
            try:
                server = await asyncio.start_server(
                    self._accept, self._host, self.port, limit=MAX_HEAD
                )
            except OSError as error:
                if (reason := error.strerror or str(error)) != told:
                    _log.error("health_not_served", host=self._host, port=self.port, reason=reason)
                told = reason
                await asyncio.sleep(AGAIN_S)
                continue
            await self._serve(server)

    async def _serve(self, server: asyncio.Server) -> None:
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        _log.info("health_served", host=self._host, port=self.port)
        try:
            await server.serve_forever()
        finally:
            server.close()
            for task in self._open:
                task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_OPEN:
            writer.close()
            return
        task = asyncio.create_task(self._one(reader, writer), name="http connection")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request. A client that goes away or is too slow gets nothing more."""
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                method, page = await self._answer(reader)
                async with asyncio.timeout(ANSWER_S):
                    writer.write(_message(method, page))
                    await writer.drain()
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[str, Page]:
        method = "GET"
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
            method, path = _request(head)
            make = self._pages.get(path)
            if make is None:
                return method, _plain(HTTPStatus.NOT_FOUND)
            return method, await make()
        except asyncio.LimitOverrunError:
            return method, _plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except _Refused as refused:
            return method, _plain(refused.status)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            raise
        except Exception as error:  # noqa: BLE001 - a page that breaks stops nothing else
            _log.error("page_broke", error=place_of(error))
            return method, _plain(HTTPStatus.INTERNAL_SERVER_ERROR)


def _request(head: bytes) -> tuple[str, str]:
    """Method and path of a request's head; raises `_Refused`."""
    try:
        method, target, version = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
    except ValueError:
        raise _Refused(HTTPStatus.BAD_REQUEST) from None
    if not target.startswith("/") or not version.startswith("HTTP/"):
        raise _Refused(HTTPStatus.BAD_REQUEST)
    if version not in {"HTTP/1.0", "HTTP/1.1"}:
        raise _Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    if method not in {"GET", "HEAD"}:
        raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED)
    return method, target.partition("?")[0]


def _plain(status: HTTPStatus) -> Page:
    return Page(status, "text/plain; charset=utf-8", f"{status} {status.phrase}\n".encode())


def _message(method: str, page: Page) -> bytes:
    lines = [
        f"HTTP/1.1 {page.status} {page.status.phrase}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(page.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if page.status == HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("Allow: GET, HEAD")
    head = "\r\n".join([*lines, "", ""]).encode("ascii")
    return head if method == "HEAD" else head + page.body
