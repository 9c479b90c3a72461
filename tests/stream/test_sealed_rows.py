"""Loading persons: sealed on the way in, or looked at; nothing personal is written in plain."""

import io
from base64 import b64encode
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.reference import Person
from schemas.wire import decode
from stream.load import Checked, check_rows, write_rows
from stream.log.open import open_log
from stream.sealed_rows import sealing
from stream.sealing import SealKey, open_rest, open_s92, seal_rest, seal_s92
from tests.stream.counting import create_all, everything
from tests.stream.test_sealing import ANA, KEY

SEALED = b64encode(seal_s92(KEY, ANA)).decode()
REST = b64encode(seal_rest(KEY, {"phone": "1"})).decode()


def line(**value: Any) -> bytes:
    person = {"type": "person", "v": 1, "id": "person:1", **value}
    return (
        orjson.dumps({"topic": "parties", "key": "person:1", "at_us": 1, "value": person}) + b"\n"
    )


def check(text: bytes, key: SealKey | None = KEY) -> Checked:
    return check_rows(io.BytesIO(text), seal=sealing(key))


async def test_plain_elements_are_written_sealed_with_the_name_of_the_key(tmp_path: Path) -> None:
    text = line(s92=ANA, rest={"phone": "1"}) + line(s92=SEALED, rest=REST)
    assert check(text) == Checked(2, 0, [])
    async with await open_log(f"memory:{tmp_path}") as log:
        await create_all(log)
        await write_rows(log, io.BytesIO(text), seal=sealing(KEY))
        first, second = await everything(log, "parties")
    assert first.value == second.value
    person = decode("parties", first.value or b"")
    assert isinstance(person, Person)
    assert person.key_id == "seal-1"
    assert person.s92 is not None
    assert person.rest is not None
    assert open_s92(KEY, person.s92).surname == "Prueba"
    assert open_rest(KEY, person.rest) == {"phone": "1"}
    assert b"Prueba" not in (first.value or b"")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"s92": {**ANA, "plate": "ABC123"}}, "$.value.s92.plate"),
        ({"s92": REST}, "$.value.s92"),
        ({"s92": "AAAA"}, "$.value.s92"),
        ({"s92": "not base64"}, "$.value.s92"),
        ({"s92": 7}, "$.value.s92"),
        ({"s92": [ANA]}, "$.value.s92"),
        ({"rest": SEALED}, "$.value.rest"),
        ({"rest": {"x": "y" * 20_000}}, "$.value.rest"),
        ({"s92": ANA, "key_id": "other"}, "$.value.key_id"),
    ],
)
def test_what_is_not_exactly_the_elements_is_refused_by_its_name(
    value: dict[str, Any], path: str
) -> None:
    checked = check(line(**value))
    assert checked.bad == 1
    assert checked.findings[0].path == path
    for personal in ("Prueba", "X0000001", "ABC123"):
        assert personal not in str(checked.findings[0])


def test_without_the_key_neither_plain_nor_sealed_elements_come_in() -> None:
    for value in ({"s92": ANA}, {"s92": SEALED}, {"rest": {"phone": "1"}}):
        checked = check(line(**value), None)
        assert checked.bad == 1
        assert "--seal-key-file" in checked.findings[0].detail
    assert check(line(), None).rows == 1
    assert check(line(rest=REST), None).rows == 1


def test_other_rows_and_other_topics_pass_as_they_are() -> None:
    seal = sealing(KEY)
    for topic, value in (
        ("parties", {"type": "truck", "s92": {}}),
        ("sites", {"type": "person", "s92": {}}),
        ("parties", 7),
    ):
        assert seal(topic, value) is value
