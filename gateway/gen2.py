"""What EPC Gen2 tags of every vendor have in common: protocol control words and the tag's own CRC.

A tag answers PC | EPC | CRC-16. PC, from its top bit down (ISO/IEC 18000-63):

    5 bits words of what follows | 1 user memory | 1 XI: XPC word | 1 toggle: ISO | 8 AFI or reserved
"""

from binascii import crc_hqx
from typing import Final

#: PC: an XPC word belongs to the answer, and is counted among its words.
XI: Final = 0x0200
#: PC: the content follows ISO rules and the low byte is an application family identifier.
TOGGLE: Final = 0x0100
#: PC can count 31 words, so no tag answers with more.
MAX_EPC_BYTES: Final = 62

#: What is left of the CRC over a whole PC | EPC | CRC: as for any CRC-16 of this kind.
RESIDUE: Final = 0x1D0F


def tag_crc(pc_and_epc: bytes) -> int:
    """The CRC-16 that a tag answers behind its PC and EPC."""
    return crc_hqx(pc_and_epc, 0xFFFF) ^ 0xFFFF


def words(pc: int) -> int:
    """How many 16-bit words the tag answers behind its PC, XPC words among them."""
    return pc >> 11 & 0x1F


def has_xpc(pc: int) -> bool:
    """True when the tag answers an XPC word too, so that its EPC is shorter than PC says."""
    return bool(pc & XI)


def afi(pc: int) -> int | None:
    """The application family identifier of an ISO tag; None when the tag follows EPC rules."""
    return pc & 0xFF if pc & TOGGLE else None


def fault(answer: bytes) -> str | None:
    """What is wrong with an answer PC | EPC | CRC (4 bytes or more): `pc_length`, `tag_crc` or None.

    How length, CRC and XPC words go together is unverified, so with XI set nothing is wrong.
    """
    if answer[0] & XI >> 8:
        return None
    if answer[0] >> 3 << 1 != len(answer) - 4:
        return "pc_length"
    return None if crc_hqx(answer, 0xFFFF) == RESIDUE else "tag_crc"


def plain_pc(epc: bytes) -> int:
    """The PC of a tag with this EPC and nothing else; raises ValueError when no PC can count it."""
    if len(epc) % 2 or len(epc) > MAX_EPC_BYTES:
        raise ValueError(f"an EPC has 0, 2, ... {MAX_EPC_BYTES} bytes, not {len(epc)}")
    return len(epc) // 2 << 11
