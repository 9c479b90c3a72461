"""The stream's configuration file."""

from pathlib import Path

import pytest

from stream.config import ConfigError, StreamTable, parse_config

LOG = '[log]\nurl = "sqlite:log.db"\n'


def test_the_documented_example_loads_and_shows_every_key_with_its_default() -> None:
    text = (Path(__file__).parents[2] / "docs" / "stream.toml").read_text(encoding="utf-8")
    assert parse_config(text).stream == StreamTable()
    for key, default in zip(
        StreamTable.__struct_fields__, StreamTable.__struct_defaults__, strict=True
    ):
        assert f"\n{'# ' if default is None else ''}{key} = " in text


def test_only_the_log_must_be_named() -> None:
    config = parse_config(LOG)
    assert config.log.url == "sqlite:log.db"
    assert config.stream.numbers == (0, 1, 2, 3, 4, 5)


def test_partitions_are_taken_once_and_in_order() -> None:
    assert parse_config(LOG + "[stream]\npartitions = [4, 1, 4]").stream.numbers == (1, 4)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("[log", "not TOML"),
        ("", "log"),
        ("[log]\n", "missing required field `url` - at `log`"),
        ('[log]\nurl = "redis:x"', "log.url: 'redis:x': no event log is called 'redis'"),
        (LOG + "[stream]\nbatches = 5", "stream.batches: unknown key; did you mean `batch`?"),
        (LOG + '[stream]\npolicy = "yesterday"', "Invalid enum value 'yesterday'"),
        (LOG + "[stream]\nzzz = 5", "stream.zzz: unknown key; known: stages, partitions"),
        (LOG + "[steam]\nbatch = 5", "steam: unknown key; did you mean `stream`?"),
        (LOG + '[stream]\nbatch = "5"', "Expected `int`, got `str` - at `stream.batch`"),
        (LOG + "[stream]\nbatch = 0", ">= 1 - at `stream.batch`"),
        (LOG + '[stream]\nstages = ["lane"]', "stream.stages"),
        (LOG + "[stream]\nstages = []", "nothing to do"),
        (LOG + "[stream]\npartitions = [6]", "stream.partitions"),
        (LOG + '[stream]\npartitions = "some"', "stream.partitions"),
        (LOG + "[stream]\npartitions = []", "nothing to do"),
        ("log = 3", "Expected `table`, got `int` - at `log`"),
    ],
)
def test_a_wrong_file_is_refused_with_the_path_of_what_is_wrong(text: str, finding: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert finding in str(caught.value)


def test_all_unknown_keys_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(LOG + "uri = 1\n[stream]\nticks = 1\nbatchs = 1")
    assert len(str(caught.value).splitlines()) == 3
