"""`gatebook replay`: what it prints, the same at every run, and what it says of bad lines."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from stream.replay_cli import PRINTED, app, is_expectation
from tests.cases.running import FOLDER, NAMES

RELEASED = FOLDER / "released.ndjson"


def replay(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def printed(result: Result) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in result.stdout.splitlines()]


def without_expectations(path: Path) -> list[bytes]:
    return [line for line in path.read_bytes().splitlines() if not is_expectation(line)]


@pytest.mark.parametrize("name", NAMES)
def test_a_case_prints_the_same_bytes_at_every_run(name: str) -> None:
    one, two = (replay(FOLDER / f"{name}.ndjson", "--to", "stages") for _ in range(2))
    assert one.exit_code == two.exit_code == 0, one.output
    assert one.stdout_bytes == two.stdout_bytes
    assert {line["topic"] for line in printed(one)} <= set(PRINTED)


def test_what_is_printed_can_be_read_as_lines_again_in_the_order_in_which_it_was_written() -> None:
    found = printed(replay(RELEASED))
    assert [line["topic"] for line in found][-1] == "border-records"
    revisions = [line["value"]["revision"] for line in found if line["topic"] == "arrivals"]  # type: ignore[index]
    assert revisions == list(range(1, len(revisions) + 1))


def test_only_the_topics_that_are_named_are_printed(tmp_path: Path) -> None:
    found = replay(RELEASED, "--topics", "crossings")
    assert {line["topic"] for line in printed(found)} == {"crossings"}
    assert len(printed(replay(RELEASED, "--topics", "all"))) > len(printed(replay(RELEASED)))


def test_a_topic_that_is_not_there_is_a_usage_error() -> None:
    result = replay(RELEASED, "--topics", "arivals")
    assert result.exit_code == 2
    assert "no topic arivals" in result.stderr


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    result = replay(tmp_path / "none.ndjson")
    assert result.exit_code == 2
    assert "No such file" in result.stderr


def test_bad_lines_are_named_and_left_out_and_the_rest_is_as_without_them(tmp_path: Path) -> None:
    lines = without_expectations(RELEASED)
    file = tmp_path / "bad.ndjson"
    bad = [b"{", b"[]", b'{"topic":"nothing","key":"a","at_us":1,"value":{}}', b"\xff\xfe"]
    file.write_bytes(b"\n".join([*lines[:5], *bad, *lines[5:]]) + b"\n")
    result = replay(file)
    assert result.exit_code == 1
    assert result.stdout_bytes == replay(RELEASED).stdout_bytes
    for number in (6, 7, 8, 9):
        assert f"line {number}: " in result.stderr


def test_a_line_that_is_too_long_is_named_and_costs_only_itself(tmp_path: Path) -> None:
    lines = without_expectations(RELEASED)
    file = tmp_path / "long.ndjson"
    file.write_bytes(b"\n".join([b"x" * 20_000_000, *lines]) + b"\n")
    result = replay(file)
    assert result.exit_code == 1
    assert result.stdout_bytes == replay(RELEASED).stdout_bytes


def test_a_file_without_ticks_gets_its_time_from_its_lines(tmp_path: Path) -> None:
    lines = without_expectations(FOLDER / "approaching.ndjson")
    assert not any(b'"tick"' in line for line in lines)
    later = orjson.loads(lines[-1])
    row = orjson.loads(lines[1])
    row["at_us"] = later["at_us"] + 3 * 3_600_000_000
    file = tmp_path / "later.ndjson"
    file.write_bytes(b"\n".join([*lines, orjson.dumps(row)]) + b"\n")
    values: list[Any] = [
        line["value"] for line in printed(replay(file)) if line["topic"] == "arrivals"
    ]
    states = [value["state"] for value in values]
    assert states[-1] == "lost"


def test_the_summary_counts_lines_and_outputs() -> None:
    summary = orjson.loads(replay(RELEASED, "--json").stderr)
    assert summary["records"] == len(without_expectations(RELEASED))
    assert (summary["border_records"], summary["bad_lines"]) == (1, 0)


def test_an_expectation_is_known_however_it_is_written() -> None:
    assert is_expectation(b'{"topic":"expect","value":{}}')
    assert is_expectation(b'{ "topic": "expect", "value": {}}')
    assert not is_expectation(b'{"topic":"sites","key":"expect"}')


def test_a_shipped_set_of_policies_can_be_chosen() -> None:
    def reasons(*words: str) -> set[str]:
        values: list[Any] = [
            one["value"] for one in printed(replay(RELEASED, *words)) if one["topic"] == "arrivals"
        ]
        return {reason for value in values for reason in value["eligibility"]["reasons"]}

    assert reasons() == {"no_policy"}
    assert "no_policy" not in reasons("--policy", "today")
    assert replay(RELEASED, "--policy", "yesterday").exit_code == 2
