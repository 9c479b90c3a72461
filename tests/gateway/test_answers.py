"""Readers that wait for an answer get it after the commit, and again when they repeat themselves."""

from pathlib import Path

from gateway.ascii_lines import encode_ack, encode_ecp
from schemas.gate import Heartbeat, ReaderStatus
from tests.gateway.rig import Events, PtyReader, gateway, make_topics, write_config

REPORT = encode_ecp(4, b"KING 1302 ")
ANSWER = encode_ack(b"4")


def ecp_config(folder: Path) -> Path:
    path = write_config(folder, heartbeat_ms=100, lane="lost_ms = 600000")
    reader = 'protocol = "ascii_line"\noptions = { dialect = "transcore_ecp" }'
    path.write_text(path.read_text().replace('protocol = "r200"', reader))
    return path


async def listening(events: Events) -> Events:
    """The port is open once the gateway says that the reader is up."""
    return await events.until(
        lambda found: found.of(Heartbeat) and found.of(Heartbeat)[-1].readers[0].up
    )


async def test_a_report_is_answered_after_its_commit_and_its_repeat_is_a_duplicate(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    with gateway(ecp_config(tmp_path)) as running:
        events = await listening(Events(url))
        pty_reader.send(REPORT)
        await pty_reader.command(ANSWER)
        pty_reader.send(REPORT)
        await pty_reader.command(ANSWER)
        await events.until(lambda found: found.of(Heartbeat)[-1].reads == 2)
        assert running.terminate() == 0
    last = events.check_balance()
    assert (last.reads_open, last.reads_duplicate) == (1, 1)


async def test_after_a_kill_between_commit_and_answer_the_repeat_is_heard_and_answered(
    tmp_path: Path, pty_reader: PtyReader
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    await make_topics(url)
    path = ecp_config(tmp_path)
    with gateway(path, {"GATEBOOK_CRASH_AT": "gateway.ack.before:1"}) as running:
        await listening(Events(url))
        pty_reader.send(REPORT)
        assert await running.died() == -9
    pty_reader.forget()
    with gateway(path) as running:
        events = Events(url)
        # A new process is up once it says so after its start: the first beat with the restart's gap behind it.
        await events.until(lambda found: "restart" in {one.cause for one in found.of(ReaderStatus)})
        pty_reader.send(REPORT)
        await pty_reader.command(ANSWER)
        await events.until(lambda found: found.of(Heartbeat)[-1].reads == 2)
        assert running.terminate() == 0
    # Who repeats itself to a new process cannot be told from who reports anew: both reads are kept.
    assert events.check_balance().reads == 2
