"""What the captures in tests/captures do not show of Impinj's IoT device interface."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import json_batch
from gateway.protocols import impinj_iot
from gateway.reads import OptionError, Outcome, Proof, Read, ReaderNote, Rejected

EPC = bytes.fromhex("E2801160600002054CCF96FF")
AT_US = 1_772_460_000_123_456
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def decoded(payload: bytes, options: Mapping[str, object] | None = None) -> list[Outcome]:
    return impinj_iot.decoder(options or {}).feed(payload, 7)


def tag(fields: dict[str, object] | None = None) -> bytes:
    return impinj_iot.encode_tag_event(EPC, at_us=AT_US, fields=fields)


def message(**parts: object) -> bytes:
    event = {
        "timestamp": "2026-03-02T14:00:00.123456789Z",
        "eventType": "tagInventory",
        "tagInventoryEvent": {"epcHex": EPC.hex()},
    }
    return json.dumps(
        {name: value for name, value in (event | parts).items() if value != "gone"}
    ).encode()


def only_read(outcomes: list[Outcome]) -> Read:
    [read] = outcomes
    assert isinstance(read, Read)
    return read


def plain(outcomes: list[Outcome]) -> ReaderNote:
    """The only note, as a person reads it."""
    (note,) = outcomes
    assert isinstance(note, ReaderNote)
    return replace(note, reader_at_us=None, facts=())


def only_reject(outcomes: list[Outcome]) -> Rejected:
    [rejected] = outcomes
    assert isinstance(rejected, Rejected)
    return rejected


# --- tags


def test_all_fields_that_a_reader_can_be_asked_for_are_taken() -> None:
    fields: dict[str, object] = {
        "epcHex": EPC.hex(),
        "tid": "4oARYGAAAgVMwglv",
        "tidHex": "E2801160600002054CC2096F",
        "pc": "MgA=",
        "xpcHex": "80010002",
        "antennaPort": 3,
        "antennaName": "left",
        "peakRssiCdbm": -5750,
        "frequency": 921625,
        "transmitPowerCdbm": 1000,
        "phaseAngle": 208.82,
        "lastSeenTime": "2026-03-02T14:00:00.100000Z",
        "tagMemoryData": [{"memoryBank": "user", "wordOffset": 0, "tagDataHex": ""}],
    }
    assert only_read(decoded(tag(fields))) == Read(
        epc=EPC,
        at_us=7,
        reader_at_us=1_772_460_000_100_000,
        pc=0x3200,
        xpc=0x80010002,
        tid=bytes.fromhex("E2801160600002054CC2096F"),
        antenna=3,
        rssi_dbm=-57.5,
        frequency_khz=921625,
        phase_deg=208.82,
    )


@given(epc=st.binary(max_size=62))
def test_any_number_comes_through_both_alphabets_of_base64(epc: bytes) -> None:
    for encode in (base64.urlsafe_b64encode, base64.standard_b64encode):
        payload = message(tagInventoryEvent={"epc": encode(epc).decode()})
        assert only_read(decoded(payload)).epc == epc


def test_a_reader_sends_the_url_safe_alphabet() -> None:
    assert b'"4oARYGAAAgVMz5b_"' in tag()


@pytest.mark.parametrize(
    ("timestamp", "us"),
    [
        ("2026-03-02T14:00:00.123456999Z", 123_456),
        ("2026-03-02T08:00:00.123456-06:00", 123_456),
        ("2026-03-02T14:00:00.1Z", 100_000),
        ("2026-03-02T14:00:00Z", 0),
    ],
)
def test_nanoseconds_are_cut_and_fewer_digits_are_right(timestamp: str, us: int) -> None:
    assert (
        only_read(decoded(message(timestamp=timestamp))).reader_at_us == 1_772_460_000_000_000 + us
    )


def test_a_time_before_1970_and_the_last_one_do_not_raise() -> None:
    for timestamp in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00"):
        assert only_read(decoded(message(timestamp=timestamp))).reader_at_us is not None


def test_the_time_at_which_the_tag_was_heard_goes_before_that_of_the_event() -> None:
    inner = {"epcHex": EPC.hex(), "lastSeenTime": "2026-03-02T13:59:59Z"}
    assert (
        only_read(decoded(message(tagInventoryEvent=inner))).reader_at_us == 1_772_459_999_000_000
    )


def test_the_inner_object_tells_what_an_event_without_its_type_is() -> None:
    assert only_read(decoded(message(eventType="gone"))).epc == EPC
    payload = impinj_iot.encode_event("overflow", {"eventsPurged": 3}, at_us=AT_US, named=False)
    note = ReaderNote(kind="reads_lost", at_us=7, detail="eventsPurged 3")
    assert plain(decoded(payload)) == note


@given(
    read=st.builds(
        Read,
        epc=st.binary(max_size=62),
        at_us=st.just(7),
        reader_at_us=st.integers(0, 4_000_000_000_000_000),
        pc=st.none() | st.integers(0, 0xFFFF),
        xpc=st.none() | st.integers(0, 0xFFFF),
        tid=st.none() | st.binary(max_size=24),
        antenna=st.none() | st.integers(0, 255),
        rssi_dbm=st.none() | st.integers(-10_000, 0).map(lambda cdbm: cdbm / 100),
        frequency_khz=st.none() | st.integers(800_000, 1_000_000),
        phase_deg=st.none() | st.floats(0, 360),
    )
)
def test_every_field_of_a_simulated_read_is_read_back(read: Read) -> None:
    assert decoded(impinj_iot.encode(read)) == [read]


# --- what is no tag


@pytest.mark.parametrize(
    ("event_type", "inner", "kind", "detail"),
    [
        ("inventoryStatus", {"status": "armed"}, "inventory_status", "status armed"),
        ("antennaConnected", {"antennaPort": 4}, "antenna_connected", "antennaPort 4"),
        ("antennaDisconnected", {"antennaPort": [4]}, "antenna_disconnected", ""),
        ("diagnostic", {"message": "x" * 900}, "diagnostic", "message " + "x" * 192),
        ("inventoryTerminated", None, "inventory_terminated", ""),
        ("overflow", None, "reads_lost", ""),
        ("overflow", {"eventsPurged": 10**30}, "reads_lost", f"eventsPurged {10**30}"),
        ("tagLocationEntry", {"epcHex": EPC.hex(), "message": EPC.hex()}, "location_entry", ""),
        ("tagLocationUpdate", {"epcHex": EPC.hex()}, "location_update", ""),
        ("tagLocationExit", {"epcHex": EPC.hex()}, "location_exit", ""),
    ],
)
def test_what_is_no_tag_is_a_note_with_a_short_text_and_no_tags_number(
    event_type: str, inner: dict[str, object] | None, kind: str, detail: str
) -> None:
    parts = {"eventType": event_type, f"{event_type}Event": inner, "tagInventoryEvent": None}
    assert plain(decoded(message(**parts))) == ReaderNote(kind=kind, at_us=7, detail=detail)


def test_the_answer_of_a_tag_to_a_challenge_is_passed_on_without_its_tid() -> None:
    said = {"messageHex": "054CB6BBC56A", "responseHex": "EE69413D90DE7AA7", "tidHex": "51A3"}
    payload = tag({"tagAuthenticationResponse": said})
    assert only_read(decoded(payload)).proof == Proof(
        challenge=bytes.fromhex("054CB6BBC56A"), answer=bytes.fromhex("EE69413D90DE7AA7")
    )
    for half in ({"messageHex": "05"}, {"responseHex": "EE", "messageHex": ""}, {}):
        assert only_read(decoded(tag({"tagAuthenticationResponse": half}))).proof is None
    wrong = decoded(tag({"tagAuthenticationResponse": {"messageHex": "x", "responseHex": "00"}}))
    assert only_reject(wrong).detail.endswith("tagAuthenticationResponse.messageHex`")


def test_lost_reads_are_said_with_their_number_and_their_span() -> None:
    payload = impinj_iot.encode_lost(5, 9, first_us=AT_US - 10**6, last_us=AT_US, at_us=AT_US)
    detail = (
        "eventsPurged 5, eventsRemaining 9, firstEventTimestamp 2026-03-02T13:59:59.123456000Z, "
        "lastEventTimestamp 2026-03-02T14:00:00.123456000Z"
    )
    assert plain(decoded(payload)) == ReaderNote(kind="reads_lost", at_us=7, detail=detail)


def test_the_texts_of_connection_and_will_are_notes_and_can_be_others() -> None:
    kinds = ("connected", "disconnected", "connection_lost")
    for texts in (("connected", "", "connection lost"), ("in é", "[out", '{"lane":4}')):
        names = ("connect_message", "disconnect_message", "will_message")
        options = dict(zip(names, texts, strict=True))
        for kind, text in zip(kinds, texts, strict=True):
            found = decoded(text.encode(), options)
            assert found == [ReaderNote(kind=kind, at_us=7, key=f"{kind}@7")]
    others = {"connect_message": "here"}
    assert only_reject(decoded(b"connected", others)).reason == "not_json"


def test_the_same_will_at_two_times_is_two_notes() -> None:
    decoder = impinj_iot.decoder({})
    first, second = (decoder.feed(b"connection lost", at_us) for at_us in (1, 2))
    assert [note.key for note in first + second if isinstance(note, ReaderNote)] == [
        "connection_lost@1",
        "connection_lost@2",
    ]


def test_a_text_must_be_a_short_text() -> None:
    for wrong in (7, "x" * 257):
        with pytest.raises(OptionError, match="will_message"):
            impinj_iot.decoder({"will_message": wrong})


# --- arrays


def test_a_bad_object_of_an_array_rejects_only_itself_and_keeps_its_own_bytes() -> None:
    bad = b'{"eventType":"tagInventory", "tagInventoryEvent":7}'
    outcomes = decoded(impinj_iot.encode_batch([tag(), bad, tag()]))
    assert [type(outcome) for outcome in outcomes] == [Read, Rejected, Read]
    detail = "Expected `object | null`, got `int` - at `$[1].tagInventoryEvent`"
    assert outcomes[1] == Rejected(reason="bad_field", raw=bad, at_us=7, detail=detail)


def test_an_array_may_begin_with_blanks_and_may_be_empty() -> None:
    assert only_read(decoded(b" \n [" + tag() + b"]")).epc == EPC
    assert decoded(b"[]") == [ReaderNote(kind="batch", at_us=7, detail="empty")]


def test_a_hostile_array_costs_a_bounded_number_of_rejects() -> None:
    outcomes = decoded(impinj_iot.encode_batch([b"0"] * 1000 + [tag()]))
    assert len(outcomes) == json_batch.MAX_REJECTED + 2
    last = outcomes[-1]
    assert isinstance(last, Rejected)
    assert (last.reason, last.detail) == ("more_rejected", "900 more objects of this payload")
    assert isinstance(outcomes[-2], Read)


# --- bad input


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"Connected", "not_json"),
        (b'{"timestamp":', "not_json"),
        (b"[" + tag(), "not_json"),
        (b'{"eventType":"tag\xffInventory"}', "not_json"),
        (b'{"a":NaN}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"diagnosticEvent":' * 50_000, "not_json"),
        (b'{"diagnosticEvent":' + b"[" * 5000 + b"]" * 5000 + b"}", "not_json"),
        (b'{"overflowEvent":{"eventsPurged":' + b"9" * 5000 + b"}}", "bad_field"),
        (b"null", "bad_field"),
        (b'"connected"', "bad_field"),
        (b"{}", "bad_field"),
        (message(eventType="NEW", tagInventoryEvent=None), "unknown_type"),
        (message(eventType="gone", tagInventoryEvent=None, newEvent={}), "unknown_type"),
        (b" " * json_batch.MAX_PAYLOAD + b"{}", "too_large"),
        (b"[" + b"0," * 20_000 + b"0]", "too_large"),
    ],
    ids=range(16),
)
def test_what_is_no_event_is_rejected_with_bounded_raw_bytes(payload: bytes, reason: str) -> None:
    rejected = only_reject(decoded(payload))
    assert rejected.reason == reason
    assert rejected.raw == payload[: json_batch.MAX_RAW]
    assert len(rejected.detail) <= json_batch.MAX_DETAIL


WRONG: dict[str, list[object]] = {
    "epc": [
        7,
        "4oARYGAAAgVMz5b",
        "4oAR YGAA",
        "4oAR\n",
        "é",
        "=",
        "A" * 100,
        "4oAR=",
        "4oAR====",
        "4oA==",
        "4o==4oAR",
        "4=oARYGA",
        "4oAR!!!!",
        "====",
        "4oARY",
        [],
        True,
    ],
    "epcHex": [7, "xyz", "e28", "00 11", "é0", "00" * 100, "00"],
    "tid": [7, "A", {}],
    "tidHex": [7, "xyz"],
    "pc": ["NA==", "NAAA", "3400", 3401],
    "xpcHex": ["8", 8001, "0x8001"],
    "antennaPort": ["1", 1.5, -1, 256, {}],
    "peakRssiCdbm": ["-37", -5750.5, -(10**9), []],
    "frequency": ["908", 1e300, -1],
    "phaseAngle": ["1", 1e300],
    "lastSeenTime": [1, "", "2026-03-02T14:00:00", "2" * 65],
}


@pytest.mark.parametrize(
    ("field", "wrong"), [(field, wrong) for field, values in WRONG.items() for wrong in values]
)
def test_a_wrong_value_in_any_field_is_rejected_with_its_path(field: str, wrong: object) -> None:
    rejected = only_reject(decoded(tag({field: wrong})))
    assert rejected.reason == "bad_field"
    assert rejected.detail.endswith(f" - at `$.tagInventoryEvent.{field}`")


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"eventType": 7}, "$.eventType"),
        ({"eventType": "x" * 257}, "$.eventType"),
        ({"tagInventoryEvent": []}, "$.tagInventoryEvent"),
        ({"tagInventoryEvent": None}, "$.tagInventoryEvent"),
        ({"tagInventoryEvent": {}}, "$.tagInventoryEvent"),
        ({"timestamp": 1}, "$.timestamp"),
        ({"timestamp": None}, "$.timestamp"),
        ({"timestamp": "yesterday"}, "$.timestamp"),
        ({"timestamp": "2026-03-02T14:00:00"}, "$.timestamp"),
        ({"timestamp": "2026-03-02"}, "$.timestamp"),
        ({"eventType": "overflow"}, "$.overflowEvent"),
        ({"eventType": "overflow", "overflowEvent": {}}, "$.overflowEvent"),
        ({"eventType": "overflow", "overflowEvent": 7}, "$.overflowEvent"),
        ({"eventType": "gone", "tagInventoryEvent": None}, "$"),
    ],
)
def test_a_wrong_envelope_is_rejected_with_its_path(parts: dict[str, object], path: str) -> None:
    rejected = only_reject(decoded(message(**parts)))
    assert rejected.reason == "bad_field"
    assert rejected.detail.endswith(f" - at `{path}`")


@pytest.mark.parametrize(
    "fields", [{"epcHex": "00"}, {"epc": "4oARYGAAAgVMz5b"}, {"tid": "4oAR", "tidHex": "E2"}]
)
def test_no_reason_for_a_reject_says_a_number(fields: dict[str, object]) -> None:
    detail = only_reject(decoded(tag(fields))).detail.lower()
    assert EPC.hex() not in detail
    assert "4oar" not in detail


def test_an_event_hidden_in_a_text_is_no_event_whatever_byte_around_it_is_lost() -> None:
    hidden = impinj_iot.encode_tag_event(b"\xde\xad" * 6, at_us=AT_US).decode()
    outer = tag({"antennaName": hidden})
    for place in range(len(outer)):
        found = decoded(outer[:place] + outer[place + 1 :])
        assert len(found) == 1
        assert not any(isinstance(one, Read) and one.epc == b"\xde\xad" * 6 for one in found)


@given(
    type_=JSON | st.sampled_from([*impinj_iot.NOTES, "tagInventory"]),
    inner=JSON
    | st.dictionaries(st.sampled_from(["epc", "epcHex", "status", "eventsPurged"]), JSON),
    name=st.sampled_from(["tagInventoryEvent", "overflowEvent", "diagnosticEvent", "newEvent"]),
    timestamp=JSON | st.text(alphabet="0123456789-:T+Z.W"),
)
def test_no_json_raises_and_every_object_has_an_outcome(
    type_: object, inner: object, name: str, timestamp: object
) -> None:
    event = {"eventType": type_, name: inner, "timestamp": timestamp}
    payload = json.dumps(event).encode()
    assert len(decoded(payload)) == 1
    assert len(decoded(b"[" + payload + b"]")) == 1
