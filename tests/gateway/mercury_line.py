"""Frames of Mercury lines and a decoder for them; those marked TM are in tests/captures/README.md."""

from gateway.mercury_frames import encode_tag
from gateway.protocols import mercury
from gateway.reads import Outcome

TM1 = bytes.fromhex(
    "FF2822000010001B01FF0101C4110E16400000012700000500000F00803000000000000000000000001545E94A561D"
)
EVIL_EPC = bytes.fromhex("E2801160600002054CC2096F")
GOOD_EPC = b"a good card."
GOOD = encode_tag(GOOD_EPC)


def decoder(**options: object) -> mercury.MercuryDecoder:
    """A decoder with these options."""
    return mercury.decoder(options)


def decoded(*chunks: bytes) -> list[Outcome]:
    """All that a decoder of its own says about these chunks."""
    one = decoder()
    return [o for chunk in chunks for o in one.feed(chunk, 5)] + one.flush(5)
