"""What every decoder keeps, whatever bytes it is fed: one input of the fuzzer, tried on one protocol.

input: options (1 byte) | cuts (1 byte) | what the reader sends
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, cast

from gateway.protocols import PROTOCOLS
from gateway.reads import Decoder, Outcome, Read

CORPUS: Final = Path(__file__).parent / "corpus"
NOW: Final = 1_788_785_436_194_000
#: No decoder may hold more bytes than this, and no more reads.
MAX_HELD: Final = 4096
SILENCE_US: Final = 3_600_000_000
GOOD: Final = Read(epc=b"a good card.", at_us=NOW, rssi_dbm=-50, key="7")
#: Good frames that are longer than any frame of any protocol: a header in the garbage can swallow so many bytes.
MANY: Final = 30

#: The first byte of an input chooses one of these.
OPTIONS: Final[dict[str, Sequence[Mapping[str, object]]]] = {
    "ascii_line": (
        *({"dialect": dialect} for dialect in ("auto", "metratec_at", "metratec_ascii")),
        *({"dialect": dialect} for dialect in ("transcore_basic", "transcore_ecp")),
        {"dialect": "pattern", "pattern": r"(?P<epc>[0-9A-F]*),?(?P<ant>\d*),?(?P<rssi>-?\d*)"},
    ),
    "uhfreader": (
        {},
        {"dialect": "18"},
        {"dialect": "288", "antennas": "index"},
        {"mode": "push"},
    ),
}
#: Options under which the decoder must read what the protocol's own encoder builds.
ENCODED: Final = {
    "ascii_line": ({"dialect": "auto"}, {"dialect": "metratec_at"}),
    "uhfreader": ({}, {"dialect": "288", "antennas": "index"}, {"mode": "push"}),
}


class _Encoder(Protocol):
    def encode(self, read: Read) -> bytes: ...


def check(name: str, data: bytes) -> None:
    """Fail if the decoder raises, holds too much, depends on where bytes are cut, or misses a later good frame."""
    choices = OPTIONS.get(name, ({},))
    options = choices[data[0] % len(choices)] if data else {}
    cuts, sent = data[1:2] or b"\0", data[2:]
    if PROTOCOLS[name].framing == "message":
        _fed(_decoder(name, options), [sent])
    else:
        whole = _fed(_decoder(name, options), [sent])
        pieces = list(_cut(sent, cuts[0]))
        assert _fed(_decoder(name, options), pieces) == whole, "other outcomes where it is cut"
    if options in ENCODED.get(name, choices):
        _finds_good_frames(name, options, sent)


def inputs(name: str) -> list[bytes]:
    """The kept inputs of a protocol: lines of hex, `#` begins a comment."""
    lines = (CORPUS / f"{name}.hex").read_text().splitlines()
    texts = (line.partition("#")[0].strip() for line in lines)
    return [bytes.fromhex(text) for text in texts if text]


def held(decoder: Decoder) -> int:
    """The most that a decoder, or a part of it, holds of anything."""
    parts = [vars(value) for value in vars(decoder).values() if hasattr(value, "__dict__")]
    values = [value for part in (vars(decoder), *parts) for value in part.values()]
    return max((len(value) for value in values if isinstance(value, bytes | list | set)), default=0)


def _decoder(name: str, options: Mapping[str, object]) -> Decoder:
    decoder = PROTOCOLS[name].decoder(options)
    decoder.start()
    return decoder


def _cut(sent: bytes, size: int) -> Iterator[bytes]:
    """Pieces of 1 to 16 bytes, of a length that changes as it goes."""
    at = 0
    while at < len(sent):
        length = 1 + (size & 15)
        yield sent[at : at + length]
        at, size = at + length, size * 5 + 7 & 0xFF


def _fed(decoder: Decoder, pieces: Sequence[bytes]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for piece in pieces:
        outcomes += decoder.feed(piece, NOW)
        assert held(decoder) <= MAX_HELD, "holds too much"
    outcomes += decoder.flush(NOW)
    assert held(decoder) <= MAX_HELD, "holds too much"
    return outcomes


def _finds_good_frames(name: str, options: Mapping[str, object], sent: bytes) -> None:
    """A good frame is read after silence, and the last of many without."""
    module = cast("_Encoder", importlib.import_module(f"gateway.protocols.{name}"))
    good = module.encode(GOOD)
    one = _decoder(name, options)
    one.feed(sent, NOW)
    one.due(NOW + SILENCE_US)
    assert _last(one.feed(good, NOW) + one.flush(NOW)) == GOOD.epc, "missed after silence"
    if PROTOCOLS[name].framing == "stream":
        two = _decoder(name, options)
        assert _last(_fed(two, [sent, good * MANY])) == GOOD.epc, "missed after garbage"


def _last(outcomes: Sequence[Outcome]) -> bytes | None:
    reads = [outcome.epc for outcome in outcomes if isinstance(outcome, Read)]
    return reads[-1] if reads else None
