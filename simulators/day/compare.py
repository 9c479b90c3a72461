"""How a crossing's notices and a border record differ from what they must be. Pure."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord
from schemas.exchange import ExchangeRecord, ExchangeRetraction
from schemas.message import Country
from schemas.wire import rfc3339
from simulators.day import truth
from simulators.day.written import Written

_COUNTRIES: Final[tuple[Country, ...]] = ("US", "CA", "MX")


def crossing_differences(
    one: truth.Crossing, notice: ArrivalNotice, written: Written
) -> Iterator[str]:
    """What is not as it must be."""
    name = f"crossing {notice.crossing_id[:8]} of {one.anchor}"
    if notice.state not in one.states:
        yield f"{name}: state is {notice.state}, should be {' or '.join(one.states)}"
    if notice.lane not in one.lanes:
        yield f"{name}: lane is {notice.lane}, should be {' or '.join(one.lanes)}"
    trip = next((link.id for link in notice.links if link.role == "trip"), None)
    if trip != one.trip:
        yield f"{name}: trip is {trip}, should be {one.trip}"
    flags = set(notice.flags) - set(one.flags_may)
    if flags != set(one.flags) - set(one.flags_may):
        yield f"{name}: flags are {sorted(flags)}, should be {sorted(one.flags)}"
    yield from (f"{name}: {text}" for text in _links(one, notice))
    yield from (f"{name}: {text}" for text in _use(one, notice, written))
    if one.ends is not None and written.whole:
        yield from (f"{name}: {text}" for text in _ends(one.ends, notice, written))


def _links(one: truth.Crossing, notice: ArrivalNotice) -> Iterator[str]:
    wanted = Counter((link.id, link.basis) for link in one.links)
    found = Counter((link.id, link.basis) for link in notice.links)
    for (thing, basis), count in (found - wanted).items():
        yield f"link too many: {thing} {basis}" + (f" x {count}" if count > 1 else "")
    for thing, basis in wanted - found:
        yield f"no link: {thing} {basis}"


def _use(one: truth.Crossing, notice: ArrivalNotice, written: Written) -> Iterator[str]:
    lanes = notice.eligibility.lanes
    for wanted in one.may_use:
        if wanted not in lanes:
            reasons = (*notice.eligibility.reasons, *notice.eligibility.missing)
            yield f"lane {wanted} is closed: {', '.join(reasons)}"
    yield from (f"lane {one} is open" for one in one.shut_in_the_end if one in lanes)
    said = written.said[notice.crossing_id]
    for unwanted in one.may_not_use:
        for each in said:
            early = one.shut_until_us is None or each.at_us < one.shut_until_us
            if early and unwanted in each.notice.eligibility.lanes:
                yield f"lane {unwanted} is open in revision {each.notice.revision}"
                break
    ever = {flag for each in said for flag in each.notice.flags}
    yield from (f"{flag} was never said" for flag in one.said if flag not in ever)
    if one.continues != (notice.continues is not None):
        yield f"continues {notice.continues}"
    queued = (each.notice for each in said if each.notice.position == "queue")
    before = {flag for each in queued for flag in each.flags}
    for flag in one.flags_before_booth:
        if flag not in before:
            yield f"{flag} was not said before the booth"


def _ends(
    wanted: tuple[tuple[str | None, str, int], ...], notice: ArrivalNotice, written: Written
) -> Iterator[str]:
    found = {
        one.person: (one.how, one.at_us)
        for one in written.ends
        if one.crossing_id == notice.crossing_id
    }
    for person, how, at_us in wanted:
        if found.get(person) != (how, at_us):
            end = found.get(person)
            text = "missing" if end is None else f"{end[0]} at {rfc3339(end[1])}"
            yield f"end for {person or 'nobody'} is {text}, should be {how} at {rfc3339(at_us)}"
    for person in found.keys() - {who for who, _, _ in wanted}:
        if found[person][0] != "withdrawn":
            yield f"an end too many, for {person or 'nobody'}: {found[person][0]}"


def exchange_of(record: BorderRecord, written: Written) -> Iterator[str]:
    """What is wrong with what countries were told of a record: both of its countries the same, the third nothing."""
    concerned = {record.entry.country, record.exit.country}
    for country in _COUNTRIES:
        told = written.told.get((f"exchange-{country.lower()}", record.record_id))
        match told:
            case None if country in concerned and record.state != "retracted":
                yield f"{country} was not told"
            case ExchangeRecord() if country not in concerned:
                yield f"{country} was told, which it does not concern"
            case ExchangeRecord() if record.state == "retracted":
                yield f"{country} was not told that it is retracted"
            case ExchangeRecord() if record.state != "retracted" and _passage(told) != (
                record.exit.country,
                record.entry.country,
                record.entry.at_us,
                record.entry.at_us,
            ):
                yield f"{country} was told {_passage(told)}"
            case ExchangeRetraction() if record.state != "retracted":
                yield f"{country} was told that it is retracted"
            case _:
                pass


def _passage(told: ExchangeRecord) -> tuple[Country, Country, int, int]:
    there, here = told.departure, told.arrival
    return there.country, here.country, there.at_us, here.at_us


def record_of(one: truth.Entry, record: BorderRecord) -> Iterator[str]:
    """What is not as it must be in a border record."""
    entry, left = record.entry, record.exit
    is_in_force = one.state == "in_force" and record.state != "retracted"
    state = "in_force" if is_in_force else record.state
    fields: dict[str, tuple[object, object]] = {
        "state": (state, one.state),
        "pair": (record.pair, one.pair),
        "entry country": (entry.country, one.entered),
        "entry office": (entry.office_code, one.office),
        "lane": (entry.lane, one.lane),
        "entry time": (rfc3339(entry.at_us), rfc3339(one.at_us)),
        "exit country": (left.country, one.left),
        "exit office": (left.office_code, one.other_office),
        "exit time": (rfc3339(left.at_us), rfc3339(one.at_us)),
    }
    if one.role is not None:
        fields["role"] = record.role, one.role
    for name, (found, wanted) in fields.items():
        if found != wanted:
            yield f"{name} is {found}, should be {wanted}"
    if one.anomalies is not None and sorted(record.anomalies) != sorted(one.anomalies):
        yield f"anomalies are {list(record.anomalies)}, should be {list(one.anomalies)}"
    stay = record.closes
    found = (None, None) if stay is None else (stay.opened_at_us, stay.basis)
    if record.state != "retracted" and found != (one.closes_us, one.closes):
        yield f"stay that it closes: {found}, should be {(one.closes_us, one.closes)}"
    if record.baseline != (one.closes is None) and record.state != "retracted":
        yield f"baseline is {record.baseline}"
