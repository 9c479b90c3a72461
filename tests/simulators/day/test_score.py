"""The small day comes out as its truth says; and whatever is planted in what the stages wrote is found."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.alert import Alert
from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord, CrossingEnded, Unmatched
from schemas.exchange import ExchangeRecord
from schemas.message import Message
from schemas.reference import Trip
from schemas.watch import CredentialFlag
from simulators.day import truth
from simulators.day.score import summary, table
from simulators.day.told import TOLD
from tests.simulators.day.made import Output, outputs, scored, small_day

Change = Callable[[Message], Message | None]


def test_every_odd_case_comes_out_as_the_rules_say() -> None:
    score = scored(outputs())
    assert [(one.scene.odd, one.what) for one in score.different] == []
    assert score.strays == []
    assert (score.wrong, score.missed) == (0, 0)
    assert score.right > 60
    assert set(score.injected) == {"plain", *TOLD}
    assert score.good


def of(odd: str) -> truth.Scene:
    return next(one for one in small_day().truth if one.odd == odd)


def planted(kind: type[Message], odd: str, change: Change) -> list[str]:
    """What is found when one output about a scene is changed, or left out."""
    things = set(of(odd).things)
    every = list(outputs())
    at = [
        number
        for number, one in enumerate(every)
        if isinstance(one.message, kind) and things & set(_named(one.message))
    ][-1]
    message = change(every[at].message)
    new = [] if message is None else [Output(every[at].topic, every[at].at_us, message)]
    score = scored([*every[:at], *new, *every[at + 1 :]])
    assert not score.good
    return [text for one in score.different for text in one.what] + score.strays


def _named(message: Message) -> list[str | None]:
    match message:
        case ArrivalNotice(links=links):
            return [thing for link in links for thing in (link.id, link.credential_id)]
        case BorderRecord(person=person) | CrossingEnded(person=person):
            return [person]
        case Alert(subject=subject) | Unmatched(subject=subject):
            return [subject]
        case CredentialFlag(credential_id=name) | Trip(trip_number=name):
            return [name]
        case _:
            return []


def left_out(_: Message) -> None:
    return None


def without_trip(notice: Message) -> Message:
    assert isinstance(notice, ArrivalNotice)
    return replace(notice, links=notice.links[:-1])


PLANTS: list[tuple[type[Message], str, Change, str]] = [
    (BorderRecord, "in_motion", left_out, "no border record"),
    (BorderRecord, "back_in_40", lambda one: replace(one, state="retracted"), "state is retracted"),
    (BorderRecord, "two_cards", lambda one: replace(one, role="person"), "role is person"),
    (
        BorderRecord,
        "exit_unheard",
        lambda one: replace(one, anomalies=()),
        "anomalies are []",
    ),
    (ArrivalNotice, "wrong_port", lambda one: replace(one, flags=()), "flags are []"),
    (ArrivalNotice, "lost", lambda one: replace(one, state="u_turn"), "state is u_turn"),
    (ArrivalNotice, "reread", without_trip, "no link"),
    (CrossingEnded, "refused", lambda one: replace(one, how="entered"), "should be refused"),
    (Unmatched, "unknown_card", left_out, "no unmatched"),
    (Alert, "bad_card", left_out, "no alert credential_status"),
    (Alert, "gap", lambda one: replace(one, subject="gw-nobody"), "of no scene"),
    (CredentialFlag, "clone_two_ports", left_out, "no card flag impossible_travel"),
    (Trip, "cancelled_in_queue", lambda one: replace(one, status="used"), "should be cancelled"),
]


@pytest.mark.parametrize(
    ("kind", "odd", "change", "found"),
    PLANTS,
    ids=[f"{one[0].__name__} of {one[1]}" for one in PLANTS],
)
def test_a_planted_difference_is_found(
    kind: type[Message], odd: str, change: Change, found: str
) -> None:
    assert any(found in text for text in planted(kind, odd, change))


def test_a_record_of_somebody_who_was_refused_is_wrong() -> None:
    person = next(one for one in of("refused").things if one.startswith("person:"))
    some = next(one for one in outputs() if isinstance(one.message, BorderRecord))
    assert isinstance(some.message, BorderRecord)
    more = replace(some.message, record_id="another", person=person)
    score = scored([*outputs(), Output("border-records", some.at_us, more)])
    assert score.wrong == 1
    assert "1 wrong" in summary(score)
    assert any("refused" in line and "different    1" in line for line in table(score))


def test_a_crossing_of_two_scenes_is_a_stray() -> None:
    notices = [one for one in outputs() if isinstance(one.message, ArrivalNotice)]
    first, last = notices[0], notices[-1]
    assert isinstance(first.message, ArrivalNotice)
    assert isinstance(last.message, ArrivalNotice)
    mixed = replace(last.message, links=(*first.message.links, *last.message.links), revision=900)
    score = scored([*outputs(), Output("arrivals", last.at_us, mixed)])
    assert any("mixes scenes" in text for text in score.strays)


def test_a_country_that_was_not_told_and_one_that_should_not_have_been_are_found() -> None:
    told = [one for one in outputs() if isinstance(one.message, ExchangeRecord)]
    us = next(one for one in told if one.topic == "exchange-us")
    assert isinstance(us.message, ExchangeRecord)
    name = us.message.record_id
    less = [
        one
        for one in outputs()
        if (one.topic, getattr(one.message, "record_id", "")) != ("exchange-us", name)
    ]
    assert "US was not told" in _texts(less)
    third = {"exchange-ca", "exchange-mx"} - {
        one.topic for one in told if getattr(one.message, "record_id", "") == name
    }
    more = [*outputs(), Output(third.pop(), us.at_us, us.message)]
    assert "was told, which it does not concern" in _texts(more)


def _texts(changed: list[Output]) -> str:
    return "\n".join(text for one in scored(changed).different for text in one.what)
