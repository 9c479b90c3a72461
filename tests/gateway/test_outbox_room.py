"""The room of an outbox: its quota, its reserve, and a file system that is really full."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.batch import Totals
from gateway.outbox_file import OutboxFile
from gateway.outbox_look import Look
from gateway.outbox_room import BALLAST, MIB, NEARLY_FULL, beside
from gateway.outbox_tables import OutboxFull
from schemas.gate import Heartbeat, ReaderStatus
from tests.gateway.outbox_rig import (
    PLAIN,
    SIGNER,
    beat,
    drained,
    events,
    fill,
    opened,
    verify_chain,
)
from tests.gateway.rig import (
    CARD_FRAME,
    START,
    STOP,
    TRUCK_FRAME,
    Events,
    PtyReader,
    gateway,
    make_topics,
    write_config,
)
from tests.needs import missing

QUOTA = 16 * MIB


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", str(disk)],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if done.returncode:
        missing("a file system of its own can only be mounted as root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)  # noqa: S607


def occupy(disk: Path) -> Path:
    """Take all that is left of a disk."""
    file = disk / "others"
    with file.open("wb", buffering=0) as out:
        size = 1 << 20
        while size >= 1:
            try:
                out.write(b"x" * size)
            except OSError:
                size //= 2
    return file


def until_full(file: OutboxFile, seq: int, commit: int, at_most: int = 10**6) -> int:
    """Store events from `seq` on until one commit finds no room; the number after the last that did."""
    epoch = file.load().epoch
    for first in range(seq, seq + at_most, commit):
        try:
            fill(file, epoch, range(first, first + commit), commit)
        except OutboxFull:
            return first
    return seq + at_most


def used(path: Path) -> int:
    return sum(beside(path, suffix).stat().st_size for suffix in ("", "-wal"))


def test_database_wal_and_reserve_stay_within_the_quota(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with opened(path, quota=QUOTA) as file:
        reserve = beside(path, ".reserve")
        assert reserve.stat().st_blocks * 512 >= QUOTA - used(path) - 2 * MIB
        seq = 1
        while (after := until_full(file, seq, 500, at_most=500)) > seq:
            seq = after
            assert used(path) + reserve.stat().st_size <= QUOTA
        assert seq > 8_000
        assert file.sizes().share > NEARLY_FULL
        assert reserve.stat().st_size >= BALLAST


def test_an_outbox_that_has_reached_its_quota_can_be_emptied_and_filled_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "outbox.db"
    with opened(path, quota=QUOTA) as file:
        epoch = file.load().epoch
        seq, sent = 1, []
        for _ in range(2):
            seq = until_full(file, seq, 200)
            assert file.load().next_seq == seq
            sent += drained(file)
    assert [number for number, *_ in sent] == list(range(1, seq))
    key = SIGNER.public_key
    assert verify_chain(sent, gateway="gw-1", epoch=epoch, first_key=key, keys=[key]) == seq - 1


def test_an_event_of_a_full_outbox_can_still_be_replaced_and_linked_anew(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with opened(path, quota=QUOTA) as file:
        epoch = file.load().epoch
        seq = until_full(file, 1, 200)
        file.replace(beat(epoch, 3, padding=9), "refused")
        sent = drained(file)
    key = SIGNER.public_key
    assert verify_chain(sent, gateway="gw-1", epoch=epoch, first_key=key, keys=[key]) == seq - 1


def test_nobody_else_can_take_the_room_of_an_outbox(small_disk: Path) -> None:
    path = small_disk / "outbox.db"
    with opened(path, quota=QUOTA) as file:
        occupy(small_disk)
        seq = until_full(file, 1, 100)
        assert seq > 8_000
        assert file.sizes().share > NEARLY_FULL
        sent = drained(file)
    assert [number for number, *_ in sent] == list(range(1, seq))


def test_on_a_disk_that_was_full_before_the_ballast_lets_events_be_removed(
    small_disk: Path,
) -> None:
    path = small_disk / "outbox.db"
    with opened(path, quota=QUOTA) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 2_001), commit=50)
        # Others have all of the disk but the ballast.
        os.truncate(beside(path, ".reserve"), BALLAST)
        occupy(small_disk)
        seq = until_full(file, 2_001, 50)
        assert beside(path, ".reserve").stat().st_size == BALLAST
        sent = drained(file)
        # What was removed makes room for more, though the disk is as full as before.
        fill(file, epoch, range(seq, seq + 500), commit=50)
        sent += drained(file)
    assert [number for number, *_ in sent] == list(range(1, seq + 500))
    key = SIGNER.public_key
    assert verify_chain(sent, gateway="gw-1", epoch=epoch, first_key=key, keys=[key]) == len(sent)


def test_the_reserve_is_made_again_when_there_is_room(small_disk: Path) -> None:
    path = small_disk / "outbox.db"
    others = small_disk / "others"
    with opened(path, quota=QUOTA) as file:
        os.truncate(beside(path, ".reserve"), 0)
        occupy(small_disk)
        assert file.sizes(settle=True).reserve < BALLAST
        others.unlink()
        sizes = file.sizes(settle=True)
    assert sizes.used + sizes.reserve >= QUOTA - MIB


def test_a_small_disk_is_not_taken_whole(small_disk: Path) -> None:
    with opened(small_disk / "outbox.db", quota=1024 * MIB) as file:
        sizes = file.sizes()
    assert 16 * MIB < sizes.reserve < 23 * MIB
    assert sizes.limit < sizes.reserve


async def test_a_full_disk_stops_the_reader_and_loses_no_event(
    small_disk: Path, tmp_path: Path
) -> None:
    """Reads balance, numbers have no gap, and the span without the reader is reported."""
    url = f"sqlite:{tmp_path}/log/log.db"
    reader = PtyReader(tmp_path)
    config = write_config(
        tmp_path, log=url, heartbeat_ms=200, lane="glimpse_ms = 100\nlost_ms = 200"
    )
    config.write_text(config.read_text().replace(f"{tmp_path}/outbox.db", f"{small_disk}/o.db"))
    with gateway(config) as running:
        await reader.command(START)
        # The outbox cannot be sent, and its reserve is taken from it: the disk is really full.
        reader.send(CARD_FRAME * 5)
        stopped = asyncio.create_task(reader.command(STOP))
        async with asyncio.timeout(30):
            while not stopped.done():
                os.truncate(small_disk / "o.db.reserve", 0)
                occupy(small_disk)
                reader.send_if_room(CARD_FRAME * 3)
                await asyncio.sleep(0.02)
        assert any(line["event"] == "outbox_not_written" for line in running.log())
        (small_disk / "others").unlink()
        await reader.command(START)
        reader.send(TRUCK_FRAME * 5)
        (tmp_path / "log").mkdir()
        await make_topics(url)
        found = await Events(url).until(
            lambda seen: any("full" in one.cause for one in seen.of(ReaderStatus))
        )
        assert running.terminate() == 0
    (status,) = [one for one in found.of(ReaderStatus) if "full" in one.cause]
    assert status.up
    assert status.gap_from_us is not None
    assert status.gap_to_us is not None
    assert status.gap_from_us < status.gap_to_us
    found = await Events(url).until(
        lambda seen: any(one.cause == "stopped" for one in seen.of(ReaderStatus))
    )
    found.check_sequence()
    found.check_balance()
    reader.close()


def test_events_that_do_not_fit_leave_nothing_behind(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db", quota=QUOTA) as file:
        epoch = file.load().epoch
        with pytest.raises(OutboxFull):
            file.store(events(*(beat(epoch, seq) for seq in range(1, 100_000))))
        assert file.waiting() == (0, None)
        fill(file, epoch, range(1, 5))
        assert len(drained(file)) == 4


def refused(path: Path) -> int:
    """Heartbeats that were left out, as the outbox has it."""
    with closing(Look(path)) as look:
        ((value,),) = look.rows("SELECT value FROM counters WHERE name = ''")
    return msgspec.msgpack.decode(value, type=Totals).beats_refused


async def test_above_four_fifths_heartbeats_are_left_out_and_counted(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/log/log.db"
    config = write_config(tmp_path, log=url, heartbeat_ms=100)
    path = tmp_path / "outbox.db"
    with opened(path, owner=PLAIN, quota=QUOTA) as file:
        epoch = file.load().epoch
        seq = 1
        while file.sizes().share < 0.9:
            fill(file, epoch, range(seq, seq + 100), commit=100)
            seq += 100
    with gateway(config) as running:
        async with asyncio.timeout(20):
            while refused(path) < 3:  # noqa: ASYNC110 - a file of another process
                await asyncio.sleep(0.05)
        assert any(line["event"] == "outbox_nearly_full" for line in running.log())
        with closing(Look(path)) as look:
            ((next_seq,),) = look.rows("SELECT next_seq FROM tail")
        # The status of the reader that is not there, and nothing else.
        assert next_seq == seq + 1
        (tmp_path / "log").mkdir()
        await make_topics(url)
        found = await Events(url).until(
            lambda seen: any(one.at_us > 10**12 for one in seen.of(Heartbeat)), seconds=30
        )
        assert running.terminate() == 0
    assert len(found.distinct()) > seq
    found.check_sequence()
