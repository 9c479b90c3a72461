"""Lines of NDJSON: read, or refused with the path of what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import MAX_VALUE_BYTES, TOPICS, topic_key
from schemas.wire import to_json
from stream.ndjson import MAX_LINE_BYTES, Line, LineError, parse_line
from tests.schemas.samples import SAMPLES

TOPIC_OF = {kind: topic.name for topic in TOPICS.values() for kind in topic.messages}

CARD = (
    '{"topic":"credentials","key":"k1.ab","at_us":7,"value":'
    '{"type":"credential","v":1,"token":"k1.ab","credential_id":"c1","kind":"driver_card","holder":"person:1"'
)


@pytest.mark.parametrize("message", SAMPLES, ids=lambda one: type(one).__name__)
def test_every_message_comes_back_from_its_line(message: object) -> None:
    kind = type(message)
    topic = TOPIC_OF[kind]  # type: ignore[index]
    key = topic_key(message)  # type: ignore[arg-type]
    line = to_json(topic, key, 7, message)  # type: ignore[arg-type]
    assert parse_line(1, line) == Line(topic, key, 7, message)  # type: ignore[arg-type]


def test_a_null_value_deletes_from_a_compacted_topic_only() -> None:
    assert parse_line(1, b'{"topic":"trips","key":"T1","at_us":7,"value":null}') == Line(
        "trips", "T1", 7, None
    )
    refused = parse_line(1, b'{"topic":"arrivals","key":"x","at_us":7,"value":null}')
    assert isinstance(refused, LineError)
    assert refused.path == "$.value"


STATUS = '{"state":"lost","effective_from_us":1,"accepted_at_us":1}'


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("{", "line 7: $: not JSON: "),
        ("[]", "line 7: $: expected an object, got list"),
        ('{"topic":"trips","key":"x","at_us":1}', "line 7: $.value: missing"),
        (CARD + '},"then":1}', "line 7: $.then: no such field in a line"),
        (CARD.replace("credentials", "cards") + "}}", "line 7: $.topic: no topic 'cards'"),
        (CARD.replace('"credentials"', "3") + "}}", "line 7: $.topic: no topic '3'"),
        (CARD.replace('"credentials"', "[]") + "}}", "line 7: $.topic: no topic '[]'"),
        (
            CARD.replace("credentials", "lanes-changelog") + "}}",
            "line 7: $.topic: lanes-changelog is",
        ),
        (
            CARD.replace('"k1.ab","at', '"k1.zz","at') + "}}",
            "$.key: the message's own key is 'k1.ab'",
        ),
        (CARD.replace('"key":"k1.ab"', '"key":""') + "}}", "$.key: expected text"),
        (CARD.replace('"at_us":7', '"at_us":"7"') + "}}", "$.at_us: expected microseconds"),
        (CARD.replace('"at_us":7', '"at_us":true') + "}}", "$.at_us: expected microseconds"),
        (CARD.replace('"at_us":7', '"at_us":7.5') + "}}", "$.at_us: expected microseconds"),
        (CARD.replace('"person:1"', "5") + "}}", "$.value.holder: Expected `str`, got `int`"),
        (CARD + ',"statuses":[{"state":"gone"}]}}', "$.value.statuses[0]"),
        (CARD.replace('"v":1', '"v":2') + "}}", "$.value.v: "),
        (CARD.replace('"type":"credential"', '"type":"trip"') + "}}", "$.value.type: "),
        (CARD + f',"statuses":[{",".join([STATUS] * 30_000)}]}}}}', f"at most {MAX_VALUE_BYTES}"),
        (CARD.replace("c1", "x" * MAX_LINE_BYTES) + "}}", f"longer than {MAX_LINE_BYTES} bytes"),
        ("[" * 100_000, "line 7: $: not JSON"),
    ],
    ids=range(20),
)
def test_a_bad_line_is_refused_with_its_number_and_path(text: str, finding: str) -> None:
    refused = parse_line(7, text.encode())
    assert isinstance(refused, LineError)
    assert finding in str(refused)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_give_a_line_or_an_error_and_never_an_exception(text: bytes) -> None:
    assert isinstance(parse_line(1, text), Line | LineError)


@given(
    st.dictionaries(
        st.sampled_from(["topic", "key", "at_us", "value"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(list(TOPICS)),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=10,
        ),
    )
)
def test_any_json_object_gives_a_line_or_an_error(value: dict[str, object]) -> None:
    import json  # noqa: PLC0415 - integers that orjson refuses are wanted here

    assert isinstance(parse_line(1, json.dumps(value).encode()), Line | LineError)
