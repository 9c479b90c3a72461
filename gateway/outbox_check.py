"""What is wrong with an outbox and what is in it: findings and figures for the commands."""

from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.batch import WaitingRow
from gateway.outbox_look import Look
from gateway.outbox_room import beside
from gateway.signing import Signer, is_signature
from schemas.chain import next_link, split_signature
from schemas.gate import Skipped, event_id
from schemas.message import Message
from schemas.wire import SchemaError, decode

TOPIC: Final = "gate-events"

#: Findings of one kind that are listed; the rest is counted.
MAX_LISTED: Final = 20

_SUFFIXES: Final = ("", "-wal", "-shm", ".reserve")


class Trouble(NamedTuple):
    """Something wrong: what, why it matters, what to do."""

    what: str
    why: str
    fix: str


class Stats(NamedTuple):
    """What an outbox holds."""

    gateway: str
    epoch: str
    next_seq: int
    waiting: int
    #: Of those, events of an earlier epoch that were salvaged.
    earlier: int
    oldest_us: int | None
    newest_us: int | None
    signed: bool
    open_stays: int
    keys: int
    rejects: int
    quarantined: int
    #: Bytes by file, and of the database how much holds something.
    files: dict[str, int]
    filled: int
    quota: int | None


class Checked(NamedTuple):
    """What a check found, and how much it looked at."""

    events: int
    signatures: int
    #: Signatures of a key that is not the configured one.
    other_keys: int
    #: Events without a link. They are trouble only where there is a key.
    unsigned: int
    troubles: list[Trouble]


def stats_of(look: Look, quota: int | None) -> Stats:
    """Figures of an outbox. Raises `OutboxError`."""
    meta = look.meta()
    ((next_seq, link),) = look.rows("SELECT next_seq, link FROM tail")
    ((earlier, first_us),) = look.rows("SELECT count(*), min(at_us) FROM earlier")
    ends = look.rows(
        "SELECT count(*), (SELECT at_us FROM events ORDER BY seq LIMIT 1), "
        "(SELECT at_us FROM events ORDER BY seq DESC LIMIT 1) FROM events"
    )
    ((waiting, oldest_us, newest_us),) = ends
    counts = {
        table: look.rows(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - names of our own
        for table in ("stays", "keys", "rejects", "quarantine")
    }
    return Stats(
        gateway=meta["gateway"],
        epoch=meta["epoch"],
        next_seq=next_seq,
        waiting=waiting + earlier,
        earlier=earlier,
        oldest_us=oldest_us if first_us is None else first_us,
        newest_us=newest_us,
        signed=link is not None,
        open_stays=counts["stays"],
        keys=counts["keys"],
        rejects=counts["rejects"],
        quarantined=counts["quarantine"],
        files=_files(look.path),
        filled=_filled(look),
        quota=quota,
    )


def check(look: Look, signer: Signer | None, quota: int | None) -> Checked:
    """Look at everything that waits: structure, numbers, links, signatures and room."""
    troubles = [
        Trouble(f"structure: {text}", "rows may be lost", "stop and start the gateway: it salvages")
        for (text,) in look.rows("PRAGMA quick_check(20)")
        if text != "ok"
    ]
    walk = _Walk(look, signer)
    # The rows first, then what only a look at all of them tells.
    for row in look.waiting():
        walk.take(row)
    troubles += walk.end()
    files = _files(look.path)
    used = files.get("", 0) + files.get("-wal", 0)
    if quota is not None and used > quota:
        what = f"database and WAL take {used} bytes, the quota is {quota}"
        troubles.append(Trouble(what, "the disk may fill up", "raise outbox.quota_mb"))
    if beside(look.path, ".suspect").exists():
        what = "the file proved to be damaged while it was in use"
        troubles.append(Trouble(what, "rows may be lost", "start the gateway: it salvages"))
    return Checked(walk.events, walk.signatures, walk.other_keys, walk.unsigned, troubles)


class _Walk:
    """Goes along the waiting events."""

    def __init__(self, look: Look, signer: Signer | None) -> None:
        self._look = look
        self._gateway = look.meta()["gateway"]
        self._signer = signer
        ((next_seq, linked_seq, sent_seq, sent_link),) = look.rows(
            "SELECT next_seq, linked_seq, sent_seq, sent_link FROM tail"
        )
        self._epoch = look.meta()["epoch"]
        self._start = next_seq, linked_seq
        self._sent = sent_seq, sent_link
        self._link: bytes | None = None
        self._last: WaitingRow | None = None
        #: The last number that an event accounts for: `Skipped` accounts for several.
        self._upto = 0
        self._troubles: list[Trouble] = []
        self.events = self.signatures = self.other_keys = self.unsigned = 0

    def take(self, row: WaitingRow) -> None:
        """The next event."""
        self.events += 1
        if self._last is None or self._last.epoch != row.epoch:
            present = row.epoch == self._epoch
            self._upto, self._link = self._sent if present else (row.seq - 1, None)
        if row.seq != self._upto + 1:
            self._jump(row)
        self._upto = self._accounted(row)
        self._links(row)
        self._last = row

    def _jump(self, row: WaitingRow) -> None:
        """A number does not follow the one before: events are missing, or were sent meanwhile."""
        self._link = None
        ((sent_seq,),) = self._look.rows("SELECT sent_seq FROM tail")
        if row.epoch == self._epoch and row.seq <= sent_seq + 1:
            return
        what = f"events {self._upto + 1} to {row.seq - 1} of epoch {row.epoch} are missing"
        self._say(what, "readers of the topic will raise an alert", "report it")

    def end(self) -> list[Trouble]:
        """What was found."""
        last, (next_seq, _) = self._last, self._start
        if last is not None and last.epoch == self._epoch and self._upto < next_seq - 1:
            what = f"events {self._upto + 1} to {next_seq - 1} are missing at the end"
            self._say(what, "readers of the topic will raise an alert", "report it")
        if self.unsigned and self._signer is not None:
            what = f"{self.unsigned} events wait without a signature, though there is a key"
            self._say(what, "they can be forged", "nothing, if the key came after them")
        return self._troubles

    def _accounted(self, row: WaitingRow) -> int:
        """The last number that the event accounts for; says what is wrong with its value."""
        try:
            message: Message = decode(TOPIC, row.value)
        except SchemaError as error:
            what = f"event {row.seq}: its value is damaged: {error}"
            self._say(what, "it cannot be used", "nothing: `skipped` will go out in its place")
            return row.seq
        if getattr(message, "event_id", "") != event_id(self._gateway, row.epoch, row.seq):
            what = f"event {row.seq} of epoch {row.epoch} has another event's id in its value"
            self._say(what, "it would be taken for another one", "report it")
        return message.to_seq if isinstance(message, Skipped) else row.seq

    def _links(self, row: WaitingRow) -> None:
        if row.chain is None:
            self.unsigned += 1
            return
        if row.epoch == self._epoch and row.seq > self._start[1]:
            return
        if self._link is not None and next_link(self._link, row.seq, row.value) != row.chain:
            what = f"event {row.seq}: its link does not fit its value and the event before it"
            self._say(what, "it was changed or damaged", "nothing: `skipped` will go out for it")
        self._link = row.chain
        if row.signature is not None:
            self._signature(row, row.chain, row.signature)

    def _signature(self, row: WaitingRow, link: bytes, header: bytes) -> None:
        parts = split_signature(header)
        if parts is not None and (self._signer is None or parts.key_id != self._signer.key_id):
            self.other_keys += 1
            return
        good = parts is not None and self._signer is not None
        if good and parts is not None and self._signer is not None:
            good = is_signature(self._signer.public_key, parts.signature, link)
        if good:
            self.signatures += 1
            return
        what = f"event {row.seq}: its signature is not the key's"
        self._say(what, "readers of the topic will refuse it", "report it")

    def _say(self, what: str, why: str, fix: str) -> None:
        if len(self._troubles) < MAX_LISTED:
            self._troubles.append(Trouble(what, why, fix))


def _files(path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for suffix in _SUFFIXES:
        try:
            found[suffix] = beside(path, suffix).stat().st_size
        except FileNotFoundError:
            continue
    return found


def _filled(look: Look) -> int:
    figures: list[Any] = [
        look.rows(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
    ]
    pages, free, size = figures
    return int((pages - free) * size)
