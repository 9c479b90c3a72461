"""Which scene everything that the stages wrote belongs to: by the ids and tokens that it names."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.alert import Alert
from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord, Unmatched
from simulators.day import truth
from simulators.day.cast import CODE
from simulators.day.written import Written

_NUMBER: Final = re.compile(rf"{CODE}[0-9A-Z]+".encode())


@dataclass(slots=True, kw_only=True)
class Mine:
    """What was written about a scene."""

    crossings: list[ArrivalNotice] = field(default_factory=list)
    records: list[BorderRecord] = field(default_factory=list)
    waiting: list[Unmatched] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    card_flags: list[tuple[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Owners:
    """Everything by scene.

    Attributes:
        of: what was written about each scene, by its name.
        strays: what names nothing of any scene, or things of several.
    """

    def __init__(self, scenes: Sequence[truth.Scene], written: Written) -> None:
        """Attribute everything."""
        self.of: defaultdict[str, Mine] = defaultdict(Mine)
        self.strays: list[str] = []
        self._owner = {thing: one.scene for one in scenes for thing in one.things}
        for notice in written.crossings.values():
            read = (
                thing
                for link in notice.links
                if link.basis == "read"
                for thing in (link.id, link.credential_id)
            )
            owner = self._one(f"crossing {notice.crossing_id} in {notice.lane}", read)
            if owner is not None:
                self._owner[notice.crossing_id] = owner
                self.of[owner].crossings.append(notice)
        for record in written.records:
            mine = self._mine(f"border record of {record.person}", [record.person])
            if mine is not None:
                mine.records.append(record)
        self._waiting_and_alerts(written)
        self._flags_and_letters(written)

    def _waiting_and_alerts(self, written: Written) -> None:
        for row in written.now.waiting.values():
            if row.closed_by is None:
                mine = self._mine(f"unmatched {row.kind}", (row.subject, row.crossing_id))
                if mine is not None:
                    mine.waiting.append(row)
        for alert in written.alerts:
            mine = self._mine(f"alert {alert.kind} about {alert.subject}", [alert.subject])
            if mine is not None:
                mine.alerts.append(alert)

    def _flags_and_letters(self, written: Written) -> None:
        for card, flag in written.flags.items():
            mine = self._mine("flag of a card", [card]) if flag.proofs else None
            if mine is not None:
                mine.card_flags += [(proof.kind, card) for proof in flag.proofs]
        for letter in written.refused:
            numbers = {found.decode() for found in _NUMBER.findall(letter.raw or b"")}
            mine = self._mine(f"dead letter of {letter.topic}: {letter.detail}", numbers)
            if mine is not None:
                mine.refused.append(min(numbers & self._owner.keys(), key=len))

    def _mine(self, what: str, things: Iterable[str | None]) -> Mine | None:
        owner = self._one(what, things)
        return None if owner is None else self.of[owner]

    def _one(self, what: str, things: Iterable[str | None]) -> str | None:
        found = {self._owner[one] for one in things if one in self._owner}
        if len(found) == 1:
            return found.pop()
        self.strays.append(
            f"{what}: {'mixes scenes ' + ', '.join(sorted(found)) if found else 'of no scene'}"
        )
        return None
