"""The outbox file: all of a batch or nothing, gapless, one owner, bounded, private."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.batch import REJECTS_KEPT, Batch, EventRow, KeyRow, ReaderTotals, RejectRow, Totals
from gateway.duplicates import KEYS_KEPT
from gateway.outbox import Outbox, Owner
from gateway.outbox_file import OutboxFile
from gateway.outbox_look import read_rejects
from gateway.outbox_open import open_outbox
from gateway.outbox_tables import OutboxError, OutboxFull
from gateway.tracker import Stay
from tests.gateway.rig import CARD, ROOT
from tests.gateway.test_tracker import POINT

OWNER = Owner("gw-1", "lar-wtb")
PACK = msgspec.msgpack.encode
KEY = ("L01-primary", CARD, False)
STAY = Stay(
    point=POINT,
    epc=CARD,
    tid=None,
    first_us=1,
    last_us=2,
    heard_us=2,
    reads=3,
    peak_rssi_dbm=-55.0,
    antennas=(1, 2),
    clock_source="received",
    clock_offset_us=0,
    replayed=False,
    observed=True,
    seen_event_id="gw-1.e.1",
)


def batch(*seqs: int, **fields: Any) -> Batch:
    events = [EventRow(seq, seq * 10, b"value %d" % seq) for seq in seqs]
    return Batch(events, {}, [], [], PACK(Totals(reads=len(seqs))), {})._replace(**fields)


def opened(path: Path) -> OutboxFile:
    file = open_outbox(path, OWNER)
    file.load()
    return file


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with opened(path) as file:
        first = file.load()
        readers = {"booth": PACK(ReaderTotals(reads=3, up=True))}
        keys = [KeyRow("queue", 0, "a"), KeyRow("queue", 1, "b")]
        file.store(batch(1, 2, stays={KEY: PACK(STAY)}, keys=keys, readers=readers))
    with opened(path) as file:
        kept = file.load()
        assert (kept.epoch, kept.next_seq) == (first.epoch, 3)
        assert list(kept.stays) == [STAY]
        assert list(kept.keys["queue"]) == keys
        assert kept.totals == Totals(reads=2)
        assert kept.readers == {"booth": ReaderTotals(reads=3, up=True)}
        assert [row.value for row in file.head(10)] == [b"value 1", b"value 2"]


def test_a_new_file_is_a_new_epoch_without_a_dot(tmp_path: Path) -> None:
    with opened(tmp_path / "a") as one, opened(tmp_path / "b") as two:
        epochs = {one.load().epoch, two.load().epoch}
    assert len(epochs) == 2
    assert all(epoch.isalnum() for epoch in epochs)


def test_a_closed_stay_is_gone_from_the_file(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        file.store(batch(stays={KEY: PACK(STAY)}))
        file.store(batch(stays={KEY: None}))
        assert not file.load().stays


def test_numbers_without_a_gap_are_enforced(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        file.store(batch(1, 2))
        for wrong in (2, 4):
            with pytest.raises(ValueError, match="does not follow 2"):
                file.store(batch(wrong))
        file.remove(2)
        file.store(batch(3))
        assert file.waiting() == (1, 30)


def test_numbers_go_on_after_everything_was_sent_and_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        file.store(batch(1, 2))
        file.remove(2)
        assert file.waiting() == (0, None)
    with opened(tmp_path / "outbox.db") as file:
        assert file.load().next_seq == 3


def test_a_batch_that_finds_no_room_leaves_nothing_and_may_be_tried_again(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        file.store(batch(1))
        (pages,) = file._db.execute("PRAGMA page_count").fetchone()
        file._db.execute(f"PRAGMA max_page_count={pages}")
        rejects = [RejectRow(1, "booth", "garbage", "", b"x" * 1_000)] * 100
        large = batch(2, stays={KEY: PACK(STAY)}, rejects=rejects)
        with pytest.raises(OutboxFull, match="full"):
            file.store(large)
        assert not file.load().stays
        assert file.waiting() == (1, 10)
        file._db.execute(f"PRAGMA max_page_count={pages + 100}")
        file.store(large)
        assert file.load().next_seq == 3


def test_a_skipped_event_takes_the_place_of_the_one_it_announces(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        file.store(batch(1, 2, 3))
        file.replace(EventRow(2, 20, b"skipped"), "damaged")
        assert [row.value for row in file.head(3)] == [b"value 1", b"skipped", b"value 3"]


def test_the_last_2000_keys_of_each_reader_are_kept(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        for reader in ("queue", "yard"):
            rows = [KeyRow(reader, number, str(number)) for number in range(KEYS_KEPT + 5)]
            file.store(batch(keys=rows))
        keys = file.load().keys
        assert {name: (len(rows), rows[0].number) for name, rows in keys.items()} == {
            "queue": (KEYS_KEPT, 5),
            "yard": (KEYS_KEPT, 5),
        }


def test_the_last_10000_rejects_are_kept_and_the_dropped_ones_counted(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with opened(path) as file:
        for number in range(21):
            rows = [RejectRow(number, "booth", "garbage", "", b"")] * (REJECTS_KEPT // 20)
            file.store(batch(rejects=rows))
        kept = read_rejects(path)
    assert (len(kept.rows), kept.dropped) == (REJECTS_KEPT, REJECTS_KEPT // 20)
    assert kept.rows[0].at_us == 1


def test_the_file_is_private_because_it_holds_card_numbers(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "outbox.db"
    with opened(path) as file:
        file.store(batch(stays={KEY: PACK(STAY)}))
        for one in path.parent.iterdir():
            assert one.stat().st_mode & 0o077 == 0, one.name


def test_a_second_gateway_is_refused_and_told_who_has_the_file(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    code = (
        "import sys; from pathlib import Path; from gateway.outbox_open import Owner, open_outbox\n"
        "with open_outbox(Path(sys.argv[1]), Owner('gw-1', 'p')): print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(OutboxError, match=rf"another gateway uses it \(process {other.pid}\)"):
            open_outbox(path, OWNER)
        other.kill()
    opened(path).close()


def test_the_outbox_of_another_gateway_is_refused(tmp_path: Path) -> None:
    opened(tmp_path / "outbox.db").close()
    with pytest.raises(OutboxError, match="belongs to gateway 'gw-1'"):
        open_outbox(tmp_path / "outbox.db", Owner("gw-2", "lar-wtb"))


def test_a_file_that_is_no_outbox_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other.db"
    text.write_bytes(b"not a database " * 100)
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE mine (x)")
    db.close()
    before = text.read_bytes()
    for path in (text, other):
        with pytest.raises(OutboxError, match="not"):
            open_outbox(path, OWNER)
    assert text.read_bytes() == before


def test_rejects_of_an_outbox_that_is_not_there_are_explained(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="no outbox yet"):
        read_rejects(tmp_path / "outbox.db")


async def test_waiting_events_wake_the_publisher_and_an_empty_outbox_is_said(
    tmp_path: Path,
) -> None:
    outbox = await Outbox.open(tmp_path / "outbox.db", OWNER)
    try:
        assert await outbox.head(10) == []
        assert outbox.empty.is_set()
        assert not outbox.filled.is_set()
        await outbox.store(batch(1))
        assert outbox.filled.is_set()
        assert not outbox.empty.is_set()
        assert [row.seq for row in await outbox.head(10)] == [1]
        await outbox.remove(1)
        assert await outbox.head(10) == []
        assert outbox.empty.is_set()
    finally:
        await outbox.aclose()
