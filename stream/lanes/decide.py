"""Which crossing an officer's word is about, looking only at what comes before it in the order of grouping."""

from typing import Final, NamedTuple, TypeVar

from schemas.gate import Correction, Decision, ManualRead
from stream.lanes.past import Past, past_of
from stream.lanes.rows import SLACK_US, AnyWord, Corrected, Crossing, Keyed, Ruling
from stream.lanes.world import World

#: Words of one kind about one crossing beyond this are the latest ones: bounds the row.
MAX_WORDS: Final = 50

_Kind = TypeVar("_Kind", Ruling, Keyed, Corrected)


def word_of(message: Decision | ManualRead | Correction) -> AnyWord:
    """What the message says, as a row keeps it."""
    match message:
        case Decision():
            return Ruling(
                event_id=message.event_id,
                at_us=message.at_us,
                country=message.country,
                named=message.crossing_id,
                lane=message.lane,
                outcome=message.outcome,
                subjects=message.subjects,
                persons=message.persons,
            )
        case ManualRead():
            return Keyed(
                event_id=message.event_id,
                at_us=message.at_us,
                country=message.country,
                named=message.crossing_id,
                lane=message.lane,
                subject=message.subject,
            )
        case Correction():
            return Corrected(
                event_id=message.event_id,
                at_us=message.at_us,
                country=message.country,
                named=message.crossing_id,
                person=message.person,
                to_person=message.to_person if message.what == "person" else None,
                to_at_us=message.to_at_us if message.what == "moment" else None,
            )


def find_target(world: World, pair: str, word: AnyWord) -> Crossing | None:
    """The crossing that the word names, else whatever stood at the lane's booth at that moment."""
    if word.named is not None:
        named = world.standing(word.named)
        return named if named is not None and named.pair == pair else None
    if word.lane is None:
        return None
    there = []
    for crossing in world.at_booth(pair, word.lane, word.at_us, word.at_us):
        past = past_of(crossing, word.key) if crossing.pair == pair else None
        if past is not None and (stood := _stood(past, word)) is not None:
            there.append((stood, past.opener, crossing.crossing_id))
    return world.get(max(there)[2]) if there else None


def with_word(crossing: Crossing, word: AnyWord) -> dict[str, object]:
    """The fields of the crossing that change with one more word."""
    match word:
        case Ruling():
            return {"rulings": _with(crossing.rulings, word)}
        case Keyed():
            return {"keyed": _with(crossing.keyed, word)}
        case Corrected():
            return {"corrected": _with(crossing.corrected, word)}


def without_word(crossing: Crossing, word: AnyWord) -> dict[str, object]:
    """The fields of the crossing that change with one word less."""
    return {
        "rulings": tuple([one for one in crossing.rulings if one.event_id != word.event_id]),
        "keyed": tuple([one for one in crossing.keyed if one.event_id != word.event_id]),
        "corrected": tuple([one for one in crossing.corrected if one.event_id != word.event_id]),
    }


def _with(words: tuple[_Kind, ...], word: _Kind) -> tuple[_Kind, ...]:
    every = [one for one in words if one.event_id != word.event_id]
    every.append(word)
    every.sort(key=lambda one: (one.at_us, one.event_id))
    return tuple(every[-MAX_WORDS:])


class Stood(NamedTuple):
    """How well a crossing's stays at the booth fit a word's moment: larger is better."""

    #: Its truck was there, not only a card of it that the booth of a neighbour lane heard.
    truck: bool
    #: At primary: whoever stands at secondary is there because an officer at primary has spoken already.
    primary: bool
    #: How far the moment lies outside the stay, negative.
    inside_us: int
    #: Since when it stood there.
    since_us: int


def _stood(past: Past, word: AnyWord) -> Stood | None:
    """How well the crossing's stays at the booth fit the word's moment, None when not at all."""
    ended = past.end.at_us if past.end is not None else None
    found = []
    for heard in past.heard:
        if heard.position in ("primary", "secondary") and heard.lane == word.lane:
            until = heard.last_us if heard.gone else max(word.at_us, heard.last_us)
            # On its way back a vehicle stands at the other direction's booth after its end.
            if ended is not None and heard.direction == past.heard[0].direction:
                if word.at_us > ended + SLACK_US:
                    continue
                until = min(until, ended)
            outside = max(heard.first_us - word.at_us, word.at_us - until, 0)
            if outside <= SLACK_US:
                truck = heard.who.startswith("truck:")
                found.append(Stood(truck, heard.position == "primary", -outside, heard.first_us))
    if not found:
        return None
    return max(found, key=_best)._replace(truck=any(one.truck for one in found))


def _best(stood: Stood) -> tuple[bool, int, int]:
    return stood[1:]
