"""The sightings of a crossing: one row a card and read point, however often the card comes and goes."""

from typing import Final

from msgspec.structs import replace

from schemas.gate import Sighting
from schemas.reference import Credential
from stream.lanes.rows import Heard

#: Event ids kept for one card at one read point: the first one and the latest ones.
MAX_EVENT_IDS: Final = 8

#: Cards and read points of one crossing beyond this are left out and flagged: bounds the row.
MAX_HEARD: Final = 100


def add(
    every: tuple[Heard, ...], sighting: Sighting, credential: Credential | None, *, gone: bool
) -> tuple[Heard, ...]:
    """The sightings with one more, sorted by time."""
    for at, heard in enumerate(every):
        if heard.token == sighting.token and heard.read_point == sighting.read_point:
            merged = replace(
                heard,
                first_us=min(heard.first_us, sighting.first_us),
                last_us=max(heard.last_us, sighting.last_us),
                gone=gone,
                event_ids=_bounded(heard.event_ids, sighting.event_id),
            )
            return _sorted((*every[:at], merged, *every[at + 1 :]))
    if len(every) >= MAX_HEARD:
        return every
    one = Heard(
        token=sighting.token,
        subject=sighting.token if credential is None else credential.credential_id,
        read_point=sighting.read_point,
        lane=sighting.lane,
        position=sighting.position,
        to_booth_s=sighting.to_booth_s,
        first_us=sighting.first_us,
        last_us=sighting.last_us,
        gone=gone,
        event_ids=(sighting.event_id,),
    )
    return _sorted((*every, one))


def over(heard: Heard, sighting: Sighting) -> Heard:
    """The stay has ended; its times are final."""
    return replace(
        heard,
        first_us=min(heard.first_us, sighting.first_us),
        last_us=max(heard.last_us, sighting.last_us),
        gone=True,
        event_ids=_bounded(heard.event_ids, sighting.event_id),
    )


def _bounded(event_ids: tuple[str, ...], one: str) -> tuple[str, ...]:
    if one in event_ids:
        return event_ids
    every = (*event_ids, one)
    return every if len(every) <= MAX_EVENT_IDS else (every[0], *every[-(MAX_EVENT_IDS - 1) :])


def _sorted(every: tuple[Heard, ...]) -> tuple[Heard, ...]:
    return tuple(sorted(every, key=lambda one: (one.first_us, one.token, one.read_point)))
