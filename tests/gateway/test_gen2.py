"""Against values that devices and manuals printed; none of them was made by this code."""

import pytest

from gateway import gen2


@pytest.mark.parametrize(
    ("pc_and_epc", "crc"),
    [
        ("3000000000000000000000001545", 0xE94A),
        ("0218", 0x17AB),
        ("340030751FEB705C5904E3D50D70", 0x3A76),
        ("3000E2806894000040017790E471", 0xF3B3),
    ],
)
def test_the_crc_is_the_one_that_tags_of_four_vendors_readers_sent(
    pc_and_epc: str, crc: int
) -> None:
    sent = bytes.fromhex(pc_and_epc)
    assert gen2.tag_crc(sent) == crc
    assert gen2.fault(sent + crc.to_bytes(2, "big")) is None


def test_each_single_wrong_bit_behind_the_pc_fails_the_crc() -> None:
    answer = bytes.fromhex("340030751FEB705C5904E3D50D703A76")
    for bit in range(16, len(answer) * 8):
        wrong = bytearray(answer)
        wrong[bit // 8] ^= 0x80 >> bit % 8
        assert gen2.fault(bytes(wrong)) == "tag_crc"


def test_a_pc_that_counts_other_words_is_a_wrong_length() -> None:
    assert gen2.fault(bytes.fromhex("280030751FEB705C5904E3D50D703A76")) == "pc_length"


def test_with_an_xpc_word_neither_length_nor_crc_is_a_fault() -> None:
    assert gen2.has_xpc(0x3B17)
    assert gen2.fault(bytes.fromhex("3B1730751FEB705C5904E3D50D700000")) is None


def test_the_toggle_tells_an_iso_tag_and_its_family() -> None:
    assert gen2.afi(0x3B17) == 0x17
    assert gen2.afi(0x3400) is None
    assert gen2.words(0x3B17) == 7


def test_a_plain_pc_counts_words_and_refuses_what_no_pc_can_count() -> None:
    assert gen2.plain_pc(bytes(12)) == 0x3000
    assert gen2.plain_pc(b"") == 0
    for length in (3, 64):
        with pytest.raises(ValueError, match="an EPC has"):
            gen2.plain_pc(bytes(length))
