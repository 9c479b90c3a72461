"""The small HTTP server: what it answers, and what it does with requests that mean harm."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest

from gateway.http import MAX_HEAD, MAX_OPEN, HttpServer, Page


async def good() -> Page:
    return Page(HTTPStatus.OK, "text/plain", b"well\n")


async def broken() -> Page:
    raise KeyError("a fault with a card number in it")


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    server = HttpServer("127.0.0.1", 0, {"/good": good, "/broken": broken})
    task = asyncio.create_task(server.run())
    try:
        async with asyncio.timeout(10):
            await server.ready.wait()
        yield server.port
    finally:
        task.cancel()
        await asyncio.wait({task})


async def ask(port: int, request: bytes) -> bytes:
    """Send a request and read the answer to its end."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


async def test_a_page_is_answered_whole_and_the_connection_closed() -> None:
    async with serving() as port:
        head, _, body = (await ask(port, get("/good?x=1"))).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 5" in head
    assert b"Connection: close" in head
    assert body == b"well\n"


async def test_head_has_the_length_and_no_body() -> None:
    async with serving() as port:
        answer = await ask(port, get("/good", "HEAD"))
    assert b"Content-Length: 5" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/other"), 404),
        (get("/good/../good"), 404),
        (get("/good", "POST"), 405),
        (b"GET http://elsewhere/good HTTP/1.1\r\n\r\n", 400),
        (b"GET /good HTTP/9.9\r\n\r\n", 505),
        (b"GET /good\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00 \xff\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (get("/broken"), 500),
    ],
)
async def test_what_cannot_be_answered_gets_its_status(request_bytes: bytes, status: int) -> None:
    async with serving() as port:
        answer = await ask(port, request_bytes)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert b"card number" not in answer
        assert (await ask(port, get("/good"))).endswith(b"well\n")


async def test_a_head_without_end_is_refused_at_its_bound() -> None:
    async with serving() as port:
        answer = await ask(port, b"GET /good HTTP/1.1\r\nX: " + b"x" * (MAX_HEAD * 4))
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
        assert (await ask(port, get("/good"))).endswith(b"well\n")


async def test_a_client_that_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.http.HEAD_S", 0.05)
    async with serving() as port:
        assert await ask(port, b"GET /good HT") == b""


async def test_one_connection_too_many_is_closed_and_the_next_is_served_once_there_is_room() -> (
    None
):
    async with serving() as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_OPEN)]
        for _, writer in held:
            writer.write(b"GET /good ")
        assert await ask(port, get("/good")) == b""
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(10):
            while not (await ask(port, get("/good"))).endswith(b"well\n"):
                pass


async def test_a_port_that_somebody_else_has_is_taken_once_it_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.http.AGAIN_S", 0.01)
    other = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    server = HttpServer("127.0.0.1", port, {"/good": good})
    task = asyncio.create_task(server.run())
    other.close()
    await other.wait_closed()
    async with asyncio.timeout(10):
        await server.ready.wait()
    assert (await ask(port, get("/good"))).endswith(b"well\n")
    task.cancel()
    await asyncio.wait({task})
