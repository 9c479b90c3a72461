"""Tax numbers of parties: RFC and CURP (Mexico), Business Number (Canada). All warn."""

from types import ModuleType

from stdnum.ca import bn
from stdnum.exceptions import InvalidChecksum, ValidationError
from stdnum.mx import curp, rfc

from stream.identifiers.mismatch import Mismatch


def check_rfc(text: str) -> Mismatch | None:
    """A Mexican taxpayer number, with its check digit where it has one (python-stdnum)."""
    return _check("rfc", rfc, text)


def check_curp(text: str) -> Mismatch | None:
    """A Mexican population number (python-stdnum). It is personal: a finding never shows it."""
    return _check("curp", curp, text)


def check_business_number(text: str) -> Mismatch | None:
    """A Canadian business number, nine digits with Luhn's check digit, with or without its account (python-stdnum)."""
    return _check("business_number", bn, text)


def _check(name: str, kind: ModuleType, text: str) -> Mismatch | None:
    try:
        kind.validate(text)
    except InvalidChecksum:
        return Mismatch(f"{name}_check_digit", "warn", "the check digit does not fit the rest")
    except ValidationError as error:
        return Mismatch(f"{name}_form", "warn", str(error).rstrip("."))
    return None
