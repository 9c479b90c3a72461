"""A gateway that is killed again and again under load, and what must hold after each kill and at the end."""

import asyncio
import signal
import subprocess
from asyncio.subprocess import Process
from random import Random
from typing import Final

from tests.soak.account import Say
from tests.soak.proof import Proof, Stored, stored
from tests.soak.yard import Reader, Settings, Yard, ended, until

#: Named points of the gateway (`stream.log.crash`) at which about every second kill happens.
POINTS: Final = (
    "gateway.commit.before",
    "gateway.commit.after",
    "gateway.ack.before",
    "gateway.sent",
)

#: Seven readers of five kinds, 700 reads/s: on most every read is of a new tag, so that each can be told apart.
READERS: Final = (
    Reader("s0", "mercury", "pty", 1),
    Reader("s1", "uhfreader288", "pty", 2),
    Reader("s2", "mercury", "pty", 3, new_every=5),
    Reader("t0", "mercury", "tcp", 4),
    Reader("t1", "metratec_at", "tcp", 5),
    Reader("m0", "zebra_iotc", "mqtt", 6),
    Reader("m1", "zebra_iotc", "mqtt", 7, new_every=5),
)
RATE: Final = 100.0


def settings(seconds: float) -> Settings:
    """Of a run that is ended before its readers are."""
    return Settings(READERS, RATE, seconds, heartbeat_ms=250, quota_mb=64)


async def kill_again_and_again(yard: Yard, kills: int, seed: int, say: Say) -> Proof:
    """Run the readers and the gateway, kill it so often, and let the last one finish."""
    drawn = Random(seed)  # noqa: S311 - no secret
    proof = Proof(yard.log, yard.public_key)
    async with yard.simulators() as process:
        await _first_life(yard)
        say(
            "kill | how                      | decoded =    gone + open +  dup + rejected | events | twice"
        )
        for number in range(1, kills + 1):
            how = await _life(yard, drawn)
            now = stored(yard.outbox)
            now.check()
            await proof.catch_up()
            say(_row(number, how, now, proof))
        await _last_life(yard, process, proof)
    await proof.catch_up()
    return proof


async def _first_life(yard: Yard) -> None:
    """Until the readers on the broker have a subscriber; ends by a kill, which is not counted."""
    with yard.gateway() as running:
        await yard.listening()
        await yard.start_mqtt()
        running.kill()


async def _life(yard: Yard, drawn: Random) -> str:
    """One life of the gateway, killed at a named point or at any moment."""
    if drawn.random() < 0.5:
        point, passage = drawn.choice(POINTS), drawn.randint(1, 40)
        how = f"{point}:{passage}"
        with yard.gateway({"GATEBOOK_CRASH_AT": how}) as running:
            try:
                assert await running.died() == -signal.SIGKILL, how
            except subprocess.TimeoutExpired:
                # A machine that is too busy to come so far.
                running.kill()
                how = f"{how}, not reached"
        return how
    wait_s = drawn.uniform(0.3, 3.0)
    with yard.gateway() as running:
        await asyncio.sleep(wait_s)
        running.kill()
    return f"after {wait_s:.2f} s"


async def _last_life(yard: Yard, process: Process, proof: Proof) -> None:
    with yard.gateway() as running:
        await yard.listening()
        await let_end(yard, process, proof)
        assert running.terminate() == 0


async def let_end(yard: Yard, process: Process, proof: Proof) -> None:
    """Let the readers end, and the gateway that runs hear and send everything that there is."""
    await ended(process)
    counts = yard.counts()
    wanted = {
        reader.name: counts[reader.name].sent + sum(one.sent for _, one in yard.loads(reader))
        for reader in yard.named("mqtt")
    }
    await until(
        lambda: yard.status()["open_sightings"] == 0 and not yard.up_of("pty", "tcp"),
        60,
        "all stays over and all lines down",
    )
    ends_at = asyncio.get_running_loop().time() + 60
    while missing := {
        name: reads - proof.lanes[name].reads
        for name, reads in wanted.items()
        if proof.lanes[name].reads < reads
    }:
        assert asyncio.get_running_loop().time() < ends_at, f"lost, though acknowledged: {missing}"
        await asyncio.sleep(0.1)
        await proof.catch_up()


def _row(number: int, how: str, now: Stored, proof: Proof) -> str:
    totals = now.totals
    return (
        f"{number:4} | {how:24} | {totals.reads:7} = {totals.reads_gone:7} + {now.reads_open:4} + "
        f"{totals.reads_duplicate:4} + {totals.reads_rejected:8} | {proof.events:6} | {proof.repeated:5}"
    )
