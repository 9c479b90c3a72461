"""What must come of simulated traffic, and how what was committed differs from it.

Pure. The truth knows nothing of the stages: one crossing a truck, one border record a person who entered, the
named outcome for everybody else, at the moment at which the officer decided.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from schemas.arrival import Link
from schemas.border import BorderRecord, PersonRole, UnmatchedKind
from schemas.wire import rfc3339
from simulators.committed import Committed

Kind = Literal["missing", "extra", "wrong", "doubled"]

#: A token: its key's id and 32 hex characters.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[0-9a-f]{32}")

#: The notice's states that mean that the crossing ended so.
_STATES: Final = {"entered": ("entered", "closed"), "refused": ("refused",)}

#: Topics that a comparison can look at; a file of records need not have them all.
COMPARED: Final = frozenset(("arrivals", "crossings", "border-records", "unmatched", "alerts"))


class ExpectedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person whose card is heard at the booth."""

    person: str
    role: PersonRole


class ExpectedWaiting(msgspec.Struct, frozen=True, kw_only=True):
    """A row that must be open in the unmatched queue."""

    kind: UnmatchedKind
    #: Person id or, for an unknown card, its token.
    subject: str


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What must come of one truck."""

    truck: str
    #: Ids of everybody and everything that belongs to it, its unknown card's token too.
    things: tuple[str, ...]
    story: str
    lane: str
    trip: str | None
    how: Literal["entered", "refused"]
    #: The moment of the officer's decision: of entry into one country and exit from the other.
    at_us: int
    flags: tuple[str, ...]
    persons: tuple[ExpectedPerson, ...]
    waiting: tuple[ExpectedWaiting, ...]
    entry_country: str = "US"
    entry_office: str = "2304"
    entry_authority: str = "CBP"
    exit_country: str = "MX"
    exit_office: str = "240"


class Finding(NamedTuple):
    """One difference."""

    kind: Kind
    #: The topic, or table, in which it shows.
    place: str
    what: str

    def __str__(self) -> str:
        """As a line for people."""
        return f"{self.kind}: {self.what}"


def compare(
    truth: Sequence[Expected],
    committed: Committed,
    *,
    due_us: int | None = None,
    topics: frozenset[str] = COMPARED,
) -> list[Finding]:
    """Every difference. Trucks decided upon after `due_us` may have come to anything or nothing yet."""
    owners: dict[str | None, Expected] = {thing: one for one in truth for thing in one.things}
    due = [one for one in truth if due_us is None or one.at_us <= due_us]
    finder = _Finder(committed, owners)
    finder.doubled()
    if "arrivals" in topics:
        finder.crossings(due)
    if "crossings" in topics:
        finder.ends(due)
    if "border-records" in topics:
        finder.records(due)
    if "unmatched" in topics:
        finder.waiting(due)
    finder.trouble()
    return finder.findings


class _Finder:
    """Collects differences."""

    def __init__(self, committed: Committed, owners: dict[str | None, Expected]) -> None:
        self.findings: list[Finding] = []
        self._committed = committed
        self._owners = owners
        self._place = ""
        self._crossings: defaultdict[str, list[str]] = defaultdict(list)
        for crossing_id, notice in committed.notices.items():
            for truck in self._trucks_of(notice.links):
                self._crossings[truck].append(crossing_id)

    def doubled(self) -> None:
        for topic, what in self._committed.doubled:
            self._place = topic
            self._add("doubled", f"{what} was committed twice")

    def crossings(self, due: Sequence[Expected]) -> None:
        self._place = "arrivals"
        for crossing_id, notice in self._committed.notices.items():
            trucks = self._trucks_of(notice.links)
            if not trucks:
                self._add(
                    "extra", f"crossing {crossing_id} in {notice.lane}: no truck came like it"
                )
            elif len(trucks) > 1:
                self._add("wrong", f"crossing {crossing_id} mixes {' and '.join(sorted(trucks))}")
        for one in due:
            found = self._crossings[one.truck]
            if not found:
                self._add("missing", f"crossing of {one.truck} ({one.story}) in {one.lane}")
                continue
            if len(found) > 1:
                self._add("doubled", f"crossing of {one.truck}: {', '.join(sorted(found))}")
            self._notice(one, found[0])

    def _notice(self, one: Expected, crossing_id: str) -> None:
        notice = self._committed.notices[crossing_id]
        trip = next((link.id for link in notice.links if link.role == "trip"), None)
        what = f"crossing of {one.truck} ({one.story})"
        state = notice.state if notice.state not in _STATES[one.how] else one.how
        self._differ(what, "state", state, one.how)
        self._differ(what, "lane", notice.lane, one.lane)
        self._differ(what, "trip", trip, one.trip)
        self._differ(what, "flags", list(notice.flags), list(one.flags))

    def ends(self, due: Sequence[Expected]) -> None:
        self._place = "crossings"
        wanted: dict[tuple[str, str | None], Expected] = {}
        for one in due:
            crossing_id = self._crossing_of(one)
            persons: list[str | None] = [person.person for person in one.persons]
            for person in persons or [None]:
                wanted[crossing_id, person] = one
        in_force = {key: row for key, row in self._committed.ends.items() if row.how != "withdrawn"}
        for key, one in wanted.items():
            row = in_force.get(key)
            what = f"end of the crossing of {one.truck} for {key[1] or 'nobody known'}"
            if row is None:
                self._add("missing", f"{what}: {one.how} at {rfc3339(one.at_us)}")
                continue
            self._differ(what, "end", row.how, one.how)
            self._differ(what, "time", rfc3339(row.at_us), rfc3339(one.at_us))
        self._unexpected_ends([key for key in in_force if key not in wanted], due)

    def _unexpected_ends(
        self, keys: Iterable[tuple[str, str | None]], due: Sequence[Expected]
    ) -> None:
        finished = {self._crossing_of(one) for one in due}
        known = {crossing for every in self._crossings.values() for crossing in every}
        for crossing_id, person in keys:
            if crossing_id in finished or crossing_id not in known:
                who = person or "nobody known"
                self._add("extra", f"end of crossing {crossing_id} for {who}")

    def records(self, due: Sequence[Expected]) -> None:
        self._place = "border-records"
        found: defaultdict[str, list[BorderRecord]] = defaultdict(list)
        for record in self._committed.records.values():
            if record.state != "retracted":
                found[record.person].append(record)
        wanted = {
            person.person: (one, person)
            for one in due
            if one.how == "entered"
            for person in one.persons
        }
        for who, (one, person) in wanted.items():
            if not found[who]:
                self._add("missing", _record_text(one, person))
            elif len(found[who]) > 1:
                self._add("doubled", f"{_record_text(one, person)}: {len(found[who])} of them")
            for record in found[who]:
                self._record(one, person, record)
        due_trucks = {one.truck for one in due}
        for who, records in found.items():
            owner = self._owners.get(who)
            if records and who not in wanted and (owner is None or owner.truck in due_trucks):
                self._add("extra", f"border record of {who}")

    def _record(self, one: Expected, person: ExpectedPerson, record: BorderRecord) -> None:
        what = f"border record of {person.person}"
        entry, left = record.entry, record.exit
        self._differ(what, "role", record.role, person.role)
        if self._crossings[one.truck]:
            self._differ(what, "crossing", record.crossing_id, self._crossing_of(one))
        self._differ(what, "entry country", entry.country, one.entry_country)
        self._differ(what, "entry office", entry.office_code, one.entry_office)
        self._differ(what, "entry authority", entry.authority, one.entry_authority)
        self._differ(what, "lane", entry.lane, one.lane)
        self._differ(what, "entry time", rfc3339(entry.at_us), rfc3339(one.at_us))
        self._differ(what, "exit country", left.country, one.exit_country)
        self._differ(what, "exit office", left.office_code, one.exit_office)
        self._differ(what, "exit time", rfc3339(left.at_us), rfc3339(one.at_us))

    def waiting(self, due: Sequence[Expected]) -> None:
        self._place = "unmatched"
        open_rows = {
            (row.kind, row.subject): row
            for row in self._committed.waiting.values()
            if row.closed_by is None
        }
        wanted = {(row.kind, row.subject): one for one in due for row in one.waiting}
        for (kind, subject), one in wanted.items():
            if (kind, subject) not in open_rows:
                self._add("missing", f"unmatched {kind} of {shown(subject)} ({one.truck})")
        allowed = {(row.kind, row.subject) for one in self._owners.values() for row in one.waiting}
        for key, row in open_rows.items():
            if key not in allowed and not self._not_due(row.crossing_id, due):
                who = shown(row.subject or "nobody known")
                self._add("extra", f"unmatched {row.kind} of {who}")

    def trouble(self) -> None:
        self._place = "alerts"
        for alert in self._committed.alerts:
            self._add("extra", f"alert {alert.kind} about {alert.subject}: {alert.what_to_do}")
        self._place = "rejected"
        for row in self._committed.rejected:
            place = f"{row.topic}/{row.partition} offset {row.offset}"
            self._add("extra", f"rejected record {place}: {row.reason}, {row.detail}")

    def _crossing_of(self, one: Expected) -> str:
        return next(iter(self._crossings.get(one.truck, ())), f"of {one.truck}")

    def _not_due(self, crossing_id: str | None, due: Sequence[Expected]) -> bool:
        """Whether the crossing is of a truck that may still be on its way."""
        finished = {crossing for one in due for crossing in self._crossings.get(one.truck, ())}
        known = {crossing for every in self._crossings.values() for crossing in every}
        return crossing_id in known - finished

    def _trucks_of(self, links: Iterable[Link]) -> set[str]:
        """The trucks to which belongs what was read in a crossing."""
        things = {
            thing for one in links if one.basis == "read" for thing in (one.id, one.credential_id)
        }
        return {self._owners[thing].truck for thing in things if thing in self._owners}

    def _differ(self, what: str, field: str, found: object, wanted: object) -> None:
        if found != wanted:
            self._add("wrong", f"{what}: {field} is {found}, should be {wanted}")

    def _add(self, kind: Kind, what: str) -> None:
        self.findings.append(Finding(kind, self._place, what))


def shown(subject: str) -> str:
    """An id as it is; of a token only its key's id and four characters."""
    return f"{subject[:-28]}~" if _TOKEN.fullmatch(subject) else subject


def _record_text(one: Expected, person: ExpectedPerson) -> str:
    return (
        f"border record of {person.person} ({person.role} of {one.truck}): entry at "
        f"{one.entry_office} {one.lane}, exit from {one.exit_office}, {rfc3339(one.at_us)}"
    )
