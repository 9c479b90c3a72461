"""The policy rows that ship with gatebook: NDJSON files beside the code, by the name of their set."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from schemas.policy import Policy
from stream.ndjson import LineError, parse_line
from stream.reference import Reference

#: Today's rules, and those that the seed paper asks for.
SETS: Final = ("today", "paper-2021")


def lines_of(name: str) -> Iterator[bytes]:
    """The lines of a set, as `gatebook reference load` takes them."""
    text = files("stream.policy").joinpath("rows", f"{name}.ndjson").read_bytes()
    yield from text.splitlines()


@cache
def shipped(name: str) -> tuple[Policy, ...]:
    """The rows of a set, in the order of the file. Raises `ValueError` for a file that is broken."""
    rows = []
    for number, text in enumerate(lines_of(name), 1):
        line = parse_line(number, text)
        if isinstance(line, LineError) or not isinstance(line.message, Policy):
            raise ValueError(f"{name}: {line}")  # noqa: TRY004 - a broken file, not a wrong argument
        rows.append(line.message)
    return tuple(rows)


def fold_shipped(name: str | None, reference: Reference) -> Reference:
    """Take a set beneath the rows that come later; a later row of the same id takes its place. None: no set."""
    for row in shipped(name) if name is not None else ():
        reference.fold("policies", row.policy_id, row)
    return reference
