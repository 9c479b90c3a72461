"""The file that simulated readers and officers follow: one JSON object a line. Pure; times are absolute.

    {"kind":"reader","id":"r200-l01","protocol":"r200"}
    {"kind":"stay","from_us":…,"until_us":…,"reader":"r200-l01","antenna":null,"epc":"E2…","rssi_dbm":-52}
    {"kind":"decision","decision":{…}}
    {"kind":"end"}

Readers come first. The file may grow while it is followed, until its `end`.
"""

from collections.abc import Iterable, Iterator

import msgspec

from schemas.gate import Decision
from simulators.site import Protocol, SiteReader
from simulators.world import Passage, Stay


class WorldFileError(ValueError):
    """A line that cannot be used; the text says which and why."""


class ReaderLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="reader"):
    """A reader that takes part."""

    id: str
    protocol: Protocol


class StayLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="stay"):
    """A tag can be heard by an antenna from a time to a time."""

    from_us: int
    until_us: int
    reader: str
    antenna: int | None
    #: As hex: cards that are invented, so they may stand in a file.
    epc: str
    rssi_dbm: int


class DecisionLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="decision"):
    """What an officer says when its time has come."""

    decision: Decision


class EndLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="end"):
    """Nothing more will come."""


WorldLine = ReaderLine | StayLine | DecisionLine | EndLine

_decoder = msgspec.json.Decoder(WorldLine)
_encoder = msgspec.json.Encoder()


def reader_lines(readers: Iterable[SiteReader]) -> bytes:
    """The head of a file."""
    return _lines(ReaderLine(id=reader.id, protocol=reader.protocol) for reader in readers)


def passage_lines(passages: Iterable[Passage]) -> bytes:
    """Stays and decisions of some passages, in the order of their times."""
    timed: list[tuple[int, WorldLine]] = []
    for passage in passages:
        timed += [(stay.from_us, _stay_line(stay)) for stay in passage.stays]
        timed.append((passage.decision.at_us, DecisionLine(decision=passage.decision)))
    return _lines(line for _, line in sorted(timed, key=lambda one: one[0]))


def end_line() -> bytes:
    """The last line of a file."""
    return _lines((EndLine(),))


def parse_world_line(number: int, text: bytes) -> WorldLine:
    """Line `number` (from 1); raises `WorldFileError`."""
    try:
        line: WorldLine = _decoder.decode(text)
        if isinstance(line, StayLine):
            bytes.fromhex(line.epc)
    except (msgspec.DecodeError, ValueError) as error:
        raise WorldFileError(f"line {number}: {error}") from None
    return line


def _stay_line(stay: Stay) -> StayLine:
    return StayLine(
        from_us=stay.from_us,
        until_us=stay.until_us,
        reader=stay.reader,
        antenna=stay.antenna,
        epc=stay.epc.hex().upper(),
        rssi_dbm=stay.rssi_dbm,
    )


def _lines(lines: Iterable[WorldLine]) -> bytes:
    return b"".join(_ended(lines))


def _ended(lines: Iterable[WorldLine]) -> Iterator[bytes]:
    for line in lines:
        yield _encoder.encode(line) + b"\n"
