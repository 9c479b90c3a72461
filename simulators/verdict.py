"""The end of a demo in one line, and the differences that it found. Pure."""

from collections.abc import Sequence
from typing import Final

from simulators.committed import Committed
from simulators.truth import Expected, Finding

#: Differences that are listed one by one; the rest is only counted.
MAX_SHOWN: Final = 50


def verdict(
    truth: Sequence[Expected], committed: Committed, findings: Sequence[Finding], restarts: int
) -> str:
    """Sum a run up; `findings`: every difference between the truth and what was committed."""
    records = sum(record.state != "retracted" for record in committed.records.values())
    refused = sum(one.how == "refused" for one in truth)
    unmatched = sum(row.closed_by is None for row in committed.waiting.values())
    lost = sum((one.kind, one.place) == ("missing", "border-records") for one in findings)
    doubled = sum(finding.kind == "doubled" for finding in findings)
    judged = (
        "as the truth says"
        if not findings
        else f"{counted(len(findings), 'difference')} from the truth"
    )
    return (
        f"{counted(len(truth), 'truck')}, {counted(records, 'border record')}, {refused} refused, "
        f"{unmatched} unmatched, {counted(restarts, 'restart')}, lost {lost}, doubled {doubled}: {judged}"
    )


def counted(number: int, word: str) -> str:
    """A number and what it counts."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def listed(findings: Sequence[Finding]) -> list[str]:
    """Differences as lines."""
    lines = [str(finding) for finding in findings[:MAX_SHOWN]]
    if len(findings) > MAX_SHOWN:
        lines.append(f"and {len(findings) - MAX_SHOWN} more")
    return lines
