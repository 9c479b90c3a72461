"""How many reads a core decodes and tracks, for every protocol: `./run bench decode`.

One frame a chunk, as a busy line brings them. The ratio compares with taking the bytes and doing nothing.
"""

import random
import time
from collections.abc import Callable, Sequence
from importlib import import_module

from gateway.clock import When
from gateway.protocols import PROTOCOLS
from gateway.reads import Read
from gateway.tracker import Point, Tracker

READS = 60_000
NOW = 1_772_460_000_000_000
POINT = Point(
    id="L01-primary",
    lane="L01",
    position="primary",
    direction="MX>US",
    to_booth_s=0,
    observe_reads=3,
    observe_us=200_000,
    glimpse_us=1_000_000,
    lost_us=5_000_000,
)


def frames(name: str, tags: int) -> list[bytes]:
    """Frames of so many tags in turn, as the protocol's own encoder builds them."""
    encode: Callable[[Read], bytes] = import_module(f"gateway.protocols.{name}").encode
    drawn = random.Random(7)
    epcs = [b"\xe2" + drawn.randbytes(11) for _ in range(tags)]
    made = [
        encode(Read(epc=epc, at_us=NOW, reader_at_us=NOW, antenna=1, rssi_dbm=-50, key=f"{n}"))
        for n, epc in enumerate(epcs)
    ]
    return [made[n % tags] for n in range(READS)]


def timed(work: Callable[..., int], *arguments: object) -> tuple[float, int]:
    """CPU seconds of the work, and what it counted."""
    began = time.process_time()
    count = work(*arguments)
    return time.process_time() - began, count


def look(chunks: Sequence[bytes]) -> int:
    """Do nothing but look at the chunks."""
    return sum(1 for chunk in chunks if chunk)


def decode(name: str, chunks: Sequence[bytes], tracker: Tracker | None) -> int:
    """Feed all chunks, 40 us apart; return how many reads came."""
    decoder = PROTOCOLS[name].decoder({})
    decoder.start()
    count = 0
    for n, chunk in enumerate(chunks):
        at_us = NOW + n * 40
        for outcome in decoder.feed(chunk, at_us):
            if isinstance(outcome, Read):
                count += 1
                if tracker is not None:
                    tracker.hear(POINT, outcome, When(at_us, "received", 0, False))
    return count


def main() -> None:
    """Print the figures."""
    for name in PROTOCOLS:
        for tags in (500, 20_000):
            chunks = frames(name, tags)
            bare, _ = timed(look, chunks)
            alone, count = timed(decode, name, chunks, None)
            both, _ = timed(decode, name, chunks, Tracker())
            print(
                f"{name:12} {tags:6} tags  decode {count / alone:9,.0f}/s  "
                f"decode and track {count / both:9,.0f}/s  {both / bare:6.0f} times looking at the bytes"
            )


if __name__ == "__main__":
    main()
