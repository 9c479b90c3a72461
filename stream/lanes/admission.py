"""Which gate events may be used: those of writers whose signatures hold, and those of writers that have no keys."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from schemas.alert import Alert
from schemas.chain import CHAIN, SIGNATURE
from schemas.gate import Skipped
from schemas.message import Message
from schemas.policy import GatewayKey, Switches
from schemas.wire import decode
from stream.lanes.rows import chain_key
from stream.lanes.sequence import parts_of
from stream.lanes.shelves import LanesState
from stream.lanes.switches import requires_signatures, uses_unverified
from stream.lanes.verified import Came, Chain, Why, receive, unchecked
from stream.log.contract import Record
from stream.reference import Reference
from stream.stage import Admitted, Output, Stage, Step, rejected
from stream.state import Change

#: What staff should know of each reason.
_MEANING: Final[dict[Why, str]] = {
    "unsigned": "came without a link though the gateway signs",
    "bad_link": "is not what its link was made of: changed, added or moved",
    "bad_signature": "has a signature that does not hold",
    "unknown_key": "is signed by a key that has no row in force",
    "gap": "stands beside events that are missing, so nothing covers it",
    "never_signed": "was never covered by a signature",
}


def admit(
    stage: Stage, state: LanesState, reference: Reference, record: Record, message: Message
) -> Admitted:
    """The messages that a record lets through: itself, events that waited for its signature, or none."""
    parts = parts_of(getattr(message, "event_id", ""))
    if parts is None or _is_free(reference, record, parts.writer):
        return Admitted((message,))
    keys = reference.gateway_keys(parts.writer)
    key = chain_key(parts.writer, parts.epoch)
    row = state.get(key)
    chain = row if isinstance(row, Chain) else None
    came = _came(message, record, parts.writer, parts.epoch, parts.seq)
    if not keys and not requires_signatures(reference, _pair(message), came.at_us):
        now = unchecked(chain, came)
        if now is None or now is chain:
            return Admitted((message,))
        return Admitted((message,), Step([Change(key, now)], []))
    if _older_than_keys(chain, keys, came):
        return Admitted((message,))
    received = receive(chain, keys, came)
    trusting = uses_unverified(reference, _pair(message), came.at_us)
    usable = (*received.bad, *received.good) if trusting else received.good
    good = tuple(decode(record.topic, value) for value in usable)
    after, outputs = received.chain, list[Output]()
    if received.why is not None:
        letters = [] if trusting else [record._replace(value=value) for value in received.bad]
        meaning = _MEANING[received.why]
        outputs = [rejected(stage, letter, "unverified", meaning) for letter in letters]
        alert = _alert(message, key, received.why, after.seq)
        if after.told != alert.alert_id:
            after = replace(after, told=alert.alert_id)
            outputs.append(Output("alerts", alert))
    if after == chain and not outputs:
        return Admitted(good)
    return Admitted(good, Step([] if after == chain else [Change(key, after)], outputs))


def _is_free(reference: Reference, record: Record, writer: str) -> bool:
    """Whether nobody signs here: no key of the writer, no link, and no switch that could ask for one."""
    switches = reference.policies(Switches)
    if switches or reference.gateway_keys(writer):
        return False
    return not record.headers or CHAIN not in [name for name, _ in record.headers]


def _came(message: Message, record: Record, writer: str, epoch: str, seq: int) -> Came:
    found = dict(record.headers)
    until = max(seq, message.to_seq) if isinstance(message, Skipped) else seq
    at_us = getattr(message, "at_us", 0)
    value = record.value or b""
    return Came(writer, epoch, seq, until, at_us, value, found.get(CHAIN), found.get(SIGNATURE))


def _older_than_keys(chain: Chain | None, keys: Sequence[GatewayKey], came: Came) -> bool:
    """Whether it was written before the gateway had a key, and nothing of its epoch is signed yet."""
    if came.link is not None or chain is not None or not keys:
        return False
    return came.at_us < min(one.effective_from_us for one in keys)


def _pair(message: Message) -> str:
    return str(getattr(message, "pair", ""))


def _alert(message: Message, key: str, why: Why, verified: int) -> Alert:
    """One alert a break: it names the last verified event and the reason."""
    writer, _, _ = key.removeprefix("chain:").rpartition(".")
    return Alert(
        alert_id=f"signature_break|{key}|{verified}|{why}",
        kind="signature_break",
        severity="critical",
        subject=writer,
        pair=_pair(message),
        at_us=getattr(message, "at_us", 0),
        evidence=(str(getattr(message, "event_id", "")),),
        what_to_do=(
            f"An event of {writer} {_MEANING[why]}. It and what it leaves uncovered is not used: "
            "look at the gateway, its key and who can write to the event log."
        ),
    )
