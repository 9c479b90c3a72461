r"""What single lines of ASCII readers say, without any state: one line in, one value out.

A line is what stands between two ends of line. What must fit in each kind of line, and its sources:
`gateway/protocols/ascii_line.py`.
"""

import re
from binascii import crc_hqx, unhexlify
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from gateway.gen2 import MAX_EPC_BYTES
from gateway.reads import Read

RssiForm = Literal["signed", "magnitude", "raw"]
EpcForm = Literal["hex", "text"]

#: Characters of a TransCore report between `#` and the CRC or the end of the line.
MAX_REPORT: Final = 72
#: Signal texts that a pattern remembers.
MAX_LEVELS: Final = 1_000
#: Of a text that a reader sends in words.
_MAX_WORDS: Final = 60

#: metraTec ASCII: three letters that report a fault.
ERRORS: Final = frozenset({b"CER", b"FLE", b"HBE", b"PDE", b"RXE", b"TCE", b"TOE"})
#: ... and answers to the commands that start and stop.
ANSWERS: Final = frozenset({b"BRA", b"NCM", b"OK!"})
#: metraTec AT: what precedes a tag or the end of a round.
AT_REPORTS: Final = frozenset({b"+INV", b"+MINV", b"+CINV", b"+CMINV", b"+CINVR", b"+CMINVR"})

_STATUS: Final = re.compile(rb"IDAP T\d D\d X\d|MAIN(?: [BSPD]\d)+")
_ERROR: Final = re.compile(rb"Error[0-9A-F]{2}")
_REPORT: Final = re.compile(rb"[ -\"$-~]{1,%d}" % MAX_REPORT)
_ECP: Final = re.compile(rb"#([0-9A-F])([ -\"$-~]+)([0-9A-F]{4})")
_ROUND: Final = re.compile(rb"ROUND FINISHED(?:, ?ANT=(\d{1,3}))?")
_CODE: Final = re.compile(rb"([A-Z]{3})(?: [ -~]*)?")
_NUMBER: Final = re.compile(rb"-?\d{1,6}(?:\.\d{1,3})?")
_WORDS: Final = re.compile(rb"[ -~]*")

_FIELDS: Final = {
    "epc": r"(?P<epc>[0-9A-Fa-f]*)",
    "tid": r"(?P<tid>[0-9A-Fa-f]*)",
    "rssi": r"(?P<rssi>-?\d{1,6}(?:\.\d{1,3})?|)",
    "reads": r"(?P<reads>[1-9]\d{0,5})",
    "-": r"[^,+]*",
}
_GROUPS: Final = {"epc", "ant", "rssi", "tid"}
_ESCAPE: Final = re.compile(r"\\(r|n|t|\\|x[0-9A-Fa-f]{2})")


class RoundEnd(NamedTuple):
    """What is said once the tags of a round are: its antenna, or how many they were."""

    antenna: int | None
    tags: int | None
    whole: bool
    detail: str


class Note(NamedTuple):
    """Anything else that is known."""

    kind: str
    detail: str = ""


class Bad(NamedTuple):
    """A line that cannot be, and why."""

    reason: str
    detail: str = ""


Said = Read | RoundEnd | Note | Bad


class Report(NamedTuple):
    """An ECP message whose CRC holds."""

    sequence: bytes
    crc: bytes
    text: bytes


class Pattern:
    """A regular expression with the groups `epc`, `ant`, `rssi`, `tid`, `reads`, and how to read them."""

    __slots__ = (
        "_ant",
        "_epc",
        "_form",
        "_fullmatch",
        "_levels",
        "_reads",
        "_rssi",
        "_rssi_form",
        "_tid",
    )

    def __init__(self, whole: re.Pattern[bytes], form: EpcForm, rssi: RssiForm) -> None:
        """`whole` has the group `epc`."""
        at = {name: number - 1 for name, number in whole.groupindex.items()}
        self._fullmatch, self._form, self._rssi_form = whole.fullmatch, form, rssi
        self._epc, self._tid, self._ant = at["epc"], at.get("tid"), at.get("ant")
        self._rssi, self._reads = at.get("rssi"), at.get("reads")
        #: Texts of signals that were seen before: most lines bring one of them.
        self._levels: dict[bytes, tuple[float | None, int | None]] = {b"": (None, None)}

    def read(self, line: bytes, at_us: int) -> Read | Bad:
        """The tag, when the expression fits the whole line; `no_match` when it does not."""
        found = self._fullmatch(line)
        if found is None:
            return _NO_MATCH
        texts = found.groups(b"")
        epc = epc_of(texts[self._epc], self._form)
        if epc is None:
            return Bad("bad_epc")
        tid, text = None, b"" if self._tid is None else texts[self._tid]
        if text:
            tid = epc_of(text, "hex")
            if tid is None:
                return Bad("bad_field", "tid")
        port, text = None, b"" if self._ant is None else texts[self._ant]
        if text:
            if not (text.isdigit() and len(text) <= 3 and int(text) <= 255):
                return Bad("bad_field", "ant")
            port = int(text)
        text = b"" if self._rssi is None else texts[self._rssi]
        level = self._levels.get(text) or self._level(text)
        if level is None:
            return Bad("bad_field", "rssi")
        text = b"" if self._reads is None else texts[self._reads]
        return Read(
            epc=epc,
            at_us=at_us,
            tid=tid,
            antenna=port,
            rssi_dbm=level[0],
            rssi_raw=level[1],
            reads=int(text) if text else 1,
        )

    def _level(self, text: bytes) -> tuple[float | None, int | None] | None:
        """The signal as dBm, or as a number without unit; None: it is none."""
        number = float(text) if _NUMBER.fullmatch(text) else -1000.0
        if number < -200:
            return None
        raw = self._rssi_form == "raw" or (number > 0 and self._rssi_form == "signed")
        level = (None, round(number)) if raw else (-abs(number), None)
        if len(self._levels) < MAX_LEVELS:
            self._levels[text] = level
        return level


_NO_MATCH: Final = Bad("no_match")


def epc_of(text: bytes, form: EpcForm) -> bytes | None:
    """The number of a card: hex of whole 16-bit words, or the characters themselves; None: neither."""
    if form == "text":
        return text.rstrip(b" ") if len(text) <= MAX_REPORT else None
    if len(text) & 3 or len(text) > 2 * MAX_EPC_BYTES:
        return None
    try:
        return unhexlify(text)
    except ValueError:
        return None


def ecp_crc(text: bytes) -> int:
    """The CRC of an ECP message over what stands between `#` and the CRC, two characters or more."""
    return crc_hqx(text[:-2], 0) ^ int.from_bytes(text[-2:], "big")


def ecp(line: bytes) -> Report | Bad:
    """An ECP message: `#`, sequence, text, CRC."""
    found = _ECP.fullmatch(line)
    if found is None:
        return Bad("bad_message")
    sequence, text, crc = found.groups()
    said, summed = int(crc, 16), sequence + text
    # Whether a space before the CRC is summed is unverified: both are accepted.
    if said != ecp_crc(summed) and not (summed.endswith(b" ") and said == ecp_crc(summed[:-1])):
        return Bad("bad_crc")
    if len(text) > MAX_REPORT + 1:
        return Bad("long_report", f"{len(text)} characters of {MAX_REPORT}")
    return Report(sequence, crc, text)


def transcore(line: bytes, at_us: int, pattern: Pattern | None) -> Read | Note | Bad:
    """A basic message: `#` and a text; answers to status requests may come without `#`."""
    if line[:1] == b"#":
        return transcore_text(line[1:], at_us, pattern)
    if _STATUS.fullmatch(line):
        return transcore_text(line, at_us, pattern)
    return Bad("bad_message", "does not begin with #")


def transcore_text(text: bytes, at_us: int, pattern: Pattern | None) -> Read | Note | Bad:
    """What the text of a message says, in either TransCore protocol."""
    text = text.rstrip(b" ")
    if not _REPORT.fullmatch(text):
        reason = "long_report" if len(text) > MAX_REPORT else "bad_report"
        return Bad(reason, "empty" if not text else "")
    if text[0] in b"DEIM":
        if text == b"Done":
            return Note("ack", "Done")
        if _ERROR.fullmatch(text):
            return Note("error", text.decode())
        if _STATUS.fullmatch(text):
            return Note("status", text.decode())
    return Read(epc=text, at_us=at_us) if pattern is None else pattern.read(text, at_us)


def metratec_ascii(line: bytes, at_us: int) -> Said:  # noqa: PLR0911 - one answer a kind of line
    """A line of the older metraTec readers."""
    epc = epc_of(line, "hex")
    if epc:
        return Read(epc=epc, at_us=at_us)
    code = line[:3]
    if code in {b"ARP", b"IVF"}:
        number = line[4:]
        if line[3:4] != b" " or not number.isdigit() or not 2 <= len(number) <= 4:
            return Bad("bad_line", code.decode())
        if code == b"ARP":
            if len(number) > 2:
                return Bad("bad_line", "ARP")
            return RoundEnd(int(number), None, False, f"antenna {int(number)}")
        return RoundEnd(None, int(number), True, f"{int(number)} tags")
    if line == b"HBT":
        return Note("heartbeat", "HBT")
    found = _CODE.fullmatch(line)
    if code in ERRORS and found:
        return Note("error", code.decode())
    if line in ANSWERS:
        return Note("ack", line.decode())
    if found and epc_of(code + b"0", "hex") is None:
        return Note("answer", code.decode())
    return Bad("bad_line")


def metratec_at(line: bytes, at_us: int, tags: Pattern, fields: int) -> Said:  # noqa: PLR0911
    """One answer of the newer metraTec readers, from its `+` on. `tags`: what `at_pattern` gives."""
    said = tags.read(line, at_us)
    if said is not _NO_MATCH:
        return said
    name, _, rest = line.partition(b":" if b":" in line else b"=")
    rest = rest.strip()
    if name in AT_REPORTS:
        if rest[:1] != b"<":
            return _why(rest.split(b","), fields + (name[-1:] == b"R"))
        if rest[-1:] != b">":
            return Bad("bad_line", name.decode())
        return _at_words(rest[1:-1])
    if line == b"OK":
        return Note("ack", "OK")
    if line == b"ERROR" or name == b"+ERR":
        return Note("error", _words(rest))
    if line.startswith(b"AT") and _WORDS.fullmatch(line):
        return Note("command", _words(line.partition(b"=")[0]))
    if name == b"+HBT" or line == b"HBT":
        return Note("heartbeat", "HBT")
    if name[1:].isalpha() and name[:1] == b"+" and len(name) <= 12:
        return Note("answer", name.decode("ascii", "replace"))  # what follows may hold an EPC
    return Bad("bad_line")


def form_of(line: bytes) -> str:
    """Which dialect a line looks like."""
    if line[:1] == b"+" or line in {b"OK", b"ERROR"} or line.startswith(b"AT+"):
        return "metratec_at"
    if line[:1] in b"#\x11\x13" or line.startswith((b"IDAP ", b"MAIN ")):
        return "transcore_basic"
    return "metratec_ascii"


def encode_basic(text: bytes) -> bytes:
    """TransCore basic: a report or an answer."""
    return b"#" + text + b"\r\n"


def encode_ecp(sequence: int, text: bytes) -> bytes:
    """TransCore ECP: a message; a report's text ends with a space."""
    summed = b"%X" % (sequence & 0xF) + text
    return b"#%b%04X\r\n" % (summed, ecp_crc(summed))


def encode_ack(sequence: bytes) -> bytes:
    """The acknowledgement that the host gives to a message of this sequence."""
    return b"#%b@%04X\r" % (sequence, ecp_crc(sequence + b"@"))


#: The acknowledgement of each sequence that a reader uses.
ACKS: Final = {b"%X" % n: encode_ack(b"%X" % n) for n in range(0, 16, 2)}


def encode_refusal(sequence: bytes) -> bytes:
    """What the host says when the CRC is wrong; unverified."""
    return b"#%b?%04X\r" % (sequence, ecp_crc(sequence + b"?"))


def encode_ascii_round(epcs: Sequence[bytes], antenna: int | None = None) -> bytes:
    """A metraTec ASCII round."""
    lines = [epc.hex().upper().encode() for epc in epcs]
    lines += [] if antenna is None else [b"ARP %02d" % antenna]
    return b"".join(line + b"\r" for line in (*lines, b"IVF %02d" % len(epcs)))


def encode_at_tag(
    epc: bytes, tid: bytes | None = None, rssi: float | None = None, name: str = "CINV"
) -> bytes:
    """A metraTec AT line with the fields `epc,tid,rssi`."""
    level = "" if rssi is None else f"{rssi:g}"
    return f"+{name}: {epc.hex().upper()},{(tid or b'').hex().upper()},{level}\r".encode()


def encode_at_round_end(antenna: int, name: str = "CINV") -> bytes:
    """The metraTec AT line behind the tags of a round."""
    return f"+{name}: <ROUND FINISHED, ANT={antenna}>\r".encode()


def unescaped(text: str) -> bytes:
    r"""A command with its escapes undone: \r, \n, \t, \\ and \xNN; ValueError for what is no byte."""
    plain = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}
    found = _ESCAPE.sub(lambda m: plain.get(m[1]) or chr(int(m[1][1:], 16)), text)
    return found.encode("latin-1")


def compiled(text: str) -> re.Pattern[bytes]:
    """A regular expression; raises ValueError."""
    try:
        return re.compile(text.encode("ascii"))
    except (re.error, UnicodeEncodeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error


def pattern_of(text: str, epc: EpcForm, rssi: RssiForm) -> Pattern:
    """A pattern; raises ValueError when it does not compile or has other groups."""
    whole = compiled(text)
    if "epc" not in whole.groupindex:
        raise ValueError("option 'pattern' has no group (?P<epc>...)")
    for name in whole.groupindex:
        if name not in _GROUPS:
            raise ValueError(f"option 'pattern' has a group {name!r}: there is epc, ant, rssi, tid")
    return Pattern(whole, epc, rssi)


def at_pattern(fields: str, rssi: RssiForm) -> tuple[Pattern, int]:
    """A tag's line of a metraTec AT reader, and how many fields it has; raises ValueError."""
    names = [name.strip() for name in fields.split(",")]
    known = [name for name in names if name != "-"]
    wrong = not set(names) <= set(_FIELDS) or len(set(known)) != len(known) or len(names) > 8
    if wrong or names[0] != "epc":
        rest = ", ".join(list(_FIELDS)[1:])
        raise ValueError(f"option 'fields' cannot be {fields!r}: epc first, then of {rest}")
    counted = "" if "reads" in names else r",(?P<reads>[1-9]\d{0,5})"
    line = r"\+(?:M?INV|CM?INV(?P<r>R)?): " + ",".join(_FIELDS[name] for name in names)
    return Pattern(compiled(f"{line}(?(r){counted})"), "hex", rssi), len(names)


def _at_words(words: bytes) -> RoundEnd | Note | Bad:
    found = _ROUND.fullmatch(words)
    if found:
        antenna = None if found[1] is None else int(found[1])
        if antenna is not None and antenna > 255:
            return Bad("bad_field", "antenna")
        return RoundEnd(antenna, None, True, _words(words))
    if words == b"NO TAGS FOUND":
        return Note("heartbeat", "no tags found")
    if words.startswith(b"ROUND") or not _WORDS.fullmatch(words):
        return Bad("bad_line")
    return Note("error", _words(words))


def _why(values: list[bytes], expected: int) -> Bad:
    """Why a tag's line does not fit."""
    if len(values) != expected:
        return Bad("bad_fields", f"{len(values)} of {expected}")
    return Bad("bad_epc" if epc_of(values[0], "hex") is None else "bad_field")


def _words(text: bytes) -> str:
    """Words of a reader, for one line of text."""
    return text[:_MAX_WORDS].decode("ascii", "replace").strip("<>")
