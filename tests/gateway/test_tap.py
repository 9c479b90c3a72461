"""Looking on at a running gateway: what is shown, to whom, and that it never slows anything."""

import asyncio
import json
import secrets
import stat
import subprocess
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from gateway.config import read_config
from gateway.identity import epc_token
from gateway.link import Chunk
from gateway.tap import MAX_WAITING, Tap, Viewer, Wish
from gateway.tap_server import MAX_CLIENTS, tap_path
from schemas.gate import ReaderStatus, SightingSeen
from tests.gateway.rig import (
    CARD,
    CARD_FRAME,
    KEY,
    ROOT,
    START,
    TRUCK,
    TRUCK_FRAME,
    Events,
    PtyReader,
    config,
    config_text,
    daemon,
    make_topics,
    write_config,
)
from tests.gateway.watching import looking_on


def memory() -> str:
    return f"memory:{secrets.token_hex(4)}"


def test_a_client_that_takes_nothing_is_told_how_much_it_lost_and_memory_stays_bounded() -> None:
    viewer = Viewer(Wish(want="tap"))
    for _ in range(3 * MAX_WAITING // 1000):
        viewer.offer({"kind": "read", "filler": "x" * 1000})
    lines = viewer.take().splitlines()
    assert sum(map(len, lines)) <= MAX_WAITING + 100
    assert json.loads(lines[-1]) == {"kind": "dropped", "lines": viewer.dropped}
    assert len(lines) - 1 + viewer.dropped == 3 * MAX_WAITING // 1000
    assert viewer.take() == b""


def test_lines_that_were_dropped_stay_counted_after_the_client_has_left() -> None:
    tap = Tap(KEY, lambda _reader, _antenna: None, lambda _point: None)
    viewer = tap.add(Wish(want="capture", reader="booth"))
    for _ in range(3):
        tap.rx(Chunk("booth", b"x" * MAX_WAITING, 1))
    tap.rx(Chunk("other", b"x" * MAX_WAITING, 1))
    tap.remove(viewer)
    assert tap.dropped == 3


async def test_reads_sightings_and_rejects_are_shown_without_a_card_number(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    settings = config(tmp_path, log=url)
    async with daemon(settings):
        await pty_reader.command(START)
        async with looking_on(settings, Wish(want="tap", reader="booth")) as onlooker:
            pty_reader.send(CARD_FRAME * 3 + b"noise" + TRUCK_FRAME)
            rows = await onlooker.until(
                lambda rows: {row["kind"] for row in rows} >= {"read", "seen", "rejected"}
            )
        mode = stat.S_IMODE(tap_path(Path(settings.outbox.path)).stat().st_mode)
    assert mode == 0o600
    token = epc_token(KEY, CARD)
    assert token is not None
    read = next(row for row in rows if row["kind"] == "read")
    assert (read["reader"], read["lane"], read["read_point"]) == ("booth", "L01", "L01-primary")
    assert read["token"] == token[:11]
    assert next(row for row in rows if row["kind"] == "seen")["token"] == token[:11]
    text = json.dumps(rows).lower()
    assert CARD.hex() not in text
    assert TRUCK.hex() not in text
    assert token[3:] not in text


async def test_numbers_are_shown_to_whoever_asks_and_another_lane_shows_nothing(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    settings = config(tmp_path, log=url)
    async with daemon(settings):
        await pty_reader.command(START)
        async with (
            looking_on(settings, Wish(want="tap", numbers=True)) as all_of_it,
            looking_on(settings, Wish(want="tap", lane="L02")) as other,
        ):
            pty_reader.send(CARD_FRAME)
            rows = await all_of_it.until(lambda rows: rows[-1]["kind"] == "read")
            assert rows[-1]["epc"] == CARD.hex().upper()
            assert other.rows == [{"kind": "hello"}]


async def test_what_is_no_wish_is_hung_up_on_and_harms_nobody(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    settings = config(tmp_path, log=url)
    path = tap_path(Path(settings.outbox.path))
    async with daemon(settings):
        await pty_reader.command(START)
        for bad in (
            b"no json\n",
            b'{"want":"everything"}\n',
            b"[" * 9000,
            b'{"want":"tap","x":1}\n',
        ):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(bad)
            async with asyncio.timeout(10):
                with suppress(ConnectionError):
                    assert await reader.read() == b""
            writer.close()
        pty_reader.send(CARD_FRAME * 3)
        await Events(url).until(lambda events: events.of(SightingSeen))


async def test_a_ninth_client_is_refused_with_the_reason_and_there_is_room_once_one_leaves(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    settings = config(tmp_path, log=url)
    path = str(tap_path(Path(settings.outbox.path)))
    async with daemon(settings), AsyncExitStack() as stack:
        await pty_reader.command(START)
        for _ in range(MAX_CLIENTS):
            await stack.enter_async_context(looking_on(settings, Wish(want="tap")))
        reader, writer = await asyncio.open_unix_connection(path)
        async with asyncio.timeout(10):
            refused = json.loads(await reader.readline())
        writer.close()
        assert refused == {"kind": "refused", "reason": "too many look on already"}
        await stack.aclose()
        async with asyncio.timeout(10):
            while refused["kind"] != "hello":
                reader, writer = await asyncio.open_unix_connection(path)
                writer.write(b'{"want":"tap"}\n')
                refused = json.loads(await reader.readline())
                writer.close()


async def test_a_path_too_long_for_a_socket_is_said_and_the_readers_are_heard(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    text = config_text(tmp_path, log=url).replace("outbox.db", f"{'o' * 120}.db")
    async with daemon(read_config(text)):
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3)
        await Events(url).until(lambda events: events.of(SightingSeen))


async def test_a_capture_of_the_running_gateway_plays_back_to_the_same_reads(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = memory()
    await make_topics(url)
    path = write_config(tmp_path, log=url)
    settings = read_config(path.read_text())
    out = tmp_path / "booth.ndjson"
    gatebook = [sys.executable, "-m", "gatebook"]
    command = [*gatebook, "gateway", "capture", "-c", str(path), "-r", "booth", "-o", str(out)]
    async with daemon(settings) as stop:
        await pty_reader.command(START)
        process = await asyncio.create_subprocess_exec(
            *command, "--for", "60", cwd=ROOT, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        async with asyncio.timeout(30):
            assert b"capturing" in await process.stderr.readline()
        for _ in range(5):
            pty_reader.send(CARD_FRAME[:9])
            pty_reader.send(CARD_FRAME[9:] + TRUCK_FRAME)
        async with asyncio.timeout(20):
            while out.read_text().count(TRUCK.hex().upper()) < 5:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.02)
        stop.set()
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows[0]["delete_after_us"] - rows[0]["at_us"] == 30 * 86_400_000_000
    assert {row["dir"] for row in rows[1:]} == {"rx", "tx"}  # the stop command is in it
    decoded = await asyncio.to_thread(
        subprocess.run,
        [*gatebook, "decode", "--protocol", "r200", str(out)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    reads = [json.loads(line) for line in decoded.stdout.splitlines()]
    epcs = [read["epc"] for read in reads if read["kind"] == "read"]
    assert epcs == [CARD.hex().upper(), TRUCK.hex().upper()] * 5
    again = tmp_path / "again"
    again.mkdir()
    played = memory()
    await make_topics(played)
    text = write_config(again, log=played, heartbeat_ms=100).read_text()
    text = text.replace(f"serial://{again}/port", f"capture://{out}?rate=0")
    async with daemon(read_config(text)):
        events = await Events(played).until(
            lambda events: any(not one.up for one in events.of(ReaderStatus))
        )
    assert events.check_balance().reads == 10


def test_a_capture_never_overwrites_and_says_when_no_gateway_runs(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    command = [sys.executable, "-m", "gatebook", "gateway"]
    where = ["-c", str(path)]
    done = subprocess.run(
        [*command, "tap", *where], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "does not run" in done.stderr
    out = tmp_path / "new"
    done = subprocess.run(
        [*command, "capture", *where, "-r", "nobody", "-o", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "there is no reader 'nobody'" in done.stderr
    assert not out.exists()
