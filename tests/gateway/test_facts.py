"""What readers say about themselves comes out as values, the same for both vendors; what is odd is left away."""

import json

import pytest

from gateway.facts import AntennaState, Dropped, Fact, Lost, Ntp, Pin
from gateway.protocols import impinj_iot, zebra_iotc
from gateway.reads import Outcome, ReaderNote

AT_US = 1_788_785_436_194_000
TIME = "2026-09-07T12:50:36.194+0000"


def zebra(type_: str, data: object, timestamp: str = TIME) -> list[Outcome]:
    event = {"type": type_, "data": data, "timestamp": timestamp, "eventNum": 9}
    return zebra_iotc.decoder({}).feed(json.dumps(event).encode(), 7)


DROPPED = "numDataMessagesDropped"


def paths(*rows: object) -> dict[str, object]:
    return {"reader_gateway": {"dataPathStatistics": rows}}


HEARTBEAT = {
    "radio_control": {
        "antennas": {"1": "connected", "3": "disconnected", "x": "connected", "4": 7}
    },
    "system": {"ntp": {"offset": -1.5, "reach": 377}},
}


@pytest.mark.parametrize(
    ("type_", "data", "facts"),
    [
        (
            "heartbeat",
            HEARTBEAT,
            (AntennaState(1, True), AntennaState(3, False), Ntp(True, -1.5)),
        ),
        ("heartbeat", {"system": {"ntp": {"offset": "0.25", "reach": "0"}}}, (Ntp(False, 0.25),)),
        ("heartbeat", {"system": {"ntp": {"reach": 1}}}, (Ntp(True, None),)),
        ("heartbeat", {"system": {"ntp": {"offset": 1, "reach": None}}}, ()),
        ("heartbeat", {"system": {"ntp": {"offset": "1e999", "reach": True}}}, ()),
        ("heartbeat", paths({DROPPED: 0, "numDataMessagesTxed": 3062}), (Dropped(0),)),
        ("heartbeat", paths({DROPPED: 5}, {DROPPED: 7}, {}, 3), (Dropped(12),)),
        ("heartbeat", {"reader_gateway": {DROPPED: 4}}, (Dropped(4),)),
        ("heartbeat", paths({DROPPED: True}, {DROPPED: -1}, {DROPPED: "9"}, {DROPPED: 1.5}), ()),
        ("heartbeat", paths({DROPPED: 1 << 60}), ()),
        ("heartbeat", {"reader_gateway": {"dataPathStatistics": {DROPPED: 1}}}, ()),
        ("gpi", {"pin": 2, "state": "HIGH"}, (Pin(2, True),)),
        ("gpi", {"pin": "2", "state": "HIGH"}, ()),
        ("gpi", {"pin": 2, "state": "OPEN"}, ()),
        ("gpo", {"pin": 2, "state": "HIGH"}, ()),
    ],
)
def test_what_a_zebra_reader_says_about_itself_is_there_as_values(
    type_: str, data: object, facts: tuple[Fact, ...]
) -> None:
    (note,) = zebra(type_, data)
    assert isinstance(note, ReaderNote)
    assert (note.facts, note.reader_at_us) == (facts, AT_US)


def test_a_note_whose_time_cannot_be_read_has_none() -> None:
    (note,) = zebra("gpi", {"pin": 1, "state": "LOW"}, "noon")
    assert isinstance(note, ReaderNote)
    assert (note.facts, note.reader_at_us) == ((Pin(1, False),), None)


@pytest.mark.parametrize(
    ("event_type", "inner", "facts"),
    [
        ("overflow", {"eventsPurged": 5}, (Lost(5),)),
        ("overflow", {}, (Lost(None),)),
        ("overflow", {"eventsPurged": -1}, (Lost(None),)),
        ("antennaConnected", {"antennaPort": 2}, (AntennaState(2, True),)),
        ("antennaDisconnected", {"antennaPort": 2}, (AntennaState(2, False),)),
        ("antennaDisconnected", {"antennaPort": "2"}, ()),
        ("gpiTransition", {"gpi": 1, "transition": "low-to-high"}, (Pin(1, True),)),
        ("gpiTransition", {"gpi": 1, "transition": "high-to-low"}, (Pin(1, False),)),
        ("diagnostic", {"code": 1}, ()),
    ],
)
def test_what_an_impinj_reader_says_about_itself_is_there_as_values(
    event_type: str, inner: dict[str, object], facts: tuple[Fact, ...]
) -> None:
    payload = impinj_iot.encode_event(event_type, inner, at_us=AT_US)
    (note,) = impinj_iot.decoder({}).feed(payload, 7)
    assert isinstance(note, ReaderNote)
    assert (note.facts, note.reader_at_us) == (facts, AT_US)
