"""What the daemon says about itself: log lines on stderr and a status file beside the outbox.

Neither holds a card's number or a whole token. `/health` and `/metrics`: `gateway.watch`.
"""

import sys
import traceback
from pathlib import Path
from typing import Final

import orjson
import structlog

from gateway.intake import Status

STATUS_SUFFIX: Final = ".status.json"


def log_to_stderr() -> None:
    """Set structlog up: JSON lines, or colours on a terminal."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def place_of(error: BaseException) -> str:
    """The kind of an error and where it came from; its text may hold what a card said."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + where


def status_path(outbox: Path) -> Path:
    """Where the status file of a gateway with this outbox stands."""
    return outbox.with_name(outbox.name + STATUS_SUFFIX)


def write_status(
    path: Path, status: Status, *, at_us: int, process: int, depth: int, log_connected: bool
) -> None:
    """Replace the status file; an old one and none are both better than half of one."""
    totals = status.totals
    plain = {
        "at_us": at_us,
        "process": process,
        "log_connected": log_connected,
        "outbox_depth": depth,
        "open_sightings": status.open_stays,
        "reads": totals.reads,
        "reads_gone": totals.reads_gone,
        "reads_duplicate": totals.reads_duplicate,
        "reads_rejected": totals.reads_rejected,
        "glimpses": totals.glimpses,
        "overflows": totals.overflows,
        "events_skipped": totals.refused,
        "heartbeats_left_out": totals.beats_refused,
        "readers": {
            name: {
                "up": reader.up,
                "cause": reader.cause,
                "down_since_us": reader.down_since_us,
                "last_heard_us": reader.last_heard_us,
                "reads": reader.reads,
                "rejects": reader.rejects,
                "notes": reader.notes,
            }
            for name, reader in status.readers.items()
        },
    }
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(orjson.dumps(plain, option=orjson.OPT_INDENT_2))
    fresh.replace(path)
