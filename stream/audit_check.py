"""Is an audit whole: chains, draws by a published key, and how often each rule referred somebody."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from schemas.audit import FIRST, Audit, AuditedDraw, link_of
from stream.policy.random_checks import draw, key_hash


class AuditFinding(NamedTuple):
    """Something in an audit that cannot be as it was written."""

    writer: str
    seq: int
    why: str

    def __str__(self) -> str:
        """As a line."""
        return f"{self.writer} row {self.seq}: {self.why}"


class RuleCount(NamedTuple):
    """How many crossings a rule referred, or would have referred while on trial."""

    rule: str
    shadow: bool
    crossings: int


class AuditCheck:
    """Takes rows as they come, each writer's in order.

    Attributes:
        rows: rows taken.
        ends: by writer, the number and link of its last row.
        draws: draws made again with the key, and how many of them had been drawn.
    """

    def __init__(self, key: bytes | None = None) -> None:
        """`key`: a published key of random checks; draws by other keys are not looked at."""
        self.rows = 0
        self.ends: dict[str, tuple[int, bytes]] = {}
        self.draws: Counter[str] = Counter()
        self._key = key
        self._key_hash = None if key is None else key_hash(key)

    def take(self, row: Audit) -> Iterator[AuditFinding]:
        """What is wrong with the next row. A file may begin in the middle of a chain."""
        self.rows += 1
        seq, link = self.ends.get(row.writer, (row.seq - 1, row.previous))
        if row.seq == 1 and row.writer not in self.ends and row.previous != FIRST:
            yield _wrong(row, "the first row does not begin a chain")
        if row.seq != seq + 1:
            what = (
                f"rows {seq + 1} to {row.seq - 1} are missing"
                if row.seq > seq
                else "it comes again"
            )
            yield _wrong(row, what)
        elif row.previous != link:
            yield _wrong(row, "it does not follow from the row before it")
        if link_of(row) != row.link:
            yield _wrong(row, "it was changed after it was written")
        self.ends[row.writer] = row.seq, row.link
        if row.draw is not None and row.draw.key_sha256 == self._key_hash:
            yield from self._drawn_again(row, row.draw)

    def _drawn_again(self, row: Audit, told: AuditedDraw) -> Iterator[AuditFinding]:
        again = draw(self._key or b"", row.crossing_id, told.per_million)
        self.draws["made"] += 1
        self.draws["drawn"] += again.drawn
        if f"{again.value:016x}" != told.value or again.drawn != told.drawn:
            yield _wrong(row, "the key gives another draw")
        cause = f"random:{told.key_sha256[:16]}"
        if (cause in row.causes) != told.drawn:
            yield _wrong(row, "its causes do not follow from its draw")


class RuleCounts:
    """Takes rows as they come; the last row of a crossing counts."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._last: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def take(self, row: Audit) -> None:
        """The next row."""
        self._last[row.crossing_id] = row.causes, row.shadow

    def rules(self) -> list[RuleCount]:
        """Rules by how their crossings stand in the last row of each, those on trial too."""
        counts: Counter[tuple[str, bool]] = Counter()
        for causes, shadow in self._last.values():
            counts.update((one, False) for one in causes)
            counts.update((one, True) for one in shadow)
        return [RuleCount(rule, shadow, n) for (rule, shadow), n in sorted(counts.items())]

    @property
    def crossings(self) -> int:
        """Crossings that were counted."""
        return len(self._last)


def _wrong(row: Audit, why: str) -> AuditFinding:
    return AuditFinding(row.writer, row.seq, why)
