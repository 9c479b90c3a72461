"""Compare what the stages wrote for a day with its truth, scene by scene. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord
from schemas.wire import rfc3339
from simulators.day import truth
from simulators.day.compare import crossing_differences, exchange_of, record_of
from simulators.day.owners import Owners
from simulators.day.written import Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Different:
    """A scene that did not come out as it must."""

    scene: truth.Scene
    what: tuple[str, ...]
    #: Its crossings, for reading by hand.
    crossings: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Score:
    """How a day came out."""

    injected: Counter[str] = field(default_factory=Counter)
    different: list[Different] = field(default_factory=list)
    #: What belongs to no scene.
    strays: list[str] = field(default_factory=list)
    #: Border records: as they must be; there but wrong, or of somebody who did not cross; not there.
    right: int = 0
    wrong: int = 0
    missed: int = 0
    #: Records that were in force for a while and told what nobody did; taken back since.
    for_a_while: list[str] = field(default_factory=list)
    #: Persons who went over, and were not heard by any reader nor named by an officer.
    unheard: int = 0

    @property
    def good(self) -> bool:
        """Whether everything came out as it must."""
        return not (self.different or self.strays or self.wrong or self.missed)


def score_day(scenes: Sequence[truth.Scene], written: Written) -> Score:
    """Every difference."""
    owners = Owners(scenes, written)
    nobodys = {name for _, name in written.told} - written.now.records.keys()
    score = Score(
        strays=[
            *owners.strays,
            *(f"twice: {what}" for _, what in written.now.doubled),
            *(f"told a country without a record: {name}" for name in sorted(nobodys)),
        ]
    )
    for scene in scenes:
        score.injected[scene.odd] += 1
        mine = owners.of[scene.scene]
        score.for_a_while += _taken_back(scene, written)
        what = [
            *_crossings(scene, mine.crossings, written),
            *_records(scene, mine.records, written, score),
            *_rest(scene, owners, written),
        ]
        if what:
            ids = tuple(notice.crossing_id for notice in mine.crossings)
            score.different.append(Different(scene=scene, what=tuple(what), crossings=ids))
    return score


def _crossings(
    scene: truth.Scene, found: Sequence[ArrivalNotice], written: Written
) -> Iterator[str]:
    left = list(found)
    for one in scene.crossings:
        near = [notice for notice in left if _is_like(one, notice)]
        if not near:
            yield f"no crossing of {one.anchor} at {one.pair} {one.direction}"
            continue
        notice = min(near, key=lambda notice: abs(notice.first_read_us - one.first_us))
        left.remove(notice)
        yield from crossing_differences(one, notice, written)
    for notice in left:
        yield f"a crossing too many: {notice.crossing_id} {notice.state} in {notice.lane} at {notice.pair}"


def _is_like(one: truth.Crossing, notice: ArrivalNotice) -> bool:
    read = {thing for link in notice.links for thing in (link.id, link.credential_id)}
    return notice.pair == one.pair and notice.direction == one.direction and one.anchor in read


def _records(
    scene: truth.Scene, found: Sequence[BorderRecord], written: Written, score: Score
) -> Iterator[str]:
    left = list(found)
    live = sum(one.state != "retracted" for one in scene.records)
    score.unheard += max(0, scene.went_over - live)
    for one in scene.records:
        same = [
            record
            for record in left
            if record.person == one.person and record.entry.at_us == one.at_us
        ] or [record for record in left if record.person == one.person and record.pair == one.pair]
        if not same:
            score.missed += 1
            yield f"no border record of {one.person} into {one.entered} ({one.state})"
            continue
        left.remove(same[0])
        wrong = list(record_of(one, same[0]))
        if written.whole:
            wrong += exchange_of(same[0], written)
        if any(not text.startswith("anomalies") for text in wrong):
            score.wrong += 1
        else:
            score.right += 1
        yield from (f"border record of {one.person}: {text}" for text in wrong)
    for record in left:
        score.wrong += 1
        yield f"a border record too many: {record.person} into {record.entry.country}, {record.state}"


def _taken_back(scene: truth.Scene, written: Written) -> Iterator[str]:
    """What was once said of an entry that never was, not even as somebody saw it before he set it right."""
    right = {
        (one.person, one.entered, at_us)
        for one in scene.records
        for at_us in (one.at_us, *one.was_us)
    }
    for person in scene.things:
        for (country, at_us), crossing in written.entries.get(person, {}).items():
            if (person, country, at_us) not in right:
                yield (
                    f"{scene.odd} {scene.scene}: for a while, {person} entered {country} at {rfc3339(at_us)}"
                    f" (crossing {crossing})"
                )


def _rest(scene: truth.Scene, owners: Owners, written: Written) -> Iterator[str]:
    mine = owners.of[scene.scene]
    waiting = [(row.kind, row.subject) for row in mine.waiting if row.kind not in scene.waiting_may]
    yield from _pairs("unmatched", waiting, scene.waiting)
    alerts = [(one.kind, one.subject) for one in mine.alerts if one.kind not in scene.alerts_may]
    yield from _pairs("alert", alerts, scene.alerts)
    if written.whole:
        yield from _pairs("card flag", mine.card_flags, scene.card_flags)
    yield from _pairs(
        "refused filing",
        [(one, None) for one in mine.refused],
        [(one, None) for one in scene.refused],
    )
    if written.whole:
        for number, status in scene.trips.items():
            trip = written.trips.get(number)
            found = "not known" if trip is None else trip.status
            if found != status:
                yield f"trip {number} is {found}, should be {status}"


def _pairs(
    what: str, found: Sequence[tuple[str, str | None]], wanted: Sequence[tuple[str, str | None]]
) -> Iterator[str]:
    """Pair them off; a None that is wanted stands for any."""
    left = list(found)
    for kind, subject in wanted:
        like = [one for one in left if one[0] == kind and subject in (None, one[1])]
        if like:
            left.remove(like[0])
        else:
            yield f"no {what} {kind} of {subject or 'it'}"
    for kind, other in left:
        yield f"{what} too many: {kind} of {other or 'it'}"


def table(score: Score) -> list[str]:
    """A line for each odd case: how many were injected, how many came out as they must."""
    bad = defaultdict(int, Counter(one.scene.odd for one in score.different))
    return [
        f"{name:24} injected {count:5}  as expected {count - bad[name]:5}  different {bad[name]:4}"
        for name, count in sorted(score.injected.items())
    ]


def summary(score: Score) -> str:
    """One line for people."""
    return (
        f"{score.injected.total()} scenes, {len(score.different)} different; border records: "
        f"{score.right} right, {score.wrong} wrong, {score.missed} missed, "
        f"{len(score.for_a_while)} wrong for a while; {score.unheard} persons nobody heard; "
        f"{len(score.strays)} things of no scene"
    )
