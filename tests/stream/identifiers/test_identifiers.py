"""Identifiers: public examples pass, one wrong character is named, and no text makes a check raise."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso6346

from stream.identifiers.customs import (
    check_carrier_code,
    check_carta_porte,
    check_control_number,
    check_pedimento,
    check_port,
    check_presented,
    check_trip_number,
    pairs_of_code,
)
from stream.identifiers.documents import (
    check_digit,
    check_document_number,
    check_fast_card,
    check_mrz,
)
from stream.identifiers.mismatch import Mismatch, difference
from stream.identifiers.parties import check_business_number, check_curp, check_rfc
from stream.identifiers.vehicles import (
    check_container,
    check_plate,
    check_seal,
    check_vin,
    vin_check_digit,
)
from stream.table import port_table

PORTS = port_table()

#: The specimens of ICAO 9303, parts 4, 6 and 5 (appendices): TD3, TD2, TD1.
TD3 = (
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
)
TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
TD1 = (
    "I<UTOD231458907<<<<<<<<<<<<<<<",
    "7408122F1204159UTO<<<<<<<<<<<6",
    "ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
)


def ends(found: Mismatch | None) -> str:
    return "ok" if found is None else f"{found.severity} {found.code}"


@pytest.mark.parametrize(
    ("vin", "expected"),
    [
        ("1FVACXCY3FHGN3106", "ok"),  # a truck's
        ("11111111111111111", "ok"),  # the example of 49 CFR 565
        ("1M8GDM9AXKP042788", "ok"),  # check digit X
        ("1FVACXCY4FHGN3106", "warn vin_check_digit"),
        ("WDB9634031L738124", "ok"),  # European: position 9 means something else there
        ("1FVACXCY3FHGN310", "warn vin_form"),
        ("1FVACXCY3FHGN310O", "warn vin_form"),
        ("1fvacxcy3fhgn3106", "warn vin_form"),
        ("", "warn vin_form"),
    ],
)
def test_a_vin_has_a_check_digit_where_north_america_requires_it(vin: str, expected: str) -> None:
    assert ends(check_vin(vin)) == expected


def test_a_finding_shows_what_was_expected() -> None:
    found = check_vin("1FVACXCY4FHGN3106")
    assert found is not None
    assert found.detail == "1FVACXCY4FHGN3106: position 9 is 4, its check digit is 3"
    container = check_container("CSQU3054384")
    assert container is not None
    assert container.detail == "'CSQU3054384': position 11 should be 3"


@given(st.from_regex(r"[1-5][A-HJ-NPR-Z0-9]{16}", fullmatch=True), st.integers(0, 16))
def test_a_vin_with_one_other_digit_is_noticed_unless_its_weight_hides_it(
    vin: str, at: int
) -> None:
    good = vin[:8] + vin_check_digit(vin) + vin[9:]
    assert check_vin(good) is None
    if at not in (0, 8) and good[at].isdigit():
        other = good[:at] + str((int(good[at]) + 1) % 10) + good[at + 1 :]
        assert ends(check_vin(other)) == "warn vin_check_digit"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("CSQU3054383", "ok"),
        ("CSQU3054384", "reject container_check_digit"),
        ("CSQ3054383", "reject container_form"),
        ("CSQU 305438 3", "warn container_spelling"),
        ("", "reject container_form"),
    ],
)
def test_containers(number: str, expected: str) -> None:
    assert ends(check_container(number)) == expected


@given(st.from_regex(r"[A-Z]{3}[UJZ][0-9]{6}", fullmatch=True))
def test_a_container_with_the_digit_of_the_standard_passes(number: str) -> None:
    assert check_container(number + iso6346.calc_check_digit(number)) is None


@pytest.mark.parametrize(
    ("plate", "country", "expected"),
    [
        ("TST0001", "US", "ok"),
        ("AB 12-34", "CA", "ok"),
        ("-", "US", "warn plate_form"),
        ("12AB3C", "MX", "ok"),
        ("12-AB-3C", "MX", "warn plate_form"),
        ("1234", "MX", "warn plate_form"),
    ],
)
def test_plates(plate: str, country: str, expected: str) -> None:
    assert ends(check_plate(plate, country)) == expected


def test_seals() -> None:
    assert check_seal("SL000001") is None
    assert ends(check_seal("a seal")) == "warn seal_form"


@pytest.mark.parametrize(
    ("number", "entered", "code", "expected"),
    [
        ("ABCD0001", "US", "ABCD", "ok"),
        ("AB12345", "US", "AB", "ok"),
        ("ABCDE1", "US", None, "ok"),
        ("ABCD1", "US", None, "reject trip_number_form"),
        ("AB1", "US", None, "reject trip_number_form"),
        ("ABCD0001", "US", "ABCE", "reject trip_number_carrier"),
        ("7GZ8123", "CA", "7GZ8", "ok"),
        ("7GZ8123", "CA", "726G", "reject trip_number_carrier"),
        ("7GZ8PARS123", "CA", "7GZ8", "warn crn_with_pars"),
        ("7GZ8" + "1" * 22, "CA", "7GZ8", "reject trip_number_form"),
        ("anything at all", "MX", None, "ok"),
    ],
)
def test_trip_numbers(number: str, entered: str, code: str | None, expected: str) -> None:
    assert ends(check_trip_number(number, entered, code)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "entered", "code", "expected"),
    [
        ("1234PARS34213341", "CA", "1234", "ok"),
        ("1234PARS34213341", "CA", "7GZ8", "reject ccn_carrier"),
        ("1234 PARS", "CA", "1234", "reject ccn_form"),
        ("ABCD000101", "US", "ABCD", "ok"),
        ("ABCD-1", "US", "ABCD", "warn scn_form"),
        ("25  24  3420  5001234", "MX", None, "ok"),
        ("252434205001234", "MX", None, "ok"),
        ("25  24  3420  6001234", "MX", None, "warn pedimento_year"),
        ("25 24 3420 5001234", "MX", None, "warn pedimento_form"),
    ],
)
def test_control_numbers(number: str, entered: str, code: str | None, expected: str) -> None:
    assert ends(check_control_number(number, entered, code)) == expected  # type: ignore[arg-type]


def test_a_wrong_prefix_is_shown_with_both_sides() -> None:
    found = check_control_number("1234PARS1", "CA", "7GZ8")
    assert found is not None
    assert found.detail == (
        "'1234PARS1' does not begin with the carrier's code: expected '7GZ8', got '1234': "
        "from position 1 '7GZ8' against '1234'"
    )


@pytest.mark.parametrize(
    ("sent", "presented", "expected"),
    [
        ("1234PARS3421", "1234PARS3421", None),
        ("1234PARS3421", "12343421", "from position 5 'PARS3421' against '3421'"),
        ("1234PARS3421", "1234pars3421", "from position 5 'PARS3421' against 'pars3421'"),
        ("1234PARS3421", "1234PARS34219", "from position 13 '' against '9'"),
    ],
)
def test_a_cargo_number_must_be_presented_exactly_as_sent(
    sent: str, presented: str, expected: str | None
) -> None:
    found = check_presented(sent, presented)
    assert (None if found is None else found.detail.partition(": ")[2]) == expected


@pytest.mark.parametrize(
    ("code", "entered", "expected"),
    [
        ("ABCD", "US", "ok"),
        ("AB1", "US", "reject scac_form"),
        ("7GZ8", "CA", "ok"),
        ("7GZ", "CA", "reject carrier_code_form"),
        ("?", "MX", "ok"),
    ],
)
def test_carrier_codes(code: str, entered: str, expected: str) -> None:
    assert ends(check_carrier_code(code, entered)) == expected  # type: ignore[arg-type]


def test_carta_porte() -> None:
    assert check_carta_porte("CCC8e4b5-1f2a-4c3d-9e8f-0123456789ab") is None
    assert (
        ends(check_carta_porte("8e4b5123-1f2a-4c3d-9e8f-0123456789ab")) == "warn carta_porte_form"
    )
    assert ends(check_pedimento("")) == "warn pedimento_form"


@pytest.mark.parametrize(
    ("code", "entered", "expected"),
    [
        ("2304", "US", "ok"),
        ("0453", "CA", "ok"),
        ("240", "MX", "ok"),
        ("453", "CA", "reject port_form"),
        ("9999", "US", "warn port_unknown"),
        ("230", "US", "reject port_form"),
        ("\u0662\u0663\u0660\u0664", "US", "reject port_form"),  # digits, but not those
    ],
)
def test_port_codes(code: str, entered: str, expected: str) -> None:
    assert ends(check_port(code, entered, PORTS)) == expected  # type: ignore[arg-type]


def test_some_codes_mean_two_pairs() -> None:
    assert pairs_of_code("2304", "US", PORTS) == ("lar-wtb", "lar-col")
    assert pairs_of_code("240", "MX", PORTS) == ("lar-wtb",)
    assert pairs_of_code("240", "CA", PORTS) == ()


@pytest.mark.parametrize("lines", [TD3, TD2, TD1])
def test_the_specimens_of_icao_9303_pass(lines: tuple[str, ...]) -> None:
    assert check_mrz(lines) is None


@pytest.mark.parametrize(
    ("at", "expected"),
    [(3, "mrz_number"), (14, "mrz_birth"), (22, "mrz_expiry"), (30, "mrz_whole")],
)
def test_one_wrong_digit_of_a_zone_is_named_by_its_field_and_never_shown(
    at: int, expected: str
) -> None:
    wrong = TD3[1][:at] + ("1" if TD3[1][at] != "1" else "2") + TD3[1][at + 1 :]
    found = check_mrz((TD3[0], wrong))
    assert found is not None
    assert found.code == f"{expected}_check_digit"
    assert wrong[0:9] not in found.detail


def test_document_numbers() -> None:
    assert check_digit("520727") == "3"  # the worked example of ICAO 9303 part 3, 4.9
    assert check_document_number("L898902C36") is None
    assert check_document_number("AB21347") is not None
    assert ends(check_document_number("L898902C37")) == "warn document_check_digit"
    assert ends(check_document_number("")) == "warn document_form"
    assert check_fast_card("42705555555501") is None
    assert ends(check_fast_card("4270")) == "warn fast_card_form"


def test_parties() -> None:
    assert check_rfc("GODE561231GR8") is None
    assert ends(check_rfc("GODE561231")) in ("ok", "warn rfc_form")
    assert check_business_number("123026635RC0001") is None
    assert ends(check_business_number("123026636")) == "warn business_number_check_digit"
    assert check_curp("BOXW310820HNERXN09") is None
    assert ends(check_curp("BOXW310820HNERXN08")) == "warn curp_check_digit"


CHECKS: tuple[Callable[[str], Mismatch | None], ...] = (
    check_vin,
    check_container,
    lambda text: check_plate(text, "MX"),
    lambda text: check_plate(text, "US"),
    check_seal,
    lambda text: check_carrier_code(text, "US"),
    lambda text: check_trip_number(text, "CA", text[:4]),
    lambda text: check_control_number(text, "CA", "7GZ8"),
    lambda text: check_control_number(text, "US", None),
    check_pedimento,
    check_carta_porte,
    lambda text: check_port(text, "MX", PORTS),
    check_document_number,
    lambda text: check_mrz((text, text)),
    check_fast_card,
    check_rfc,
    check_curp,
    check_business_number,
)


@given(
    st.text(max_size=50)
    | st.from_regex(r"[A-Z0-9<\uff21-\uff3a\u0660-\u0669 -]{1,44}", fullmatch=True)
)
def test_no_text_makes_a_check_raise_and_a_finding_stays_short(text: str) -> None:
    for check in CHECKS:
        found = check(text)
        assert found is None or (len(found.detail) <= 400 and found.code)


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_difference_is_none_only_for_equal_texts(one: str, other: str) -> None:
    assert (difference(one, other) is None) == (one == other)
