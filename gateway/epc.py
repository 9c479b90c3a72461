"""What a tag's number says: the GS1 scheme and its parts, or that it follows none.

    header 8 | filter 3 | partition 3 | company prefix, reference | serial, or zeros | zeros to a whole word

Partition 0 to 6 tells how many bits of the middle are the company prefix; it has 12 to 6 digits. The reference
has the rest of the bits, and the rest of the digits. USDOD and GID have no partition.

The PC is asked first: with its toggle bit set, the number follows ISO rules (for freight ISO 17363 or ISO/TS
10891, whose layouts are not public), and the same first byte means something else.

The two long schemes end within a word: GS1's examples fill up the byte, a tag fills up the word.

Strict: a number that a GS1 encoder cannot have made is opaque, with the reason. Numbers of border cards are
opaque: nothing public says how they are built. The parts and the URIs are as personal as the number.

Sources: GS1 EPC Tag Data Standard 1.x, chapter 14, and its examples (`tests/captures/epc_tds_vectors.csv`);
ISO/IEC 18000-63 for the PC. Unverified: that a PC with XI counts its XPC words, which some readers show.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from gateway.gen2 import afi, has_xpc, words

Why = Literal[
    "empty",
    "pc_length",  # the PC counts other words than came
    "iso",  # the PC says so
    "unprogrammed",  # begins with 00
    "factory",  # begins with E2, as a TID does: the number that a tag leaves its factory with
    "unknown_header",
    "length",  # not the scheme's
    "partition",  # there is no partition 7
    "range",  # more than the digits can hold
    "reserved",  # a bit is set that must be zero
    "characters",  # not of the scheme's alphabet
]
"""Why a number is opaque."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagNumber:
    """What is known of a number. `why` is None where it has a scheme, else `scheme` is `opaque`."""

    scheme: str = "opaque"
    why: Why | None = None
    #: ISO tags: the application family identifier.
    afi: int | None = None
    #: What kind of thing the tag is on, in a code of the scheme's; no part of the identity. GID has none.
    filter: int | None = None
    #: What the URI says, in its order: the company prefix, what of it (missing in GIAI), the serial.
    parts: tuple[str, ...] = ()

    @property
    def tag_uri(self) -> str | None:
        """All that the tag says: `urn:epc:tag:sgtin-96:3.0614141.812345.6789`; None when opaque."""
        if self.why is not None:
            return None
        parts = self.parts if self.filter is None else (str(self.filter), *self.parts)
        return f"urn:epc:tag:{self.scheme}:{'.'.join(parts)}"

    @property
    def identity_uri(self) -> str | None:
        """What it is, however it is written: `urn:epc:id:sgtin:0614141.812345.6789`; None when opaque."""
        if self.why is not None:
            return None
        return f"urn:epc:id:{self.scheme.partition('-')[0]}:{'.'.join(self.parts)}"


Kind = Literal["number", "digits", "suffix", "text", "cage", "zeros"]
"""How a field's bits are read: `digits` keeps leading zeros, `suffix` is digits behind a 1 that keeps them."""


class _Field(NamedTuple):
    kind: Kind
    bits: int
    #: At most so many digits or characters, or exactly so many `digits`; 0: as many as fit.
    places: int = 0


class _Scheme(NamedTuple):
    name: str
    bits: int
    filter_bits: int
    #: Company prefix and reference together; None: the scheme has no partition.
    middle: _Field | None
    rest: tuple[_Field, ...] = ()


#: First byte -> scheme.
_SCHEMES: Final = {
    0x2C: _Scheme("gdti-96", 96, 3, _Field("digits", 41, 12), (_Field("number", 41),)),
    0x2D: _Scheme("gsrn-96", 96, 3, _Field("digits", 58, 17), (_Field("zeros", 24),)),
    0x2E: _Scheme("gsrnp-96", 96, 3, _Field("digits", 58, 17), (_Field("zeros", 24),)),
    0x2F: _Scheme("usdod-96", 96, 4, None, (_Field("cage", 48), _Field("number", 36))),
    0x30: _Scheme("sgtin-96", 96, 3, _Field("digits", 44, 13), (_Field("number", 38),)),
    0x31: _Scheme("sscc-96", 96, 3, _Field("digits", 58, 17), (_Field("zeros", 24),)),
    0x32: _Scheme("sgln-96", 96, 3, _Field("digits", 41, 12), (_Field("number", 41),)),
    0x33: _Scheme("grai-96", 96, 3, _Field("digits", 44, 12), (_Field("number", 38),)),
    0x34: _Scheme("giai-96", 96, 3, _Field("number", 82, 25)),
    0x35: _Scheme(
        "gid-96", 96, 0, None, (_Field("number", 28), _Field("number", 24), _Field("number", 36))
    ),
    0x36: _Scheme("sgtin-198", 198, 3, _Field("digits", 44, 13), (_Field("text", 140, 20),)),
    0x38: _Scheme("giai-202", 202, 3, _Field("text", 188, 30)),
    0x3C: _Scheme("cpi-96", 96, 3, _Field("number", 51, 15), (_Field("number", 31),)),
    0x3F: _Scheme("sgcn-96", 96, 3, _Field("digits", 41, 12), (_Field("suffix", 41, 12),)),
}

#: Partition -> bits of the company prefix; it has 12 digits less the partition.
_COMPANY_BITS: Final = (40, 37, 34, 30, 27, 24, 20)
_COMPANY_DIGITS: Final = 12

_DIGITS: Final = "0123456789"
_CAPITALS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: GS1 character set 82, and what of it a URI writes in another way.
_ALPHABET: Final = frozenset("!\"%&'()*+,-./:;<=>?_" + _DIGITS + _CAPITALS + _CAPITALS.lower())
_ESCAPED: Final = str.maketrans({char: f"%{ord(char):02X}" for char in '"%&/<>?'})
#: A CAGE code or a DoDAAC: there is no I and no O.
_CAGE: Final = frozenset(_DIGITS + _CAPITALS) - {"I", "O"}

_WITHOUT_SCHEME: Final[dict[int, Why]] = {0x00: "unprogrammed", 0xE2: "factory"}


class _OpaqueError(ValueError):
    """Inside this module: no encoder made this."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


class _Bits:
    """Takes fields from a number, from its first bit on."""

    def __init__(self, octets: bytes) -> None:
        self.left = 8 * len(octets)
        self._value = int.from_bytes(octets, "big")

    def take(self, count: int) -> int:
        self.left -= count
        return self._value >> self.left & (1 << count) - 1


def tag_number(epc: bytes, pc: int | None = None, xpc: int | None = None) -> TagNumber:
    """What the number of a tag says: the EPC without PC and XPC, and these where they are known.

    Takes any bytes and any words. `xpc` is one word, or two as one number.
    """
    if not epc:
        return TagNumber(why="empty")
    if pc is not None:
        if not _counted(len(epc), pc, xpc):
            return TagNumber(why="pc_length")
        family = afi(pc)
        if family is not None:
            return TagNumber(why="iso", afi=family)
    scheme = _SCHEMES.get(epc[0])
    if scheme is None:
        return TagNumber(why=_WITHOUT_SCHEME.get(epc[0], "unknown_header"))
    try:
        return _take(scheme, epc)
    except _OpaqueError as opaque:
        return TagNumber(why=opaque.why)


def _counted(size: int, pc: int, xpc: int | None) -> bool:
    """Whether the PC counts so many bytes: alone, or with the XPC words."""
    beside = 2 * words(pc) - size
    if beside == 0 or not has_xpc(pc):
        return beside == 0
    return beside in {2, 4} if xpc is None else beside == (2 if xpc <= 0xFFFF else 4)


def _take(scheme: _Scheme, epc: bytes) -> TagNumber:
    if len(epc) not in {-(-scheme.bits // 8), -(-scheme.bits // 16) * 2}:
        raise _OpaqueError("length")
    bits = _Bits(epc)
    bits.take(8)
    filter_ = bits.take(scheme.filter_bits) if scheme.filter_bits else None
    parts = [] if scheme.middle is None else list(_middle(scheme.middle, bits))
    for field in scheme.rest:
        part = _part(field, bits)
        if part is not None:
            parts.append(part)
    if bits.take(bits.left):
        raise _OpaqueError("reserved")
    return TagNumber(scheme=scheme.name, filter=filter_, parts=tuple(parts))


def _middle(middle: _Field, bits: _Bits) -> Iterator[str]:
    """Company prefix and reference."""
    partition = bits.take(3)
    if partition >= len(_COMPANY_BITS):
        raise _OpaqueError("partition")
    company = _Field("digits", _COMPANY_BITS[partition], _COMPANY_DIGITS - partition)
    for field in (company, _rest_of(middle, company)):
        part = _part(field, bits)
        if part is not None:
            yield part


def _rest_of(middle: _Field, company: _Field) -> _Field:
    return _Field(middle.kind, middle.bits - company.bits, middle.places - company.places)


def _part(field: _Field, bits: _Bits) -> str | None:
    """What the field's bits say; None when they say nothing."""
    if field.kind == "cage":
        return _cage(bits)
    if field.kind == "text":
        return _text(field, bits)
    value = bits.take(field.bits)
    if field.kind == "zeros":
        if value:
            raise _OpaqueError("reserved")
        return None
    if field.kind == "suffix":
        return _suffix(value, field.places)
    text = str(value)
    if field.kind == "digits":
        # No digits at all is a part, too: the place of a company whose prefix leaves no room.
        text = text.zfill(field.places) if value or field.places else ""
        fits = len(text) == field.places
    else:
        fits = not field.places or len(text) <= field.places
    if not fits:
        raise _OpaqueError("range")
    return text


def _suffix(value: int, places: int) -> str:
    text = str(value)
    if text[0] != "1" or not 1 < len(text) <= places + 1:
        raise _OpaqueError("range")
    return text[1:]


def _text(field: _Field, bits: _Bits) -> str:
    """Characters of seven bits, and zeros behind them."""
    codes = [bits.take(7) for _ in range(field.bits // 7)]
    text = "".join(map(chr, codes)).rstrip("\0")
    if bits.take(field.bits % 7):
        raise _OpaqueError("reserved")
    if not text or not _ALPHABET.issuperset(text):
        raise _OpaqueError("characters")
    if len(text) > field.places:
        raise _OpaqueError("range")
    return text.translate(_ESCAPED)


def _cage(bits: _Bits) -> str:
    """Six characters of eight bits; a code of five has a blank in front."""
    text = "".join(chr(bits.take(8)) for _ in range(6)).removeprefix(" ")
    if not _CAGE.issuperset(text):
        raise _OpaqueError("characters")
    return text
