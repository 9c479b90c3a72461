"""Where each read of a run is at its end, reader by reader."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from tests.soak.proof import Proof, Window, expected, holes, stored, unreported
from tests.soak.yard import Reader, Yard

Say = Callable[[str], None]


class Account(NamedTuple):
    """A reader's reads at the end of a run."""

    name: str
    way: str
    taken: int
    no_room: int
    came: int
    #: Holes in what came, and gaps that the gateway reported.
    holes: int
    gaps: int
    #: Reads in holes beside all gaps: a line that had no room for a burst, which no host can notice.
    overrun: int

    @property
    def missing(self) -> int:
        """Sent and never heard of: they were in buffers, or not yet in a commit."""
        return self.taken - self.no_room - self.came


def account_of(yard: Yard, proof: Proof, reader: Reader) -> Account:
    """A reader's reads; an `AssertionError` for one that came twice, and for a hole without any reason."""
    lane, gaps = proof.lanes[reader.name], proof.gaps[reader.name]
    wanted: Counter[str] = Counter()
    gone: list[Window] = []
    for load, counts in yard.loads(reader):
        wanted += expected(load, counts.taken)
        if reader.new_every == 1:
            gone += holes(load, counts.taken, lane)
    beyond = lane.tokens - wanted
    assert not beyond, f"{reader.name}: {sum(beyond.values())} reads that nobody sent"
    silent = [hole for hole in unreported(gone, gaps) if hole.after_us is not None]
    overrun = sum(hole.reads for hole in silent)
    lives = [counts for _, counts in yard.loads(reader)]
    no_room = sum(counts.lost for counts in lives)
    assert overrun <= no_room, f"{reader.name}: nobody reported {silent}; reported: {gaps}"
    return Account(
        reader.name,
        f"{reader.way} {reader.kind}",
        sum(counts.taken for counts in lives),
        no_room,
        lane.reads,
        len(gone),
        len(gaps),
        overrun,
    )


def show(yard: Yard, proof: Proof, say: Say) -> None:
    """Check everything that must hold at the end, and print it."""
    proof.finish()
    now = stored(yard.outbox)
    now.check()
    assert (now.waiting, now.reads_open) == (0, 0), now
    say(
        "reader | way               |   taken | no room |    came | missing | holes | gaps reported"
    )
    for reader in yard.settings.readers:
        one = account_of(yard, proof, reader)
        say(
            f"{one.name:6} | {one.way:17} | {one.taken:7} | {one.no_room:7} | {one.came:7} | "
            f"{one.missing:7} | {one.holes:5} | {one.gaps:13} | {one.overrun:7}"
        )
        assert reader.way != "mqtt" or (one.no_room, one.missing) == (0, 0), f"lost: {one}"
    totals = now.totals
    say(
        f"decoded {totals.reads} = {totals.reads_gone} gone + {now.reads_open} open + "
        f"{totals.reads_duplicate} duplicate + {totals.reads_rejected} rejected"
    )
    say(
        f"{proof.events} events without a gap in one epoch, {proof.repeated} sent twice with the same bytes; "
        f"{proof.signatures} signatures, chain verified; balance of {proof.kinds['Heartbeat']} heartbeats closes"
    )
