"""Numbers of tags against epcpy, a GS1 encoder and decoder that we did not write.

It asks no PC and calls a number by what it is (`urn:epc:id`), so that is what is compared.
"""

import sys

import pytest
from epcpy.utils.parsers import hex_to_tag_encodable, tag_uri_to_tag_encodable
from hypothesis import given
from hypothesis import strategies as st

from gateway.epc import tag_number

#: Scheme -> digits of company prefix and reference together, bits of the serial.
DIGITS = {
    "sgtin-96": (13, 38),
    "sscc-96": (17, 0),
    "sgln-96": (12, 41),
    "grai-96": (12, 38),
    "gsrn-96": (17, 0),
    "gsrnp-96": (17, 0),
    "gdti-96": (12, 41),
}
#: Headers of the schemes with 96 bits that both know.
HEADERS = [0x2C, 0x30, 0x32, 0x33, 0x34, 0x35, 0x3C]


def digits(size: int) -> st.SearchStrategy[str]:
    return st.integers(0, 10**size - 1).map(lambda number: f"{number:0{size}d}" if size else "")


@st.composite
def tag_uris(draw: st.DrawFn, scheme: str) -> str:
    places, serial = DIGITS[scheme]
    company = draw(st.integers(6, min(12, places - 1)))
    parts = [str(draw(st.integers(0, 7))), draw(digits(company)), draw(digits(places - company))]
    parts += [str(draw(st.integers(0, 2**serial - 1)))] if serial else []
    return f"urn:epc:tag:{scheme}:{'.'.join(parts)}"


def encoded(uri: str) -> bytes:
    """The number as epcpy writes it: each scheme has its own names for the form and the filter."""
    scheme, _, filter_ = uri.partition(".")[0].rpartition(":")
    tag = tag_uri_to_tag_encodable(uri)
    kind = type(tag)
    form = kind.__dict__["BinaryCodingScheme"](scheme.rpartition(":")[2])
    filters = vars(sys.modules[kind.__module__])[f"{kind.__name__}FilterValue"]
    text = tag.hex(binary_coding_scheme=form, filter_value=filters(filter_))
    return bytes.fromhex(text)


@pytest.mark.parametrize("scheme", DIGITS)
@given(data=st.data())
def test_what_epcpy_encodes_is_read_back_as_it_was(scheme: str, data: st.DataObject) -> None:
    uri = data.draw(tag_uris(scheme))
    assert tag_number(encoded(uri)).tag_uri == uri


@pytest.mark.parametrize("header", HEADERS, ids=hex)
@given(rest=st.binary(min_size=11, max_size=11))
def test_a_number_that_we_can_read_is_the_same_for_epcpy(header: int, rest: bytes) -> None:
    number = bytes((header,)) + rest
    ours = tag_number(number).identity_uri
    if ours is not None:
        assert hex_to_tag_encodable(number.hex().upper()).epc_uri == ours
