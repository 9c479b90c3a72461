"""The shape of the code: what is pure, how large files are, and what may stand in none of them."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "gateway", "stream", "simulators")
ROW = re.compile(r"^\| `([a-z0-9_/]+\.py)` \| (P|I) \|", re.MULTILINE)
MARKS = dict(ROW.findall((ROOT / "docs/architecture.md").read_text(encoding="utf-8")))
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {one["name"]: one for one in CONFIG["tool"]["importlinter"]["contracts"]}


def modules() -> list[str]:
    """Every module of the packages that has code of its own, as a path."""
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return sorted(
        str(path.relative_to(ROOT))
        for path in found
        if path.name != "__init__.py" and "migrations" not in path.parts
    )


def tracked() -> list[str]:
    """Files of the repository, those that git does not know yet included."""
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_the_architecture_page_names_every_module_once_and_no_other() -> None:
    assert sorted(MARKS) == modules()


def test_the_pure_modules_of_the_page_are_those_of_the_import_contract() -> None:
    pure = CONTRACTS["Pure modules do no I/O and read no clock"]["source_modules"]
    folders = tuple(name.replace(".", "/") for name in pure)
    held = {
        path
        for path in modules()
        if path.removesuffix(".py").startswith(tuple(f"{f}/" for f in folders))
        or path.removesuffix(".py") in folders
    }
    assert held == {path for path, mark in MARKS.items() if mark == "P"}


@pytest.mark.parametrize(
    "name", ["Gateway and stream meet only in the event log", "The event log knows only schemas"]
)
def test_the_contracts_around_the_event_log_leave_no_module_of_the_stream_out(name: str) -> None:
    rest = {
        f"stream.{path.stem}"
        for path in (ROOT / "stream").iterdir()
        if path.suffix == ".py" or path.is_dir()
    }
    rest -= {"stream.log", "stream.__init__", "stream.__pycache__"}
    assert set(CONTRACTS[name]["forbidden_modules"]) == rest


@pytest.mark.parametrize("path", [name for name in tracked() if name.endswith(".py")])
def test_no_file_is_longer_than_400_lines(path: str) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 400


def test_no_file_names_a_package_index_or_a_path_of_a_machine() -> None:
    hosts = "|".join(
        ("py" + r"pi\.org", "python" + "hosted", r"maven\.org", r"npmjs\.", r"deb\.debian")
    )
    forbidden = re.compile(rf"{hosts}|(?:^|[^\w.])/(?:root|work)/")
    found = []
    for name in tracked():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {match[0]}" for match in forbidden.finditer(text)]
    assert found == []


def test_the_lock_file_holds_hashes_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    pins = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    assert len(pins) > 40
    assert lock.count("--hash=sha256:") >= len(pins)


def test_every_declared_dependency_is_pinned_and_has_its_reason() -> None:
    project = CONFIG["project"]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    decisions = (ROOT / "docs/decisions.md").read_text(encoding="utf-8").lower()
    declared = [*project["dependencies"], *project["optional-dependencies"]["demo"]]
    for name in (re.split("[><=]", one)[0] for one in declared):
        assert re.search(rf"^{name}==", lock, re.MULTILINE), name
        assert name in decisions, f"docs/decisions.md gives no reason for {name}"
