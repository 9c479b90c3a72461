"""Open an outbox: one process at a time, made where there is none, salvaged where it is damaged."""

import fcntl
import os
import secrets
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple

from gateway.outbox_file import OutboxFile, Owner
from gateway.outbox_room import MIB, Room, beside
from gateway.outbox_salvage import finish_salvage, salvage
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


class _Held(NamedTuple):
    """The lock of an outbox, and the epoch that its last owner wrote into it."""

    descriptor: int
    epoch: str | None


def open_outbox(path: Path, owner: Owner, quota: int = QUOTA) -> OutboxFile:
    """Open the outbox of a gateway, and make it with a new epoch when it is not there.

    A malformed one is set aside as `OUTBOX.damaged-N`; what can be read of it is in the new one, whose
    `Kept.follows` says so. Raises `OutboxError` when another process has it, when it belongs to another
    gateway or when it is no outbox.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
    except OSError as error:
        raise OutboxError(f"{path}: {error.strerror}") from error
    try:
        return _opened(path, lock, owner, quota)
    except (sqlite3.Error, OSError) as error:
        os.close(lock.descriptor)
        raise OutboxError(f"{path}: {error}: set the file aside and start again") from error
    except OutboxError:
        os.close(lock.descriptor)
        raise


def _opened(path: Path, lock: _Held, owner: Owner, quota: int) -> OutboxFile:
    finish_salvage(path)
    known = beside(path, ".reserve").exists()
    cause = _trouble(path, known=known and lock.epoch is not None)
    if cause is None:
        try:
            return _used(path, lock, owner, quota)
        except OutboxDamaged as error:
            cause = str(error)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            if not known:
                raise
            cause = str(error)
    salvage(path, owner, cause, lock.epoch, secrets.token_hex(8))
    return _used(path, lock, owner, quota)


def _trouble(path: Path, *, known: bool) -> str | None:
    """What is known to be wrong with the file before it is opened."""
    if beside(path, ".suspect").exists():
        return "the file was found damaged while it was in use"
    if known and (not path.exists() or path.stat().st_size == 0):
        return "the file is gone or empty"
    return None


def _used(path: Path, lock: _Held, owner: Owner, quota: int) -> OutboxFile:
    """The file, opened and read once. Raises `OutboxDamaged` or `sqlite3.Error` when it is malformed."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = connect(path)
    try:
        version = version_of(db, path)
        if version == 0:
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
    file = OutboxFile(db, lock.descriptor, owner, room, beside(path, ".suspect"))
    try:
        kept = file.load()
    except OutboxError:
        db.close()
        room.close()
        raise
    _sign(lock.descriptor, kept.epoch)
    return file


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


def _lock(path: Path) -> _Held:
    """Hold the outbox; the kernel lets go of it however the process ends."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    written = os.pread(descriptor, 100, 0).decode(errors="replace").split("\n")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        holder = written[0].strip() or "?"
        raise OutboxError(f"{path}: another gateway uses it (process {holder})") from None
    epoch = written[1] if len(written) > 1 and written[1].isalnum() else None
    _sign(descriptor, epoch)
    return _Held(descriptor, epoch)


def _sign(descriptor: int, epoch: str | None) -> None:
    """Write into the lock who holds it, and the epoch: all that is known if the file cannot be read."""
    text = f"{os.getpid()}\n{epoch or ''}\n".encode()
    os.pwrite(descriptor, text, 0)
    os.truncate(descriptor, len(text))
