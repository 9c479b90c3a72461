"""Connect to an event log by its URL. An adapter's code is imported only when its log is used."""

from stream.log.contract import EventLog
from stream.log.url import KafkaUrl, LogUrlError, MemoryUrl, SqliteUrl, parse_log_url

__all__ = ["LogUrlError", "open_log", "parse_log_url"]


async def open_log(url: str) -> EventLog:
    """A connected event log; forms of `url` are in `stream.log.url`.

    Raises `LogUrlError` (a `ValueError`) for a wrong URL, `LogUnavailable` when the log is not there and
    `LogDamaged` when what is there cannot be used.
    """
    match parse_log_url(url):
        case MemoryUrl(name):
            from stream.log.memory import MemoryLog  # noqa: PLC0415

            return MemoryLog(name)
        case SqliteUrl(path):
            from stream.log.sqlite import open_sqlite  # noqa: PLC0415

            return await open_sqlite(path)
        case KafkaUrl() as where:
            from stream.log.kafka import open_kafka  # noqa: PLC0415

            return await open_kafka(where)
