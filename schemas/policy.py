"""Topic `policies`: what may change without a new program, since when it holds, and where it comes from."""

from typing import Annotated, Literal

import msgspec

from schemas.message import Id, Message, Micros, NoteText


class Policy(Message, frozen=True, kw_only=True):
    """What every policy row says. A later row of the same id supersedes the earlier one."""

    policy_id: Id
    effective_from_us: Micros
    #: None: until further notice.
    effective_to_us: Micros | None = None
    accepted_at_us: Micros
    #: The document that it follows, or "unverified".
    source: NoteText = "unverified"


class GatewayKey(Policy, frozen=True, kw_only=True, tag="gateway_key"):
    """The public half of a gateway's signing key."""

    v: Literal[1] = 1
    gateway: Id
    #: The first 8 bytes of SHA-256 of the public key, as 16 hex digits.
    key_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
    #: Ed25519 (RFC 8032), 32 bytes.
    public_key: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
