"""`gatebook topics`, as a user runs it."""

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.topics import TOPICS
from stream.log.contract import TopicState
from stream.topics_check import differences
from stream.topics_cli import topics

runner = CliRunner()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:{path}"


def test_apply_makes_what_is_missing_and_says_which(url: str) -> None:
    first = runner.invoke(topics, ["apply", "--log", url])
    assert first.exit_code == 0
    assert "made gate-events: 6 partitions, kept 7 days\n" in first.stdout
    assert len(first.stdout.splitlines()) == len(TOPICS)
    second = runner.invoke(topics, ["apply", "--log", url])
    assert second.exit_code == 0
    assert "nothing to make" in second.stdout
    as_json = runner.invoke(topics, ["apply", "--json", "--log", url])
    assert json.loads(as_json.stdout) == {"made": [], "findings": []}


def test_check_names_missing_topics_with_the_command_that_makes_them(url: str) -> None:
    done = runner.invoke(topics, ["check", "--log", url])
    assert done.exit_code == 1
    assert "gate-events: missing" in done.stdout
    assert "topics apply" in done.stdout
    runner.invoke(topics, ["apply", "--log", url])
    assert runner.invoke(topics, ["check", "--log", url]).exit_code == 0


def test_check_refuses_another_partition_count_and_says_what_it_means(url: str, path: Path) -> None:
    runner.invoke(topics, ["apply", "--log", url])
    database = sqlite3.connect(path)
    database.execute("UPDATE topics SET partitions = 12 WHERE topic = 'crossings'")
    database.execute("UPDATE topics SET compacted = 1, retention_ms = NULL WHERE topic = 'alerts'")
    database.commit()
    database.close()
    done = runner.invoke(topics, ["check", "--log", url])
    assert done.exit_code == 1
    assert "crossings: partitions: wanted 6, found 12; refused" in done.stdout
    assert "migration" in done.stdout
    assert "alerts: compaction: wanted not compacted, found compacted" in done.stdout
    found = json.loads(runner.invoke(topics, ["check", "--json", "--log", url]).stdout)
    assert [(each["topic"], each["kind"]) for each in found["findings"]] == [
        ("crossings", "partitions"),
        ("alerts", "compaction"),
        ("alerts", "retention"),
    ]
    assert runner.invoke(topics, ["apply", "--log", url]).exit_code == 1


def test_a_wrong_url_is_a_usage_error_and_an_absent_log_is_fatal(tmp_path: Path) -> None:
    for url, code, text in (
        ("nowhere", 2, "not a log URL"),
        ("kafka://127.0.0.1:1/p", 3, "127.0.0.1:1: no broker answers"),
        (f"sqlite:{tmp_path}/no/log.db", 3, "cannot be made"),
    ):
        done = runner.invoke(topics, ["check", "--log", url])
        assert done.exit_code == code
        assert done.stdout == ""
        assert text in done.stderr
        assert "Traceback" not in done.stderr


def test_every_topic_of_the_table_equals_itself() -> None:
    states = {
        name: TopicState(
            topic.partitions, topic.compacted, None if topic.compacted else topic.retention_ms
        )
        for name, topic in TOPICS.items()
    }
    assert differences(TOPICS.values(), states) == []


def test_topics_on_kafka_are_made_and_are_then_as_they_should_be(kafka_url: str) -> None:
    made = runner.invoke(topics, ["apply", "--json", "--log", kafka_url])
    assert made.exit_code == 0
    assert json.loads(made.stdout) == {"made": list(TOPICS), "findings": []}
    assert runner.invoke(topics, ["check", "--log", kafka_url]).exit_code == 0
