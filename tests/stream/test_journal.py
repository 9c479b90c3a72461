"""What a stream process says: JSON lines on stderr, from us and from the libraries."""

import subprocess
import sys
from pathlib import Path

import orjson

SCRIPT = """
import logging
import structlog
from stream import journal
journal.configure()
log = structlog.get_logger("x")
log.debug("left out")
log.info("taken over", rows=3)
logging.getLogger("aiokafka").info("left out")
logging.getLogger("aiokafka").warning("broker %s", "away")
try:
    card = "k1.secret"
    raise ValueError("broken")
except ValueError:
    log.exception("broken")
"""


def test_every_line_is_one_json_object_without_the_values_of_local_variables() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        cwd=Path(__file__).parents[2],
        timeout=30,
        check=True,
    )
    lines = [orjson.loads(line) for line in done.stderr.splitlines()]
    assert [(one["event"], one["level"]) for one in lines] == [
        ("taken over", "info"),
        ("broker away", "warning"),
        ("broken", "error"),
    ]
    assert lines[0]["rows"] == 3
    assert lines[1]["library"] == "aiokafka"
    assert "ValueError: broken" in lines[2]["exception"]
    assert b"k1.secret" not in done.stderr.replace(b'card = "k1.secret"', b"")
    assert done.stdout == b""
