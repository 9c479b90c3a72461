"""The chain of a person's records: which stay each one closes, and what is odd about it.

A record opens a stay in the country that it enters. The next record in time must leave that country; where it
does not, the stay's end is unknown. There are three countries, so nothing is said of what lies between. All of
it depends on the set of records alone, never on the order in which they came.
"""

from typing import Final, NamedTuple

from schemas.border import Anomaly
from stream.ledger.rows import MINUTE, OpenStay, RecordRow

#: Nobody crosses twice in less than that. Assumed, unverified.
OVERLAP_US: Final = 1 * MINUTE

#: Two records that close to each other may stand in the wrong order, since their times come from two clocks.
#: Assumed, unverified.
DISORDER_US: Final = 10 * MINUTE


class Derived(NamedTuple):
    """What the records beside it make of a record."""

    baseline: bool
    before: OpenStay | None
    anomalies: tuple[Anomaly, ...]


def opened(row: RecordRow) -> OpenStay:
    """The stay that a record opens."""
    return OpenStay(country=row.entered.country, opened_by=row.record_id, opened_at_us=row.at_us)


def derive(before: OpenStay | None, row: RecordRow, after: RecordRow | None) -> Derived:
    """`before`: the stay that is open when the record comes; `after`: the person's next record."""
    fits = before is None or before.country == row.left.country
    overlaps = _overlaps(before, row, after)
    if before is None or (fits and not overlaps):
        return Derived(before is None, before, ("overlap",) if overlaps else ())
    anomalies: list[Anomaly] = []
    if not fits:
        entered_twice = before.country == row.entered.country
        anomalies.append("entered_twice" if entered_twice else "no_open_stay")
    if overlaps:
        anomalies.append("overlap")
    if after is not None and _disordered(before, row, after):
        anomalies.append("impossible_order")
    return Derived(baseline=False, before=before, anomalies=tuple(anomalies))


def _overlaps(before: OpenStay | None, row: RecordRow, after: RecordRow | None) -> bool:
    return (before is not None and row.at_us - before.opened_at_us < OVERLAP_US) or (
        after is not None and after.at_us - row.at_us < OVERLAP_US
    )


def _disordered(before: OpenStay, row: RecordRow, after: RecordRow) -> bool:
    """Whether the record fits only after the next one, and they are close enough for that."""
    return (
        after.left.country == before.country
        and after.entered.country == row.left.country
        and after.at_us - row.at_us <= DISORDER_US
    )
