"""Write the golden samples and the JSON Schema of every message: `./run golden`.

The tests compare the committed files with what is generated, so the wire form changes only on purpose.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

import schemas
from schemas.message import Message
from schemas.topics import TOPICS
from schemas.wire import encode
from tests.schemas.samples import SAMPLES

FOLDER = Path(schemas.__file__).parent


def tag(kind: type[Message]) -> str:
    """The `type` of a message, which names its files."""
    return str(kind.__struct_config__.tag)


def kinds() -> list[type[Message]]:
    """Every message that stands in a topic, once."""
    return list(dict.fromkeys(kind for topic in TOPICS.values() for kind in topic.messages))


def schema(kind: type[Message]) -> str:
    """The JSON Schema of a message, as text."""
    found: dict[str, Any] = msgspec.json.schema(kind)
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def files() -> dict[Path, bytes]:
    """Everything that is generated, by path."""
    golden = {
        FOLDER / "golden" / f"{tag(type(sample))}.msgpack": encode(sample) for sample in SAMPLES
    }
    json_schema = {
        FOLDER / "json" / f"{tag(kind)}.schema.json": schema(kind).encode() for kind in kinds()
    }
    return golden | json_schema


if __name__ == "__main__":
    for path, content in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
