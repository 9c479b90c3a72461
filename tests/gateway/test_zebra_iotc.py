"""What the captures in tests/captures do not show of the IoT Connector."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import json_batch
from gateway.protocols import zebra_iotc
from gateway.reads import Outcome, Read, ReaderNote, Rejected

EPC = bytes.fromhex("E2806894000040017790E471")
AT_US = 1_788_785_436_194_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def decoded(payload: bytes) -> list[Outcome]:
    return zebra_iotc.decoder({}).feed(payload, 7)


def tag(fields: dict[str, object] | None = None, mode: zebra_iotc.TagMode = "CUSTOM") -> bytes:
    return zebra_iotc.encode_tag_event(EPC, event_num=1, at_us=AT_US, mode=mode, fields=fields)


def message(**parts: object) -> bytes:
    event = {
        "data": {"eventNum": 1, "format": "epc", "idHex": EPC.hex()},
        "timestamp": "2026-09-07T12:50:36.194+0000",
        "type": "SIMPLE",
    }
    return json.dumps(event | parts).encode()


def only_read(outcomes: list[Outcome]) -> Read:
    [read] = outcomes
    assert isinstance(read, Read)
    return read


def only_reject(outcomes: list[Outcome]) -> Rejected:
    [rejected] = outcomes
    assert isinstance(rejected, Rejected)
    return rejected


def plain(outcomes: list[Outcome]) -> ReaderNote:
    """The only note, as a person reads it."""
    (note,) = outcomes
    assert isinstance(note, ReaderNote)
    return replace(note, reader_at_us=None, facts=())


# --- tags


@pytest.mark.parametrize("mode", ["SIMPLE", "INVENTORY", "CONVEYOR", "CUSTOM", "PORTAL"])
def test_every_operating_mode_is_a_read(mode: zebra_iotc.TagMode) -> None:
    assert only_read(decoded(tag(mode=mode))).epc == EPC


def test_all_fields_that_a_reader_can_be_asked_for_are_taken() -> None:
    fields: dict[str, object] = {"antenna": 3, "channel": 908.25, "phase": 14.5, "reads": 4}
    fields |= {"peakRssi": -37, "TID": "e2801160600002054cc2096f"}
    assert only_read(decoded(tag(fields))) == Read(
        epc=EPC,
        at_us=7,
        reader_at_us=AT_US,
        pc=0x3000,
        tid=bytes.fromhex("E2801160600002054CC2096F"),
        antenna=3,
        rssi_dbm=-37,
        frequency_khz=908_250,
        phase_deg=14.5,
        reads=4,
        key="1@2026-09-07T12:50:36.194+0000",
    )


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-09-07T12:50:36.194+0000",
        "2026-09-07T06:50:36.194-0600",
        "2026-09-07T12:50:36.194Z",
        "2026-09-07T15:50:36.194+03:00",
        "2026-09-07T12:50:36.194000999Z",
    ],
)
def test_all_zone_forms_are_the_same_moment_and_nanoseconds_are_cut(timestamp: str) -> None:
    assert only_read(decoded(message(timestamp=timestamp))).reader_at_us == AT_US


def test_a_time_before_1970_and_the_last_one_do_not_raise() -> None:
    for timestamp in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00"):
        assert only_read(decoded(message(timestamp=timestamp))).reader_at_us is not None


def test_the_same_message_has_the_same_key_and_a_number_that_restarted_has_not() -> None:
    first, again = (only_read(decoded(message())).key for _ in range(2))
    later = only_read(decoded(message(timestamp="2026-09-07T13:00:00.000+0000"))).key
    assert first == again != later


def test_a_message_without_its_number_is_read_and_has_no_key() -> None:
    assert only_read(decoded(message(data={"idHex": EPC.hex()}))).key is None


def test_the_tags_crc_is_checked_where_pc_and_crc_are_there() -> None:
    good = only_read(decoded(tag()))
    assert good.pc == 0x3000
    for field, wrong in (("CRC", "f3b4"), ("PC", "3400")):
        assert only_reject(decoded(tag({field: wrong}))).reason == "tag_crc"
    assert only_reject(decoded(tag({"PC": "2800"}))).reason == "pc_length"


def test_the_tags_crc_is_not_asked_of_a_tag_with_xpc_words_or_without_pc() -> None:
    assert only_read(decoded(tag({"CRC": "0000", "PC": "3b17", "XPC1": "8001"}))).xpc == 0x8001
    assert only_read(decoded(tag({"CRC": "0000", "PC": "3b17"}))).pc == 0x3B17
    assert only_read(decoded(tag({"CRC": "0000"}, "SIMPLE"))).pc is None


def test_two_xpc_words_are_one_number() -> None:
    assert only_read(decoded(tag({"PC": "4b17", "XPC1": "8001", "XPC2": "0002"}))).xpc == 0x80010002


@pytest.mark.parametrize("field", ["USER", "TID"])
def test_an_error_text_where_hex_is_expected_is_a_note_beside_the_read(field: str) -> None:
    read, note = decoded(tag({field: "Error: tag error code 0x03"}))
    assert isinstance(read, Read)
    assert read.tid is None
    assert note == ReaderNote(kind="access_error", at_us=7, detail="Error: tag error code 0x03")


def test_user_memory_in_hex_says_nothing_more() -> None:
    assert only_read(decoded(tag({"USER": "00ff"}))).epc == EPC


def test_an_empty_epc_is_a_read_of_an_empty_epc() -> None:
    assert only_read(decoded(message(data={"idHex": ""}))).epc == b""


# --- batches


def test_a_bad_object_of_a_batch_rejects_only_itself_and_keeps_its_own_bytes() -> None:
    bad = b'{"type":"SIMPLE", "data":7}'
    outcomes = decoded(zebra_iotc.encode_batch([tag(), bad, tag()]))
    assert [type(outcome) for outcome in outcomes] == [Read, Rejected, Read]
    assert outcomes[1] == Rejected(
        reason="bad_field",
        raw=bad,
        at_us=7,
        detail="Expected `object`, got `int` - at `$[1].data`",
    )


def test_a_batch_may_begin_with_blanks_and_may_be_empty() -> None:
    assert only_read(decoded(b" \n [" + tag() + b"]")).epc == EPC
    assert decoded(b"[]") == [ReaderNote(kind="batch", at_us=7, detail="empty")]


def test_a_hostile_batch_costs_a_bounded_number_of_rejects() -> None:
    outcomes = decoded(zebra_iotc.encode_batch([b"0"] * 1000 + [tag()]))
    assert len(outcomes) == json_batch.MAX_REJECTED + 2
    last = outcomes[-1]
    assert isinstance(last, Rejected)
    assert (last.reason, last.detail) == ("more_rejected", "900 more objects of this payload")
    assert isinstance(outcomes[-2], Read)


# --- what is no tag


@pytest.mark.parametrize(
    ("type_", "data", "kind", "detail"),
    [
        ("gpi", {"pin": 2, "state": "LOW"}, "gpi", "pin 2, state LOW"),
        ("error", {"code": 4, "message": "radio"}, "error", "code 4, message radio"),
        ("warning", {"message": "x" * 900}, "warning", "message " + "x" * 192),
        ("firmwareUpdateProgress", {"status": "started"}, "firmware_update", "status started"),
        ("userapp", {"anything": [1]}, "userapp", ""),
        ("heartbeat", {}, "heartbeat", ""),
        ("heartbeat", {"system": {"ntp": 7}, "radio_control": []}, "heartbeat", ""),
        ("heartbeat", {"system": {"ntp": {"reach": 377}}}, "heartbeat", "ntp reach 377"),
        ("heartbeat", None, "heartbeat", ""),
        ("BLE_DATA", {"Address": "CF:C7:E6:45:DE:F7"}, "ble", ""),
    ],
)
def test_what_is_no_tag_is_a_note_with_a_short_text(
    type_: str, data: object, kind: str, detail: str
) -> None:
    payload = message(type=type_, data=data, eventNum=9, component="RC")
    key = "9@2026-09-07T12:50:36.194+0000"
    assert plain(decoded(payload)) == ReaderNote(kind=kind, at_us=7, detail=detail, key=key)


def test_a_note_of_the_simulator_is_read_back() -> None:
    payload = zebra_iotc.encode_note("gpo", event_num=3, at_us=AT_US, data={"pin": 1})
    key = "3@2026-09-07T12:50:36.194+0000"
    assert plain(decoded(payload)) == ReaderNote(kind="gpo", at_us=7, detail="pin 1", key=key)


# --- bad input


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not_json"),
        (b"connected", "not_json"),
        (b'{"type":"SIMPLE"', "not_json"),
        (b"[" + tag(), "not_json"),
        (b'{"type":"SIM\xffPLE"}', "not_json"),
        (b'{"a":NaN}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"data":' * 100_000, "not_json"),
        (b'{"data":' + b"[" * 5000 + b"]" * 5000 + b',"type":"gpi"}', "not_json"),
        (b"null", "bad_field"),
        (b'"connection lost"', "bad_field"),
        (b"{}", "bad_field"),
        (message(type="NEW"), "unknown_type"),
        (b" " * json_batch.MAX_PAYLOAD + b"{}", "too_large"),
        (b"[" + b"0," * 20_000 + b"0]", "too_large"),
    ],
    ids=range(15),
)
def test_what_is_no_message_is_rejected_with_bounded_raw_bytes(payload: bytes, reason: str) -> None:
    rejected = only_reject(decoded(payload))
    assert rejected.reason == reason
    assert rejected.raw == payload[: json_batch.MAX_RAW]


WRONG: dict[str, list[object]] = {
    "idHex": [None, 7, "xyz", "e28", "00 11", "é0", "00" * 100],
    "eventNum": ["1", 1.5, -1, True, []],
    "antenna": ["1", 1.5, -1, 256, {}],
    "peakRssi": ["-37", -1e9, []],
    "reads": ["1", 0, -1, 10**9, None],
    "PC": [3000, "30", "300000", "0x30", " 3000"],
    "CRC": [1, "f", "f3b3f3"],
    "XPC": [1, "f"],
    "XPC1": [1, "f"],
    "XPC2": [1, "f"],
    "TID": [1, "not hex"],
    "USER": [1, []],
    "channel": ["908", 1e300],
    "phase": ["1", 1e300],
    "format": [1, {}],
}


@pytest.mark.parametrize(
    ("field", "wrong"), [(field, wrong) for field, values in WRONG.items() for wrong in values]
)
def test_a_wrong_value_in_any_field_is_rejected_with_its_path(field: str, wrong: object) -> None:
    rejected = only_reject(decoded(tag({field: wrong})))
    assert rejected.reason == "bad_field"
    assert rejected.detail.endswith(f" - at `$.data.{field}`")


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"type": 7}, "$.type"),
        ({"type": None}, "$.type"),
        ({"data": []}, "$.data"),
        ({"data": None}, "$.data"),
        ({"data": {}}, "$.data"),
        ({"timestamp": 1}, "$.timestamp"),
        ({"timestamp": None}, "$.timestamp"),
        ({"timestamp": "yesterday"}, "$.timestamp"),
        ({"timestamp": "2026-09-07T12:50:36.194"}, "$.timestamp"),
        ({"timestamp": "2026-09-07"}, "$.timestamp"),
        ({"timestamp": "2" * 65}, "$.timestamp"),
        ({"eventNum": "1"}, "$.eventNum"),
    ],
)
def test_a_wrong_envelope_is_rejected_with_its_path(parts: dict[str, object], path: str) -> None:
    rejected = only_reject(decoded(message(**parts)))
    assert rejected.reason == "bad_field"
    assert rejected.detail.endswith(f" - at `{path}`")


@given(
    type_=JSON | st.sampled_from(["SIMPLE", "CUSTOM", "heartbeat", "gpi", "error", "BLE_DATA"]),
    data=JSON | st.dictionaries(st.sampled_from(["idHex", "reads", "system", "TID"]), JSON),
    timestamp=JSON | st.text(alphabet="0123456789-:T+Z.W"),
)
def test_no_json_raises_and_every_object_has_an_outcome(
    type_: object, data: object, timestamp: object
) -> None:
    payload = message(type=type_, data=data, timestamp=timestamp)
    assert decoded(payload)
    assert decoded(b"[" + payload + b"]")
