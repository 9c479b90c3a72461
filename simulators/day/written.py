"""What the stages wrote for a recording, folded: of everything the revision in force, and of notices what was said on the way.

Pure. Fed with each message once, in the order in which it was written.
"""

from collections import defaultdict
from typing import NamedTuple

from schemas.alert import Alert, Rejected
from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord, CrossingEnded
from schemas.exchange import ExchangeRecord, ExchangeRetraction
from schemas.message import Country, Message
from schemas.reference import Trip
from schemas.watch import CredentialFlag
from simulators.committed import Committed


class Said(NamedTuple):
    """A revision of a notice, and when it was written: its own `at_us` is that of the input behind it."""

    at_us: int
    notice: ArrivalNotice


class Written:
    """Outputs, folded.

    Attributes:
        now: notices, ends, records, unmatched rows and alerts as they stand.
        said: all revisions of each crossing's notice, in order.
        entries: everything that was ever said of who entered what and when, by person.
        told: what each country was told last of a record, by topic and record id.
        trips: how each trip stands.
        flags: flags of cards, by card.
        topics: topics that something was written to.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self.now = Committed()
        self.said: defaultdict[str, list[Said]] = defaultdict(list)
        self.entries: defaultdict[str, dict[tuple[Country, int], str]] = defaultdict(dict)
        self.told: dict[tuple[str, str], ExchangeRecord | ExchangeRetraction] = {}
        self.trips: dict[str, Trip] = {}
        self.flags: dict[str, CredentialFlag] = {}
        self.topics: set[str] = set()

    def take(self, topic: str, at_us: int, message: Message | None) -> None:
        """Fold a message in that was written then; those of other topics are ignored."""
        self.topics.add(topic)
        match message:
            case ArrivalNotice():
                self.said[message.crossing_id].append(Said(at_us, message))
                self.now.take(message)
            case BorderRecord(person=person, entry=entry):
                self.entries[person].setdefault((entry.country, entry.at_us), message.crossing_id)
                self.now.take(message)
            case ExchangeRecord() | ExchangeRetraction():
                before = self.told.get((topic, message.record_id))
                if before is None or before.revision < message.revision:
                    self.told[topic, message.record_id] = message
            case Trip():
                self.trips[message.trip_number] = message
            case CredentialFlag():
                self.flags[message.credential_id] = message
            case None:
                pass
            case _:
                self.now.take(message)

    @property
    def whole(self) -> bool:
        """Whether all topics were kept: the ends of crossings, trips and flags of cards too."""
        return "trips" in self.topics

    @property
    def crossings(self) -> dict[str, ArrivalNotice]:
        """The last notice of each crossing that was not merged into another."""
        return {
            name: notice for name, notice in self.now.notices.items() if notice.state != "merged"
        }

    @property
    def records(self) -> list[BorderRecord]:
        """Border records as they stand."""
        return list(self.now.records.values())

    @property
    def ends(self) -> list[CrossingEnded]:
        """Ends as they stand, those that were taken back too."""
        return list(self.now.ends.values())

    @property
    def alerts(self) -> list[Alert]:
        """All alerts, each once."""
        return list({one.alert_id: one for one in self.now.alerts}.values())

    @property
    def refused(self) -> list[Rejected]:
        """Dead letters."""
        return self.now.rejected
