r"""Readers that send lines of ASCII: TransCore Encompass, metraTec, and what a regular expression fits.

A line ends with CR, LF or both. What is between two ends is one line, or nothing: nothing is looked for inside
a line that does not fit, so no card can hide another. Only metraTec AT lines part before `+`: what a card
says there is hex.

    transcore_basic   #KING 1302\r\n                      the number is the text; #Done #Error06 are answers
    transcore_ecp     #4KING 1302 B3D3\r\n                sequence 0 2 .. E, text, CRC over both
                      #4@3440\r                           the host's acknowledgement; else it is sent again
    metratec_ascii    E0040150954F02B1\r  ARP 12\r  IVF 02\r     a tag a line, antenna, tags of the round
    metratec_at       +CINV: 3034257BF468D480000003EC,E200600311753E33,1755\r      EPC, TID, RSSI
                      +CINV: <ROUND FINISHED, ANT=2>\r           the antenna of the tags before it
    pattern           a regular expression with the groups epc, ant, rssi, tid

CRC of ECP: crc_hqx(m[:-2], 0) ^ last two characters of m; m is what stands between # and the CRC.

Sources: TransCore Encompass 4 guide, pages 6-9 to 6-10 and 7-104; MPRX guide, page 4-52; comments in metratec_rfid 1.4.5
(`tests/captures/README.md`). Unverified: ECP frames as a device sends them (whether a space before the CRC is
summed), the refusal, the acknowledgement of what is no tag, padding of a text, the answers to start and stop.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec.structs import replace

from gateway.ascii_lines import (
    ACKS,
    Bad,
    EpcForm,
    Note,
    Pattern,
    Report,
    RoundEnd,
    RssiForm,
    Said,
    at_pattern,
    compiled,
    ecp,
    encode_at_tag,
    encode_refusal,
    form_of,
    metratec_ascii,
    metratec_at,
    pattern_of,
    transcore,
    transcore_text,
    unescaped,
)
from gateway.ascii_round import Round
from gateway.options import parse_options
from gateway.reads import Due, OptionError, Outcome, Read, ReaderNote, Rejected

Dialect = Literal[
    "auto", "transcore_basic", "transcore_ecp", "metratec_ascii", "metratec_at", "pattern"
]

#: Longer lines are rejected in pieces: bounds the buffer.
MAX_LINE: Final = 512
#: Silence after which a line without its end is given up; at 9600 baud a character takes 1 ms.
STALE_US: Final = 200_000
#: How long tags wait for the line that tells their antenna.
HOLD_US: Final = 1_000_000
#: metraTec: silence after which the inventory is started again; each round says something (unverified).
REISSUE_US: Final = 5_000_000
#: ECP: an equal message within this time is the same one, sent again (12.7 s by default).
REPEAT_US: Final = 13_000_000

#: XON and XOFF.
_FLOW: Final = b"\x11\x13"
_COMMANDS: Final[dict[str, tuple[bytes, bytes]]] = {
    "metratec_ascii": (b"CNR INV\r", b"BRK\r"),
    "metratec_at": (b"AT+CINV\r", b"AT+BINV\r"),
}

_Command = Annotated[str, msgspec.Meta(max_length=200)]
_Expression = Annotated[str, msgspec.Meta(max_length=500)]


class AsciiLineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader's configuration may say."""

    dialect: Dialect = "auto"
    #: How a line reads; with TransCore: how the text of a report does.
    pattern: _Expression = ""
    #: `pattern`: lines that are no tag and nothing wrong.
    notes: _Expression = ""
    #: `metratec_at`: what stands in a tag's line.
    fields: str = "epc,tid,rssi"
    epc: EpcForm = "hex"
    rssi: RssiForm = "signed"
    #: Commands in place of the dialect's own; \r, \n, \t, \\ and \xNN are escapes.
    start: _Command | None = None
    stop: _Command | None = None
    poll: _Command = ""
    poll_ms: Annotated[int, msgspec.Meta(ge=0, le=3_600_000)] = 0


def encode(read: Read) -> bytes:
    """What a metraTec AT reader sends for this read, after an end of line; its antenna comes with the round's."""
    level = read.rssi_raw if read.rssi_dbm is None else read.rssi_dbm
    return b"\r" + encode_at_tag(read.epc, read.tid, level)


class AsciiLineDecoder:
    """One reader. Holds less than one line, and the tags of a round until it ends."""

    def __init__(self, options: AsciiLineOptions) -> None:
        """Raises ValueError for options that do not fit together."""
        dialect = options.dialect
        self._dialect = dialect
        self._pattern = _pattern(options)
        self._notes = compiled(options.notes) if options.notes else None
        self._tags, self._fields = at_pattern(options.fields, options.rssi)
        start, stop = _COMMANDS.get(dialect, (b"", b""))
        self._start = start if options.start is None else unescaped(options.start)
        self._stop = stop if options.stop is None else unescaped(options.stop)
        self._poll = unescaped(options.poll) if options.poll_ms else b""
        self._poll_us = options.poll_ms * 1000
        self._buffer = b""
        self._skipping = False
        #: The line before ended, so this one is whole.
        self._in_step = False
        self._last_form: str | None = None
        self._round = Round()
        #: The last ECP message: (line, first heard, last heard).
        self._report: tuple[bytes, int, int] | None = None
        self._started = False
        self._reply = b""
        self._byte_us = 0
        self._started_us: int | None = None
        self._polled_us: int | None = None

    def start(self) -> bytes:
        """The dialect's start command, or the configured one; TransCore reports by itself."""
        self._started, self._started_us, self._polled_us = True, None, None
        return self._start

    def stop(self) -> bytes:
        """The command that ends the inventory."""
        self._started = False
        return self._stop

    def feed(self, data: bytes, at_us: int) -> list[Outcome]:
        """Take bytes that came at `at_us`; return what they complete."""
        outcomes: list[Outcome] = []
        if not data:
            return outcomes
        self._byte_us = at_us
        if b"\n" in data:
            data = data.replace(b"\n", b"\r")
        if self._buffer:
            data = self._buffer + data
        *lines, rest = data.split(b"\r")
        for line in lines:
            if self._skipping or len(line) > MAX_LINE:
                self._too_long(line, at_us, outcomes)
            elif line:
                if (
                    self._last_form or self._dialect
                ) == "metratec_at":  # the way of most good lines
                    read = self._tags.read(line, at_us)
                    if isinstance(read, Read):
                        self._hold(read, line, outcomes)
                        continue
                self._line(line, at_us, outcomes)
            self._skipping, self._in_step = False, True
        while len(rest) > MAX_LINE:
            self._reject("long_line", rest[:MAX_LINE], at_us, outcomes)
            self._skipping, rest = True, rest[MAX_LINE:]
        self._buffer = rest
        return outcomes

    def due(self, now_us: int) -> Due:
        """Give up partial lines and rounds; answers, polls and the inventory's start that wait to be sent."""
        outcomes: list[Outcome] = []
        if (self._buffer or self._skipping) and now_us - self._byte_us >= STALE_US:
            self._drop(self._byte_us, outcomes)
        if self._round.since_us is not None and now_us - self._round.since_us >= HOLD_US:
            self._give_up(outcomes)
        send, self._reply = self._reply, b""
        times = [self._byte_us + STALE_US] if (self._buffer or self._skipping) else []
        times += [] if self._round.since_us is None else [self._round.since_us + HOLD_US]
        if self._started:
            send += self._again(now_us, times)
        return Due(send, outcomes, min(times, default=None))

    def flush(self, at_us: int) -> list[Outcome]:
        """The line is silent or gone: decide about everything that is held."""
        outcomes: list[Outcome] = []
        self._drop(at_us, outcomes)
        self._give_up(outcomes)
        return outcomes

    def _again(self, now_us: int, times: list[int]) -> bytes:
        """What must be sent again and again; adds when it will be due."""
        send = b""
        if self._started_us is None:
            self._started_us = now_us
        if self._start and self._dialect in _COMMANDS:
            heard_us = max(self._started_us, self._byte_us)
            if now_us - heard_us >= REISSUE_US:
                send, self._started_us, heard_us = self._start, now_us, now_us
            times.append(heard_us + REISSUE_US)
        if self._poll:
            if self._polled_us is None or now_us - self._polled_us >= self._poll_us:
                send, self._polled_us = send + self._poll, now_us
            times.append(self._polled_us + self._poll_us)
        return send

    def _drop(self, at_us: int, outcomes: list[Outcome]) -> None:
        """No end of line will come: what is held of a line is not known to be all of it."""
        rest, self._buffer = self._buffer, b""
        if rest:
            self._reject("long_line" if self._skipping else "cut_line", rest, at_us, outcomes)
        self._skipping = self._in_step = False

    def _too_long(self, line: bytes, at_us: int, outcomes: list[Outcome]) -> None:
        for place in range(0, len(line), MAX_LINE):
            self._reject("long_line", line[place : place + MAX_LINE], at_us, outcomes)

    def _line(self, line: bytes, at_us: int, outcomes: list[Outcome]) -> None:
        """Take a line that is whole."""
        doubtful, form = False, str(self._dialect)
        if form == "auto":
            form = form_of(line)
            doubtful = self._last_form not in {None, form}
            if doubtful:
                self._give_up(outcomes)
            self._last_form = form
        said: Said
        if form == "metratec_at":
            if line.find(b"+", 1) > 0 and line[:2] != b"AT":
                self._answers(line, at_us, outcomes, doubtful=doubtful)
                return
            said = metratec_at(line, at_us, self._tags, self._fields)
        elif form == "metratec_ascii":
            doubtful = doubtful or not self._in_step
            said = metratec_ascii(line, at_us)
        elif form == "transcore_ecp":
            self._message(line.strip(_FLOW), at_us, outcomes)
            return
        elif form == "pattern":
            doubtful = not self._in_step
            said = Bad("no_match") if self._pattern is None else self._pattern.read(line, at_us)
            if isinstance(said, Bad) and self._notes is not None and self._notes.fullmatch(line):
                said = Note("other")
        else:
            said = self._basic(line.strip(_FLOW), at_us)
        if isinstance(said, Read):
            self._read(replace(said, after_resync=True) if doubtful else said, line, outcomes)
        else:
            self._say(said, line, at_us, outcomes)

    def _basic(self, line: bytes, at_us: int) -> Read | Note | Bad:
        """A TransCore basic message; `auto` knows an ECP message by its CRC, and never acknowledges it."""
        if self._dialect == "auto":
            report = ecp(line)
            if isinstance(report, Report):
                return transcore_text(report.text, at_us, self._pattern)
        return transcore(line, at_us, self._pattern)

    def _answers(self, line: bytes, at_us: int, outcomes: list[Outcome], *, doubtful: bool) -> None:
        """AT answers whose ends of line are lost: those but the last must show that they are whole."""
        first, *others = line.split(b"+")
        pieces = [first] if first else []
        pieces += [b"+" + other for other in others]
        for place, piece in enumerate(pieces):
            said: Said = Bad("cut_line")
            if place == len(pieces) - 1 or piece[-1:] in {b" ", b">"}:
                said = metratec_at(piece.rstrip(b" "), at_us, self._tags, self._fields)
            if isinstance(said, Read):
                self._read(replace(said, after_resync=True) if doubtful else said, piece, outcomes)
            else:
                self._say(said, piece, at_us, outcomes)

    def _message(self, line: bytes, at_us: int, outcomes: list[Outcome]) -> None:
        """An ECP message: refuse a bad one, acknowledge at once what holds no card."""
        report = ecp(line)
        if isinstance(report, Bad):
            if report.reason == "bad_crc" and line[1:2] in ACKS and self._started:
                self._reply = encode_refusal(line[1:2])
            self._reject(report.reason, line, at_us, outcomes, report.detail)
            return
        sequence = report.sequence
        if report.text in {b"@", b"?"}:
            outcomes.append(ReaderNote(kind="command", at_us=at_us, detail=report.text.decode()))
            return
        if sequence not in ACKS:
            self._reject("odd_sequence", line, at_us, outcomes)
            return
        said = transcore_text(report.text, at_us, self._pattern)
        if isinstance(said, Read):
            first_us = at_us
            last = self._report
            if last is not None and last[0] == line and at_us - last[2] < REPEAT_US:
                first_us = last[1]
            self._report = (line, first_us, at_us)
            key = f"{first_us}.{sequence.decode()}@{report.crc.decode()}"
            outcomes.append(replace(said, key=key, ack=ACKS[sequence]))
            return
        if self._started:
            self._reply = ACKS[sequence]
        self._say(said, line, at_us, outcomes)

    def _read(self, read: Read, line: bytes, outcomes: list[Outcome]) -> None:
        """A read; it is held where the end of the round tells more."""
        if (self._last_form or self._dialect) in _COMMANDS:
            self._hold(read, line, outcomes)
        else:
            outcomes.append(read)

    def _hold(self, read: Read, line: bytes, outcomes: list[Outcome]) -> None:
        if not self._round.hold(read, line):
            self._give_up(outcomes)

    def _give_up(self, outcomes: list[Outcome]) -> None:
        counted = (self._last_form or self._dialect) == "metratec_ascii"
        self._round.give_up(outcomes, counted=counted)

    def _say(
        self, said: RoundEnd | Note | Bad, line: bytes, at_us: int, outcomes: list[Outcome]
    ) -> None:
        """What a line without a tag says."""
        match said:
            case RoundEnd():
                self._round.end(said, at_us, outcomes)
            case Note(kind=kind, detail=detail):
                outcomes.append(ReaderNote(kind=kind, at_us=at_us, detail=detail))
            case Bad(reason=reason, detail=detail):
                self._reject(reason, line, at_us, outcomes, detail)

    def _reject(
        self, reason: str, raw: bytes, at_us: int, outcomes: list[Outcome], detail: str = ""
    ) -> None:
        self._round.refuse()
        outcomes.append(Rejected(reason=reason, raw=raw, at_us=at_us, detail=detail))


def decoder(options: Mapping[str, object]) -> AsciiLineDecoder:
    """A decoder for one reader; raises `OptionError`."""
    parsed = parse_options(AsciiLineOptions, options)
    try:
        return AsciiLineDecoder(parsed)
    except ValueError as error:
        raise OptionError(str(error)) from error


def _pattern(options: AsciiLineOptions) -> Pattern | None:
    if options.dialect.startswith("metratec") and options.pattern:
        raise OptionError(f"option 'pattern' has no place in {options.dialect}")
    if options.dialect == "pattern" and not options.pattern:
        raise OptionError("option 'pattern' is missing: dialect 'pattern' needs one")
    return pattern_of(options.pattern, options.epc, options.rssi) if options.pattern else None
