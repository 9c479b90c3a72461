"""The doctor's looks at this machine: keys, the outbox with its disk, the clock."""

import os
import pwd
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.diagnosis import Notes
from gateway.identity import TokenKeyError, parse_token_key
from gateway.kernel_clock import synchronised
from gateway.outbox_room import MIB, beside
from gateway.signing import SigningKeyError, read_signing_key
from gateway.tables import Config

#: 2024-01-01: a machine without a battery for its clock starts decades before it.
EARLIEST_S: Final = 1_704_067_200

#: File systems in which an outbox does not survive, or cannot be locked.
_VOLATILE: Final = {"tmpfs", "ramfs"}
_REMOTE: Final = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"}


def look_at_token_key(config: Config, notes: Notes) -> None:
    """The key that makes tokens."""
    path = Path(config.gateway.token_key_file)
    make = (
        f"umask 077; printf 'k1:%s\\n' \"$(od -An -tx1 -N32 /dev/urandom | tr -d ' \\n')\" > {path}"
        " (or copy the one of the authority's other gateways: a card must have one token everywhere)"
    )
    try:
        key = parse_token_key(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        notes.wrong(f"{path} is not there", "without it no read gets a token", make, "fatal")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        notes.wrong(f"{path} cannot be read", why, _own(path), "fatal")
    except TokenKeyError as error:
        notes.wrong(f"{path} holds no token key", str(error), make, "fatal")
    else:
        notes.good(f"{path}: key {key.key_id}")
        if path.stat().st_mode & 0o077:
            why = "whoever has the key can find the token of any card that he has seen"
            notes.wrong(f"others can read {path}", why, f"chmod 600 {path}")


def look_at_signing_key(config: Config, notes: Notes) -> None:
    """The key that signs events."""
    text = config.gateway.signing_key_file
    if text is None:
        why = "whoever can write to the event log can invent events of this gateway"
        fix = "set signing_key_file in [gateway], then: gatebook gateway keygen -c FILE"
        notes.wrong("events go out unsigned", why, fix)
        return
    try:
        signer = read_signing_key(Path(text))
    except SigningKeyError as error:
        fix = f"chmod 600 {text}" if "chmod" in str(error) else "gatebook gateway keygen -c FILE"
        notes.wrong(f"{text} cannot be used", str(error), fix, "fatal")
    else:
        notes.good(f"{text}: key {signer.key_id.hex()}")


def look_at_outbox(config: Config, notes: Notes) -> None:
    """Where events are kept: rights, room, and who has it."""
    path = Path(config.outbox.path)
    folder = path.parent
    if not _can_write(folder, path, notes):
        return
    process = running(path)
    if process is not None:
        notes.good(f"{path} is in use: the gateway is running (process {process})")
    for one in (path, beside(path, "-wal"), beside(path, ".reserve")):
        if one.exists() and one.stat().st_mode & 0o077:
            why = "it holds card numbers"
            notes.wrong(f"others can read {one}", why, f"chmod 600 {one}")
    kind = _file_system(folder)
    if kind in _VOLATILE:
        why = f"{folder} is {kind}: it lies in memory and is empty after a restart of the machine"
        notes.wrong(f"{path} does not survive a power cut", why, "set path in [outbox] to a disk")
    if kind in _REMOTE:
        why = f"{folder} is {kind}: SQLite's WAL needs memory that all its processes share"
        notes.wrong(f"{path} lies on another machine", why, "set path in [outbox] to a local disk")
    _room(path, config.outbox.quota_mb * MIB, notes)


def look_at_clock(config: Config, notes: Notes) -> None:
    """Whether the wall clock can be relied on."""
    if time.time() < EARLIEST_S:
        why = "wall time is read at the start and stands in every event"
        notes.wrong("the clock was never set", why, "sudo timedatectl set-ntp true", "fatal")
        return
    known = synchronised()
    if known:
        notes.good("the kernel's clock is synchronised")
    elif known is None:
        why = "the kernel does not say (adjtimex)"
        fix = "compare `date -u` with another clock"
        notes.wrong("whether the clock is right cannot be told", why, fix, "unknown")
    elif config.health.clock_check:
        why = "nothing disciplines the kernel's clock: no NTP, or it has reached no server yet"
        fix = (
            "sudo timedatectl set-ntp true (or start chrony) and look again in some minutes; "
            "where PTP sets the clock it looks so too: then clock_check = false in [health]"
        )
        notes.wrong("the clock is not synchronised", why, fix)


def running(path: Path) -> int | None:
    """The process that holds the outbox, by the kernel's list of locks; asking disturbs nobody."""
    try:
        status = Path(f"{path}.lock").stat()
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in locks:
        # 1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF     (proc(5))
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5] == place:
            return int(words[4])
    return None


def _can_write(folder: Path, path: Path, notes: Notes) -> bool:
    there = _there(folder)
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        why = f"this user ({_user()}) may not write in {there}"
        fix = f"sudo install -d -m 700 -o {_user()} {folder}"
        notes.wrong(f"{path} cannot be made or written", why, fix, "fatal")
        return False
    if path.exists() and not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        notes.wrong(f"{path} cannot be written", f"not by {_user()}", _own(path), "fatal")
        return False
    return True


def _room(path: Path, quota: int, notes: Notes) -> None:
    there = _there(path.parent)
    free = shutil.disk_usage(there).free
    held = sum(
        one.stat().st_blocks * 512
        for one in (path, beside(path, "-wal"), beside(path, ".reserve"))
        if one.exists()
    )
    lacking = quota - held - free
    if lacking > 0:
        why = f"quota_mb is {quota // MIB}, {held // MIB} of it are held, and {free // MIB} MiB are free"
        fix = f"free {lacking // MIB + 1} MiB in {there}, or lower quota_mb in [outbox]"
        notes.wrong("the disk has less room than the outbox may take", why, fix)
    else:
        notes.good(f"{free // MIB} MiB free; {held // MIB} of the quota of {quota // MIB} MiB held")


def _there(folder: Path) -> Path:
    """The folder, or the nearest above it that exists and may be looked into."""
    for one in (folder.absolute(), *folder.absolute().parents):
        with suppress(OSError):
            one.stat()
            return one
    return Path("/")


def _file_system(folder: Path) -> str:
    """The type of the file system in which a folder lies (proc(5), mounts); empty where nobody says."""
    found, kind = "", ""
    where = os.path.realpath(folder)
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in mounts.splitlines():
        point, name = (*line.split(), "", "")[1:3]
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(found):
            found, kind = point, name
    return kind


def _own(path: Path) -> str:
    return f"sudo chown {_user()} {path} && chmod 600 {path}"


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
