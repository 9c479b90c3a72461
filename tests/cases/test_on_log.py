"""Every case through a worker on a real log: what stands at the end is what the straight runner makes."""

from pathlib import Path

import pytest

from stream.log.open import open_log
from stream.stages import STAGES
from tests.cases.on_log import Post, moved
from tests.cases.running import differences, read_case

#: Cases that are known to come out the same on a log; the others are not tried there yet.
PLAYED = [
    "approaching",
    "back-in-40-minutes",
    "buffered-upload",
    "cancelled-in-queue",
    "corrected-moment",
    "corrected-person",
    "dead-card",
    "decision-first",
    "decision-without-crossing",
    "driver-heard-after-release",
    "driver-only-at-queue",
    "driver-swap-amended",
    "driver-swap",
    "driver-unread",
    "dropped-trailer",
    "duplicate-trip-number",
    "expired",
    "gap",
    "glimpse",
    "held",
    "late-manifest-after-approach",
    "late-manifest-minutes",
    "lost",
    "manifest-after-arrival",
    "missed-exit",
    "neighbour-lane-bleed",
    "no-manifest",
    "other-sides-release",
    "paroled",
    "reader-reboot",
    "refused",
    "released-then-refused",
    "released",
    "reread-at-exit",
    "retracted-by-hand",
    "return-leg",
    "revoked-card",
    "revoked-later",
    "secondary-then-released",
    "secondary",
    "stuck-tag",
    "swapped-trailer",
    "turned-back",
    "two-cards",
    "two-trucks",
    "u-turn",
    "undeclared-occupant",
    "unknown-card",
    "vin-mismatch",
    "withdrawn",
    "wrong-port",
]


@pytest.mark.timeout(420)
@pytest.mark.parametrize("kind", ["sqlite", "kafka"])
async def test_every_case_comes_out_as_written_through_a_worker(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    is_kafka = kind == "kafka"
    url = request.getfixturevalue("kafka_url") if is_kafka else f"sqlite:{tmp_path / 'log.db'}"
    wrong: dict[str, list[str]] = {}
    async with await open_log(url) as log:
        post = await Post(log, tuple(STAGES.values())).start()
        for number, name in enumerate(PLAYED, 1):
            case = moved(read_case(name), number)
            found = differences(await post.play(case), case.expect, in_order=False)
            if found:
                wrong[name] = found
    assert wrong == {}
