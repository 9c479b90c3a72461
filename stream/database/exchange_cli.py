"""Command `gatebook database exchange`: what of the exchange is not settled yet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Annotated, Final

import orjson
import typer

from schemas.wire import rfc3339
from stream.database.exchange import Listed, counts, listed
from stream.database.migrate import check_migrated
from stream.database.opened import UrlOption, opened

FINDINGS: Final = 1

#: Lines for people; the JSON form has all of them.
MAX_LINES: Final = 100


class CountryChoice(StrEnum):
    """What `--country` may name."""

    US = "US"
    CA = "CA"
    MX = "MX"


class StatusChoice(StrEnum):
    """What `--status` may name."""

    PENDING = "pending"
    SENT = "sent"
    ACKED = "acked"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


OPEN: Final = tuple(one for one in StatusChoice if one is not StatusChoice.ACKED)

CountryOption = Annotated[CountryChoice | None, typer.Option(help="Only what this one is told.")]


def exchange(
    url: UrlOption,
    country: CountryOption = None,
    status: Annotated[
        list[StatusChoice] | None, typer.Option(help="Repeatable; all but acked by default.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One NDJSON line a record, all of them.")
    ] = False,
) -> None:
    """What of each record's latest revision is pending, sent, rejected, or acknowledged without having been told.

    Exit 1 if any is rejected or unknown.
    """
    with opened(url) as engine:
        check_migrated(engine, url)
        found = listed(engine, status or OPEN, country)
        numbers = counts(engine, country)
        if json:
            for one in found:
                print(orjson.dumps(plain(one)).decode())
        else:
            _print(numbers, list(islice(found, MAX_LINES + 1)))
    wrong = Counter[str]()
    for (_, what), number in numbers.items():
        wrong[what] += number
    if wrong["rejected"] or wrong["unknown"]:
        raise typer.Exit(FINDINGS)


def plain(one: Listed) -> dict[str, object]:
    """A line of the JSON form; times in microseconds UTC."""
    fate = one.fate
    rejected_us, reason = fate.rejected or (None, None)
    return {
        **one.revision._asdict(),
        "status": fate.status,
        "kind": fate.kind,
        "provisional": fate.provisional,
        "told_us": fate.told_us,
        "sent_us": fate.sent_us,
        "acked_us": fate.acked_us,
        "rejected_us": rejected_us,
        "reason": reason,
    }


def _print(numbers: Mapping[tuple[str, str], int], lines: Sequence[Listed]) -> None:
    for whose in sorted({whose for whose, _ in numbers}):
        told = [f"{numbers.get((whose, str(one)), 0)} {one}" for one in StatusChoice]
        print(f"{whose}: {', '.join(told)}")
    for one in lines[:MAX_LINES]:
        print(_line(one))
    if len(lines) > MAX_LINES:
        print(f"more than {MAX_LINES}: --json has all of them")


def _line(one: Listed) -> str:
    (country, record_id, revision), fate = one
    since = "" if fate.told_us is None else f" since {rfc3339(fate.told_us)}"
    what = fate.kind or "nothing that was told"
    why = ""
    if fate.status == "rejected" and fate.rejected is not None:
        why = f": {fate.rejected[1]}"
    return f"{country} {fate.status} {record_id} revision {revision} ({what}){since}{why}"
