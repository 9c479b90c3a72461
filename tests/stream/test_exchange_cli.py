"""`gatebook exchange`: an adapter as a pipe reads what its country is told and writes acknowledgements."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from schemas.exchange import ExchangeAck, ExchangeRecord, ExchangeRetraction
from schemas.message import Message
from schemas.topics import topic_key
from schemas.wire import decode, to_json
from stream.log.open import open_log
from tests.schemas.exchange_samples import EXCHANGE_SAMPLES
from tests.stream.counting import append, create_all, everything, outgoing

GATEBOOK = (sys.executable, "-m", "gatebook", "exchange")
RECORD = next(one for one in EXCHANGE_SAMPLES if isinstance(one, ExchangeRecord))
RETRACTION = next(one for one in EXCHANGE_SAMPLES if isinstance(one, ExchangeRetraction))
ACK = next(one for one in EXCHANGE_SAMPLES if isinstance(one, ExchangeAck))


def exchange(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*GATEBOOK, *words], input=given, capture_output=True, timeout=50, check=False
    )


def line(topic: str, message: Message) -> bytes:
    return to_json(topic, topic_key(message), 7, message) + b"\n"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A log in which Mexico is told of a record and its retraction, the US of the record only."""
    found = f"sqlite:{tmp_path / 'log.db'}"

    async def make() -> None:
        async with await open_log(found) as log:
            await create_all(log)
            said = [outgoing("exchange-mx", one) for one in (RECORD, ACK, RETRACTION)]
            await append(log, [*said, outgoing("exchange-us", replace(RECORD, revision=9))])

    asyncio.run(make())
    return found


def acks(url: str, topic: str) -> list[Message]:
    async def read() -> list[Message]:
        async with await open_log(url) as log:
            return [decode(topic, one.value or b"") for one in await everything(log, topic)]

    return [one for one in asyncio.run(read()) if isinstance(one, ExchangeAck)]


def test_told_prints_what_the_country_is_told_and_no_acknowledgement(url: str) -> None:
    done = exchange("told", "--log", url, "--country", "MX", "--once")
    assert done.returncode == 0
    values: list[dict[str, Any]] = [orjson.loads(one)["value"] for one in done.stdout.splitlines()]
    assert [one["type"] for one in values] == ["exchange_record", "exchange_retraction"]
    assert values[0]["s92"]


def test_told_goes_on_until_it_is_stopped(url: str) -> None:
    words = [*GATEBOOK, "told", "--log", url, "--country", "US"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert orjson.loads(running.stdout.readline())["value"]["revision"] == 9
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 0


def test_ack_writes_each_good_line_and_names_the_others(url: str) -> None:
    good = [replace(ACK, event_id="a.e1.1", outcome="sent"), replace(ACK, event_id="a.e1.2")]
    given = b"".join(
        (
            line("exchange-us", good[0]),
            b"\n",
            line("exchange-us", RECORD),
            b"{\n",
            line("exchange-us", ACK).replace(b"exchange-us", b"arrivals"),
            line("exchange-us", ACK).replace(b'"rejected"', b'"lost"'),
            line("exchange-us", good[1]),
        )
    )
    done = exchange("ack", "--log", url, given=given)
    assert (done.returncode, done.stdout) == (1, b"2 acknowledgements written\n")
    errors = done.stderr.decode().splitlines()
    assert [one.split(":")[0] for one in errors] == ["line 3", "line 4", "line 5", "line 6"]
    assert "the ledger stage writes it" in errors[0]
    assert acks(url, "exchange-us") == good


def test_acknowledgements_are_durable_while_the_pipe_is_still_open(url: str) -> None:
    words = [*GATEBOOK, "ack", "--log", url]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        running.stdin.write(line("exchange-mx", replace(ACK, event_id="a.e1.5")))
        running.stdin.flush()

        async def written() -> None:
            async with asyncio.timeout(30):
                while len(await asyncio.to_thread(acks, url, "exchange-mx")) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

        asyncio.run(written())
        running.stdin.close()
        assert running.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("told", "--log", "x", "--country", "MX"), 2, "is not a log URL"),
        (("told", "--log", "memory:x", "--country", "FR"), 2, "--country"),
        (("ack", "--log", "memory:x", "nowhere.ndjson"), 2, "nowhere.ndjson: No such file"),
    ],
)
def test_wrong_words_are_refused(words: tuple[str, ...], code: int, text: str) -> None:
    done = exchange(*words)
    assert done.returncode == code
    assert text in done.stderr.decode()
    assert b"Traceback" not in done.stderr
