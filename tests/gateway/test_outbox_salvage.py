"""A damaged outbox: set aside, what can be read is salvaged, and a new epoch says what it follows."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.batch import Follows, KeyRow, ReaderTotals, RejectRow, Totals, WaitingRow
from gateway.outbox_look import read_rejects
from gateway.outbox_room import beside
from gateway.outbox_tables import OutboxDamaged, OutboxError
from schemas.gate import EpochStarted, ReaderStatus, Skipped, split_event_id
from schemas.wire import decode
from tests.gateway.outbox_rig import (
    PACK,
    SIGNER,
    beat,
    events,
    fill,
    opened,
    spoil,
    verify_chain,
)
from tests.gateway.rig import (
    CARD_FRAME,
    START,
    Events,
    PtyReader,
    gateway,
    make_topics,
    write_config,
)
from tests.gateway.test_outbox import KEY, STAY

PAGE = 4096
PUBLIC = SIGNER.public_key


def page_of(path: Path, text: bytes) -> int:
    """The number of the page, from 0, that holds some bytes."""
    at = path.read_bytes().find(text)
    assert at >= 0
    return at // PAGE


def overwrite(path: Path, page: int, data: bytes = b"\xa5" * PAGE) -> None:
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(data)


def drained_epochs(path: Path) -> tuple[dict[str, list[WaitingRow]], Follows | None]:
    """What is sent of each epoch, in order, and what the present epoch says that it follows."""
    found: dict[str, list[WaitingRow]] = {}
    with opened(path) as file:
        follows = file.load().follows
        while rows := file.head(50):
            for row in rows:
                found.setdefault(row.epoch, []).append(row)
            file.remove(rows[-1].seq, rows[-1].epoch)
    return found, follows


def check_old_epoch(rows: list[WaitingRow], epoch: str, before: list[WaitingRow]) -> list[Skipped]:
    """The numbers are all accounted for and the whole chain verifies; returns what was skipped."""
    skipped, upto = [], 100
    for row in rows:
        message = decode("gate-events", row.value)
        parts = split_event_id(getattr(message, "event_id", ""))
        assert parts is not None
        assert (parts.epoch, parts.seq) == (epoch, row.seq)
        assert row.seq == upto + 1
        upto = row.seq
        if isinstance(message, Skipped):
            skipped.append(message)
            assert message.from_seq == row.seq
            upto = message.to_seq
    assert upto == 400
    sent = [(row.seq, row.value, row.chain, row.signature) for row in (*before, *rows)]
    covered = verify_chain(sent, gateway="gw-1", epoch=epoch, first_key=PUBLIC, keys=[PUBLIC])
    assert covered == len(sent)
    return skipped


@pytest.fixture
def damaged(tmp_path: Path) -> tuple[Path, str, list[WaitingRow]]:
    """An outbox of 400 events, 100 of which were sent."""
    path = tmp_path / "outbox.db"
    with opened(path) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 401), commit=7)
        before = file.head(100)
        file.store(
            events(
                stays={KEY: PACK(STAY)},
                keys=[KeyRow("queue", 0, "a"), KeyRow("queue", 1, "b")],
                rejects=[RejectRow(1, "booth", "garbage", "", b"x")],
                totals=PACK(Totals(reads=10, reads_gone=7, covered_us=99)),
                readers={"booth": PACK(ReaderTotals(reads=10, up=True))},
            )
        )
        file.remove(100)
    return path, epoch, before


Damaged = tuple[Path, str, list[WaitingRow]]


def test_a_damaged_page_costs_its_events_and_no_others(damaged: Damaged) -> None:
    path, epoch, before = damaged
    overwrite(path, page_of(path, beat(epoch, 250).value))
    found, follows = drained_epochs(path)
    assert follows is not None
    assert (follows.epoch, follows.last_seq) == (epoch, 400)
    assert list(found) == [epoch]
    (skipped,) = check_old_epoch(found[epoch], epoch, before)
    assert skipped.from_seq <= 250 <= skipped.to_seq
    assert skipped.to_seq - skipped.from_seq < 40


def test_what_else_can_be_read_is_there_and_counters_count_the_new_epoch(damaged: Damaged) -> None:
    path, epoch, _ = damaged
    overwrite(path, page_of(path, beat(epoch, 250).value))
    with opened(path) as file:
        kept = file.load()
    assert kept.epoch != epoch
    assert kept.next_seq == 1
    assert list(kept.stays) == [STAY]
    assert [row.key for row in kept.keys["queue"]] == ["a", "b"]
    # Reads of the open stay are the only ones that the new epoch can account for.
    assert kept.totals == Totals(reads=STAY.reads, covered_us=99)
    assert kept.readers == {"booth": ReaderTotals(up=True)}
    assert len(read_rejects(path).rows) == 1


def test_a_changed_value_is_found_by_its_link_and_kept_in_quarantine(damaged: Damaged) -> None:
    path, epoch, before = damaged
    changed = beat(epoch, 300, padding=9).value
    spoil(path, "UPDATE events SET value = ? WHERE seq = 300", changed)
    beside(path, ".suspect").touch()
    found, _ = drained_epochs(path)
    (skipped,) = check_old_epoch(found[epoch], epoch, before)
    assert (skipped.from_seq, skipped.to_seq) == (300, 300)
    with opened(path) as file:
        assert file._read("SELECT seq, value FROM quarantine") == [(300, changed)]


@pytest.mark.parametrize("seq", [101, 400])
def test_a_lost_event_at_either_end_is_announced_too(damaged: Damaged, seq: int) -> None:
    path, epoch, before = damaged
    spoil(path, "DELETE FROM events WHERE seq = ?", seq)
    beside(path, ".suspect").touch()
    found, _ = drained_epochs(path)
    (skipped,) = check_old_epoch(found[epoch], epoch, before)
    assert (skipped.from_seq, skipped.to_seq) == (seq, seq)


def test_the_damaged_file_is_set_aside_and_the_last_three_are_kept(damaged: Damaged) -> None:
    path, epoch, _ = damaged
    for round_ in range(1, 6):
        beside(path, ".suspect").touch()
        with opened(path) as file:
            kept = file.load()
            assert kept.follows is not None
            assert kept.follows.epoch == epoch
            epoch = kept.epoch
        names = {file.name for file in path.parent.glob("*.damaged-?")}
        first = max(1, round_ - 2)
        assert names == {f"outbox.db.damaged-{n}" for n in range(first, round_ + 1)}
        assert all(one.stat().st_mode & 0o077 == 0 for one in path.parent.glob("*.damaged-*"))


def test_events_of_several_earlier_epochs_go_out_in_their_order(damaged: Damaged) -> None:
    path, first, before = damaged
    beside(path, ".suspect").touch()
    with opened(path) as file:
        second = file.load().epoch
        fill(file, second, range(1, 11))
    beside(path, ".suspect").touch()
    with opened(path) as file:
        third = file.load().epoch
        fill(file, third, range(1, 6))
        assert file.waiting()[0] == 300 + 10 + 5
    found, _ = drained_epochs(path)
    assert list(found) == [first, second, third]
    assert not check_old_epoch(found[first], first, before)
    for epoch, count in ((second, 10), (third, 5)):
        sent = [(row.seq, row.value, row.chain, row.signature) for row in found[epoch]]
        keys = {"first_key": PUBLIC, "keys": [PUBLIC]}
        assert verify_chain(sent, gateway="gw-1", epoch=epoch, **keys) == count  # type: ignore[arg-type]


def nothing(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def no_database(path: Path) -> None:
    overwrite(path, 0)


def cut_off(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(PAGE * 3)


@pytest.mark.parametrize("harm", [nothing, empty, no_database, cut_off])
def test_where_nothing_can_be_read_the_epoch_before_is_still_known(
    damaged: Damaged, harm: Callable[[Path], None]
) -> None:
    path, epoch, _ = damaged
    harm(path)
    with opened(path) as file:
        kept = file.load()
        assert kept.follows is not None
        assert kept.follows.epoch == epoch
        assert kept.next_seq == 1
        fill(file, kept.epoch, [1])
        assert file.load().follows is None


def test_damage_that_shows_while_the_outbox_is_used_is_remembered_for_the_next_start(
    damaged: Damaged,
) -> None:
    path, epoch, before = damaged
    page = page_of(path, beat(epoch, 250).value)
    with opened(path) as file:
        overwrite(path, page)
        # Another connection has nothing of the file in its memory.
        file._db.close()
        file._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        with pytest.raises(OutboxDamaged, match="next start"):
            file.head(400)
    assert beside(path, ".suspect").exists()
    found, _ = drained_epochs(path)
    assert len(check_old_epoch(found[epoch], epoch, before)) == 1
    assert not beside(path, ".suspect").exists()


@pytest.mark.parametrize("moved", [(), ("-wal",), ("-wal", "-shm"), ("-wal", "-shm", "")])
def test_a_salvage_that_was_killed_while_it_moved_files_is_finished(
    damaged: Damaged, moved: tuple[str, ...]
) -> None:
    path, epoch, _ = damaged
    beside(path, ".suspect").touch()
    with opened(path) as file:
        fresh = file.load().epoch
    # As it was in the middle: the new file under its name of before, parts of the old one in their place.
    path.rename(beside(path, ".salvaged"))
    beside(path, ".damaged-1").rename(path)
    for suffix in ("-wal", "-shm"):
        beside(path, suffix).write_bytes(b"")
    for suffix in moved:
        beside(path, suffix).rename(beside(path, f".damaged-1{suffix}"))
    beside(path, ".suspect").touch()
    with opened(path) as file:
        kept = file.load()
    assert kept.epoch == fresh
    assert kept.follows is not None
    assert kept.follows.epoch == epoch
    assert not beside(path, ".suspect").exists()


def test_the_damaged_outbox_of_another_gateway_is_refused_and_left(damaged: Damaged) -> None:
    path, _, _ = damaged
    spoil(path, "UPDATE meta SET value = 'gw-9' WHERE name = 'gateway'")
    beside(path, ".suspect").touch()
    before = path.read_bytes()
    with pytest.raises(OutboxError, match="belongs to gateway 'gw-9'"):
        opened(path)
    assert path.read_bytes() == before


async def test_a_gateway_with_a_damaged_outbox_starts_by_itself_and_says_so(
    tmp_path: Path,
) -> None:
    url = f"sqlite:{tmp_path}/log/log.db"
    reader = PtyReader(tmp_path)
    config = write_config(tmp_path, log=url, heartbeat_ms=200)
    path = tmp_path / "outbox.db"
    with gateway(config) as running:
        await reader.command(START)
        reader.send(CARD_FRAME * 5)
        assert running.terminate() == 0
    with sqlite3.connect(path) as db:
        (epoch,) = db.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
        (waiting,) = db.execute("SELECT count(*) FROM events").fetchone()
    db.close()
    overwrite(path, page_of(path, b"reader_status"))
    (tmp_path / "log").mkdir()
    await make_topics(url)
    with gateway(config) as running:
        await reader.command(START)
        found = await Events(url).until(
            lambda seen: any(one.cause == "restart" for one in seen.of(ReaderStatus))
        )
        assert running.terminate() == 0
    (started,) = found.of(EpochStarted)
    assert started.previous_epoch == epoch
    assert started.last_seq_known == waiting
    assert (split_event_id(started.event_id) or ("",) * 3)[2] == 1
    ids = [split_event_id(name) for name in found.distinct()]
    numbers = [one.seq for one in ids if one is not None and one.epoch == epoch]
    skipped = {n for one in found.of(Skipped) for n in range(one.from_seq, one.to_seq + 1)}
    assert set(numbers) | skipped == set(range(1, waiting + 1))
    assert skipped
    reader.close()
