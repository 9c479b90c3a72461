"""Numbers are never given out twice: a write-ahead log that lost its end is noticed, and a new epoch begins."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.outbox_lock import OutboxLock
from gateway.outbox_room import beside
from gateway.outbox_tables import OutboxError
from tests.gateway.outbox_rig import fill, opened


def killed(tmp_path: Path) -> tuple[Path, str]:
    """The files of a gateway that was killed after event 100, and its epoch."""
    path = tmp_path / "live" / "outbox.db"
    with opened(path) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 101))
        shutil.copytree(path.parent, tmp_path / "killed")
    return tmp_path / "killed" / "outbox.db", epoch


def spoil_half(wal: Path) -> None:
    with wal.open("r+b") as file:
        file.seek(wal.stat().st_size // 2)
        file.write(b"\xa5" * 64)


def cut(wal: Path) -> None:
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size * 3 // 4)


@pytest.mark.parametrize("harm", [spoil_half, cut])
def test_a_wal_that_lost_its_end_begins_a_new_epoch_that_says_which_numbers_were_given_out(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path, epoch = killed(tmp_path)
    harm(beside(path, "-wal"))
    with opened(path) as file:
        kept = file.load()
        assert kept.epoch != epoch
        assert kept.follows is not None
        assert (kept.follows.epoch, kept.follows.last_seq) == (epoch, 100)
        assert "write-ahead log" in kept.follows.cause
        rows = file.head(200)
        assert {row.epoch for row in rows} == {epoch}
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        assert 0 < len(rows) < 100


def test_a_wal_that_is_gone_with_all_tables_in_it_is_no_new_outbox(tmp_path: Path) -> None:
    path, epoch = killed(tmp_path)
    beside(path, "-wal").unlink()
    with opened(path) as file:
        kept = file.load()
        assert kept.epoch != epoch
        assert kept.follows is not None
        assert (kept.follows.epoch, kept.follows.last_seq) == (epoch, 100)


def test_a_kill_alone_changes_nothing_and_is_taken_for_no_damage(tmp_path: Path) -> None:
    path, epoch = killed(tmp_path)
    for number in (101, 102):
        with opened(path) as file:
            kept = file.load()
            assert (kept.epoch, kept.next_seq, kept.follows) == (epoch, number, None)
            fill(file, epoch, [number])


@pytest.mark.parametrize(
    "text", ["", "12\n", "12\n{epoch}\n", "12\n{epoch}\n7\n", "12\n{epoch}\n00000000000000000050\n"]
)
def test_a_lock_that_says_less_than_was_committed_is_believed_no_further(
    tmp_path: Path, text: str
) -> None:
    path, epoch = killed(tmp_path)
    beside(path, ".lock").write_text(text.format(epoch=epoch))
    with opened(path) as file:
        kept = file.load()
        assert (kept.epoch, kept.next_seq, kept.follows) == (epoch, 101, None)


def test_a_second_process_is_told_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    lock = OutboxLock.take(path)
    with pytest.raises(OutboxError, match="another gateway uses it"):
        OutboxLock.take(path)
    lock.witness("ab12", 7)
    lock.close()
    again = OutboxLock.take(path)
    assert (again.epoch, again.next_seq) == ("ab12", 7)
    assert again.is_behind("ab12", 6)
    assert not again.is_behind("ab12", 7)
    assert not again.is_behind("cd34", 1)
    again.close()
