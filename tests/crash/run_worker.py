"""A worker process for crash tests: `python -m tests.crash.run_worker URL BATCH`.

The real lanes and ledger stages with the real loop; the story has accepted trips, so no trips stage. The clock stands
still, so that ticks make no difference between a run that was interrupted and one that was not.
"""

import asyncio
import sys

from stream import journal
from stream.config import StreamTable
from stream.running import run_stages
from stream.stages import stages_named
from tests.stream.border import NOON

if __name__ == "__main__":
    journal.configure()
    settings = StreamTable(
        stages=("lanes", "ledger"), batch=int(sys.argv[2]), commit_ms=20, tick_s=3_600
    )
    stages = stages_named(settings.stages)
    sys.exit(asyncio.run(run_stages(sys.argv[1], stages, settings, clock=lambda: NOON)))
