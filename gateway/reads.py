"""What a protocol makes of bytes, and the contract that every protocol keeps.

    chunk (bytes as they came) -> frame -> read (one tag heard once)

A decoder is sans-I/O: it takes bytes and times, gives values, and never raises, whatever the bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import msgspec

from gateway.facts import Fact

Framing = Literal["stream", "message"]
"""`stream`: bytes of a serial line, cut anywhere. `message`: one MQTT payload a call."""


class OptionError(ValueError):
    """A protocol option that cannot be: the text names it and says what is allowed."""


class Proof(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """What the reader challenged a tag with, and what the tag answered. Names no tag."""

    challenge: bytes
    answer: bytes


class Read(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One tag heard once (or `reads` times since the reader's last report).

    A Struct, not a dataclass: one is made for every read, and a frozen dataclass costs five times more.
    """

    epc: bytes
    #: When it was heard: the gateway's time of receipt, microseconds UTC.
    at_us: int
    #: The reader's own time for it, where the reader sends one, microseconds UTC.
    reader_at_us: int | None = None
    pc: int | None = None
    xpc: int | None = None
    tid: bytes | None = None
    antenna: int | None = None
    rssi_dbm: float | None = None
    #: An uncalibrated signal byte, where the reader has no dBm.
    rssi_raw: int | None = None
    frequency_khz: int | None = None
    phase_deg: float | None = None
    reads: int = 1
    #: What the reader calls this message, so that a redelivered one is known.
    key: str | None = None
    #: Found while looking for the next frame after garbage.
    after_resync: bool = False
    #: The tag's answer to the reader's challenge, where it was asked to prove itself; nobody has checked it yet.
    proof: Proof | None = None
    #: Written to the reader only after the commit that holds this read, duplicates too; empty: nothing is asked.
    ack: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderNote:
    """Something a reader says that is not a read: an acknowledgement, a heartbeat, an error code."""

    kind: str
    at_us: int
    detail: str = ""
    #: What the reader calls this message, where it has a name for it.
    key: str | None = None
    #: The reader's own time for it, microseconds UTC.
    reader_at_us: int | None = None
    #: What it says about the reader, where a program can use it.
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Bytes that gave no read, and why. The raw bytes stay in the gateway: they may hold an EPC."""

    reason: str
    raw: bytes
    at_us: int
    detail: str = ""


Outcome = Read | ReaderNote | Rejected


class Due(NamedTuple):
    """What a decoder wants done now, and when it wants to be asked again (None: after the next feed)."""

    send: bytes
    outcomes: list[Outcome]
    next_due_us: int | None


class Decoder(Protocol):
    """One reader's protocol. Holds a bounded buffer; gives the same reads however the bytes are cut."""

    def start(self) -> bytes:
        """The command that makes the reader report; empty when it reports by itself."""
        ...

    def stop(self) -> bytes:
        """The command that makes the reader quiet; empty when there is none."""
        ...

    def feed(self, data: bytes, at_us: int) -> list[Outcome]:
        """Take bytes that came at `at_us`; return what they complete. Never raises."""
        ...

    def due(self, now_us: int) -> Due:
        """Time has come to `now_us`: polls, re-issued commands, stale partial frames."""
        ...

    def flush(self, at_us: int) -> list[Outcome]:
        """The stream has ended or broken: say what is left over. The buffer is empty afterwards."""
        ...


class WireProtocol(NamedTuple):
    """An entry of the protocol registry."""

    framing: Framing
    #: Makes a decoder from the options of a reader's configuration; raises `OptionError`.
    decoder: "DecoderFactory"


class DecoderFactory(Protocol):
    """Makes decoders."""

    def __call__(self, options: Mapping[str, object]) -> Decoder:
        """A new decoder; raises `OptionError` for an option that cannot be."""
        ...
