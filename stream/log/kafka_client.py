"""What the parts of the Kafka adapter share: names, limits, errors, and letting go of clients for sure.

Facts about aiokafka are from its source, version 0.14.0 (module names are given); facts about the broker
are from Apache Kafka 4.3.1, which the tests run.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple

from aiokafka import errors

from stream.log.contract import (
    LogError,
    LogUnavailable,
    RecordTooLarge,
    TopicMissing,
    TopicPartition,
)
from stream.log.url import KafkaUrl

#: A broker that does not answer for so long counts as away.
CONNECT_S: Final = 10.0
REQUEST_S: Final = 10.0
#: A clean stop of a client; after that its tasks are cancelled.
STOP_S: Final = 1.0

#: Largest batch that is built before it is sent (bytes); a larger record goes alone.
BATCH_BYTES: Final = 262_144

# While a broker is away, aiokafka logs some hundred lines a second, and a line for each retry. All that
# matters reaches our caller as an exception, so it is quiet unless somebody asks for its lines.
_log = logging.getLogger("aiokafka")
if _log.level == logging.NOTSET:
    _log.setLevel(logging.CRITICAL)


class Names(NamedTuple):
    """Where the brokers are, and how our names are written there."""

    brokers: tuple[str, ...]
    prefix: str

    @classmethod
    def of(cls, url: KafkaUrl) -> "Names":
        """The names of a log."""
        return cls(url.brokers, url.prefix)

    @property
    def bootstrap(self) -> list[str]:
        """The brokers as aiokafka takes them."""
        return list(self.brokers)

    def topic(self, name: str) -> str:
        """A topic's name on the broker."""
        return f"{self.prefix}{name}"

    def group(self, application: str) -> str:
        """The group under which an application's positions are kept."""
        return f"{self.prefix}{application}"

    def transactional_id(self, application: str, where: TopicPartition) -> str:
        """The id that all owners of a partition share, whatever process or host they are.

        It must name the partition and nothing else: taking over fences by this id, so an owner under
        another id would never be shut out.
        """
        return f"{self.prefix}{application}-{where.topic}-{where.partition}"


def explain(error: BaseException, doing: str) -> LogError:
    """The contract's error for one of aiokafka's, outside a commit."""
    text = f"{doing}: {error}" if str(error) else f"{doing}: {type(error).__name__}"
    match error:
        case LogError():
            return error
        case errors.MessageSizeTooLargeError() | errors.RecordListTooLargeError():
            return RecordTooLarge(f"{doing}: the broker's limit is lower than ours ({error})")
        case errors.UnknownTopicOrPartitionError() | errors.InvalidTopicError():
            return TopicMissing(text)
        case TimeoutError() | errors.KafkaTimeoutError():
            return LogUnavailable(f"{doing}: no answer in time")
        case errors.KafkaConnectionError() | errors.NodeNotReadyError():
            return LogUnavailable(f"{doing}: no broker answers")
        case _:
            return LogUnavailable(text)


@asynccontextmanager
async def within(seconds: float, doing: str) -> AsyncIterator[None]:
    """Bound the time of what is inside, and raise its errors as the contract's."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (errors.KafkaError, TimeoutError, OSError) as error:
        raise explain(error, doing) from error


async def start(client: Any, names: Names, doing: str) -> None:
    """Start a producer, consumer or admin client; let go of it when it cannot be started."""
    try:
        async with within(CONNECT_S, f"{doing} at {','.join(names.brokers)}"):
            await client.start()
    except BaseException:
        await stop(client)
        raise


async def stop(client: Any) -> None:
    """Let go of a producer, consumer or admin client, whatever state it is in, in bounded time."""
    _retrieve_futures(client)
    ending: Awaitable[None] = client.close() if hasattr(client, "close") else client.stop()
    # In a task of its own: aiokafka cancels its inner tasks and then waits for them, so its `stop()` may
    # raise a CancelledError that nobody meant for the caller.
    closing = asyncio.ensure_future(ending)
    try:
        await asyncio.wait({closing}, timeout=STOP_S)
        if not closing.done() or closing.cancelled() or closing.exception() is not None:
            closing.cancel()
            await _kill(client)
    finally:
        _retrieve_futures(client)


async def _kill(client: Any) -> None:
    """Cancel the tasks of a client that does not stop.

    An idempotent producer retries for ever while its broker is away (aiokafka.producer.sender,
    `_can_retry`), and its `stop()` waits for that.
    """
    inner = getattr(client, "client", None) or getattr(client, "_client", None)
    parts = (
        *(getattr(client, name, None) for name in ("_sender", "_message_accumulator", "_fetcher")),
        *(getattr(client, name, None) for name in ("_coordinator",)),
        inner,
    )
    owners = [part for part in parts if part is not None]
    tasks = [task for task in asyncio.all_tasks() if _self_of(task) in owners]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_S)
    for task in tasks:
        _retrieve(task)
    if inner is not None:
        with suppress(Exception):
            async with asyncio.timeout(STOP_S):
                await inner.close()


def _self_of(task: asyncio.Task[Any]) -> object:
    """The object whose method a task runs."""
    frame = getattr(task.get_coro(), "cr_frame", None)
    return None if frame is None else frame.f_locals.get("self")


def _retrieve_futures(client: Any) -> None:
    """Look at the errors of a producer's futures, which would be reported as never looked at."""
    accumulator = getattr(client, "_message_accumulator", None)
    if accumulator is None:
        return
    waiting = [batch for batches in accumulator._batches.values() for batch in batches]  # noqa: SLF001
    for batch in (*waiting, *accumulator._pending_batches):  # noqa: SLF001
        _retrieve(batch.future)
        _retrieve(batch._drain_waiter)  # noqa: SLF001
    transactions = getattr(client, "_txn_manager", None)
    if transactions is not None and transactions._transaction_waiter is not None:  # noqa: SLF001
        _retrieve(transactions._transaction_waiter)  # noqa: SLF001


def _retrieve(future: "asyncio.Future[Any]") -> None:
    if future.done() and not future.cancelled():
        future.exception()


def watch(futures: Iterable["asyncio.Future[Any]"]) -> None:
    """Count the errors of these futures as looked at, whoever awaits them in the end."""
    for future in futures:
        future.add_done_callback(_retrieve)
