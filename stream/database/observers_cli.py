"""Command `gatebook database observers`: a day of the borders that are not a country's own, as counts."""

from datetime import date
from typing import Annotated

import orjson
import typer

from stream.database.exchange_cli import CountryChoice
from stream.database.migrate import check_migrated
from stream.database.observers import ended_about
from stream.database.opened import USAGE, UrlOption, opened, say
from stream.ledger.observers import DEFAULT_K, MIN_K, observed
from stream.table import port_table


def observers(
    url: UrlOption,
    country: Annotated[CountryChoice, typer.Option(help="Who is told: a third country.")],
    day: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="The day at each office.")],
    k: Annotated[int, typer.Option(min=MIN_K, help="Smaller counts are hidden.")] = DEFAULT_K,
) -> None:
    """Counts of a day as NDJSON, one line a pair and direction that the country is no part of; null is hidden."""
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        say(f"--day: expected YYYY-MM-DD, got {day[:40]!r}")
        raise typer.Exit(USAGE) from None
    with opened(url) as engine:
        check_migrated(engine, url)
        lines = observed(ended_about(engine, wanted), port_table(), country.value, wanted, k)
    if not lines:
        say(f"{country} is a part of every pair")
    for line in lines:
        print(orjson.dumps(line._asdict()).decode())
