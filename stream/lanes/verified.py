"""Whether events come from the gateway that they name: its hash chain and signatures (`schemas.chain`).

An event waits until the signature that covers it has come, at the end of the same commit of its outbox. What no
valid signature covers is not used, and moves nothing: a forged event cannot push true ones aside.

    verified | waiting ...    run that follows what is verified
             | ahead ...      run that begins after a gap: its first event cannot be checked by itself,
                              since its link was made with one that is not there, so it is not used

Whichever run gets a valid signature is taken; the other one is given up.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec.structs import replace

from schemas.chain import LINK_BYTES, first_link, next_link, split_signature
from schemas.policy import GatewayKey

#: Events of a run that wait for one signature, and their bytes; a longer run is given up: bounds the row.
MAX_WAITING: Final = 2_000
MAX_WAITING_BYTES: Final = 524_288

Why = Literal["unsigned", "bad_link", "bad_signature", "unknown_key", "gap", "never_signed"]
"""Why events are not used. `gap`: they are beside one; `never_signed`: too many without a signature."""


class Waits(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An event that waits for its signature."""

    seq: int
    #: The last number that it stands for: an announced gap is one event in place of many.
    until: int
    link: bytes
    value: bytes


class Chain(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="chain"):
    """How far one epoch of a gateway is verified."""

    #: The last verified number and its link; 0 and None before anything is.
    seq: int = 0
    link: bytes | None = None
    waiting: tuple[Waits, ...] = ()
    ahead: tuple[Waits, ...] = ()
    #: Id of the last alert about it: one alert a break.
    told: str = ""


class Came(NamedTuple):
    """An event as it came."""

    writer: str
    epoch: str
    seq: int
    #: The last number that it stands for: `to_seq` of a `Skipped`, else `seq`.
    until: int
    #: The time that it carries, microseconds UTC: decides which keys hold.
    at_us: int
    value: bytes
    link: bytes | None
    signature: bytes | None


class Received(NamedTuple):
    """What follows from an event."""

    chain: Chain
    #: Values that may be used now, in order.
    good: Sequence[bytes] = ()
    #: Values that will not be used, in order, and why.
    bad: Sequence[bytes] = ()
    why: Why | None = None


def receive(chain: Chain | None, keys: Sequence[GatewayKey], came: Came) -> Received:
    """Take an event of a writer that has keys. A repeat of what is verified or waits gives nothing."""
    now = _start(chain or Chain(), keys, came)
    if came.link is None or len(came.link) != LINK_BYTES:
        return Received(now, bad=[came.value], why="unsigned")
    one = Waits(seq=came.seq, until=came.until, link=came.link, value=came.value)
    if came.seq <= now.seq or one in now.waiting or one in now.ahead:
        return Received(now)
    why = None if came.signature is None else _unsound(keys, came)
    if why is not None:
        return Received(now, bad=[came.value], why=why)
    return _placed(now, one, signed=came.signature is not None)


def unchecked(chain: Chain | None, came: Came) -> Chain | None:
    """Remember where a writer's chain stands while no key of it is known, so that it can go on from there."""
    if came.link is None or len(came.link) != LINK_BYTES:
        return chain
    if chain is not None and came.seq <= chain.seq:
        return chain
    return Chain(seq=came.until, link=came.link)


def _placed(now: Chain, one: Waits, *, signed: bool) -> Received:
    """Put an event into the run that it follows; else it begins a run ahead, if it is ahead."""
    if _follows(now.link, now.seq, now.waiting, one):
        return _main(now, one, signed=signed)
    if now.ahead and _follows(None, 0, now.ahead, one):
        return _ahead(now, (*now.ahead, one), signed=signed)
    if now.waiting and one.seq <= now.waiting[-1].until:
        return Received(now, bad=[one.value], why="bad_link")
    given_up = [late.value for late in now.ahead]
    return Received(replace(now, ahead=(one,)), bad=given_up, why="gap" if given_up else None)


def _start(now: Chain, keys: Sequence[GatewayKey], came: Came) -> Chain:
    """Before the first event of an epoch that is signed: it may have begun with any of the keys."""
    if now.link is not None or came.link is None:
        return now
    for key in keys:
        first = first_link(came.writer, came.epoch, key.public_key)
        if next_link(first, came.seq, came.value) == came.link:
            return replace(now, seq=came.seq - 1, link=first)
    return now


def _follows(link: bytes | None, seq: int, run: Sequence[Waits], one: Waits) -> bool:
    """Whether the event is the next one of the run, or of what is verified when the run is empty."""
    if run:
        link, seq = run[-1].link, run[-1].until
    return (
        link is not None and one.seq == seq + 1 and next_link(link, one.seq, one.value) == one.link
    )


def _main(now: Chain, one: Waits, *, signed: bool) -> Received:
    """The event follows what is verified."""
    run = (*now.waiting, one)
    if not signed:
        if _too_long(run):
            values = [late.value for late in run]
            return Received(replace(now, waiting=()), bad=values, why="never_signed")
        return Received(replace(now, waiting=run))
    passed = bool(now.ahead) and now.ahead[0].seq <= one.until
    lost = [late.value for late in now.ahead] if passed else []
    ahead = () if passed else now.ahead
    chain = replace(now, seq=one.until, link=one.link, waiting=(), ahead=ahead)
    return Received(chain, [late.value for late in run], lost, "bad_link" if lost else None)


def _ahead(now: Chain, run: tuple[Waits, ...], *, signed: bool) -> Received:
    """The event goes on with a run after a gap.

    The first event of such a run moves nothing, not even signed: a signature says that its link is true, and the
    link cannot be checked against the event. One that follows it can be.
    """
    if not signed:
        if _too_long(run):
            values = [late.value for late in run]
            return Received(replace(now, ahead=()), bad=values, why="never_signed")
        return Received(replace(now, ahead=run))
    lost = [late.value for late in now.waiting]
    first, *rest = run
    chain = replace(now, seq=run[-1].until, link=run[-1].link, waiting=(), ahead=())
    return Received(chain, [late.value for late in rest], [*lost, first.value], "gap")


def _too_long(run: Sequence[Waits]) -> bool:
    return len(run) > MAX_WAITING or sum(len(one.value) for one in run) > MAX_WAITING_BYTES


def _unsound(keys: Sequence[GatewayKey], came: Came) -> Why | None:
    """Why the event's signature does not hold over its link; None when it does."""
    signed = split_signature(came.signature or b"")
    if signed is None or came.link is None:
        return "bad_signature"
    key_id = signed.key_id.hex()
    key = next((one for one in keys if one.key_id == key_id and one.holds_at(came.at_us)), None)
    if key is None:
        return "unknown_key"
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signed.signature, came.link)
    except (InvalidSignature, ValueError):
        return "bad_signature"
    return None
