"""A gateway that is killed under load, at any moment and inside a commit, loses and doubles nothing it was given.

The short form of `./run bench kills`. Real processes: seven readers on pseudo-terminals, TCP ports and mosquitto, 700 reads/s,
a signed outbox. Checked in `tests.soak`: after each kill the outbox balances; at the end numbers have no gap, the
chain verifies, every heartbeat balances, messages lost no read, and each hole of a line is a reported gap.
"""

from pathlib import Path

import pytest

from tests.gateway.rig import make_topics
from tests.soak.account import show
from tests.soak.killed import kill_again_and_again, settings
from tests.soak.yard import open_yard

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize(("log", "kills"), [("sqlite", 8), ("kafka", 3)])
async def test_a_gateway_killed_under_load_accounts_for_every_read(
    log: str, kills: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    if log == "kafka":
        url = request.getfixturevalue("kafka_url")
    await make_topics(url)
    said: list[str] = []
    # Longer than it takes: the readers are told to end after the last kill.
    async with open_yard(tmp_path, settings(600.0), url) as yard:
        proof = await kill_again_and_again(yard, kills, 1, said.append)
        show(yard, proof, said.append)
    request.node.add_report_section("call", "counts", "\n".join(said))
