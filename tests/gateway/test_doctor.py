"""The doctor on set-ups that are really broken: each fault is named, with why and with what to do."""

import asyncio
import grp
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import read_config
from gateway.diagnosis import Complaint, Looked, Notes, Verdict
from gateway.doctor import examine
from gateway.doctor_files import look_at_outbox, running
from gateway.doctor_reader import look_at_port
from gateway.kernel_clock import synchronised
from tests.gateway.broker import free_port
from tests.gateway.rig import (
    CARD,
    CARD_FRAME,
    START,
    STOP,
    Events,
    PtyReader,
    config_text,
    gateway,
    make_topics,
    write_config,
)
from tests.gateway.test_links_serial import another_program

LISTEN_S = 0.6


async def looks(text: str) -> dict[str, Looked]:
    """What the doctor says of a configuration, by what it looked at."""
    verdict = await examine(read_config(text), LISTEN_S, lambda _: None)
    return {look.at: look for look in verdict.looked}


def only(look: Looked) -> Complaint:
    assert len(look.complaints) == 1, look
    return look.complaints[0]


@asynccontextmanager
async def speaking(reader: PtyReader, data: bytes) -> AsyncIterator[None]:
    """A reader that says the same again and again."""

    async def speak() -> None:
        while True:
            reader.send_if_room(data)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(speak())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


# ---- readers on a line


async def test_a_reader_that_is_heard_is_good_and_is_started_and_stopped(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    looking = asyncio.create_task(looks(config_text(tmp_path)))
    await pty_reader.command(START)
    pty_reader.send(CARD_FRAME * 3)
    await pty_reader.command(STOP)
    look = (await looking)["reader booth"]
    assert look.complaints == ()
    assert "r200 is heard: 72 bytes" in look.seen[0]
    assert "3 reads" in look.seen[0]


async def test_no_card_number_is_told(tmp_path: Path, pty_reader: PtyReader) -> None:
    async with speaking(pty_reader, CARD_FRAME + CARD_FRAME[:-3] + b"\x00"):
        found = await looks(config_text(tmp_path))
    assert CARD.hex() not in repr(found).lower()


async def test_a_silent_reader_is_told_from_a_port_that_is_not_there(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    silent = only((await looks(config_text(tmp_path)))["reader booth"])
    assert silent.what == f"nothing was heard in {LISTEN_S:g} s"
    assert "hold a tag into its field" in silent.fix
    pty_reader.unplug()
    gone = only((await looks(config_text(tmp_path)))["reader booth"])
    assert gone.what == f"{tmp_path}/port is not there"


async def test_bytes_of_another_protocol_are_named_with_the_one_that_reads_them(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    text = config_text(tmp_path).replace('protocol = "r200"', 'protocol = "mercury"')
    async with speaking(pty_reader, CARD_FRAME):
        wrong = only((await looks(text))["reader booth"])
    assert wrong.what == "what was heard is no mercury"
    assert "r200 reads them" in wrong.why
    assert wrong.fix == "set protocol = 'r200'"


async def test_garbage_that_no_protocol_reads_points_to_the_speed(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    async with speaking(pty_reader, bytes([0x80, 0x00, 0xF8, 0x18]) * 8):
        wrong = only((await looks(config_text(tmp_path)))["reader booth"])
    assert wrong.what == "what was heard is no r200"
    assert "look at the speed (baud)" in wrong.fix


async def test_a_program_that_has_the_port_is_named(tmp_path: Path, pty_reader: PtyReader) -> None:
    with another_program(pty_reader.name) as other:
        held = only((await looks(config_text(tmp_path)))["reader booth"])
    assert held.what == f"{tmp_path}/port is used by another program"
    assert f"(process {other.pid})" in held.why


@pytest.mark.parametrize(("mode", "fix"), [(0o660, "sudo usermod -aG"), (0o600, "sudo chmod g+rw")])
def test_missing_rights_are_named_with_the_group_that_helps(
    pty_reader: PtyReader, mode: int, fix: str
) -> None:
    node = str(pty_reader.name.resolve())
    if os.geteuid() != 0:
        pytest.skip("only root can make a port that this user may not open")
    notes = Notes("reader")
    pty_reader.name.resolve().chmod(mode)
    os.chown(node, -1, grp.getgrnam("dialout").gr_gid)
    os.seteuid(65_534)
    try:
        assert not look_at_port(node, None, notes)
    finally:
        os.seteuid(0)
    wrong = only(notes.done())
    assert wrong.what == f"no right to open {node}"
    assert fix in wrong.fix


def test_a_file_is_no_port(tmp_path: Path) -> None:
    notes = Notes("reader")
    (tmp_path / "file").touch()
    assert not look_at_port(str(tmp_path / "file"), None, notes)
    assert "is no serial port" in only(notes.done()).what


async def test_a_host_where_nobody_listens_is_named(tmp_path: Path) -> None:
    port = free_port()
    text = config_text(tmp_path).replace(f"serial://{tmp_path}/port", f"tcp://127.0.0.1:{port}")
    refused = only((await looks(text))["reader booth"])
    assert f"nobody listens at 127.0.0.1:{port}" in refused.why


@pytest.mark.filterwarnings(r"ignore:set(Daemon|Name)\(\) is deprecated")
async def test_raw_tcp_where_rfc_2217_is_configured_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rfc2217://127.0.0.1:{server.getsockname()[1]}"
        text = config_text(tmp_path).replace(f"serial://{tmp_path}/port", url)
        wrong = only((await looks(text))["reader booth"])
    assert "does not speak RFC 2217" in wrong.why


# ---- this machine


async def test_a_missing_token_key_is_fatal_and_one_that_others_can_read_is_a_finding(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    missing = only((await looks(config_text(tmp_path)))["token key"])
    assert (missing.weight, missing.what) == ("fatal", f"{tmp_path}/token.key is not there")
    write_config(tmp_path)
    (tmp_path / "token.key").chmod(0o644)
    open_ = only((await looks(config_text(tmp_path)))["token key"])
    assert (open_.weight, open_.fix) == ("finding", f"chmod 600 {tmp_path}/token.key")


async def test_a_disk_smaller_than_the_quota_is_a_finding(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    text = config_text(tmp_path).replace("quota_mb = 16", "quota_mb = 1048576")
    lacking = [one for one in (await looks(text))["outbox"].complaints if "less room" in one.what]
    assert "lower quota_mb in [outbox]" in lacking[0].fix


def test_an_outbox_folder_that_cannot_be_written_is_fatal(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become a user that may not write")
    notes = Notes("outbox")
    os.seteuid(65_534)
    try:
        look_at_outbox(read_config(config_text(tmp_path / "none")), notes)
    finally:
        os.seteuid(0)
    assert only(notes.done()).weight == "fatal"


async def test_the_clock_is_judged_as_the_kernel_does(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    clock = (await looks(config_text(tmp_path)))["clock"]
    weights = {True: [], None: ["unknown"], False: ["finding"]}
    assert [one.weight for one in clock.complaints] == weights[synchronised()]
    text = config_text(tmp_path) + "[health]\nclock_check = false\n"
    clock = (await looks(text))["clock"]
    assert all(one.weight == "unknown" for one in clock.complaints)


# ---- the event log


async def test_a_log_that_was_never_made_is_named_and_not_made(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    missing = only((await looks(config_text(tmp_path)))["event log"])
    assert missing.fix == f"gatebook topics apply --log sqlite:{tmp_path}/log.db"
    assert not (tmp_path / "log.db").exists()
    await make_topics(f"sqlite:{tmp_path}/log.db")
    assert (await looks(config_text(tmp_path)))["event log"].complaints == ()


async def test_a_kafka_without_a_broker_or_without_topics_is_named(
    tmp_path: Path, pty_reader: PtyReader, kafka_url: str
) -> None:
    url = f"kafka://127.0.0.1:{free_port()}/x"
    away = await looks(config_text(tmp_path, log=url))
    missing = await looks(config_text(tmp_path, log=kafka_url))
    assert "LogUnavailable" in only(away["event log"]).why
    assert only(missing["event log"]).what == "there is no topic gate-events"


async def test_a_topic_that_refuses_large_events_or_was_made_by_hand_is_named(
    tmp_path: Path, pty_reader: PtyReader, kafka_url: str
) -> None:
    host, _, prefix = kafka_url.removeprefix("kafka://").partition("/")
    admin = AIOKafkaAdminClient(bootstrap_servers=host)
    await admin.start()
    small = NewTopic(f"{prefix}gate-events", 1, 1, topic_configs={"max.message.bytes": "1000"})
    await admin.create_topics([small])
    await admin.close()
    found = (await looks(config_text(tmp_path, log=kafka_url)))["event log"].complaints
    assert [one.what for one in found] == [
        "topic gate-events was made differently",
        "large events would be refused and skipped",
    ]


# ---- a gateway that runs


async def test_a_running_gateway_is_known_keeps_its_port_and_is_asked_for_its_readers(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    path = write_config(tmp_path, heartbeat_ms=100)
    with gateway(path) as process:
        await pty_reader.command(START)
        pty_reader.send(CARD_FRAME * 3)
        await Events(url).until(lambda events: events.all)
        found = await looks(path.read_text())
        assert running(tmp_path / "outbox.db") is not None
        assert "the gateway is running" in found["outbox"].seen[0]
        assert "is open in the running gateway" in found["reader booth"].seen[0]
        assert "the running gateway hears it" in found["reader booth"].seen[1]
        pty_reader.unplug()
        await Events(url).until(lambda events: any(_down(one) for one in events.all))
        async with asyncio.timeout(10):
            # The status file follows the events.
            while not (lost := (await looks(path.read_text()))["reader booth"].complaints[1:]):
                pass
        assert lost[0].what == "the running gateway does not hear it"
        assert "unplugged" in lost[0].why
        assert process.terminate() == 0
    assert running(tmp_path / "outbox.db") is None


def _down(one: Any) -> bool:
    return getattr(one, "state", None) == "down" or bool(getattr(one, "cause", ""))


# ---- the command


def test_the_exit_status_is_by_the_worst_and_what_is_unknown_changes_nothing() -> None:
    def verdict(*weights: Any) -> Verdict:
        return Verdict(
            tuple(
                Looked(at="x", complaints=(Complaint(what="", why="", fix="", weight=weight),))
                for weight in weights
            )
        )

    assert verdict().exit_code == 0
    assert verdict("unknown").exit_code == 0
    assert verdict("unknown", "finding").exit_code == 1
    assert verdict("fatal", "finding").exit_code == 3


def test_json_goes_to_stdout_and_progress_to_stderr(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    command = [sys.executable, "-m", "gatebook", "gateway", "doctor", "-c", str(path)]
    more = ["--json", "--listen", "0.1"]
    result = subprocess.run([*command, *more], capture_output=True, check=False)
    assert result.returncode == 1
    found = json.loads(result.stdout)
    assert found["counts"]["fatal"] == 0
    assert {look["at"] for look in found["looks"]} >= {"token key", "clock", "reader booth"}
    assert b"reader booth: looking\n" in result.stderr
    (tmp_path / "token.key").unlink()
    text = subprocess.run(command, capture_output=True, check=False)
    assert text.returncode == 3
    assert f"token key: FATAL: {tmp_path}/token.key is not there\n    why: ".encode() in text.stdout


def test_a_configuration_with_mistakes_is_said_and_nothing_is_looked_at(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace("direction", "direktion"))
    result = CliRunner().invoke(app, ["doctor", "-c", str(path)])
    assert result.exit_code == 1
    assert "lane[0].direktion: unknown key" in result.stderr
    assert "looking" not in result.stderr
