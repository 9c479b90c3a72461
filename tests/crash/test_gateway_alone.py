"""A gateway whose readers, broker, event log and disk go away under load accounts for every read.

The short form of `./run bench outages`: real processes, 700 reads/s, each outage a few seconds.
"""

from pathlib import Path

import pytest

from tests.gateway.rig import make_topics
from tests.soak.account import show
from tests.soak.away import QUOTA_MB, all_away, locked, small_disk
from tests.soak.killed import settings
from tests.soak.yard import open_yard

pytestmark = pytest.mark.timeout(240)


async def test_a_gateway_left_alone_under_load_accounts_for_every_read(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path = tmp_path / "log.db"
    await make_topics(f"sqlite:{path}")
    said: list[str] = []
    with small_disk(tmp_path) as disk:
        changed = settings(600.0)._replace(quota_mb=QUOTA_MB)
        async with open_yard(tmp_path, changed, f"sqlite:{path}") as yard:
            yard.outbox = disk / "outbox.db"
            proof = await all_away(yard, 3.0, lambda: locked(path), disk, said.append)
            show(yard, proof, said.append)
    request.node.add_report_section("call", "counts", "\n".join(said))
