"""What the captures in tests/captures do not show of JSON that a configuration maps."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.capture_file import Heard
from gateway.protocols import json_map
from gateway.reads import OptionError, Outcome, Read, ReaderNote, Rejected
from gateway.transcript import Transcript

CAPTURES = Path(__file__).parents[1] / "captures"
EPC = bytes.fromhex("E2801160600002054CCF96FF")
HEX = EPC.hex()
MS = 1_788_785_436_194
US = MS * 1000
CSL: Mapping[str, Mapping[str, object]] = {
    "csl_cs463": {
        "tags": "tags",
        "antenna": "antennaPort",
        "time": "timeStampOfRead",
        "time_form": "us",
    },
    "csl_tags": {
        "tags": "tags",
        "antenna": "antennaPort",
        "time": "timeOfRead",
        "time_form": "%Y/%m/%d %H:%M:%S.%f",
        "zone": "$.timeZone",
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["reads", "tags", "epc", "ts", "rssi", "a"]), inner)
    ),
    max_leaves=12,
)


def decoded(payload: object, **options: object) -> list[Outcome]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return json_map.decoder(options).feed(data, 7)


def only_read(outcomes: list[Outcome]) -> Read:
    [read] = outcomes
    assert isinstance(read, Read)
    return read


def details(outcomes: list[Outcome]) -> list[str]:
    return [outcome.detail for outcome in outcomes if isinstance(outcome, Rejected)]


# --- examples of vendors


@pytest.mark.parametrize("name", CSL)
def test_csl_with_the_options_of_its_page_decodes_as_expected(name: str) -> None:
    lines = (CAPTURES / f"{name}.ndjson").read_bytes().splitlines()
    transcript = Transcript(json_map.decoder(CSL[name]), "message")
    rows = [row for n, line in enumerate(lines, 1) for row in transcript.take(Heard(n, line, None))]
    expected = (CAPTURES / f"{name}.expected.ndjson").read_text().splitlines()
    wanted = [json.loads(line) for line in expected]
    found = zip(rows, wanted, strict=True)
    assert [{key: row.get(key) for key in want} for row, want in found] == wanted


def test_a_handheld_that_nests_its_tags_is_mapped() -> None:
    payload = {
        "type": "dataEVT",
        "data": {"tagData": [{"EPC": HEX, "peakRssi": -61, "seenCount": 4, "phase": 12.5}]},
    }
    options = {"tags": "data.tagData", "epc": "EPC", "rssi_dbm": "peakRssi", "reads": "seenCount"}
    read = only_read(decoded(payload, **options, phase_deg="phase", only="type=dataEVT"))
    assert read == Read(epc=EPC, at_us=7, rssi_dbm=-61, reads=4, phase_deg=12.5)


# --- where things are


@pytest.mark.parametrize(
    ("tags", "payload"),
    [
        ("$", {"epc": HEX}),
        ("tag", {"tag": {"epc": HEX}}),
        ("$.a.b", {"a": {"b": [{"epc": HEX}]}}),
        ("a[1]", {"a": [None, {"epc": HEX}]}),
        ("a[1].b", {"a": [None, {"b": [{"epc": HEX}]}]}),
        ("a[*].b", {"a": [{"b": [{"epc": HEX}]}]}),
        ("a[*].b[*]", {"a": [{"b": [{"epc": HEX}]}]}),
        ("a b", {"a b": [{"epc": HEX}]}),
    ],
)
def test_tags_are_found_by_path(tags: str, payload: object) -> None:
    assert only_read(decoded(payload, tags=tags)).epc == EPC


def test_fields_are_found_below_the_tag_and_from_the_root() -> None:
    payload = {
        "port": "9",
        "reads": [{"id": {"hex": [0, HEX]}, "tid": "E200", "pc": "3000", "f": "921.625", "n": 3}],
    }
    options = {"epc": "id.hex[1]", "tid": "tid", "pc": "pc", "frequency_mhz": "f", "reads": "n"}
    read = only_read(decoded(payload, **options, antenna="$.port", rssi_raw="n"))
    assert read == Read(
        epc=EPC,
        at_us=7,
        tid=b"\xe2\x00",
        pc=0x3000,
        antenna=9,
        frequency_khz=921_625,
        reads=3,
        rssi_raw=3,
    )


def test_a_text_that_came_before_is_the_same_number_again_in_each_of_its_fields() -> None:
    one = json_map.decoder({"epc": "epc", "antenna": "a", "frequency_mhz": "f", "reads": "n"})
    tag = {"epc": HEX, "rssi": "-57.5", "a": "9", "f": "9", "n": "9"}
    payload = json.dumps({"reads": [tag]}).encode()
    first, again = (only_read(one.feed(payload, 7)) for _ in range(2))
    assert first == again
    assert (first.antenna, first.frequency_khz, first.reads, first.rssi_dbm) == (9, 9000, 9, -57.5)


def test_very_many_texts_of_a_number_are_read_and_not_all_remembered() -> None:
    one = json_map.decoder({})
    for number in range(2 * json_map.MAX_TEXTS):
        text = f"-{number / 100}"
        payload = json.dumps({"reads": [{"epc": HEX, "rssi": text}]}).encode()
        assert only_read(one.feed(payload, 7)).rssi_dbm == float(text)
    assert [len(number.texts) for number in one._numbers] == [json_map.MAX_TEXTS]


def test_an_antenna_that_the_reader_does_not_send_is_a_constant() -> None:
    for antenna in (4, "4"):
        assert only_read(decoded({"reads": [{"epc": HEX}]}, antenna=antenna)).antenna == 4


def test_a_field_that_is_missing_null_or_empty_is_not_known() -> None:
    options = {"tid": "tid", "pc": "pc", "antenna": "a"}
    for value in ("", None):
        tag = {"epc": HEX} | dict.fromkeys(("tid", "pc", "a", "rssi", "ts"), value)
        assert only_read(decoded({"reads": [tag]}, **options)) == Read(epc=EPC, at_us=7)


def test_what_does_not_match_is_passed_over_and_told() -> None:
    reads = [{"epc": HEX, "ok": True}, {"epc": HEX, "ok": False}, {"epc": 5}, 3]
    outcomes = decoded([{"t": 1, "reads": reads}, {"t": 2}], only="t=1", only_tags="ok=true")
    assert [outcome.epc for outcome in outcomes if isinstance(outcome, Read)] == [EPC]
    assert outcomes[1:] == [ReaderNote(kind="ignored", at_us=7, detail="4")]


def test_one_bad_tag_or_object_does_not_cost_the_others() -> None:
    good = {"reads": [{"epc": HEX}, {"epc": "x"}, {"epc": HEX}]}
    outcomes = decoded([good, 3, None, {"reads": 1}, good])
    assert sum(isinstance(outcome, Read) for outcome in outcomes) == 4
    assert details(outcomes) == [
        "not hex - at `$[0].reads[1].epc`",
        "nothing there - at `$[1].reads`",
        "nothing there - at `$[2].reads`",
        "nothing there - at `$[3].reads.epc`",
        "not hex - at `$[4].reads[1].epc`",
    ]


def test_a_bad_field_from_the_root_is_named_from_the_root() -> None:
    assert details(decoded({"reads": [{"epc": HEX}], "p": "x"}, antenna="$.p")) == [
        "not a number - at `$.p`"
    ]
    assert details(decoded({"a": [{"b": 1}]}, tags="a[*].b[*]")) == ["no array - at `$.a[0].b`"]


# --- times


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("ms", MS),
        ("ms", f" {MS} "),
        ("ms", float(MS)),
        ("s", MS / 1000),
        ("s", f"{MS // 1000}.19400"),
        ("us", str(US)),
        ("ns", US * 1000 + 999),
        ("ns", str(US * 1000 + 1)),
        ("iso", "2026-09-07T06:50:36.194-06:00"),
        ("iso", "2026-09-07T12:50:36.194Z"),
        ("%d.%m.%y %H:%M:%S.%f %z", "07.09.26 14:50:36.194 +0200"),
    ],
)
def test_times_of_all_forms_are_one_time(form: str, value: object) -> None:
    read = only_read(decoded({"reads": [{"epc": HEX, "ts": value}]}, time_form=form))
    assert read.reader_at_us == US


@pytest.mark.parametrize(
    ("zone", "hour"),
    [("-5:00", 7), ("-05:00", 7), ("-0500", 7), ("-5", 7), ("Z", 12), ("UTC", 12), ("+5:30", 18)],
)
def test_a_zone_may_be_given_apart(zone: str, hour: int) -> None:
    minute = 20 if ":30" in zone else 50
    tag = {"epc": HEX, "ts": f"2026-09-07T{hour:02}:{minute}:36.194", "z": zone}
    for option in (zone, "z"):
        read = only_read(decoded({"reads": [tag]}, time_form="iso", zone=option))
        assert read.reader_at_us == US


@pytest.mark.parametrize(
    ("options", "value", "text"),
    [
        ({"time_form": "iso"}, "2026-09-07T07:50:36", "a time without its zone"),
        ({"time_form": "iso", "zone": "z"}, "2026-09-07T07:50:36", "no zone"),
        ({"time_form": "iso", "zone": "Z"}, "yesterday", "not such a time"),
        ({"time_form": "iso", "zone": "Z"}, MS, "not such a time"),
        ({"time_form": "iso", "zone": "Z"}, "2" * 100, "not such a time"),
        ({"time_form": "%Y-%m-%d %H:%M:%S", "zone": "Z"}, "2026-02-30 00:00:00", "not such a time"),
        ({}, "1_000", "not such a time"),
        ({}, " ", "not such a time"),
        ({}, True, "not such a time"),
        ({}, [MS], "not such a time"),
        ({}, 1e300, "not such a time"),
        ({}, 10**400, "not such a time"),
    ],
)
def test_a_time_that_is_none_rejects_the_tag(
    options: Mapping[str, object], value: object, text: str
) -> None:
    outcomes = decoded({"reads": [{"epc": HEX, "ts": value}]}, **options)
    assert [type(outcome) for outcome in outcomes] == [Rejected]
    reject = outcomes[0]
    assert isinstance(reject, Rejected)
    assert reject.reason == "not_json" or text in reject.detail


# --- options


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("epc", "", "an empty path"),
        ("epc", "reads[*].epc", "for tags alone"),
        ("tags", "a..b", "no path"),
        ("tags", "a.", "no path"),
        ("tags", "$a", "after $ comes a dot"),
        ("tags", "a[x]", "no path"),
        ("tags", "a[0]b", "a dot is missing"),
        ("tags", "a.a.a.a.a.a.a.a.a", "more than 8 steps"),
        ("antenna", 256, "cannot be 256"),
        ("antenna", -1, "cannot be -1"),
        ("rssi_dbm", "7", "cannot be '7'"),
        ("time_form", "seconds", "neither s, ms"),
        ("time_form", "%H:%M:%S", "neither s, ms"),
        ("time_form", "%Y-%m-%d %I:%M:%S", "neither s, ms"),
        ("zone", "Z", "needs none"),
        ("only", "type", "PATH=VALUE"),
        ("only", "a[*]=1", "[*]"),
        ("tag", "x", "did you mean"),
    ],
)
def test_an_option_that_cannot_be_is_named(option: str, value: object, text: str) -> None:
    with pytest.raises(OptionError) as caught:
        json_map.decoder({option: value})
    assert text in str(caught.value)
    assert option in str(caught.value)


def test_a_zone_with_a_typing_error_is_no_path() -> None:
    with pytest.raises(OptionError, match="no zone"):
        json_map.decoder({"zone": "-25:00", "time_form": "iso"})


# --- hostile payloads


def test_no_bytes_that_are_no_json_raise() -> None:
    for data in (b"", b"\xff", b"[" * 100_000, b'{"reads":' * 50_000, b'"\\ud800"', b"nan"):
        [reject] = decoded(data)
        assert isinstance(reject, Rejected)
        assert reject.reason in {"not_json", "bad_field"}


def test_a_payload_that_is_too_large_is_not_parsed() -> None:
    [reject] = decoded(b'{"reads":[' + b" " * (1 << 20) + b"]}")
    assert isinstance(reject, Rejected)
    assert (reject.reason, len(reject.raw)) == ("too_large", json_map.MAX_RAW)


def test_very_many_bad_tags_give_few_rejects_and_their_number() -> None:
    outcomes = decoded({"reads": [0] * 15_000})
    assert len(outcomes) == json_map.MAX_REJECTED + 1
    more = Rejected(reason="more_rejected", raw=b"", at_us=7, detail="14900 more of this payload")
    assert outcomes[-1] == more


def test_more_tags_or_objects_than_a_payload_may_have_are_not_looked_at() -> None:
    [reject] = decoded([0] * 20_001)
    assert details([reject]) == ["20001 objects of 20000"]
    outcomes = decoded({"reads": [{"epc": "AA"}] * 20_001})
    assert details(outcomes) == ["more than 20000 tags - at `$.reads[20000]`"]
    assert len(outcomes) == 20_001


def test_a_tag_that_cannot_be_written_again_is_rejected_with_all_around_it() -> None:
    data = b'{"reads":[{"epc":1' + b"0" * 30 + b"}]}"
    [reject] = decoded(data)
    assert isinstance(reject, Rejected)
    assert reject.reason in {"bad_field", "not_json"}


@given(payload=JSON)
def test_no_json_raises_or_says_nothing(payload: object) -> None:
    for options in (
        {},
        *CSL.values(),
        {"tags": "$"},
        {"tags": "[*].reads"},
        {"tags": "reads[*].a"},
    ):
        outcomes = decoded(payload, **options)
        assert outcomes


@given(value=JSON, name=st.sampled_from(["rssi", "ts", "a", "t", "p", "n", "f"]))
def test_a_field_of_any_type_gives_a_read_or_a_reject_with_its_path(
    value: object, name: str
) -> None:
    options = {"antenna": "a", "tid": "t", "pc": "p", "reads": "n", "frequency_khz": "f"}
    [outcome] = decoded({"reads": [{"epc": HEX, name: value}]}, **options)
    if isinstance(outcome, Rejected):
        assert outcome.reason == "not_json" or f"`$.reads[0].{name}`" in outcome.detail
    else:
        assert isinstance(outcome, Read)
