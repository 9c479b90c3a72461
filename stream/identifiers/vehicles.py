"""Numbers on vehicles and what they carry: VIN, plate, container, seal."""

import re
from typing import Final

from stdnum import iso6346
from stdnum.exceptions import InvalidChecksum, ValidationError

from stream.identifiers.mismatch import Mismatch, shown

#: World manufacturer identifiers of North America begin with these (ISO 3780): only there the check digit
#: is required (49 CFR 565.15(c)).
NORTH_AMERICA: Final = "12345"

_VIN: Final = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_PLATE: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9 -]{0,10}[A-Z0-9])?")
_SEAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9/-]{0,19}")

#: 49 CFR 565.15, tables III and IV: the value of each character, the weight of each position.
_VALUES: Final = dict(
    zip(
        "ABCDEFGHJKLMNPRSTUVWXYZ0123456789",
        (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10), *range(10)),
        strict=True,
    )
)
_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def check_vin(text: str) -> Mismatch | None:
    """A vehicle identification number: 17 characters without I, O and Q; a check digit in North America.

    It only warns: glider kits and old trailers carry numbers that fail (ISO 3779; 49 CFR 565.15).
    """
    if not _VIN.fullmatch(text):
        wrong = sorted({one for one in text if one not in _VALUES})
        why = f"with {', '.join(map(repr, wrong))}" if wrong else f"of {len(text)} characters"
        return Mismatch(
            "vin_form", "warn", f"{shown(text)} {why}: expected 17 of A-Z without I, O, Q and 0-9"
        )
    if text[0] not in NORTH_AMERICA:
        return None
    digit = vin_check_digit(text)
    if text[8] == digit:
        return None
    return Mismatch(
        "vin_check_digit", "warn", f"{text}: position 9 is {text[8]}, its check digit is {digit}"
    )


def vin_check_digit(vin: str) -> str:
    """The character that position 9 of a well-formed VIN should have."""
    rest = sum(_VALUES[one] * weight for one, weight in zip(vin, _WEIGHTS, strict=True)) % 11
    return "X" if rest == 10 else str(rest)


def check_container(text: str) -> Mismatch | None:
    """A container number (ISO 6346): owner code, U, J or Z, six digits, check digit. Rejects."""
    try:
        compact = iso6346.validate(text)
    except InvalidChecksum:
        digit = iso6346.calc_check_digit(iso6346.compact(text)[:10])
        return Mismatch(
            "container_check_digit",
            "reject",
            f"{shown(text)}: position 11 should be {digit}",
        )
    except ValidationError:
        return Mismatch(
            "container_form", "reject", f"{shown(text)}: expected four letters and seven digits"
        )
    if compact != text:
        return Mismatch("container_spelling", "warn", f"{shown(text)} is written {compact}")
    return None


def check_plate(text: str, country: str) -> Mismatch | None:
    """A licence plate: 5 to 7 characters without space or hyphen in Mexico (Carta Porte 3.1). Warns.

    For the others the form is unverified: letters, digits, spaces and hyphens, at most 12.
    """
    if country == "MX":
        if 5 <= len(text) <= 7 and not re.search(r"[\s-]", text):
            return None
        return Mismatch(
            "plate_form", "warn", f"{shown(text)}: expected 5 to 7 characters, no - or space"
        )
    if _PLATE.fullmatch(text):
        return None
    return Mismatch("plate_form", "warn", f"{shown(text)}: expected at most 12 letters and digits")


def check_seal(text: str) -> Mismatch | None:
    """A seal number: at most 20 letters and digits (unverified beyond Carta Porte's 5 to 20). Warns."""
    if _SEAL.fullmatch(text):
        return None
    return Mismatch("seal_form", "warn", f"{shown(text)}: expected at most 20 letters and digits")
