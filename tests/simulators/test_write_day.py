"""`gatebook simulate day`, `gatebook replay` and `gatebook score`, as a user runs them."""

import sys
from pathlib import Path
from subprocess import CompletedProcess, run

GATEBOOK = Path(__file__).parent.parent.parent / "gatebook.py"


def gatebook(*words: object, into: Path | None = None) -> CompletedProcess[str]:
    found = run(
        [sys.executable, str(GATEBOOK), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    if into is not None:
        into.write_text(found.stdout, encoding="utf-8")
    return found


def test_a_day_is_written_replayed_and_scored(tmp_path: Path) -> None:
    made = gatebook(
        "simulate", "day", tmp_path, "--scenes", 12, "--hours", 0.5, "--odd", "driver_swap=0.2"
    )
    assert made.returncode == 0, made.stderr
    out = tmp_path / "out.ndjson"
    replayed = gatebook(
        "replay", tmp_path / "day.ndjson", "--to", "stages", "--topics", "all", into=out
    )
    assert replayed.returncode == 0, replayed.stderr
    scored = gatebook("score", tmp_path / "truth.ndjson", out)
    assert scored.returncode == 0, scored.stdout
    assert "driver_swap" in scored.stdout
    assert "0 wrong, 0 missed" in scored.stderr

    lines = out.read_text(encoding="utf-8").splitlines(keepends=True)
    less = [line for line in lines if '"topic":"border-records"' not in line]
    out.write_text("".join(less), encoding="utf-8")
    scored = gatebook("score", tmp_path / "truth.ndjson", out)
    assert scored.returncode == 1
    assert "no border record of person:" in scored.stdout


def test_odd_cases_are_listed_and_a_wrong_one_is_a_wrong_usage(tmp_path: Path) -> None:
    listed = gatebook("simulate", "day", "--odd", "list")
    assert listed.returncode == 0
    assert "clone_two_ports" in listed.stdout
    wrong = gatebook("simulate", "day", tmp_path, "--odd", "nonsense=0.1")
    assert wrong.returncode == 2
    assert "no odd case 'nonsense'" in wrong.stderr
    assert gatebook("simulate", "day").returncode == 2


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    truth, out = tmp_path / "truth.ndjson", tmp_path / "out.ndjson"
    truth.write_text('{"scene":"00001"}\n', encoding="utf-8")
    out.write_text("", encoding="utf-8")
    scored = gatebook("score", truth, out)
    assert scored.returncode == 2
    assert "truth, line 1" in scored.stderr
