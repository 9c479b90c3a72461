"""Numbers of travel documents and cards: machine-readable zones (ICAO 9303), FAST cards."""

import re
from typing import Final

from stream.identifiers.mismatch import Mismatch, shown

_WEIGHTS: Final = (7, 3, 1)
_MRZ: Final = re.compile(r"[A-Z0-9<]+")
_FAST: Final = re.compile(r"[0-9]{14}")

#: Where the fields with a check digit of their own stand, by the length of the line (ICAO 9303 part 4,
#: 4.2.2; part 5, 4.2.2; part 6, 4.2.2): name, first and last position, position of the digit; from 0.
_TD3_LINE_2: Final = (("number", 0, 9, 9), ("birth", 13, 19, 19), ("expiry", 21, 27, 27))
_TD1_LINE_1: Final = (("number", 5, 14, 14),)
_TD1_LINE_2: Final = (("birth", 0, 6, 6), ("expiry", 8, 14, 14))


def check_digit(field: str) -> str:
    """The 7-3-1 check digit of a field: digits count as such, A to Z as 10 to 35, `<` as 0 (part 3, 4.9)."""
    return str(sum(_value(one) * _WEIGHTS[at % 3] for at, one in enumerate(field)) % 10)


def check_document_number(text: str) -> Mismatch | None:
    """A document number with its check digit, as in a machine-readable zone: nine characters and one. Warns.

    Fillers `<` may be left out. Texts never go into a finding: a document number is personal.
    """
    number, digit = text[:-1], text[-1:]
    if not 1 <= len(number) <= 9 or not _MRZ.fullmatch(text):
        return Mismatch(
            "document_form", "warn", f"{len(text)} characters: expected at most ten of A-Z, 0-9, <"
        )
    return _field("document", number.ljust(9, "<"), digit)


def check_mrz(lines: tuple[str, ...]) -> Mismatch | None:
    """A machine-readable zone: two lines of 44 (TD3) or 36 (TD2), or three of 30 (TD1). Warns.

    Shows which field fails and which digit was expected, never the field itself.
    """
    lengths = tuple(map(len, lines))
    if lengths not in ((44, 44), (36, 36), (30, 30, 30)) or not all(map(_MRZ.fullmatch, lines)):
        return Mismatch(
            "mrz_form", "warn", f"lines of {lengths}: expected 2x44, 2x36 or 3x30 of A-Z, 0-9, <"
        )
    if len(lines) == 3:
        fields = [(lines[0], one) for one in _TD1_LINE_1] + [(lines[1], one) for one in _TD1_LINE_2]
        whole, digit = (
            lines[0][5:30] + lines[1][0:7] + lines[1][8:15] + lines[1][18:29],
            lines[1][29],
        )
    else:
        fields = [(lines[1], one) for one in _TD3_LINE_2]
        end = lengths[0] - 1
        whole, digit = lines[1][0:10] + lines[1][13:20] + lines[1][21:end], lines[1][end]
    for line, (name, first, last, at) in fields:
        found = _field(f"mrz_{name}", line[first:last], line[at])
        if found is not None:
            return found
    return _field("mrz_whole", whole, digit)


def check_fast_card(text: str) -> Mismatch | None:
    """A FAST card number: 14 digits in the one public sample; unverified beyond. Warns."""
    if _FAST.fullmatch(text):
        return None
    return Mismatch("fast_card_form", "warn", f"{len(text)} characters: expected 14 digits")


def _field(name: str, field: str, digit: str) -> Mismatch | None:
    expected = check_digit(field)
    # An empty optional field may have a filler in place of its digit.
    if digit == expected or (digit == "<" and not field.strip("<")):
        return None
    return Mismatch(
        f"{name}_check_digit", "warn", f"the check digit is {shown(digit)} and should be {expected}"
    )


def _value(one: str) -> int:
    if one == "<":
        return 0
    return int(one) if one.isdigit() else ord(one) - ord("A") + 10
