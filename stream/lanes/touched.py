"""Which crossings a changed reference row touches, and whether grouping looks at it."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from schemas.message import Message
from schemas.reference import Credential, Trip
from schemas.watch import CredentialFlag
from stream.lanes.rows import Crossing
from stream.lanes.shelves import LanesState
from stream.lanes.turns import counted_in_time
from stream.reference import Reference, declared


def touched_by(
    state: LanesState, reference: Reference, topic: str, key: str, message: Message | None
) -> Iterable[Crossing]:
    """The crossings that a row of the topic touches, each once."""
    found: dict[str, Crossing] = {}
    if topic == "credentials":
        _add(found, state.with_token(key))
        if isinstance(message, Credential):
            _add(found, state.holding(message.holder))
    elif topic == "trips":
        _add(found, state.joined_with(key))
        for thing in _ever_declared(message) if isinstance(message, Trip) else ():
            _add(found, state.holding(thing))
    elif topic == "parties":
        _add(found, state.holding(key))
        _add(found, state.keyed_in(key))
        for number in reference.trips_naming(key):
            _add(found, state.joined_with(number))
    elif topic == "credential-flags" and isinstance(message, CredentialFlag):
        _add(found, _flagged(state, reference, key, message.tokens))
    elif topic in ("sites", "policies"):
        _add(found, (one for one in state.open() if topic == "policies" or one.pair == key))
        _add(found, counted_in_time(state, message))
    return found.values()


def _flagged(
    state: LanesState, reference: Reference, card: str, tokens: Iterable[str]
) -> Iterator[Crossing]:
    for token in tokens:
        yield from state.with_token(token)
        credential = reference.credential(token)
        held = () if credential is None else state.holding(credential.holder)
        yield from (one for one in held if _holds_card(one, reference, card))


def hears_again(topic: str) -> bool:
    """Whether grouping itself looks at rows of the topic."""
    return topic in ("trips", "sites")


def named_anew(crossing: Crossing, reference: Reference) -> bool:
    """Whether a card of the crossing has another holder than it had."""
    return any(_holder(one.token, reference) != one.who for one in crossing.heard)


def with_holders(crossing: Crossing, reference: Reference) -> Crossing:
    """The crossing with the holders that its cards have now."""
    heard = tuple([replace(one, who=_holder(one.token, reference)) for one in crossing.heard])
    return replace(crossing, heard=heard)


def _holder(token: str, reference: Reference) -> str:
    card = reference.credential(token)
    return token if card is None else card.holder


def _holds_card(crossing: Crossing, reference: Reference, card: str) -> bool:
    for one in crossing.heard:
        credential = reference.credential(one.token)
        if (one.token if credential is None else credential.credential_id) == card:
            return True
    return False


def _ever_declared(trip: Trip) -> dict[str, None]:
    things = dict.fromkeys(declared(trip))
    for version in trip.history:
        things.update(dict.fromkeys(declared(version)))
    return things


def _add(found: dict[str, Crossing], more: Iterable[Crossing]) -> None:
    found.update((one.crossing_id, one) for one in more)
