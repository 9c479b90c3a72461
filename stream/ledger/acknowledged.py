"""What became of each revision that a country is told: a fold of its topic that no order or doubling changes."""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from schemas.exchange import ExchangeAck, ExchangeRecord, ExchangeRetraction
from schemas.message import Country

Status = Literal["pending", "sent", "acked", "rejected", "unknown"]

ExchangeMessage = ExchangeRecord | ExchangeRetraction | ExchangeAck

TOPIC_COUNTRY: Final[dict[str, Country]] = {
    "exchange-us": "US",
    "exchange-ca": "CA",
    "exchange-mx": "MX",
}
"""Whose topic it is."""


class Revision(NamedTuple):
    """One revision for one country."""

    country: Country
    record_id: str
    revision: int


class Fate(NamedTuple):
    """All that is known of a revision; every field moves one way only, so facts may come in any order."""

    #: None: an adapter speaks of a revision that was never told.
    kind: Literal["record", "retraction"] | None = None
    provisional: bool = False
    #: When it was written, by the log's clock: the earliest.
    told_us: int | None = None
    #: When it last went out.
    sent_us: int | None = None
    #: When the partner first took it.
    acked_us: int | None = None
    #: When and why the partner last refused it.
    rejected: tuple[int, str] | None = None

    @property
    def status(self) -> Status:
        """The status in words: an acknowledgement is final, a refusal holds until it is sent again."""
        if self.kind is None:
            return "unknown"
        if self.acked_us is not None:
            return "acked"
        if self.rejected is not None and (self.sent_us or 0) <= self.rejected[0]:
            return "rejected"
        return "pending" if self.sent_us is None else "sent"


class Told(NamedTuple):
    """A message of a country's topic, and when it was written to the log."""

    country: Country
    message: ExchangeMessage
    written_us: int


def fate_of(message: ExchangeMessage, written_us: int) -> Fate:
    """What one message says by itself; `written_us`: when it was written to the log."""
    match message:
        case ExchangeRecord(provisional=provisional):
            return Fate(kind="record", provisional=provisional, told_us=written_us)
        case ExchangeRetraction():
            return Fate(kind="retraction", told_us=written_us)
        case ExchangeAck(outcome="sent", at_us=at_us):
            return Fate(sent_us=at_us)
        case ExchangeAck(outcome="acked", at_us=at_us):
            return Fate(acked_us=at_us)
        case ExchangeAck(at_us=at_us, reason=reason):
            return Fate(rejected=(at_us, reason or ""))


def merged(one: Fate, other: Fate) -> Fate:
    """Both together. Commutative, associative, and the same as one when both are equal."""
    return Fate(
        kind=max(one.kind or "", other.kind or "") or None,
        provisional=one.provisional or other.provisional,
        told_us=min(_known(one.told_us, other.told_us), default=None),
        sent_us=max(_known(one.sent_us, other.sent_us), default=None),
        acked_us=min(_known(one.acked_us, other.acked_us), default=None),
        rejected=max(
            (found for found in (one.rejected, other.rejected) if found is not None), default=None
        ),
    )


def fates(told: Iterable[Told]) -> dict[Revision, Fate]:
    """The fate of every revision that the messages speak of."""
    found: dict[Revision, Fate] = {}
    for country, message, written_us in told:
        key = Revision(country, message.record_id, message.revision)
        found[key] = merged(found.get(key, Fate()), fate_of(message, written_us))
    return found


def _known(*times: int | None) -> list[int]:
    return [time for time in times if time is not None]
