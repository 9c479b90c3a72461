"""The wheel: it holds everything that the commands need, and nothing that is only for development."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def run(unpacked: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "gatebook", *arguments],
        cwd=unpacked.parent,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_of_the_wheel_answers_for_help(unpacked: Path) -> None:
    listed = run(unpacked, "--help")
    assert listed.returncode == 0, listed.stderr
    for command in ("demo", "gateway", "decode", "stream", "topics", "reference", "database"):
        assert f"  {command}" in listed.stdout


def test_the_wheel_migrates_a_database_with_its_own_migrations(unpacked: Path) -> None:
    ledger = unpacked.parent / "ledger.db"
    done = run(unpacked, "database", "migrate", "--url", f"sqlite:///{ledger}")
    assert done.returncode == 0, done.stderr
    assert ledger.exists()


def test_tests_and_deployment_files_stay_out_of_the_wheel(unpacked: Path) -> None:
    top = {path.name.partition("-")[0] for path in unpacked.iterdir()}
    assert top == {"gateway", "stream", "schemas", "simulators", "gatebook.py", "gatebook"}
    assert (unpacked / "schemas/ports.csv").exists()
