"""The commands: what they say to wrong use, and `gatebook score`."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from schemas.topics import topic_key
from schemas.wire import to_json
from simulators.cli import demo, score, simulate
from simulators.planning import ndjson_truth
from simulators.readers import MQTT_KINDS, SERIAL_KINDS
from tests.simulators.made import NOON, heard, small_world, staged

WORLD = small_world()


def invoke(app: typer.Typer, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Truth, and outputs as a headless demo prints them."""
    truth, records = tmp_path / "truth.ndjson", tmp_path / "records.ndjson"
    truth.write_bytes(ndjson_truth([one.expected for one in WORLD.passages]))
    lines = [
        to_json(topic, topic_key(message), NOON, message) + b"\n"
        for topic, message in staged(WORLD, heard(WORLD))
        if topic != "crossings"
    ]
    records.write_bytes(b"".join(lines))
    return truth, records


def test_outputs_that_fit_the_truth_score_zero_and_a_verdict(files: tuple[Path, Path]) -> None:
    code, out, err = invoke(score, *map(str, files))
    assert (code, out) == (0, "")
    assert "11 trucks, 10 border records, 1 refused, 3 unmatched" in err


def test_a_record_that_is_not_there_scores_one_and_is_named(files: tuple[Path, Path]) -> None:
    truth, records = files
    lines = records.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b"person:0003d" not in line or b'"border_record"' not in line]
    records.write_bytes(b"".join(kept))
    code, out, err = invoke(score, str(truth), str(records))
    assert code == 1
    assert out.startswith("missing: border record of person:0003d")
    assert "lost 1, doubled 0" in err


@pytest.mark.parametrize("which", [0, 1])
def test_a_line_that_cannot_be_read_is_named(files: tuple[Path, Path], which: int) -> None:
    path = files[which]
    path.write_bytes(path.read_bytes() + b"{}\n")
    code, _, err = invoke(score, *map(str, files))
    assert code == 2
    number = len(path.read_bytes().splitlines())
    assert f"line {number}: " in err
    assert err.startswith(("truth, ", "records, ")[which])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("r20", "pty:p"), "did you mean r200?"),
        (("llrp", "tcp:0"), "known: r200, mercury, uhfreader18"),
        (("r200", "mqtt:127.0.0.1:1883"), "say --on pty:PATH"),
        (("zebra_iotc", "pty:p"), "name its broker by --on mqtt:HOST:PORT"),
        (("zebra_iotc", "mqtt:nowhere"), "'mqtt:nowhere' is not pty:PATH"),
        (("mercury", "tcp:99999"), "'tcp:99999' is not pty:PATH"),
        (("r200", "pty:p", "--tag", "E2ZZ"), "--tag expects an EPC as hex"),
        (("mercury", "tcp:0", "--trap", "hot"), "  throttle: status 0504"),
        (("mercury", "tcp:0", "--for", "3"), "need --rate"),
    ],
)
def test_a_reader_that_cannot_be_run_so_is_explained(arguments: tuple[str, ...], said: str) -> None:
    protocol, place, *more = arguments
    code, _, err = invoke(simulate, "reader", "--protocol", protocol, "--on", place, *more)
    assert code == 2
    assert said in err


def test_every_simulated_reader_and_trap_is_listed() -> None:
    code, out, _ = invoke(simulate, "kinds")
    assert code == 0
    for name, kind in {**SERIAL_KINDS, **MQTT_KINDS}.items():
        assert f"{name}  (" in out
        assert all(f"--trap {trap}:" in out for trap in kind.traps)  # type: ignore[attr-defined]


def test_a_demo_works_in_an_empty_folder_only(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    code, _, err = invoke(demo, "--keep", str(tmp_path))
    assert code == 2
    assert "is not empty" in err


def test_a_port_log_without_a_folder_that_stays_is_refused() -> None:
    code, _, err = invoke(demo, "--port-log")
    assert code == 2
    assert "--keep DIR" in err


def test_a_world_file_with_a_wrong_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "world.ndjson"
    path.write_text('{"kind":"truck"}\n')
    code, _, err = invoke(
        simulate, "traffic", str(path), "--ports", str(tmp_path), "--mqtt", "127.0.0.1:1"
    )
    assert code == 2
    assert "line 1: " in err
