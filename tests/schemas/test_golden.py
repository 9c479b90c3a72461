"""The wire form: committed samples and schemas, read by implementations that are not ours."""

import json
from pathlib import Path

import jsonschema
import msgpack
import pytest

from schemas.message import Message
from schemas.topics import TOPICS
from schemas.wire import decode, encode, from_plain, to_plain
from tests.schemas.generate import files, kinds, schema, tag
from tests.schemas.samples import SAMPLES

TOPIC_OF = {kind: topic.name for topic in TOPICS.values() for kind in topic.messages}


def name(value: object) -> str:
    return value.name if isinstance(value, Path) else tag(type(value))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", sorted(files()), ids=name)
def test_a_committed_file_is_what_would_be_generated(path: Path) -> None:
    assert path.read_bytes() == files()[path], "run `./run golden` if the change is meant"


def test_every_message_of_every_topic_has_a_sample() -> None:
    assert {type(sample) for sample in SAMPLES} == set(kinds())


def test_no_other_file_lies_among_the_generated_ones() -> None:
    folders = {path.parent for path in files()}
    assert {path for folder in folders for path in folder.iterdir()} == set(files())


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
def test_the_independent_msgpack_package_reads_the_same_values(sample: Message) -> None:
    read = msgpack.unpackb(encode(sample), strict_map_key=True)
    assert read == plain_with_bytes(sample)
    assert msgpack.packb(read) == encode(sample)


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
def test_every_optional_field_of_a_sample_is_filled(sample: Message) -> None:
    empty = [field for field, value in to_plain(sample).items() if value in (None, [], {})]
    assert empty == []


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
def test_msgpack_and_json_both_come_back_as_the_same_message(sample: Message) -> None:
    topic = TOPIC_OF[type(sample)]
    assert decode(topic, encode(sample)) == sample
    assert from_plain(topic, json.loads(json.dumps(to_plain(sample)))) == sample


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
def test_the_json_form_is_valid_by_the_json_schema(sample: Message) -> None:
    found = json.loads(schema(type(sample)))
    jsonschema.Draft202012Validator.check_schema(found)
    jsonschema.Draft202012Validator(found).validate(json.loads(json.dumps(to_plain(sample))))


@pytest.mark.parametrize("kind", kinds(), ids=tag)
def test_a_personal_field_is_marked_in_the_schema(kind: type[Message]) -> None:
    marked = schema(kind).count('"x-pii"')
    assert marked == {"person": 2, "exchange_record": 1}.get(tag(kind), 0)


def plain_with_bytes(sample: Message) -> object:
    """The message as the other package sees it: lists for tuples, bytes as bytes."""

    def plain(value: object) -> object:
        if isinstance(value, tuple):
            return [plain(one) for one in value]
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        fields = getattr(value, "__struct_fields__", None)
        if fields is None:
            return value
        head = {"type": tag(type(value))} if isinstance(value, Message) else {}
        return {**head, **{field: plain(getattr(value, field)) for field in fields}}

    return plain(sample)
