"""Every form of a number that we or epcpy accept: both call it the same, but for the differences that are named here."""

import csv
import os
import string
from pathlib import Path

import pytest
from epcpy.utils.parsers import hex_to_tag_encodable
from hypothesis import given
from hypothesis import strategies as st

from gateway.epc import tag_number
from tests.needs import missing

VECTORS = "epc_tds_vectors.csv"
COMMITTED = Path(__file__).parents[1] / "captures" / VECTORS

COMPANY_BITS = (40, 37, 34, 30, 27, 24, 20)
#: Header -> bits of company prefix and reference, digits of both, bits of the serial, bits of zeros.
FORMS = {
    0x2C: (41, 12, 41, 0),  # GDTI-96
    0x2D: (58, 17, 0, 24),  # GSRN-96
    0x2E: (58, 17, 0, 24),  # GSRNP-96
    0x30: (44, 13, 38, 0),  # SGTIN-96
    0x31: (58, 17, 0, 24),  # SSCC-96
    0x32: (41, 12, 41, 0),  # SGLN-96
    0x33: (44, 12, 38, 0),  # GRAI-96
    0x34: (82, 25, 0, 0),  # GIAI-96
    0x3C: (51, 15, 31, 0),  # CPI-96
}
#: What needs no escape in a URI, and does not begin as one does.
PLAIN = string.ascii_letters + string.digits + "!'()*+,-.;=_"

#: Header -> why we refuse what epcpy accepts. It lets bits pass that must be zero, and references that have more
#: digits than the partition leaves, or where the partition leaves none.
STRICTER = {
    **dict.fromkeys((0x2D, 0x2E, 0x31), "reserved"),
    **dict.fromkeys((0x2C, 0x32, 0x33, 0x3C, 0x3F), "range"),
}


def theirs(number: bytes) -> str | None:
    """The pure identity by epcpy; it has an exception of its own for half of what it refuses."""
    try:
        uri: str = hex_to_tag_encodable(number.hex().upper()).epc_uri
    except Exception:  # noqa: BLE001 - whatever it is, it refuses
        return None
    return uri


def agree(number: bytes) -> None:
    ours = tag_number(number)
    other = theirs(number)
    if ours.identity_uri is None and other is not None:
        assert STRICTER.get(number[0]) == ours.why, number.hex()
    else:
        assert ours.identity_uri == other, number.hex()


def octets(bits: str, size: int) -> bytes:
    return int(bits.ljust(8 * size, "0"), 2).to_bytes(size, "big")


def below(limit: int) -> st.SearchStrategy[int]:
    """Mostly all of the range, and its edges."""
    return st.integers(0, max(limit - 1, 0)) | st.sampled_from((0, max(limit - 1, 0)))


@st.composite
def begun(draw: st.DrawFn, header: int, middle: int, digits: int) -> str:
    """Header, filter, partition, company prefix and reference: what fits, and now and then what does not."""
    partition = draw(st.integers(0, 7))
    company = COMPANY_BITS[partition % 7]
    places = 12 - partition % 7
    prefix = draw(below(10**places) | below(2**company))
    text = f"{header:08b}{draw(st.integers(0, 7)):03b}{partition:03b}{prefix:0{company}b}"
    if (left := middle - company) == 0:
        return text
    most = min(10 ** (digits - places), 2**left)
    return text + f"{draw(below(most) | below(2**left)):0{left}b}"


@pytest.mark.parametrize("header", FORMS, ids=hex)
@given(data=st.data())
def test_a_number_of_96_bits_is_the_same_for_both(header: int, data: st.DataObject) -> None:
    middle, digits, serial, zeros = FORMS[header]
    text = data.draw(begun(header, middle, digits))
    text += f"{data.draw(below(2**serial)):0{serial}b}" if serial else ""
    text += f"{data.draw(st.just(0) | below(2**zeros)):0{zeros}b}" if zeros else ""
    agree(octets(text, 12))


@given(data=st.data())
def test_a_coupon_is_the_same_for_both(data: st.DataObject) -> None:
    serial = int("1" + data.draw(st.text("0123456789", min_size=1, max_size=12)))
    agree(octets(data.draw(begun(0x3F, 41, 12)) + f"{serial:041b}", 12))


@given(rest=st.binary(min_size=11, max_size=11))
def test_a_general_identifier_is_the_same_for_both(rest: bytes) -> None:
    agree(b"\x35" + rest)


@given(
    filter_=st.integers(0, 15),
    code=st.text("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=5, max_size=6),
    serial=below(2**36),
)
def test_a_defence_number_is_the_same_for_both(filter_: int, code: str, serial: int) -> None:
    cage = int.from_bytes(code.rjust(6).encode(), "big")
    agree(octets(f"{0x2F:08b}{filter_:04b}{cage:048b}{serial:036b}", 12))


def seven_bits(text: str) -> str:
    return "".join(f"{ord(char):07b}" for char in text)


@given(data=st.data())
def test_a_long_goods_number_is_the_same_for_both(data: st.DataObject) -> None:
    text = seven_bits(data.draw(st.text(PLAIN, min_size=1, max_size=20)))
    agree(octets(data.draw(begun(0x36, 44, 13)) + text, 25))


@given(data=st.data())
def test_a_long_asset_number_is_the_same_for_both(data: st.DataObject) -> None:
    partition = data.draw(st.integers(0, 6))
    company, places = COMPANY_BITS[partition], 12 - partition
    prefix = data.draw(below(10**places))
    text = data.draw(st.text(PLAIN, min_size=1, max_size=30 - places))
    head = f"{0x38:08b}{3:03b}{partition:03b}{prefix:0{company}b}"
    agree(octets(head + seven_bits(text), 26))


def test_epcpy_cannot_read_texts_that_begin_with_what_a_uri_escapes() -> None:
    head = f"{0x36:08b}{3:03b}{5:03b}{614141:024b}{712345:020b}"
    number = octets(head + seven_bits("/9"), 25)
    assert tag_number(number).identity_uri == "urn:epc:id:sgtin:0614141.712345.%2F9"
    assert theirs(number) is None


def test_epcpy_counts_the_characters_of_an_asset_after_it_has_escaped_them() -> None:
    number = octets(f"{0x38:08b}{3:03b}{5:03b}{614141:024b}" + seven_bits("a" * 18 + '"""'), 26)
    assert tag_number(number).identity_uri == f"urn:epc:id:giai:0614141.{'a' * 18}%22%22%22"
    assert theirs(number) is None


def test_returnable_assets_of_170_bits_are_read_by_epcpy_only() -> None:
    number = octets(f"{0x37:08b}{0:03b}{5:03b}{614141:024b}{12345:020b}" + seven_bits("A1"), 22)
    assert theirs(number) == "urn:epc:id:grai:0614141.12345.A1"
    assert tag_number(number).why == "unknown_header"


def rows(path: Path) -> list[dict[str, str]]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def test_the_examples_of_the_standard_are_the_same_for_both() -> None:
    assert len(rows(COMMITTED)) >= 12
    for row in rows(COMMITTED):
        number = bytes.fromhex(row["hex"])
        assert tag_number(number).identity_uri == theirs(number), row["scheme"]


def test_the_vectors_of_a_folder_of_captures_give_their_uri() -> None:
    folder = os.environ.get("GATEBOOK_CAPTURES")
    if not folder or not (Path(folder) / VECTORS).exists():
        missing(f"GATEBOOK_CAPTURES does not name a folder with {VECTORS}")
    for row in rows(Path(folder) / VECTORS):
        found = tag_number(bytes.fromhex(row["hex"]))
        assert (found.scheme, found.tag_uri) == (row["scheme"], row["tag_uri"])
