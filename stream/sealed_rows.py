"""Rows of persons as they are loaded: their personal data is sealed here, or it was and is looked at.

So nothing stands in `s92` but the elements of section 92(1), whoever made the row: the exchange hands it on.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any, Final

from schemas.reference import Person
from schemas.topics import TOPICS
from schemas.wire import SchemaError
from stream.ndjson import Seal
from stream.sealing import SealError, SealKey, open_rest, open_s92, seal_rest, seal_s92

_PERSONS: Final = next(name for name, topic in TOPICS.items() if Person in topic.messages)
_TAG: Final = Person.__struct_config__.tag


def sealing(key: SealKey | None) -> Seal:
    """What makes a value of a topic one that may be written; without a key nothing personal may come."""

    def seal(topic: str, value: object) -> object:
        if topic != _PERSONS or not isinstance(value, dict) or value.get("type") != _TAG:
            return value
        given = [name for name in ("s92", "rest") if value.get(name) is not None]
        return _sealed(value, given, key) if given else value

    return seal


def _sealed(value: dict[str, Any], given: list[str], key: SealKey | None) -> dict[str, Any]:
    if key is None:
        if given == ["rest"] and isinstance(value["rest"], str):
            return value
        detail = "personal data: name the key that it is sealed with by --seal-key-file"
        raise SchemaError("invalid", f"$.{given[0]}", detail)
    named = value.get("key_id", key.key_id)
    if named != key.key_id:
        raise SchemaError("invalid", "$.key_id", f"the key at hand is {key.key_id}")
    found = {name: _one(name, value[name], key) for name in given}
    return {**value, "key_id": key.key_id, **found}


def _one(name: str, value: object, key: SealKey) -> object:
    try:
        match name, value:
            case "s92", dict():
                return seal_s92(key, value)
            case "rest", dict():
                return seal_rest(key, value)
            case "s92", str():
                open_s92(key, b64decode(value, validate=True))
            case "rest", str():
                open_rest(key, b64decode(value, validate=True))
            case _:
                pass  # the schema refuses it
    except SealError as error:
        raise SchemaError("invalid", f"$.{name}{error.path}", str(error)) from None
    except Base64Error:
        raise SchemaError("invalid", f"$.{name}", "neither an object nor base64") from None
    return value
