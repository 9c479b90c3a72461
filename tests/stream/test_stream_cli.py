"""`gatebook stream run` and `gatebook reference load` as a user types them."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.topics import TOPICS
from schemas.wire import to_json
from stream.log.open import open_log
from tests.stream.counting import card, create_all, everything

GATEBOOK = (sys.executable, "-m", "gatebook")
LINE = to_json("credentials", "a", 7, card("a", "c1"))


def gatebook(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*GATEBOOK, *words], input=given, capture_output=True, timeout=50, check=False
    )


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A log with all topics."""
    found = f"sqlite:{tmp_path / 'log.db'}"

    async def make() -> None:
        async with await open_log(found) as log:
            await create_all(log)

    asyncio.run(make())
    return found


def rows(url: str, topic: str) -> int:
    async def count() -> int:
        async with await open_log(url) as log:
            return len(await everything(log, topic))

    return asyncio.run(count())


def test_reference_rows_are_loaded_from_a_file_and_from_standard_input(
    url: str, tmp_path: Path
) -> None:
    file = tmp_path / "rows.ndjson"
    file.write_bytes(LINE + b"\n")
    for words, given in ((str(file), b""), ("-", LINE)):
        done = gatebook("reference", "load", words, "--log", url, given=given)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"1 rows loaded\n", b"")
    assert rows(url, "credentials") == 2


def test_one_bad_line_and_nothing_is_written(url: str) -> None:
    bad = LINE.replace(b'"person:7"', b"7")
    done = gatebook("reference", "load", "-", "--log", url, given=LINE + b"\n" + bad + b"\n" + LINE)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode().splitlines() == [
        "-: line 2: $.value.holder: Expected `str`, got `int`",
        "-: 1 bad lines, 2 good ones; nothing was written",
    ]
    assert rows(url, "credentials") == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("reference", "load", "/nowhere.ndjson", "--log", "memory:x"), 2, "No such file"),
        (("reference", "load", "-", "--log", "x"), 2, "is not a log URL"),
        (("reference", "load", "-", "--log", "sqlite:/nowhere/log.db"), 3, "/nowhere"),
        (("stream", "run"), 2, "name the event log"),
        (("stream", "run", "--log", "x"), 2, "is not a log URL"),
        (("stream", "run", "-c", "/nowhere.toml"), 2, "No such file"),
        (("stream", "run", "--log", "memory:x", "--partitions", "9"), 2, "stream.partitions"),
        (("stream", "run", "--log", "memory:x", "--partitions", "one"), 2, "expected numbers"),
        (("stream", "run", "--log", "memory:x"), 3, "gatebook topics apply"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_without_a_traceback(
    words: tuple[str, ...], code: int, text: str
) -> None:
    done = gatebook(*words, given=LINE)
    assert done.returncode == code
    assert text in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert done.stdout == b""


@pytest.mark.parametrize("words", [("--help",), ("run", "--help")])
def test_the_stream_command_explains_itself(words: tuple[str, ...]) -> None:
    done = gatebook("stream", *words)
    assert done.returncode == 0
    assert b"run" in done.stdout


def test_a_run_speaks_json_lines_and_ends_with_sigterm(url: str, tmp_path: Path) -> None:
    config = tmp_path / "stream.toml"
    config.write_text(f'[log]\nurl = "{url}"\n[stream]\ntick_s = 0.1\n', encoding="utf-8")
    words = ["stream", "run", "--stage", "lanes", "-c", str(config)]
    with subprocess.Popen([*GATEBOOK, *words], stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        lines: list[dict[str, Any]] = []
        while not lines or lines[-1]["event"] != "taken over":
            lines.append(orjson.loads(running.stderr.readline()))
        running.send_signal(signal.SIGTERM)
        lines += [orjson.loads(line) for line in running.stderr.read().splitlines()]
        assert running.wait(timeout=20) == 0
    assert [line["event"] for line in lines] == ["reference loaded", "taken over", "stopped"]
    assert all(line["level"] == "info" for line in lines)
    assert len(lines[1]["partitions"]) == TOPICS["gate-events"].partitions
