"""What stream processes say about themselves: one JSON object a line on stderr.

No line carries a key, a token or a message's content: records are named by topic, partition and offset.
"""

import logging
import sys

import orjson
import structlog
from structlog.typing import EventDict


def configure() -> None:
    """Send structlog and the libraries' own logging to stderr as JSON lines."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # As text, because structlog's own form would show local variables, which hold messages.
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)


class _Bridge(logging.Handler):
    """Hands what libraries log to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(
            max(record.levelno, logging.WARNING), record.getMessage()[:1_000], library=record.name
        )


def _dumps(line: EventDict, **_: object) -> str:
    return orjson.dumps(line, default=str).decode()
