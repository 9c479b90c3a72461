"""Open an outbox: one process at a time, made where there is none, salvaged where it is damaged."""

import os
import secrets
import sqlite3
from pathlib import Path
from typing import Final, NoReturn

from gateway.outbox_file import OutboxFile, Owner
from gateway.outbox_lock import OutboxLock
from gateway.outbox_room import MIB, Room, beside
from gateway.outbox_salvage import Witness, finish_salvage, salvage
from gateway.outbox_tables import (
    VERSION,
    OutboxDamaged,
    OutboxError,
    connect,
    make_tables,
    upgrade,
    version_of,
)

#: Quota of an outbox whose owner names none: tools and tests.
QUOTA: Final = 64 * MIB

#: Up to this size a file is looked through before it is used; a larger one would take too long.
_CHECK_BYTES: Final = 64 * MIB


def open_outbox(path: Path, owner: Owner, quota: int = QUOTA) -> OutboxFile:
    """Open the outbox of a gateway, and make it with a new epoch when it is not there.

    A malformed one is set aside as `OUTBOX.damaged-N`; what can be read of it is in the new one, whose
    `Kept.follows` says so. Raises `OutboxError` when another process has it, when it belongs to another
    gateway or when it is no outbox.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = OutboxLock.take(path)
    except OSError as error:
        raise OutboxError(f"{path}: {error.strerror}") from error
    try:
        return _opened(path, lock, owner, quota)
    except (sqlite3.Error, OSError) as error:
        lock.close()
        raise OutboxError(f"{path}: {error}: set the file aside and start again") from error
    except OutboxError:
        lock.close()
        raise


def _opened(path: Path, lock: OutboxLock, owner: Owner, quota: int) -> OutboxFile:
    finish_salvage(path)
    known = beside(path, ".reserve").exists()
    used = known and lock.epoch is not None
    cause = _trouble(path, used=used)
    if cause is None:
        try:
            return _opened_file(path, lock, owner, quota, used=used)
        except OutboxDamaged as error:
            cause = str(error)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            if not known:
                raise
            cause = str(error)
    salvage(path, owner, cause, Witness(lock.epoch, lock.next_seq), secrets.token_hex(8))
    return _opened_file(path, lock, owner, quota, used=False)


def _trouble(path: Path, *, used: bool) -> str | None:
    """What is known to be wrong with the file before it is opened."""
    if beside(path, ".suspect").exists():
        return "the file was found damaged while it was in use"
    if used and (not path.exists() or path.stat().st_size == 0):
        return "the file is gone or empty"
    return None


def _opened_file(
    path: Path, lock: OutboxLock, owner: Owner, quota: int, *, used: bool
) -> OutboxFile:
    """The file, opened and read once. Raises `OutboxDamaged` or `sqlite3.Error` when it is malformed.

    `used`: it had its tables before.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = connect(path)
    try:
        version = version_of(db, path)
        if version == 0:
            if used:
                _miss_tables()
            make_tables(db, [("gateway", owner.gateway), ("epoch", secrets.token_hex(8))])
            db.commit()
        else:
            _look_through(db)
            if version < VERSION:
                upgrade(db)
        room = Room(db, path, quota)
    except BaseException:
        db.close()
        raise
    file = OutboxFile(db, lock, owner, room, beside(path, ".suspect"))
    try:
        kept = file.load()
        if lock.is_behind(kept.epoch, kept.next_seq):
            raise OutboxDamaged(
                f"events {kept.next_seq} to {lock.next_seq - 1} were stored and are gone: "
                "the end of the write-ahead log is lost"
            )
    except OutboxError:
        db.close()
        room.close()
        raise
    lock.witness(kept.epoch, kept.next_seq)
    return file


def _miss_tables() -> NoReturn:
    raise OutboxDamaged("the tables are gone: the write-ahead log is lost")


def _look_through(db: sqlite3.Connection) -> None:
    """Raises `sqlite3.DatabaseError` when the file's structure is damaged."""
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    (page,) = db.execute("PRAGMA page_size").fetchone()
    if (pages - free) * page > _CHECK_BYTES:
        return
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
