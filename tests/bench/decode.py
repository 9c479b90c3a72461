"""How many reads a core decodes and tracks, for every protocol: `./run bench decode`.

One frame a chunk, as a busy line brings them; for JSON one message a chunk, and 50 messages as readers batch them. Each
read is placed in time and tracked as the gateway does it: what the decoders gave waits in the pump's queue, which takes
up to a turn of reports at once. Each figure is the best of three runs, for other programs share the machine. Below: how our decoder compares with the frame logic of other people's decoders, on the same frames;
they look for no frame in a stream, so they are spared that.
"""

import random
import time
from collections.abc import Callable, Sequence
from importlib import import_module

from chafon_rfid import uhfreader18, uhfreader288m
from omnitag.drivers.wyuan import protocol as omnitag

from gateway import uhf_frames
from gateway.clock import ReaderClock
from gateway.protocols import PROTOCOLS
from gateway.pump import TURN
from gateway.reads import Read
from gateway.tracker import Point, Tracker

READS = 100_000
#: Messages of one payload, as a reader sends them that batches.
BATCH = 50
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


def numbers(tags: int) -> list[bytes]:
    """EPCs of so many tags."""
    drawn = random.Random(7)
    return [b"\xe2" + drawn.randbytes(11) for _ in range(tags)]


def frames(name: str, tags: int) -> list[bytes]:
    """Frames of so many tags in turn, as the protocol's own encoder builds them."""
    encode: Callable[[Read], bytes] = import_module(f"gateway.protocols.{name}").encode
    made = [
        encode(Read(epc=epc, at_us=NOW, reader_at_us=NOW, antenna=1, rssi_dbm=-50, key=f"{n}"))
        for n, epc in enumerate(numbers(tags))
    ]
    return [made[n % tags] for n in range(READS)]


def batches(messages: Sequence[bytes]) -> list[bytes]:
    """The same messages as arrays of JSON."""
    return [
        b"[" + b",".join(messages[at : at + BATCH]) + b"]" for at in range(0, len(messages), BATCH)
    ]


def best(work: Callable[[], int]) -> tuple[float, int]:
    """The fewest CPU seconds of the work, and what it counted."""
    runs = []
    for _ in range(3):
        began = time.process_time()
        count = work()
        runs.append((time.process_time() - began, count))
    return min(runs)


def decode(name: str, chunks: Sequence[bytes], tracker: Tracker | None) -> int:
    """Feed all chunks, 40 us apart; return how many reads came."""
    decoder = PROTOCOLS[name].decoder({})
    decoder.start()
    clock, count = ReaderClock(), 0
    for first in range(0, len(chunks), TURN):
        turn = enumerate(chunks[first : first + TURN], first)
        for outcomes in [decoder.feed(chunk, NOW + n * 40) for n, chunk in turn]:
            for read in outcomes:
                if isinstance(read, Read):
                    count += 1
                    if tracker is not None:
                        track(tracker, clock, read)
    return count


def track(tracker: Tracker, clock: ReaderClock, read: Read) -> None:
    """Place a read in time and take it, as `gateway.intake` does."""
    reader_us = read.reader_at_us
    when = None if reader_us is None else clock.place(reader_us, read.at_us)
    tracker.hear(POINT, read, when)


def omnitags(chunks: Sequence[bytes]) -> int:
    """The same with omnitag."""
    count = 0
    for chunk in chunks:
        frame = omnitag.parse_frame(chunk)
        if omnitag.status_carries_tags(frame.status):
            count += len(omnitag.parse_inventory(frame.data)[0])
    return count


def wabsons(chunks: Sequence[bytes], kind: str) -> int:
    """The same with wabson-chafon-rfid."""
    answer = (uhfreader18 if kind == "18" else uhfreader288m).G2InventoryResponse
    return sum(1 for chunk in chunks for _ in answer(chunk).get_tag())


def compare() -> None:
    """Print how our decoder compares with others; READS is too many for them."""
    few = frames("uhfreader", 500)[: READS // 10]
    bare = [uhf_frames.encode_tags_18([epc]) for epc in numbers(500)] * (READS // 5_000)
    _beside("omnitag, 288", few, lambda: omnitags(few))
    _beside("wabson, 288", few, lambda: wabsons(few, "288"))
    _beside("wabson, 18", bare, lambda: wabsons(bare, "18"))


def _beside(label: str, chunks: Sequence[bytes], work: Callable[[], int]) -> None:
    ours, count = best(lambda: decode("uhfreader", chunks, None))
    theirs, told = best(work)
    rates = f"ours {count / ours:9,.0f}/s  theirs {told / theirs:9,.0f}/s"
    print(f"uhfreader beside {label:13} {rates}  {theirs / ours * count / told:5.1f} times as fast")


def show(name: str, tags: int, chunks: Sequence[bytes], each: int) -> None:
    """Print what a core does with these chunks, of `each` reads."""
    alone, count = best(lambda: decode(name, chunks, None))
    both, _ = best(lambda: decode(name, chunks, Tracker()))
    print(
        f"{name:12} {tags:6} tags  {each:2} a chunk  decode {count / alone:9,.0f}/s  "
        f"decode and track {count / both:9,.0f}/s"
    )


def main() -> None:
    """Print the figures."""
    for name, protocol in PROTOCOLS.items():
        for tags in (500, 20_000):
            chunks = frames(name, tags)
            show(name, tags, chunks, 1)
            if protocol.framing == "message":
                show(name, tags, batches(chunks), BATCH)
    compare()


if __name__ == "__main__":
    main()
