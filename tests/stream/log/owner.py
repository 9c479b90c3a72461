"""A process that owns partition 1 of `reads` and commits as it is told on its standard input.

A line `VALUE POSITION` commits one output and the position; it answers with `ok`, or with the name of the
error, and then ends.
"""

import asyncio
import sys

from stream.log.contract import LogError, Outgoing, TopicPartition
from stream.log.open import open_log


async def main(url: str) -> None:
    async with await open_log(url) as log:
        owner = await log.take_over("app", TopicPartition("reads", 1))
        say(f"ready {await owner.committed()}")
        while line := await asyncio.to_thread(sys.stdin.readline):
            value, position = line.split()
            outputs = [
                Outgoing("records", b"k", value.encode(), (), 0),
                Outgoing("table", b"k", value.encode(), (), 1),
            ]
            try:
                await owner.commit(outputs, int(position))
            except LogError as error:
                say(type(error).__name__)
                return
            say("ok")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
