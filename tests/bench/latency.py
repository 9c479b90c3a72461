"""From the bytes of a reader to the commit in the outbox, and from a message to its acknowledgement: `./run bench latency`.

A real gateway process with a signed, synced outbox and an embedded event log. Serial: the last byte of a frame is written to a
pseudo-terminal, and the time runs until `gatebook gateway tap` shows the sighting, which it does after the commit. MQTT:
a relay before mosquitto notes when a message went to the gateway and when its acknowledgement came, which is after the commit.
"""

import asyncio
import json
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from gateway.identity import epc_token
from gateway.protocols import r200, zebra_iotc
from gateway.reads import Read
from gateway.signing import make_signing_key
from gateway.tap import shown
from gateway.tap_server import tap_path
from tests.gateway.broker import Broker, find_mosquitto
from tests.gateway.rig import KEY, START, PtyReader, gateway, make_topics, write_config
from tests.needs import missing
from tests.soak.puback import Relay
from tests.soak.yard import until

LANE: Final = "observe_reads = 1\nglimpse_ms = 300\nlost_ms = 300"
NOW: Final = time.time_ns() // 1_000


def tag(number: int) -> bytes:
    """A tag that was never heard before."""
    return blake2b(b"%d" % number, digest_size=12).digest()


def spread(what: str, seconds: Sequence[float]) -> str:
    """Its percentiles."""
    found = sorted(1_000 * one for one in seconds)
    at = [found[min(len(found) - 1, int(share * len(found)))] for share in (0.5, 0.95, 0.99)]
    return (
        f"{what:44} n {len(found):6} | p50 {at[0]:7.1f} ms | p95 {at[1]:7.1f} ms | "
        f"p99 {at[2]:7.1f} ms | most {found[-1]:7.1f} ms"
    )


def configured(folder: Path, broker: int | None = None) -> Path:
    """A signed gateway with a reader on a line, or on a broker."""
    path = write_config(folder, lane=LANE, broker=broker, serial=broker is None)
    make_signing_key(folder / "signing.pem")
    key = f'signing_key_file = "{folder}/signing.pem"\n'
    path.write_text(path.read_text().replace("heartbeat_ms", f"{key}heartbeat_ms", 1))
    return path


async def serial(folder: Path, rate: float, count: int) -> list[float]:
    """Seconds from each frame to its commit, frames by the clock, each of a new tag."""
    await make_topics(f"sqlite:{folder}/log.db")
    reader = PtyReader(folder)
    with gateway(configured(folder)):
        await reader.command(START)
        view, ask = await asyncio.open_unix_connection(str(tap_path(folder / "outbox.db")))
        ask.write(b'{"want":"tap"}\n')
        assert b"hello" in await view.readline()
        sent: dict[str | None, float] = {}
        waits: list[float] = []

        async def watch() -> None:
            while len(waits) < count:
                row = json.loads(await view.readline())
                now_s = time.perf_counter()
                assert row["kind"] != "dropped", "the tap was too slow"
                if row["kind"] == "seen":
                    waits.append(now_s - sent.pop(row["token"]))

        async with asyncio.timeout(60 + count / rate), asyncio.TaskGroup() as group:
            group.create_task(watch())
            began_s = time.perf_counter()
            for number in range(count):
                await asyncio.sleep(max(0.0, began_s + number / rate - time.perf_counter()))
                epc = tag(number)
                frame = r200.encode_tag(epc)
                sent[shown(epc_token(KEY, epc))] = time.perf_counter()
                reader.send(frame)
        ask.close()
    reader.close()
    return waits


def payloads(count: int, batch: int) -> list[bytes]:
    """Messages of `batch` reads of 500 tags by turns."""
    events = [
        zebra_iotc.encode(
            Read(epc=tag(n % 500), at_us=NOW + n, antenna=1, rssi_dbm=-50, key=f"{n}")
        )
        for n in range(count * batch)
    ]
    if batch == 1:
        return events
    return [zebra_iotc.encode_batch(events[n : n + batch]) for n in range(0, len(events), batch)]


async def mqtt(
    folder: Path, count: int, batch: int, rate: float | None
) -> tuple[list[float], float]:
    """Seconds from each message to its acknowledgement, and messages a second; no rate: as fast as it goes."""
    program = find_mosquitto()
    if program is None:
        missing("mosquitto is not on this machine")
    broker = Broker(program, folder)
    broker.start()
    await broker.ready()
    await make_topics(f"sqlite:{folder}/log.db")
    rows = payloads(count, batch)
    try:
        async with Relay(broker.port, b"queue/data") as relay:
            with gateway(configured(folder, relay.port)):
                status = folder / "outbox.db.status.json"
                await until(
                    lambda: status.exists() and b'"up": true' in status.read_bytes(), 30, "up"
                )
                began_s = time.perf_counter()
                if rate is None:
                    await broker.publish(rows)
                else:
                    for number, row in enumerate(rows):
                        wait_s = began_s + number / rate - time.perf_counter()
                        await asyncio.sleep(max(0.0, wait_s))
                        await broker.publish([row])
                await until(lambda: len(relay.waits) >= count, 120, "all acknowledged")
                return relay.waits, count / (time.perf_counter() - began_s)
    finally:
        broker.stop()


def main() -> None:
    """Print the figures."""
    logging.disable(logging.WARNING)  # paho publishes before it is connected, and says so
    print(
        f"{time.strftime('%H:%M', time.gmtime())} UTC, load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    for rate, count in ((20.0, 400), (230.0, 4_600)):
        with tempfile.TemporaryDirectory() as name:
            waits = asyncio.run(serial(Path(name), rate, count))
        print(spread(f"serial byte to commit, {rate:.0f} new tags/s", waits), flush=True)
    for batch, count, paced in (
        (1, 400, 20.0),
        (50, 400, 20.0),
        (1, 10_000, None),
        (50, 2_000, None),
    ):
        with tempfile.TemporaryDirectory() as name:
            waits, speed = asyncio.run(mqtt(Path(name), count, batch, paced))
        how = "as fast as it goes" if paced is None else f"{paced:.0f} a second"
        print(spread(f"message of {batch} to acknowledgement, {how}", waits), end="")
        print(f" | {speed:,.0f} messages/s, {speed * batch:,.0f} reads/s", flush=True)


if __name__ == "__main__":
    main()
