"""`gatebook outbox`: what waits, and whether it is sound; beside a running gateway and without one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.outbox_room import beside
from gateway.signing import make_signing_key, read_signing_key
from tests.gateway.outbox_rig import PLAIN, beat, events, fill, opened, spoil
from tests.gateway.outbox_rig import SIGNED as OWNER
from tests.gateway.rig import ROOT, write_config


def outbox(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gatebook", "outbox", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with a signing key."""
    path = write_config(tmp_path)
    pem = tmp_path / "signing.pem"
    make_signing_key(pem)
    path.write_text(path.read_text().replace("[outbox]", f'signing_key_file = "{pem}"\n[outbox]'))
    return path


def test_a_sound_outbox_has_no_findings_while_its_gateway_runs_and_after(config: Path) -> None:
    path = config.with_name("outbox.db")
    owner = OWNER._replace(signer=read_signing_key(config.with_name("signing.pem")))
    with opened(path, owner) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 2_501), commit=100)
        file.remove(50)
        beside_it = outbox("check", "-c", config)
        assert (beside_it.returncode, beside_it.stderr) == (0, "")
        # No read transaction is left that would keep the WAL from being emptied.
        assert file._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    alone = outbox("check", "--json", "-c", config)
    assert alone.returncode == 0
    found = json.loads(alone.stdout)
    assert (found["events"], found["signatures"], found["troubles"]) == (2_450, 25, [])


def test_each_kind_of_harm_is_a_finding(config: Path) -> None:
    path = config.with_name("outbox.db")
    key = read_signing_key(config.with_name("signing.pem"))
    with opened(path, OWNER._replace(signer=key)) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 31))
    harms = {
        "link does not fit": (
            "UPDATE events SET at_us = 1, value = ? WHERE seq = 5",
            beat(epoch, 5, 9).value,
        ),
        "value is damaged": ("UPDATE events SET value = ? WHERE seq = 12", b"\xc1"),
        "another event's id": ("UPDATE events SET value = ? WHERE seq = 15", beat(epoch, 16).value),
        "events 22 to 23": ("DELETE FROM events WHERE seq IN (22, ?)", 23),
        "signature is not the key's": (
            "UPDATE events SET signature = ? WHERE seq = 10",
            key.key_id + bytes(64),
        ),
        "missing at the end": ("DELETE FROM events WHERE seq = ?", 30),
    }
    for statement, value in harms.values():
        spoil(path, statement, value)
    result = outbox("check", "-c", config)
    assert result.returncode == 1
    for what in harms:
        assert what in result.stdout


def test_events_without_signatures_are_a_finding_where_there_is_a_key(config: Path) -> None:
    with opened(config.with_name("outbox.db"), PLAIN) as file:
        fill(file, file.load().epoch, range(1, 4))
    result = outbox("check", "-c", config)
    assert result.returncode == 1
    assert "3 events wait without a signature" in result.stdout
    without_key = outbox("check", config.with_name("outbox.db"))
    assert without_key.returncode == 0
    assert "warning: 3 events wait without a signature" in without_key.stderr


def test_a_damaged_structure_is_a_finding(config: Path) -> None:
    path = config.with_name("outbox.db")
    with opened(path) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 400))
    data = bytearray(path.read_bytes())
    page = data.find(beat(epoch, 200).value) // 4096
    data[page * 4096 : page * 4096 + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    result = outbox("check", "-c", config)
    assert result.returncode in {1, 3}
    assert "salvage" in result.stdout + result.stderr or "malformed" in result.stderr


def test_stats_count_what_waits_and_the_room_that_is_taken(config: Path) -> None:
    path = config.with_name("outbox.db")
    with opened(path) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 101))
        file.remove(40)
        text = outbox("stats", "-c", config)
        found = json.loads(outbox("stats", "--json", "-c", config).stdout)
    assert text.returncode == 0
    assert "60 events" in text.stdout
    assert (found["waiting"], found["next_seq"], found["oldest_us"]) == (60, 101, 41)
    assert found["signed"]
    assert found["quota"] == 16 << 20
    assert found["files"][".reserve"] == beside(path, ".reserve").stat().st_size


def test_export_gives_what_waits_as_ndjson_and_leaves_it_there(config: Path) -> None:
    path = config.with_name("outbox.db")
    with opened(path) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 1_501), commit=500)
        file.store(events())
        for arguments in (("-c", config), (path,)):
            result = outbox("export", *arguments)
            assert result.returncode == 0
            rows = [json.loads(line) for line in result.stdout.splitlines()]
            assert [row["at_us"] for row in rows] == list(range(1, 1_501))
            assert {(row["topic"], row["key"]) for row in rows} == {("gate-events", "lar-wtb")}
        assert file.waiting()[0] == 1_500


def test_an_outbox_that_is_not_there_or_none_is_explained(tmp_path: Path) -> None:
    assert outbox("stats").returncode == 2
    missing = outbox("check", tmp_path / "outbox.db")
    assert (missing.returncode, missing.stdout) == (3, "")
    assert "no outbox yet" in missing.stderr
    (tmp_path / "text").write_text("hello")
    assert outbox("export", tmp_path / "text").returncode == 3
