"""A decoder's outcomes beside the input lines that they come from, and as rows for people and programs."""

from collections.abc import Iterator
from typing import Final, assert_never

from gateway.capture_file import BadLine, Heard
from gateway.reads import Decoder, Framing, Outcome, Read, ReaderNote, Rejected

Row = dict[str, object]

#: Stands for "no time is known" inside; a row has null.
UNTIMED: Final = -1

#: Bytes of earlier lines that are kept to tell where an outcome began: more than any decoder holds.
MAX_KEPT: Final = 8192


class Transcript:
    """Feeds one decoder and finds the line of each outcome.

    A frame may be cut over several lines, and a cut frame is known as such only when later lines have
    come. So lines are kept while the decoder holds something, and an outcome is looked up in them.
    """

    def __init__(self, decoder: Decoder, framing: Framing) -> None:
        self._decoder = decoder
        self._framing = framing
        self._kept: list[tuple[int | None, bytes]] = []
        self._found = 0
        self._line: int | None = None
        self._at_us = UNTIMED

    def take(self, heard: Heard) -> Iterator[Row]:
        """The rows that this input completes."""
        if heard.at_us is not None:
            yield from self._rows(self._decoder.due(heard.at_us).outcomes)
        self._line = heard.line
        self._at_us = UNTIMED if heard.at_us is None else heard.at_us
        if heard.size is not None:
            yield from self._rows([self._too_large(heard.chunk, heard.size)])
            return
        if self._framing == "stream" and heard.line is not None:
            self._keep(heard.line, heard.chunk)
        yield from self._rows(self._decoder.feed(heard.chunk, self._at_us))
        # A decoder that was not started is waiting for nothing but the rest of a frame.
        if self._decoder.due(self._at_us).next_due_us is None:
            self._kept.clear()
            self._found = 0

    def _too_large(self, head: bytes, size: int) -> Rejected:
        detail = f"{size} bytes"
        return Rejected(reason="payload_too_large", raw=head, at_us=self._at_us, detail=detail)

    def end(self) -> Iterator[Row]:
        """The rows of what is left over."""
        yield from self._rows(self._decoder.flush(self._at_us))

    def _rows(self, outcomes: list[Outcome]) -> Iterator[Row]:
        for outcome in outcomes:
            yield outcome_row(self._line_of(outcome), outcome)

    def _keep(self, line: int, chunk: bytes) -> None:
        self._kept.append((line, chunk))
        while len(self._kept) > 1 and sum(len(old) for _, old in self._kept) > MAX_KEPT:
            self._found = max(0, self._found - len(self._kept.pop(0)[1]))

    def _line_of(self, outcome: Outcome) -> int | None:
        """The line on which its bytes begin, or the last one."""
        match outcome:
            case Rejected():
                mark = outcome.raw
            case Read():
                mark = outcome.epc
            case ReaderNote():
                mark = b""
            case _:
                assert_never(outcome)
        start = b"".join(chunk for _, chunk in self._kept).find(mark, self._found) if mark else -1
        if start < 0:
            return self._line
        self._found = start + len(mark)
        for line, chunk in self._kept:
            if start < len(chunk):
                return line
            start -= len(chunk)
        return self._line


def outcome_row(line: int | None, outcome: Outcome) -> Row:
    """The row of an outcome; the shape is described in `gatebook decode --help`."""
    at_us = None if outcome.at_us == UNTIMED else outcome.at_us
    match outcome:
        case Read():
            return _read_row(line, outcome, at_us)
        case ReaderNote():
            kind, detail = outcome.kind, outcome.detail
            return {"kind": "note", "line": line, "note": kind, "detail": detail, "at_us": at_us}
        case Rejected():
            return {
                "kind": "rejected",
                "line": line,
                "reason": outcome.reason,
                "detail": outcome.detail,
                "raw": outcome.raw.hex().upper(),
                "at_us": at_us,
            }
        case _:
            assert_never(outcome)


def bad_line_row(bad: BadLine) -> Row:
    """The row of a line that never reached the decoder; `raw` is the line's text in hex."""
    rejected = Rejected(reason=bad.reason, raw=bad.raw, at_us=UNTIMED, detail=bad.detail)
    return outcome_row(bad.line, rejected)


def _read_row(line: int | None, read: Read, at_us: int | None) -> Row:
    row: Row = {
        "kind": "read",
        "line": line,
        "epc": read.epc.hex().upper(),
        "rssi_dbm": read.rssi_dbm,
        "antenna": read.antenna,
        "pc": None if read.pc is None else f"{read.pc:04X}",
        "at_us": at_us,
    }
    more: Row = {
        "reads": read.reads if read.reads > 1 else None,
        "reader_at_us": read.reader_at_us,
        "tid": None if read.tid is None else read.tid.hex().upper(),
        "xpc": None if read.xpc is None else f"{read.xpc:04X}",
        "rssi_raw": read.rssi_raw,
        "frequency_khz": read.frequency_khz,
        "phase_deg": read.phase_deg,
        "key": read.key,
        "after_resync": read.after_resync or None,
    }
    return row | {name: value for name, value in more.items() if value is not None}
