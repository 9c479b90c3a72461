"""Numbers of customs: carriers, trips, cargo, pedimentos, Carta Porte, ports."""

import re
from collections.abc import Mapping
from typing import Final

from schemas.message import Country
from schemas.ports import Port
from stream.identifiers.mismatch import Mismatch, difference, shown

#: Standard Carrier Alpha Code: 2 to 4 letters (X12 element 140; unverified).
_SCAC: Final = re.compile(r"[A-Z]{2,4}")
#: Carrier code of the CBSA: four letters or digits, as seen (7GZ8, 726G).
_CBSA_CODE: Final = re.compile(r"[0-9A-Z]{4}")
#: ACE: SCAC and 4 to 21 letters or digits (BorderConnect's guide).
_ACE_TRIP: Final = re.compile(r"[A-Z]{2,4}[A-Z0-9]{4,21}")
#: CRN and CCN: carrier code first, 25 characters at most in all (the bound is unverified).
_CRN: Final = re.compile(r"[0-9A-Z]{4}[0-9A-Z]{1,21}")
_SCN: Final = re.compile(r"[0-9A-Z]{1,25}")
#: NumPedimento of Carta Porte 3.1 has double spaces; the bare form has 15 digits.
_PEDIMENTO: Final = re.compile(
    r"([0-9][0-9])(?:  )?([0-9][0-9])(?:  )?([0-9]{4})(?:  )?([0-9])[0-9]{6}"
)
#: IdCCP of Carta Porte 3.1 (SAT's XSD).
_CARTA_PORTE: Final = re.compile(r"CCC[0-9A-Fa-f]{5}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PORT: Final[dict[Country, re.Pattern[str]]] = {
    "US": re.compile(r"[0-9]{4}"),
    "CA": re.compile(r"[0-9]{4}"),
    "MX": re.compile(r"[0-9]{3}"),
}


def check_carrier_code(text: str, entered: Country) -> Mismatch | None:
    """The carrier's code at the country entered: SCAC, or CBSA carrier code. Rejects."""
    if entered == "US" and not _SCAC.fullmatch(text):
        return Mismatch("scac_form", "reject", f"{shown(text)}: expected 2 to 4 letters A-Z")
    if entered == "CA" and not _CBSA_CODE.fullmatch(text):
        return Mismatch(
            "carrier_code_form", "reject", f"{shown(text)}: expected four of A-Z and 0-9"
        )
    return None


def check_trip_number(text: str, entered: Country, carrier_code: str | None) -> Mismatch | None:
    """An ACE trip number or a CRN: the carrier's code, then letters and digits. Rejects.

    Mexico's filings have no such form. A CRN with PARS in it is a cargo number written in the wrong place
    (CBSA's notices to carriers): that warns.
    """
    if entered == "MX":
        return None
    form, words = (
        (_ACE_TRIP, "SCAC and 4 to 21 letters or digits")
        if entered == "US"
        else (_CRN, "carrier code and letters or digits, 25 in all")
    )
    if not form.fullmatch(text):
        return Mismatch("trip_number_form", "reject", f"{shown(text)}: expected {words}")
    if carrier_code and not text.startswith(carrier_code):
        return _prefix("trip_number_carrier", text, carrier_code)
    if entered == "CA" and "PARS" in text:
        return Mismatch("crn_with_pars", "warn", f"{shown(text)}: PARS belongs into a CCN")
    return None


def check_control_number(text: str, entered: Country, carrier_code: str | None) -> Mismatch | None:
    """The control number of a shipment: SCN into the US, CCN into Canada, pedimento into Mexico.

    A CCN must begin with the carrier's code; form and prefix of it reject. The rest warns.
    """
    if entered == "MX":
        return check_pedimento(text)
    if entered == "CA":
        if not _CRN.fullmatch(text):
            return Mismatch(
                "ccn_form",
                "reject",
                f"{shown(text)}: expected carrier code and letters or digits, 25 in all",
            )
        if carrier_code and not text.startswith(carrier_code):
            return _prefix("ccn_carrier", text, carrier_code)
        return None
    if not _SCN.fullmatch(text):
        return Mismatch("scn_form", "warn", f"{shown(text)}: expected at most 25 of A-Z and 0-9")
    return None


def check_presented(sent: str, presented: str) -> Mismatch | None:
    """A cargo control number as sent ahead against the bar code that the driver shows: equal, exactly."""
    found = difference(sent, presented)
    return None if found is None else Mismatch("ccn_mismatch", "warn", found)


def check_pedimento(text: str) -> Mismatch | None:
    """A pedimento: year, aduana, patente, last digit of the year, sequence (Anexo 22). Warns."""
    found = _PEDIMENTO.fullmatch(text)
    if found is None:
        return Mismatch("pedimento_form", "warn", f"{shown(text)}: expected YY  AA  PPPP  NNNNNNN")
    year, digit = found[1], found[4]
    if year[1] != digit:
        return Mismatch(
            "pedimento_year",
            "warn",
            f"{shown(text)}: the year is {year}, but its digit before the sequence is {digit}",
        )
    return None


def check_carta_porte(text: str) -> Mismatch | None:
    """The id of a Carta Porte, `CCC` and the rest of a UUID (SAT, complemento 3.1). Warns."""
    if _CARTA_PORTE.fullmatch(text):
        return None
    return Mismatch(
        "carta_porte_form",
        "warn",
        f"{shown(text)}: expected CCC and a UUID from its fourth digit on",
    )


def check_port(text: str, entered: Country, ports: Mapping[str, Port]) -> Mismatch | None:
    """The port of arrival in the code of the country entered: a wrong form rejects, a strange code warns."""
    if not _PORT[entered].fullmatch(text):
        digits = 3 if entered == "MX" else 4
        return Mismatch("port_form", "reject", f"{shown(text)}: expected {digits} digits")
    if pairs_of_code(text, entered, ports):
        return None
    return Mismatch("port_unknown", "warn", f"{shown(text)} is no port of the table")


def pairs_of_code(code: str, entered: Country, ports: Mapping[str, Port]) -> tuple[str, ...]:
    """The port pairs that a code may mean: some US codes mean two bridges."""
    return tuple(
        port.pair
        for port in ports.values()
        if (port.us_port_code if entered == "US" else port.other_office_code) == code
        and entered in ("US", port.other_country)
    )


def _prefix(code: str, text: str, carrier_code: str) -> Mismatch:
    found = difference(carrier_code, text[: len(carrier_code)]) or ""
    return Mismatch(
        code, "reject", f"{shown(text)} does not begin with the carrier's code: {found}"
    )
