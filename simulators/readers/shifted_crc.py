"""The CRC that ThingMagic modules and TransCore readers share: bits of the text are shifted into the register.

Polynomial 1021, most significant bit first. ThingMagic begins with FFFF (FF 00 03 1D 0C shows it), TransCore
with 0 (MPRX guide, page 4-52). Written by its definition, apart from the fast form that the gateway uses.
"""

from typing import Final

POLYNOMIAL: Final = 0x1021


def _folded(top: int) -> int:
    """What the eight bits that leave the register do to those that stay."""
    register = top << 8
    for _ in range(8):
        register = register << 1 ^ (POLYNOMIAL if register & 0x8000 else 0)
    return register & 0xFFFF


_FOLDED: Final = tuple(map(_folded, range(256)))


def shifted_crc(text: bytes, seed: int) -> int:
    """The register after all bits of the text."""
    register = seed
    for byte in text:
        register = (register << 8 & 0xFF00 | byte) ^ _FOLDED[register >> 8]
    return register
