"""Cases: what goes in, what must come out, and the ways in which one is run."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from schemas.alert import Alert, Rejected
from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord, CrossingEnded, Unmatched
from schemas.carrier import CarrierNotice
from schemas.gate import split_event_id
from schemas.reference import Trip
from schemas.restricted import RestrictedReferral
from schemas.wire import decode
from stream.ndjson import Line, parse_line
from stream.reference import Reference
from stream.replay_cli import is_expectation
from stream.stages import STAGES
from stream.straight import Straight, Written
from stream.table import port_table

FOLDER = Path(__file__).parent
PORTS = port_table()

#: Every case.
NAMES = sorted(path.stem for path in FOLDER.glob("*.ndjson"))


#: What is looked for by the fields that a case names.
_LISTS = ("records", "referrals", "carriers")


class Case(NamedTuple):
    """One case file."""

    lines: tuple[Line, ...]
    expect: dict[str, Any]


def read_case(name: str) -> Case:
    lines: list[Line] = []
    expect: dict[str, Any] = {}
    for number, text in enumerate((FOLDER / f"{name}.ndjson").read_bytes().splitlines(), 1):
        if is_expectation(text):
            expect |= orjson.loads(text)["value"]
            continue
        line = parse_line(number, text)
        assert isinstance(line, Line), line
        lines.append(line)
    return Case(tuple(lines), expect)


def run(lines: Iterable[Line], *, killed: bool = False) -> list[Written]:
    """Everything that the stages write; `killed`: at every record, and restored from the changelog."""
    straight = Straight(tuple(STAGES.values()), Reference(PORTS))
    written: list[Written] = []
    for line in lines:
        if killed:
            straight.restore(straight.rows())
        written += straight.take(*line)
    return written


def shuffled(lines: Sequence[Line], chance: random.Random) -> list[Line]:
    """A permitted order: kept within a writer's epoch, a reference key and a trip. The last tick stays last."""
    ends = lines[-1:] if lines[-1].key == "tick" else ()
    queues: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines[: len(lines) - len(ends)]:
        queues[_source(line)].append(line)
    left = list(queues.values())
    found: list[Line] = []
    while left:
        queue = chance.choice(left)
        found.append(queue.pop(0))
        left = [one for one in left if one]
    return [*found, *ends]


def converges(case: Case) -> bool:
    """Whether every permitted order must end the same; else the case says why its own order matters."""
    return "in_order_only" not in case.expect


def shuffled_by(lines: Sequence[Line], seed: int) -> list[Line]:
    """The permitted order of that number."""
    return shuffled(lines, random.Random(seed))  # noqa: S311 - a seeded order, no secret


def _source(line: Line) -> tuple[str, str]:
    parts = split_event_id(getattr(line.message, "event_id", ""))
    if parts is not None:
        return parts.writer, parts.epoch
    return ("trips" if line.topic == "trip-filings" else line.topic), line.key


def differences(
    written: Sequence[Written], expect: dict[str, Any], *, in_order: bool = True
) -> list[str]:
    """What does not come out as it must; empty when all does.

    `in_order` False: the case's records came in another order. Then only what stands at the end counts: not
    what was written and taken back on the way, nor an alert that was true for a while.
    """
    found = final(written)
    for name in ("crossings", "carriers"):
        found[name] = [one for one in found[name] if one["state"] != "merged"]
    if not in_order:
        found, expect = _standing(found), _standing(expect)
        told = found["alerts"]
        found["alerts"] = [
            one for one in told if any(_row_is(one, row) for row in expect.get("alerts", [one]))
        ]
    wrong = []
    for name, wanted in expect.items():
        if name == "crossings":
            wrong += list(_unlike(found["crossings"], wanted, _crossing_is))
        elif name in (*_LISTS, "alerts", "ended", "unmatched", "rejected"):
            wrong += [f"{name}: {text}" for text in _unlike(found[name], wanted, _row_is)]
        elif name == "refused":  # each that is wanted, in whatever order the trips came
            left = sorted(found[name]), sorted(wanted)
            wrong += [] if left[0] == left[1] else [f"refused: {found[name]}"]
        elif name in ("trips", "findings"):
            is_like = wanted.items() <= found[name].items()
            wrong += [] if is_like else [f"{name}: {found[name]}"]
        elif name != "in_order_only":
            wrong.append(f"nothing is known of {name!r}")
    return wrong


def _standing(content: dict[str, Any]) -> dict[str, Any]:
    """Without what was taken back; a record that was set right is one that is in force."""
    same: dict[str, Any] = defaultdict(list, content)
    same.pop(
        "refused", None
    )  # what comes before the trip was used is taken, and counts for nothing later
    if "records" in content:
        same["records"] = [
            one | {"state": "live"} for one in content["records"] if one["state"] != "retracted"
        ]
    if "referrals" in content:
        same["referrals"] = [one for one in content["referrals"] if not one["cleared"]]
    if "crossings" in content:  # in another order it may never have been together
        same["crossings"] = [
            {name: value for name, value in one.items() if name != "split"}
            for one in content["crossings"]
        ]
    if "ended" in content:
        same["ended"] = [one for one in content["ended"] if one[1] != "withdrawn"]
    return same


def final(written: Sequence[Written]) -> dict[str, Any]:  # noqa: C901 - one kind a line
    """The last of each thing, by topic."""
    last: dict[tuple[str, str], Any] = {}
    for one in written:
        message = decode(one.topic, one.value)
        last[one.topic, _name(message)] = message
    found: dict[str, Any] = defaultdict(list, trips={}, findings={})
    for message in last.values():
        match message:
            case ArrivalNotice():
                found["crossings"].append(_notice(message))
            case BorderRecord(entry=entry):
                found["records"].append(
                    {
                        "person": message.person,
                        "country": entry.country,
                        "left": message.exit.country,
                        "lane": entry.lane,
                        "at_us": entry.at_us,
                        "state": message.state,
                        "role": message.role,
                        "baseline": message.baseline,
                        "closes": message.closes and [message.closes.country, message.closes.basis],
                        "anomalies": list(message.anomalies),
                    }
                )
            case Unmatched(closed_by=None):
                found["unmatched"].append([message.kind, message.subject])
            case Alert():
                found["alerts"].append([message.kind, message.subject])
            case Rejected():
                found["rejected"].append([message.topic, message.reason])
                found["refused"].append(message.detail.partition(":")[0])
            case CrossingEnded():
                found["ended"].append([message.person, message.how])
            case Trip():
                found["trips"][message.trip_number] = message.status
                codes = sorted(one.code for one in message.findings)
                found["findings"][message.trip_number] = codes
            case RestrictedReferral():
                found["referrals"].append(_referral(message))
            case CarrierNotice():
                found["carriers"].append(_told(message))
            case _:
                pass
    return found


def _name(message: Any) -> str:  # noqa: PLR0911 - one kind a line
    match message:
        case ArrivalNotice() | CarrierNotice() | RestrictedReferral():
            return message.crossing_id
        case BorderRecord():
            return message.record_id
        case Unmatched():
            return message.unmatched_id
        case Alert():
            return message.alert_id
        case Rejected():
            return repr(message.raw)
        case CrossingEnded():
            return f"{message.crossing_id} {message.person}"
        case _:
            return str(getattr(message, "trip_number", message))


def _notice(notice: ArrivalNotice) -> dict[str, Any]:
    return {
        "state": notice.state,
        "lane": notice.lane,
        "decision": notice.decision,
        "links": sorted([link.role, link.id, link.basis] for link in notice.links),
        "candidates": sorted(one for link in notice.links for one in link.candidates),
        "keyed": sorted(link.id or "" for link in notice.links if link.keyed_by is not None),
        "position": notice.position,
        "provisional": notice.provisional,
        "eta_us": notice.eta_us,
        "shipments": [one.control_number for one in notice.shipments],
        "lanes": sorted(notice.eligibility.lanes),
        "tier": notice.eligibility.tier,
        "reasons": sorted(notice.eligibility.reasons),
        "split": notice.split_from is not None,
        "continues": notice.continues is not None,
        "flags": notice.flags,
        "causes": list(notice.referral_causes),
    }


def _referral(referral: RestrictedReferral) -> dict[str, Any]:
    hits = [
        [one.credential_id, one.basis, one.list_id, one.version, one.late] for one in referral.hits
    ]
    return {"hits": hits, "cleared": referral.cleared}


def _told(notice: CarrierNotice) -> dict[str, Any]:
    return {
        "state": notice.state,
        "lane": notice.lane,
        "decision": notice.decision,
        "trip": notice.trip_number,
        "lanes": sorted(notice.lanes),
        "missing": list(notice.missing),
        "findings": list(notice.findings),
    }


def _unlike(found: list[Any], wanted: list[Any], is_like: Any) -> Iterator[str]:
    """Pair them off: what is wanted and not there, and what is there and not wanted."""
    left = list(found)
    for one in wanted:
        like = next((other for other in left if is_like(other, one)), None)
        if like is None:
            yield f"wanted {one}, found {left}"
        else:
            left.remove(like)
    if left:
        yield f"found beside what is wanted: {left}"


def _crossing_is(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    flags = set(found["flags"])
    for name, value in wanted.items():
        match name:
            case "flags":
                is_like = flags >= set(value)
            case "not_flags":
                is_like = flags.isdisjoint(value)
            case "flags_are":
                is_like = flags == set(value)
            case "flag_starts":
                is_like = all(any(flag.startswith(one) for flag in flags) for one in value)
            case _:
                is_like = found[name] == value
        if not is_like:
            return False
    return True


def _row_is(found: Any, wanted: Any) -> bool:
    """A None in a list stands for anything."""
    if isinstance(wanted, dict):
        return bool(wanted.items() <= found.items())
    return all(one is None or one == other for one, other in zip(wanted, found, strict=True))
