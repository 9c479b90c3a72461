"""Closed crossings as small rows: each text once, times as distances, flags as bits.

A closed crossing is kept for a week so that it can be revised. Most of one is names: of cards, read points and
writers, the same ones in every stay.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.message import POSITIONS
from stream.lanes.rows import Crossing, Heard

#: Stands for the number of an event whose id does not end in one.
NO_NUMBER: Final = -1

_GONE, _REVERSE, _AMBIGUOUS, _UNTRUSTED = 1, 2, 4, 8


class PackedStay(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A stay. Texts are places in the crossing's list of texts."""

    token: int
    who: int
    read_point: int
    lane: int
    direction: int
    position: int
    to_booth_s: int | None
    #: From the crossing's first read.
    after_us: int
    for_us: int
    flags: int
    #: Event ids: the text, and the number behind it.
    events: tuple[tuple[int, int], ...]


class Packed(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="packed"):
    """A closed crossing."""

    #: All of it but its stays.
    crossing: Crossing
    texts: tuple[str, ...]
    stays: tuple[PackedStay, ...]


def pack(crossing: Crossing) -> Packed:
    """The crossing as a small row; `unpack` gives it back as it was."""
    texts: dict[str, int] = {}

    def place(text: str) -> int:
        return texts.setdefault(text, len(texts))

    stays = tuple(
        [
            PackedStay(
                token=place(one.token),
                who=place(one.who),
                read_point=place(one.read_point),
                lane=place(one.lane),
                direction=place(one.direction),
                position=POSITIONS.index(one.position),
                to_booth_s=one.to_booth_s,
                after_us=one.first_us - crossing.first_us,
                for_us=one.last_us - one.first_us,
                flags=_flags(one),
                events=tuple(
                    [(place(text), number) for text, number in map(_split, one.event_ids)]
                ),
            )
            for one in crossing.heard
        ]
    )
    return Packed(crossing=replace(crossing, heard=()), texts=tuple(texts), stays=stays)


def unpack(row: Packed) -> Crossing:
    """The crossing. Raises `msgspec.ValidationError` for a row that names what is not there."""
    first_us = row.crossing.first_us
    try:
        heard = tuple([_stay(one, row.texts, first_us) for one in row.stays])
        return replace(row.crossing, heard=heard)
    except IndexError as error:
        raise msgspec.ValidationError("a closed crossing names a text that it has not") from error


def _stay(one: PackedStay, texts: tuple[str, ...], first_us: int) -> Heard:
    began_us = first_us + one.after_us
    return Heard(
        token=texts[one.token],
        who=texts[one.who],
        read_point=texts[one.read_point],
        lane=texts[one.lane],
        position=POSITIONS[one.position],
        direction=texts[one.direction],  # type: ignore[arg-type] # it was one when it was packed
        to_booth_s=one.to_booth_s,
        first_us=began_us,
        last_us=began_us + one.for_us,
        gone=bool(one.flags & _GONE),
        event_ids=tuple(
            [
                texts[text] if number == NO_NUMBER else f"{texts[text]}{number}"
                for text, number in one.events
            ]
        ),
        reverse=bool(one.flags & _REVERSE),
        ambiguous=bool(one.flags & _AMBIGUOUS),
        untrusted=bool(one.flags & _UNTRUSTED),
    )


def _flags(one: Heard) -> int:
    return (
        _GONE * one.gone
        + _REVERSE * one.reverse
        + _AMBIGUOUS * one.ambiguous
        + _UNTRUSTED * one.untrusted
    )


def _split(event_id: str) -> tuple[str, int]:
    """The id without the number at its end, and the number."""
    head, dot, number = event_id.rpartition(".")
    if number.isascii() and number.isdigit() and len(number) <= 18 and str(int(number)) == number:
        return head + dot, int(number)
    return event_id, NO_NUMBER
