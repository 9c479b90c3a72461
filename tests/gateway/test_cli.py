"""`gatebook gateway`: what it prints, where, and with which exit status."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.batch import Batch, RejectRow, Totals
from gateway.cli import app
from gateway.identity import epc_token, tid_token
from gateway.outbox_file import Owner
from gateway.outbox_open import open_outbox
from tests.gateway.rig import CARD, KEY, ROOT, TRUCK, write_config
from tests.gateway.test_outbox import PACK


def gatebook(*words: str | Path, given: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], input=given)


def test_a_good_configuration_is_said_to_be_good() -> None:
    result = gatebook("check", "-c", ROOT / "docs/gateway.toml")
    assert result.exit_code == 0
    assert "good: gateway gw-lar-1 at lar-wtb, 2 lanes, 2 readers, 3 read points" in result.stdout


def test_check_opens_nothing_that_the_file_names(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    (tmp_path / "token.key").unlink()
    assert gatebook("check", "-c", path).exit_code == 0
    assert [one.name for one in tmp_path.iterdir()] == ["gateway.toml"]


@pytest.mark.parametrize("command", ["check", "run", "token", "rejects"])
def test_each_finding_is_a_line_with_its_place_and_fix_and_the_exit_status_is_1(
    tmp_path: Path, command: str
) -> None:
    path = write_config(tmp_path)
    text = path.read_text().replace("direction", "direktion").replace("[log]", "[logs]")
    path.write_text(text)
    result = gatebook(command, "-c", path)
    assert result.exit_code == 1
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert f"{path}: lane[0].direktion: unknown key; did you mean 'direction'?" in lines
    assert f"{path}: logs: unknown table; did you mean 'log'?" in lines


def test_a_log_url_that_cannot_be_is_a_finding(tmp_path: Path) -> None:
    result = gatebook("check", "-c", write_config(tmp_path, log="kafka:nowhere"))
    assert result.exit_code == 1
    assert "log.url: cannot be used; " in result.stderr


def test_a_file_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    result = gatebook("check", "-c", tmp_path / "none.toml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such file" in result.stderr


def test_cards_become_tokens_line_by_line(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    given = f"{CARD.hex()}\n\n# trucks\n{TRUCK.hex().upper()}\n"
    result = gatebook("token", "-c", path, given=given)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [epc_token(KEY, CARD), epc_token(KEY, TRUCK)]
    tids = gatebook("token", "--tid", "-c", path, given=given)
    assert tids.stdout.splitlines() == [tid_token(KEY, CARD), tid_token(KEY, TRUCK)]


def test_a_line_that_is_no_card_is_named_by_number_and_the_others_are_done(tmp_path: Path) -> None:
    result = gatebook("token", "-c", write_config(tmp_path), given=f"E20\n{CARD.hex()}\ncard\n")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [epc_token(KEY, CARD)]
    assert "line 1: " in result.stderr
    assert "line 3: " in result.stderr
    assert "card" not in result.stderr.replace("cards", "")


def test_a_key_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    (tmp_path / "token.key").chmod(0o644)
    result = gatebook("token", "-c", path, given=CARD.hex())
    assert result.exit_code == 0
    assert "warning: others can use this key: chmod 600" in result.stderr


@pytest.mark.parametrize("text", [None, "k1:zz", "\xff"])
def test_a_key_that_cannot_be_used_stops_with_one_line(tmp_path: Path, text: str | None) -> None:
    path = write_config(tmp_path)
    key = tmp_path / "token.key"
    key.unlink()
    if text is not None:
        key.write_text(text, encoding="latin-1")
    for command in ("token", "run"):
        result = gatebook(command, "-c", path, given=CARD.hex())
        assert result.exit_code == 3
        assert len(result.stderr.splitlines()) == 1
        assert str(key) in result.stderr


def test_rejects_are_shown_oldest_first_also_as_json(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    rows = [
        RejectRow(1_795_548_181_870_817, "booth", "garbage", "", b"\x00\x01"),
        RejectRow(1_795_548_182_870_817, "booth", "tag_crc", "is 1234", CARD),
    ]
    with open_outbox(tmp_path / "outbox.db", Owner("gw-1", "lar-wtb")) as file:
        file.load()
        file.store(Batch([], {}, [], rows, PACK(Totals()), {}))
        result = gatebook("rejects", "-c", path)
        plain = gatebook("rejects", "--json", "-c", path)
    assert result.stdout.splitlines() == [
        "2026-11-24T19:23:01.870+00:00  booth  garbage  0001",
        f"2026-11-24T19:23:02.870+00:00  booth  tag_crc  {CARD.hex().upper()}  is 1234",
    ]
    assert result.stderr.splitlines() == ["2 rejects kept, 0 older ones dropped"]
    assert json.loads(plain.stdout.splitlines()[1]) == {
        "at_us": 1_795_548_182_870_817,
        "reader": "booth",
        "reason": "tag_crc",
        "detail": "is 1234",
        "hex": CARD.hex().upper(),
    }


def test_rejects_before_the_first_run_are_explained(tmp_path: Path) -> None:
    result = gatebook("rejects", "-c", write_config(tmp_path))
    assert result.exit_code == 3
    assert "no outbox yet" in result.stderr


def test_an_outbox_that_another_gateway_uses_stops_with_one_line(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    with open_outbox(tmp_path / "outbox.db", Owner("gw-1", "lar-wtb")):
        result = subprocess.run(
            [sys.executable, "-m", "gatebook", "gateway", "run", "-c", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 3
    assert result.stdout == ""
    assert "another gateway uses it" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
