"""Numbers of tags: GS1's examples, what an encoder of our own makes, and what no encoder can have made."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.epc import TagNumber, tag_number

VECTORS = Path(__file__).parents[1] / "captures" / "epc_tds_vectors.csv"
COMPANY_BITS = (40, 37, 34, 30, 27, 24, 20)

#: Scheme -> header, bits of company prefix and reference, digits of both, bits of the serial, bits of zeros.
DIGITS = {
    "sgtin-96": (0x30, 44, 13, 38, 0),
    "sscc-96": (0x31, 58, 17, 0, 24),
    "sgln-96": (0x32, 41, 12, 41, 0),
    "grai-96": (0x33, 44, 12, 38, 0),
    "gsrn-96": (0x2D, 58, 17, 0, 24),
    "gsrnp-96": (0x2E, 58, 17, 0, 24),
    "gdti-96": (0x2C, 41, 12, 41, 0),
}
#: The same, but the reference has at most so many digits, and none in front that says nothing.
NUMBERS = {"giai-96": (0x34, 82, 25, 0), "cpi-96": (0x3C, 51, 15, 31)}


def vectors() -> list[tuple[str, str, str]]:
    lines = [line for line in VECTORS.read_text().splitlines() if not line.startswith("#")]
    return [(row["scheme"], row["hex"], row["tag_uri"]) for row in csv.DictReader(lines)]


VECTOR = {scheme: bytes.fromhex(text) for scheme, text, _ in vectors()}


def bits(*fields: tuple[int, int]) -> bytes:
    """Fields (value, bits) one behind the other, filled up to a whole word."""
    text = "".join(f"{value:0{size}b}" if size else "" for value, size in fields)
    assert len(text) == sum(size for _, size in fields)
    text += "0" * (-len(text) % 16)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def why(epc: bytes, pc: int | None = None, xpc: int | None = None) -> str | None:
    number = tag_number(epc, pc, xpc)
    assert (number.scheme == "opaque") == (number.why is not None)
    assert (number.tag_uri is None) == (number.identity_uri is None) == (number.why is not None)
    return number.why


# --- GS1's examples


@pytest.mark.parametrize(("scheme", "text", "uri"), vectors())
def test_every_example_of_the_standard_gives_its_tag_uri(scheme: str, text: str, uri: str) -> None:
    number = tag_number(bytes.fromhex(text))
    assert (number.scheme, number.tag_uri, number.why) == (scheme, uri, None)


@pytest.mark.parametrize(("scheme", "text", "uri"), vectors())
def test_the_identity_leaves_the_filter_and_the_form_out(scheme: str, text: str, uri: str) -> None:
    _, _, _, _, body = uri.split(":")
    body = body if scheme == "gid-96" else body.partition(".")[2]
    kind = scheme.partition("-")[0]
    assert tag_number(bytes.fromhex(text)).identity_uri == f"urn:epc:id:{kind}:{body}"


def test_the_parts_of_a_number_can_be_told_apart() -> None:
    assert tag_number(VECTOR["sgtin-96"], 0x3000) == TagNumber(
        scheme="sgtin-96", filter=3, parts=("0614141", "812345", "6789")
    )


# --- what an encoder makes


@given(data=st.data(), scheme=st.sampled_from(sorted(DIGITS)))
def test_every_number_with_padded_digits_is_read_back(data: st.DataObject, scheme: str) -> None:
    header, middle, digits, serial_bits, zeros = DIGITS[scheme]
    filter_, partition = data.draw(st.integers(0, 7)), data.draw(st.integers(0, 6))
    company_bits, company_digits = COMPANY_BITS[partition], 12 - partition
    company = data.draw(st.integers(0, 10**company_digits - 1))
    reference = data.draw(st.integers(0, 10 ** (digits - company_digits) - 1))
    serial = data.draw(st.integers(0, 2**serial_bits - 1))
    epc = bits(
        *((header, 8), (filter_, 3), (partition, 3), (company, company_bits)),
        *((reference, middle - company_bits), (serial, serial_bits), (0, zeros)),
    )
    width = digits - company_digits
    parts = [f"{company:0{company_digits}d}", f"{reference:0{width}d}" if width else ""]
    parts += [str(serial)] if serial_bits else []
    uri = f"urn:epc:tag:{scheme}:{filter_}.{'.'.join(parts)}"
    assert tag_number(epc).tag_uri == uri


@given(data=st.data(), scheme=st.sampled_from(sorted(NUMBERS)))
def test_every_number_without_padding_is_read_back(data: st.DataObject, scheme: str) -> None:
    header, middle, digits, serial_bits = NUMBERS[scheme]
    partition = data.draw(st.integers(0, 6))
    company_bits, company_digits = COMPANY_BITS[partition], 12 - partition
    rest = middle - company_bits
    most = min(2**rest, 10 ** (digits - company_digits)) - 1
    reference = data.draw(st.integers(0, most))
    serial = data.draw(st.integers(0, 2**serial_bits - 1))
    epc = bits(
        (header, 8),
        (1, 3),
        (partition, 3),
        (7, company_bits),
        (reference, rest),
        (serial, serial_bits),
    )
    parts = [f"{7:0{company_digits}d}", str(reference)] + ([str(serial)] if serial_bits else [])
    assert tag_number(epc).parts == tuple(parts)


@given(data=st.data())
def test_every_text_of_the_alphabet_is_read_back(data: st.DataObject) -> None:
    plain = "!'()*+,-.0123456789:;=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
    text = data.draw(st.text(alphabet=plain, min_size=1, max_size=20))
    codes = [(ord(char), 7) for char in text] + [(0, 7)] * (20 - len(text))
    sgtin = bits((0x36, 8), (3, 3), (5, 3), (614141, 24), (712345, 20), *codes)
    assert tag_number(sgtin).parts == ("0614141", "712345", text)
    assert tag_number(sgtin[:25]) == tag_number(sgtin)
    giai = bits((0x38, 8), (3, 3), (5, 3), (614141, 24), *codes, (0, 24))
    assert tag_number(giai).parts == ("0614141", text)


def test_what_a_uri_cannot_hold_is_escaped() -> None:
    codes = [(ord(char), 7) for char in '"%&/<>?'] + [(0, 7)] * 13
    epc = bits((0x36, 8), (3, 3), (5, 3), (614141, 24), (712345, 20), *codes)
    assert tag_number(epc).parts[2] == "%22%25%26%2F%3C%3E%3F"


def test_zeros_in_front_of_a_coupons_serial_are_kept() -> None:
    def coupon(serial: int) -> bytes:
        return bits((0x3F, 8), (3, 3), (5, 3), (4012345, 24), (67890, 17), (serial, 41))

    assert tag_number(coupon(1000)).parts[2] == "000"
    assert tag_number(coupon(1_999_999_999_999)).parts[2] == "9" * 12
    for serial in (0, 1, 9, 2000, 2_000_000_000_000):
        assert why(coupon(serial)) == "range"


def test_a_code_of_six_characters_has_no_blank_in_front() -> None:
    def defence(code: bytes) -> bytes:
        return bits((0x2F, 8), (15, 4), (int.from_bytes(code, "big"), 48), (5, 36))

    assert tag_number(defence(b"W25G1V")).tag_uri == "urn:epc:tag:usdod-96:15.W25G1V.5"
    for code in (b"  S194", b"2S19 4", b"2s1944", b"2SI944", b"2SO944", b"2S194\0"):
        assert why(defence(code)) == "characters"


# --- the PC is asked first


@pytest.mark.parametrize(
    ("pc", "xpc", "reason"),
    [
        (None, None, None),
        (0x3000, None, None),
        (0x3400, None, None),  # user memory
        (0x30FF, None, None),  # without the toggle the low byte is no AFI
        (0x3200, 0x8001, None),  # the reader took the XPC word out of the count
        (0x3A00, None, None),
        (0x4200, None, None),
        (0x3A00, 0x8001, None),
        (0x4200, 0x8001_0002, None),
        (0x4200, 0x8001, "pc_length"),
        (0x3A00, 0x8001_0002, "pc_length"),
        (0x4A00, None, "pc_length"),
        (0x3800, 0x8001, "pc_length"),
        (0x2800, None, "pc_length"),
        (0x0000, None, "pc_length"),
        (0x31A1, None, "iso"),
        (0x3BA1, 0x8001, "iso"),
        (0x29A1, None, "pc_length"),
    ],
)
def test_a_gs1_number_counts_only_under_a_pc_that_allows_it(
    pc: int | None, xpc: int | None, reason: str | None
) -> None:
    assert why(VECTOR["sgtin-96"], pc, xpc) == reason


def test_an_iso_tag_keeps_its_application_family() -> None:
    # PC and EPC as an FX9600 reported them: 7 words, XI and toggle set, AFI 17, one XPC word.
    number = tag_number(VECTOR["sscc-96"], 0x3B17, 0x8001)
    assert number == TagNumber(why="iso", afi=0x17)
    assert tag_number(VECTOR["sscc-96"], 0x3017).afi is None


# --- strict


@pytest.mark.parametrize(
    ("epc", "reason"),
    [
        (b"", "empty"),
        (bytes(12), "unprogrammed"),
        (bytes.fromhex("E2806894000040017790E471"), "factory"),
        (bytes.fromhex("FF00000000000000000000AA"), "unknown_header"),
        (bytes.fromhex("3074257B"), "length"),
        (VECTOR["sgtin-96"] + bytes(2), "length"),
        (VECTOR["giai-202"][:-1], "length"),
        (VECTOR["sgtin-198"] + bytes(2), "length"),
        (bits((0x30, 8), (3, 3), (7, 3), (0, 82)), "partition"),
        (bits((0x30, 8), (3, 3), (6, 3), (10**6, 20), (0, 24), (0, 38)), "range"),
        (bits((0x30, 8), (3, 3), (6, 3), (0, 20), (10**7, 24), (0, 38)), "range"),
        (bits((0x30, 8), (3, 3), (0, 3), (10**12, 40), (0, 4), (0, 38)), "range"),
        (bits((0x30, 8), (3, 3), (0, 3), (0, 40), (10, 4), (0, 38)), "range"),
        (bits((0x32, 8), (3, 3), (0, 3), (0, 40), (1, 1), (0, 41)), "range"),
        (bits((0x3C, 8), (3, 3), (0, 3), (0, 40), (1000, 11), (0, 31)), "range"),
        (VECTOR["sscc-96"][:-1] + b"\x01", "reserved"),
        (VECTOR["gsrn-96"][:-1] + b"\x01", "reserved"),
        (VECTOR["sgtin-198"][:-1] + b"\x01", "reserved"),
        (VECTOR["giai-202"][:-1] + b"\x01", "reserved"),
        (bits((0x36, 8), (3, 3), (5, 3), (1, 24), (1, 20), (0, 140)), "characters"),
        (
            bits((0x36, 8), (3, 3), (5, 3), (1, 24), (1, 20), (0, 7), (65, 7), (0, 126)),
            "characters",
        ),
        (bits((0x36, 8), (3, 3), (5, 3), (1, 24), (1, 20), (35, 7), (0, 133)), "characters"),
        (bits((0x38, 8), (3, 3), (0, 3), (1, 40), *[(65, 7)] * 19, (0, 15)), "range"),
        (bits((0x38, 8), (3, 3), (0, 3), (1, 40), (65, 7), (0, 140), (1, 1)), "reserved"),
    ],
)
def test_what_no_encoder_can_have_made_is_opaque_with_its_reason(epc: bytes, reason: str) -> None:
    assert why(epc) == reason


@given(
    epc=st.binary(max_size=64)
    | st.tuples(st.sampled_from(sorted(VECTOR.values())), st.binary(max_size=26)).map(
        lambda pair: pair[0][:1] + pair[1]
    ),
    pc=st.none() | st.integers(0, 0xFFFF),
    xpc=st.none() | st.integers(0, 0xFFFF_FFFF),
)
def test_no_number_raises(epc: bytes, pc: int | None, xpc: int | None) -> None:
    why(epc, pc, xpc)


@given(scheme=st.sampled_from(sorted(VECTOR)), place=st.integers(8, 207), other=st.integers(8, 207))
def test_no_two_numbers_are_called_the_same(scheme: str, place: int, other: int) -> None:
    def flipped(bit: int) -> bytes:
        size = len(VECTOR[scheme])
        value = int.from_bytes(VECTOR[scheme], "big") ^ 1 << bit % (8 * size - 8)
        return value.to_bytes(size, "big")

    one, two = flipped(place), flipped(other)
    if one != two and why(one) is None and why(two) is None:
        assert tag_number(one).tag_uri != tag_number(two).tag_uri
