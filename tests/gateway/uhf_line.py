"""Frames of UHFReader lines and a decoder for them; those marked CH1 and CH2 are in tests/captures/README.md."""

from gateway.protocols import uhfreader
from gateway.reads import Outcome
from gateway.uhf_frames import Tag, encode_tags_288

CH1_18 = bytes.fromhex("13000103010C49440000000000000A000334A5FB")
CH1_288 = bytes.fromhex("1500010304010C49440000000000000A0003346425C0")
CH1_4_BYTES = bytes.fromhex("0D000103010104003230386DA3D2")
CH1_TWO = bytes.fromhex("2300010301020C0000000000000000000003136B0C0000000000000000000003146C70F2")
CH1_FINISHED = bytes.fromhex("0700010101001E4B")
CH1_INFO = bytes.fromhex("1100210000160C034E001E0A01000000E651")
CH2_POLL = bytes.fromhex("06000104FFD439")

EVIL_EPC = bytes.fromhex("00323038")
GOOD_EPC = b"a good card."
GOOD = encode_tags_288([Tag(GOOD_EPC)])
TID = bytes.fromhex("E2801160200074C52B7109D3")


def decoder(**options: object) -> uhfreader.UhfReaderDecoder:
    """A decoder with these options."""
    return uhfreader.decoder(options)


def decoded(*chunks: bytes) -> list[Outcome]:
    """All that a decoder of its own says about these chunks."""
    one = decoder()
    return [o for chunk in chunks for o in one.feed(chunk, 5)] + one.flush(5)
