"""The port table: official codes as text, and none invented."""

from importlib import resources

import pytest

from schemas.ports import PortTableError, parse_ports

TEXT = (resources.files("schemas") / "ports.csv").read_text(encoding="utf-8")


def test_the_table_has_every_pair_once_with_codes_as_text() -> None:
    ports = parse_ports(TEXT)
    assert len(ports) == 38
    assert ports["lar-wtb"].us_port_code == "2304"
    assert ports["buf-pea"].us_port_code == "0901"
    assert (ports["lar-wtb"].other_country, ports["lar-wtb"].other_office_code) == ("MX", "240")


def test_a_verified_code_exists_and_a_missing_one_is_none() -> None:
    ports = parse_ports(TEXT)
    assert all(port.other_office_code for port in ports.values() if port.other_code_verified)
    assert ports["ota-tij"].other_office_code is None


def test_every_pair_is_on_a_border_of_the_united_states() -> None:
    for port in parse_ports(TEXT).values():
        assert port.latitude is not None
        assert port.longitude is not None
        north = port.other_country == "CA"
        assert (42 < port.latitude < 49.1) if north else (25.8 < port.latitude < 32.8)
        assert -123 < port.longitude < -67


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("MX,Nuevo Laredo", "ES,Nuevo Laredo"), "line 2"),
        (("2288051", "many"), "line 2"),
        (("lar-col", "lar-wtb"), "twice"),
        (("us_port_code", "us_code"), "us_port_code"),
        (("27.60", "99.60"), "line 2"),
    ],
)
def test_a_broken_line_is_named(change: tuple[str, str], named: str) -> None:
    with pytest.raises(PortTableError, match=named):
        parse_ports(TEXT.replace(*change, 1))
