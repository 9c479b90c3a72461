"""Captures that may be kept no longer: which files go, and which stay."""

from pathlib import Path

from gateway.capture_file import first_line
from gateway.live_cli import remove_old

LINE = b'{"at_us":5,"dir":"rx","hex":"BB"}\n'


def test_only_captures_whose_time_is_over_are_removed(tmp_path: Path) -> None:
    over, kept, unmarked = (tmp_path / name for name in ("over", "kept", "unmarked"))
    over.write_bytes(first_line("booth", 1, 100) + LINE)
    kept.write_bytes(first_line("booth", 1, 101) + LINE)
    unmarked.write_bytes(LINE)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(over)
    assert remove_old(tmp_path, 100) == [over]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"kept", "unmarked", "folder", "link"}
