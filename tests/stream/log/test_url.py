"""Reading log URLs, and opening what they name."""

import socket
from pathlib import Path

import pytest

from stream.log.contract import LogDamaged, LogUnavailable
from stream.log.open import LogUrlError, open_log, parse_log_url
from stream.log.url import KafkaUrl, MemoryUrl, SqliteUrl


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("memory:demo", MemoryUrl("demo")),
        ("sqlite:var/log.db", SqliteUrl("var/log.db")),
        ("sqlite:/var/lib/log.db", SqliteUrl("/var/lib/log.db")),
        ("sqlite:///var/lib/log.db", SqliteUrl("/var/lib/log.db")),
        ("kafka://k1:9092/lar-", KafkaUrl(("k1:9092",), "lar-")),
        (
            "kafka://k1:9092,k2.example:9093/a.b_c-",
            KafkaUrl(("k1:9092", "k2.example:9093"), "a.b_c-"),
        ),
        ("kafka://[::1]:9092", KafkaUrl(("[::1]:9092",), "")),
        ("kafka://k1:9092/", KafkaUrl(("k1:9092",), "")),
    ],
)
def test_a_url_says_where_the_log_is(url: str, expected: object) -> None:
    assert parse_log_url(url) == expected


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", "not a log URL"),
        ("log.db", "not a log URL"),
        ("postgres://x/y", "no event log is called 'postgres'"),
        ("memory:", "no name"),
        ("sqlite:", "names no file"),
        ("sqlite:var/", "names no file"),
        ("sqlite://host/log.db", "not a host"),
        ("kafka:k1:9092", "expected kafka://"),
        ("kafka://k1/prefix", "'k1' is not HOST:PORT"),
        ("kafka://k1:0/p", "not HOST:PORT"),
        ("kafka://k1:65536/p", "not HOST:PORT"),
        ("kafka://k1:9092,/p", "'' is not HOST:PORT"),
        ("kafka://k1:9092/a/b", "prefix 'a/b'"),
        ("kafka://k1:9092/lär", "prefix"),
    ],
)
async def test_a_wrong_url_says_what_is_wrong(url: str, text: str) -> None:
    with pytest.raises(LogUrlError, match=text):
        await open_log(url)
    with pytest.raises(ValueError, match=text):
        parse_log_url(url)


async def test_a_broker_that_is_not_there_is_named() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(LogUnavailable, match=f"{where}: no broker answers"):
            await open_log(f"kafka://{where}/p")


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="cannot be made: No such file"):
        await open_log(f"sqlite:{tmp_path}/no/log.db")
    with pytest.raises(LogUnavailable):
        await open_log(f"sqlite:{tmp_path}")


async def test_a_file_that_is_no_log_is_left_as_it_is(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_bytes(b"not a database " * 100)
    with pytest.raises(LogDamaged, match="not an SQLite database"):
        await open_log(f"sqlite:{text}")
    assert text.read_bytes() == b"not a database " * 100
