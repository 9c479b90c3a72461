"""The chain of a gateway's events: through restarts, kills, other keys and replaced events."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.batch import EventRow
from gateway.outbox_file import Owner
from tests.gateway.outbox_rig import (
    OTHER,
    PLAIN,
    SIGNED,
    SIGNER,
    beat,
    drained,
    events,
    fill,
    opened,
    spoil,
    verify_chain,
)
from tests.gateway.rig import PAIR, ROOT

KEY, KEY_2 = SIGNER.public_key, OTHER.public_key


def test_every_event_has_its_link_and_the_last_of_each_commit_a_signature(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        epoch = file.load().epoch
        file.store(events(beat(epoch, 1), beat(epoch, 2)))
        file.store(events(beat(epoch, 3)))
        sent = drained(file)
    assert [signature is not None for *_, signature in sent] == [False, True, True]
    assert verify_chain(sent, gateway="gw-1", epoch=epoch, first_key=KEY, keys=[KEY]) == 3


def test_the_chain_goes_on_over_restarts_and_after_everything_was_sent(tmp_path: Path) -> None:
    sent, epoch = [], ""
    for first in (1, 11, 21):
        with opened(tmp_path / "outbox.db") as file:
            epoch = file.load().epoch
            fill(file, epoch, range(first, first + 10), commit=3)
            sent += drained(file, 4) if first < 21 else drained(file)
    assert verify_chain(sent, gateway="gw-1", epoch=epoch, first_key=KEY, keys=[KEY]) == 30


def test_another_key_in_mid_epoch_signs_what_follows_and_the_chain_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path / "outbox.db") as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 6))
    with opened(tmp_path / "outbox.db", Owner("gw-1", PAIR, OTHER)) as file:
        fill(file, epoch, range(6, 9))
        sent = drained(file)
    keys = [KEY, KEY_2]
    assert verify_chain(sent, gateway="gw-1", epoch=epoch, first_key=KEY, keys=keys) == 8
    signers = [signature[:8] for *_, signature in sent if signature is not None]
    assert signers == [SIGNER.key_id, OTHER.key_id]


def test_without_a_key_there_are_no_links_and_a_key_that_comes_later_begins_the_chain(
    tmp_path: Path,
) -> None:
    with opened(tmp_path / "outbox.db", PLAIN) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 4))
    with opened(tmp_path / "outbox.db") as file:
        fill(file, epoch, range(4, 7))
        sent = drained(file)
    assert [link is not None for _, _, link, _ in sent] == [False] * 3 + [True] * 3
    assert verify_chain(sent[3:], gateway="gw-1", epoch=epoch, first_key=KEY, keys=[KEY]) == 3


@pytest.mark.parametrize("replaced", [1, 4, 7, 10])
def test_a_replaced_event_leaves_a_chain_that_can_be_verified(
    tmp_path: Path, replaced: int
) -> None:
    path = tmp_path / "outbox.db"
    with opened(path) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 11), commit=4)
        assert file.unsound(file.head(100)) is None
        other = beat(epoch, replaced, padding=9)
        file.replace(other, "refused")
        # The links are made anew a few at a time, and events that come meanwhile wait for theirs.
        first = file.head(3)
        sent = [(row.seq, row.value, row.chain, row.signature) for row in first]
        file.remove(first[-1].seq)
        fill(file, epoch, range(11, 14), commit=2)
    with opened(path) as file:
        fill(file, epoch, [14])
        sent += drained(file, 3)
    assert [seq for seq, *_ in sent] == list(range(1, 15))
    assert sent[replaced - 1][1] == other.value
    assert verify_chain(sent, gateway="gw-1", epoch=epoch, first_key=KEY, keys=[KEY]) == 14


def test_a_replaced_value_is_kept_in_quarantine(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with opened(path) as file:
        epoch = file.load().epoch
        file.store(events(EventRow(1, 1, b"\xc1 damaged")))
        file.replace(beat(epoch, 1), "damaged")
        rows = file._read("SELECT epoch, seq, cause, value FROM quarantine")
    assert rows == [(epoch, 1, "damaged", b"\xc1 damaged")]


def test_a_value_that_was_changed_in_the_file_is_found_before_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with opened(path) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 9))
        spoil(path, "UPDATE events SET value = ? WHERE seq = 5", beat(epoch, 5, padding=9).value)
        assert file.unsound(file.head(100)) == 5
        file.remove(4)
        assert file.unsound(file.head(100)) == 5


CHILD = """
import sys
from pathlib import Path
from tests.gateway.outbox_rig import beat, events, opened
file = opened(Path(sys.argv[1]))
kept = file.load()
seq = kept.next_seq
print(seq - 1, flush=True)
while True:
    file.store(events(*(beat(kept.epoch, seq + n) for n in range(7))))
    seq += 7
    print(seq - 1, flush=True)
"""


@pytest.mark.parametrize("commits", [1, 3, 20, 57])
def test_a_kill_in_mid_commit_keeps_numbers_and_chain(tmp_path: Path, commits: int) -> None:
    path = tmp_path / "outbox.db"
    said = 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)], cwd=ROOT, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            for _ in range(commits):
                said = int(child.stdout.readline())
            # It goes on committing while the signal is on its way.
            os.kill(child.pid, signal.SIGKILL)
            said = max([said, *(int(line) for line in child.stdout if line.endswith(b"\n"))])
    with opened(path) as file:
        kept = file.load()
        sent = drained(file)
    # What was said to be stored is there; one commit more may have been made and not said.
    assert said <= kept.next_seq - 1 <= said + 7
    assert [seq for seq, *_ in sent] == list(range(1, kept.next_seq))
    assert verify_chain(sent, gateway="gw-1", epoch=kept.epoch, first_key=KEY, keys=[KEY]) == len(
        sent
    )


def test_an_outbox_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with opened(path, PLAIN) as file:
        epoch = file.load().epoch
        fill(file, epoch, range(1, 6))
        file.remove(2)
    # The tables as version 1 had them.
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(
        "ALTER TABLE events DROP COLUMN chain; ALTER TABLE events DROP COLUMN signature;"
        "DROP TABLE tail; DROP TABLE earlier; DROP TABLE quarantine;"
        "INSERT INTO meta VALUES ('next_seq', '6'); PRAGMA user_version = 1;"
    )
    db.close()
    with opened(path, SIGNED) as file:
        kept = file.load()
        assert (kept.epoch, kept.next_seq) == (epoch, 6)
        fill(file, epoch, [6])
        sent = drained(file)
    assert [(seq, link is not None) for seq, _, link, _ in sent] == [
        (3, False),
        (4, False),
        (5, False),
        (6, True),
    ]
