"""What an event log holds of the stream's outputs: the revision in force of everything, and what came twice.

Pure. Fed with each committed message once, in the order of its partition.
"""

from typing import TypeVar

from schemas.alert import Alert, Rejected
from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord, CrossingEnded, Unmatched
from schemas.message import Message

Key = TypeVar("Key")
Revised = TypeVar("Revised", ArrivalNotice, CrossingEnded, BorderRecord)


class Committed:
    """Outputs, folded.

    Attributes:
        notices: the highest revision of each crossing's notice.
        ends: the highest revision by crossing and person (None: nobody known).
        records: the highest revision by record id.
        waiting: the last row by unmatched id, closed ones too.
        doubled: what was committed twice under one id and revision: its topic and a text.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self.notices: dict[str, ArrivalNotice] = {}
        self.ends: dict[tuple[str, str | None], CrossingEnded] = {}
        self.records: dict[str, BorderRecord] = {}
        self.waiting: dict[str, Unmatched] = {}
        self.alerts: list[Alert] = []
        self.rejected: list[Rejected] = []
        self.doubled: list[tuple[str, str]] = []
        self._seen: set[tuple[str, ...]] = set()

    def take(self, message: Message) -> None:
        """Fold a message in; messages of other topics are ignored."""
        match message:
            case ArrivalNotice():
                self._once("arrivals", message.crossing_id, str(message.revision))
                _keep(self.notices, message.crossing_id, message)
            case CrossingEnded():
                key = (message.crossing_id, message.person)
                self._once("crossings", *map(str, key), str(message.revision))
                _keep(self.ends, key, message)
            case BorderRecord():
                self._once("border-records", message.record_id, str(message.revision))
                _keep(self.records, message.record_id, message)
            case Unmatched():
                # A row may open again after it was closed, so only the same row twice running is a double.
                if self.waiting.get(message.unmatched_id) == message:
                    self._double("unmatched", f"{message.kind} of {message.crossing_id}")
                self.waiting[message.unmatched_id] = message
            case Alert():
                self.alerts.append(message)
            case Rejected():
                self.rejected.append(message)
            case _:
                pass

    def _once(self, *what: str) -> None:
        if what in self._seen:
            topic, *names, revision = what
            self._double(topic, f"{' '.join(names)} revision {revision}")
        self._seen.add(what)

    def _double(self, topic: str, what: str) -> None:
        self.doubled.append((topic, f"{topic}: {what}"))


def _keep(rows: dict[Key, Revised], key: Key, row: Revised) -> None:
    """Keep the row if its revision is the highest so far."""
    old = rows.get(key)
    if old is None or old.revision < row.revision:
        rows[key] = row
