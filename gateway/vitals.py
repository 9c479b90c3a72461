"""How a gateway is: what was seen of it at one moment, and what is wrong by that. Pure."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

import msgspec

from gateway.intake import Status

#: The pump goes round twenty times a second; after this without a round it hangs.
STALLED_US: Final = 5_000_000

#: Part of the quota from which a full outbox is announced.
FILLING: Final = 0.8


class Spool(NamedTuple):
    """The outbox."""

    events: int
    oldest_us: int | None
    #: Of the database and its WAL.
    size: int
    #: None: there is no limit.
    quota: int | None = None


class Vitals(NamedTuple):
    """What was seen of the daemon at `at_us`."""

    at_us: int
    status: Status
    #: None: the outbox did not answer in time.
    spool: Spool | None
    #: Why nothing can be stored, and since when; empty: it can.
    unwritten: str
    unwritten_since_us: int | None
    #: When the pump last went round.
    turned_us: int
    log_connected: bool
    #: Since when the event log cannot be used, None while it can.
    log_away_since_us: int | None
    #: By the kernel; None: it does not say, or nobody wants to know.
    synchronised: bool | None
    events_sent: int
    outages: Mapping[str, int]
    #: What was wrong with the configuration at the last reload; the one before it is in force.
    reload_refused: Sequence[str] = ()
    #: Lines that `tap` and `capture` were too slow for.
    tap_dropped: int = 0


#: All that `Finding.what` can be.
FINDINGS: Final = (
    "antenna_fault",
    "clock_unsynchronised",
    "log_away",
    "outbox_filling",
    "outbox_not_written",
    "outbox_silent",
    "reader_down",
    "reload_refused",
    "stalled",
)


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that is wrong: what, and in words."""

    what: str
    detail: str = ""
    reader: str | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The page `/health`. `reasons` is empty exactly when all is well."""

    status: str
    gateway: str
    at_us: int
    reasons: list[Finding]
    #: What a person should know and what stops nothing yet.
    warnings: list[Finding]
    outbox_events: int | None
    log_connected: bool
    open_sightings: int
    readers: dict[str, bool]


def judge(gateway: str, vitals: Vitals, *, log_away_us: int) -> Health:
    """What is wrong. The log may be away for `log_away_us` before that is a reason."""
    reasons = [*_storing(vitals), *_readers(vitals)]
    warnings = [*_filling(vitals), *_antennas(vitals)]
    away_us = vitals.at_us - (vitals.log_away_since_us or vitals.at_us)
    if not vitals.log_connected:
        away = Finding("log_away", f"for {max(away_us, 0) // 1_000_000} s")
        (reasons if away_us >= log_away_us else warnings).append(away)
    if vitals.synchronised is False:
        reasons.append(Finding("clock_unsynchronised", "the kernel's clock follows no time server"))
    warnings += [Finding("reload_refused", text) for text in vitals.reload_refused]
    return Health(
        status="failing" if reasons else "ok",
        gateway=gateway,
        at_us=vitals.at_us,
        reasons=reasons,
        warnings=warnings,
        outbox_events=None if vitals.spool is None else vitals.spool.events,
        log_connected=vitals.log_connected,
        open_sightings=vitals.status.open_stays,
        readers={name: reader.up for name, reader in vitals.status.readers.items()},
    )


def http_status(health: Health) -> HTTPStatus:
    """200, or 503 with any reason."""
    return HTTPStatus.SERVICE_UNAVAILABLE if health.reasons else HTTPStatus.OK


def _storing(vitals: Vitals) -> list[Finding]:
    found = []
    if vitals.unwritten:
        since_us = vitals.unwritten_since_us or vitals.at_us
        seconds = max(vitals.at_us - since_us, 0) // 1_000_000
        found.append(Finding("outbox_not_written", f"for {seconds} s: {vitals.unwritten}"))
    if vitals.spool is None:
        found.append(Finding("outbox_silent", "the outbox does not answer: is its disk stuck?"))
    if vitals.at_us - vitals.turned_us > STALLED_US:
        seconds = (vitals.at_us - vitals.turned_us) // 1_000_000
        found.append(Finding("stalled", f"nothing was stored or looked at for {seconds} s"))
    return found


def _readers(vitals: Vitals) -> list[Finding]:
    return [
        Finding("reader_down", totals.cause or "not connected yet", name)
        for name, totals in vitals.status.readers.items()
        if not totals.up
    ]


def _antennas(vitals: Vitals) -> list[Finding]:
    return [
        Finding("antenna_fault", f"antennas {', '.join(map(str, totals.antenna_faults))}", name)
        for name, totals in vitals.status.readers.items()
        if totals.antenna_faults
    ]


def _filling(vitals: Vitals) -> list[Finding]:
    spool = vitals.spool
    if spool is None or spool.quota is None or spool.size < FILLING * spool.quota:
        return []
    return [Finding("outbox_filling", f"{spool.size} of {spool.quota} bytes")]
