"""What a check of an identifier found, and how two numbers differ."""

from typing import Literal, NamedTuple

#: How much of a strange number is shown.
MOST_SHOWN = 40


class Mismatch(NamedTuple):
    """Why a number is not what it should be."""

    #: One word that programs may look for, such as `vin_check_digit`.
    code: str
    #: `warn`: it is taken and the finding stands beside it. `reject`: what it stands in is refused.
    severity: Literal["warn", "reject"]
    #: What was expected and what came, with the position of the first difference.
    detail: str


def shown(number: str) -> str:
    """The number for a text: quoted, cut when long."""
    cut = number if len(number) <= MOST_SHOWN else f"{number[:MOST_SHOWN]}…"
    return repr(cut)


def difference(expected: str, got: str) -> str | None:
    """Where two numbers part, as text with both remainders; None when they are equal.

    The comparison is exact: case, spaces and embedded words such as PARS count.
    """
    if expected == got:
        return None
    at = next(
        (at for at, (one, other) in enumerate(zip(expected, got, strict=False)) if one != other),
        min(len(expected), len(got)),
    )
    return (
        f"expected {shown(expected)}, got {shown(got)}: from position {at + 1} "
        f"{shown(expected[at:])} against {shown(got[at:])}"
    )
