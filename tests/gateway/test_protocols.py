"""What every protocol of the registry keeps, tried on every capture; both are found by themselves.

A capture belongs to the protocol whose name is in the file's name. What must come out stands beside it
in `NAME.expected.ndjson`, as rows of `gatebook decode` of which only the named fields count.
`GATEBOOK_CAPTURES` adds a folder; a capture without expectations must give no reject, but on the
lines whose note begins with `NEGATIVE:`.
"""

import importlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.capture_file import BadLine, Heard, detect, parse_line
from gateway.protocols import PROTOCOLS
from gateway.reads import Decoder, OptionError, Outcome, Read
from gateway.transcript import Row, Transcript, bad_line_row

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "captures"
SILENCE_US = 3_600_000_000
#: No decoder may hold more than this, whatever it is fed.
MAX_HELD = 4096

#: Readers whose signal byte has no unit.
WITHOUT_DBM = {"uhfreader"}

#: Readers whose messages cannot say that a tag has an empty EPC.
WITHOUT_EMPTY: set[str] = set()

STREAMS = [name for name, protocol in PROTOCOLS.items() if protocol.framing == "stream"]


class ProtocolModule(Protocol):
    def encode(self, read: Read) -> bytes: ...


def module(name: str) -> ProtocolModule:
    return cast("ProtocolModule", importlib.import_module(f"gateway.protocols.{name}"))


def folders() -> Iterator[Path]:
    yield OWN
    if extra := os.environ.get("GATEBOOK_CAPTURES"):
        yield Path(extra)


def protocol_of(path: Path) -> str | None:
    return max((name for name in PROTOCOLS if name in path.name), key=len, default=None)


def captures() -> list[Path]:
    files = (path for folder in folders() for path in sorted(folder.iterdir()) if path.is_file())
    wanted = [path for path in files if not path.name.endswith(".expected.ndjson")]
    return [path for path in wanted if protocol_of(path) is not None]


def name_of(path: Path) -> str:
    return path.name if path.parent == OWN else f"extra-{path.name}"


def lines_of(path: Path) -> Iterator[tuple[str, Heard | BadLine]]:
    """Each line's text and what it is, without those that say nothing."""
    name = protocol_of(path)
    assert name is not None
    content = path.read_bytes()
    form = detect(content, PROTOCOLS[name].framing)
    assert form in {"hex", "capture", "json", "escaped"}
    for number, text in enumerate(content.splitlines(), 1):
        line = parse_line(form, number, text)
        if line is not None:
            yield text.decode(), line


def rows_of(path: Path) -> list[Row]:
    name = protocol_of(path)
    assert name is not None
    transcript = Transcript(PROTOCOLS[name].decoder({}), PROTOCOLS[name].framing)
    rows: list[Row] = []
    for _, line in lines_of(path):
        rows += [bad_line_row(line)] if isinstance(line, BadLine) else transcript.take(line)
    return rows + list(transcript.end())


def chunks_of(name: str) -> list[bytes]:
    """All that captures hold for this protocol, good and bad."""
    paths = [path for path in captures() if protocol_of(path) == name]
    lines = [line for path in paths for _, line in lines_of(path)]
    return [line.chunk for line in lines if isinstance(line, Heard)]


def held(decoder: Decoder) -> int:
    """Bytes that a decoder holds."""
    return sum(len(value) for value in vars(decoder).values() if isinstance(value, bytes))


def decoded(decoder: Decoder, chunks: list[bytes]) -> list[Outcome]:
    outcomes = [outcome for chunk in chunks for outcome in decoder.feed(chunk, 5)]
    return outcomes + decoder.flush(5)


def reads_of(outcomes: list[Outcome]) -> list[bytes]:
    return [outcome.epc for outcome in outcomes if isinstance(outcome, Read)]


@st.composite
def reads(draw: st.DrawFn, name: str) -> Read:
    least = 1 if name in WITHOUT_EMPTY else 0
    epc = draw(st.integers(least, 31).flatmap(lambda w: st.binary(min_size=2 * w, max_size=2 * w)))
    return Read(
        epc=epc,
        at_us=1_788_785_436_194_000 + draw(st.integers(0, 10**9)) * 1000,
        rssi_dbm=draw(st.integers(-100, 0)),
    )


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_has_a_capture_that_we_did_not_make(name: str) -> None:
    sources = (OWN / "README.md").read_text()
    own = [path for path in captures() if path.parent == OWN and protocol_of(path) == name]
    assert own
    assert all(f"`{path.name}`" in sources for path in own)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_is_documented_with_its_options(name: str) -> None:
    page = (ROOT / "docs" / "protocols" / f"{name.replace('_', '-')}.md").read_text()
    with pytest.raises(OptionError) as caught:
        PROTOCOLS[name].decoder({"no_such_option": 1})
    known = str(caught.value).partition("there is ")[2]
    for option in known.split(", ") if known else []:
        assert f"`{option}`" in page
    assert "nverified" in page


@pytest.mark.parametrize("path", captures(), ids=name_of)
def test_a_capture_decodes_as_expected(path: Path) -> None:
    expected = path.with_suffix(".expected.ndjson")
    rows = rows_of(path)
    if expected.exists():
        wanted = [json.loads(line) for line in expected.read_text().splitlines()]
        found = zip(rows, wanted, strict=True)
        assert [{key: row.get(key) for key in want} for row, want in found] == wanted
    else:
        lines = list(lines_of(path))
        negative = [line.line for text, line in lines if "; NEGATIVE:" in text]
        assert rows
        assert {row["line"] for row in rows if row["kind"] == "rejected"} == set(negative)


@pytest.mark.parametrize("path", captures(), ids=name_of)
def test_a_capture_that_says_what_it_holds_is_right(path: Path) -> None:
    """Lines of the gateway's own format may carry `reads` and `rejected`: EPCs and reasons in order."""
    if path.suffix != ".ndjson":
        return
    wanted: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        said = json.loads(line) if '"hex"' in line else {}
        for key in said.keys() & {"reads", "rejected"}:
            wanted.setdefault(key, []).extend(said[key])
    rows = rows_of(path)
    found = {
        "reads": [row["epc"] for row in rows if row["kind"] == "read"],
        "rejected": [row["reason"] for row in rows if row["kind"] == "rejected"],
    }
    assert wanted == {key: found[key] for key in wanted}


@pytest.mark.parametrize("name", STREAMS)
@given(data=st.data())
def test_any_cut_of_the_stream_gives_the_same_outcomes(name: str, data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.sampled_from(chunks_of(name)) | st.binary(max_size=12)))
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    starts, ends = [0, *cuts], [*cuts, len(stream)]
    pieces = [stream[start:end] for start, end in zip(starts, ends, strict=True)]
    decoder = PROTOCOLS[name].decoder
    assert decoded(decoder({}), pieces) == decoded(decoder({}), [stream])


@pytest.mark.parametrize("name", STREAMS)
def test_one_byte_at_a_time_gives_the_same_outcomes(name: str) -> None:
    stream = b"".join(chunks_of(name))
    decoder = PROTOCOLS[name].decoder
    bytewise = decoded(decoder({}), [bytes((byte,)) for byte in stream])
    assert bytewise == decoded(decoder({}), [stream])
    assert reads_of(bytewise)


@pytest.mark.parametrize("name", PROTOCOLS)
@given(data=st.data())
def test_no_bytes_raise_or_fill_the_buffer_or_cost_a_later_good_frame(
    name: str, data: st.DataObject
) -> None:
    known = chunks_of(name)
    alphabet = st.sampled_from(sorted(set(b"".join(known))))
    nasty = st.lists(alphabet, max_size=600).map(bytes)
    cut = st.sampled_from(known).flatmap(
        lambda chunk: st.integers(0, len(chunk)).map(lambda size: chunk[:size])
    )
    garbage = data.draw(st.lists(st.binary(max_size=600) | nasty | cut, max_size=8))
    good = data.draw(st.lists(reads(name), min_size=1, max_size=4))
    decoder = PROTOCOLS[name].decoder({})
    decoder.start()
    for chunk in garbage:
        decoder.feed(chunk, 5)
        assert held(decoder) <= MAX_HELD
    encode = module(name).encode
    outcomes = [outcome for read in good for outcome in decoder.feed(encode(read), 5)]
    outcomes += decoder.due(5 + SILENCE_US).outcomes + decoder.flush(5)
    assert reads_of(outcomes)[-len(good) :] == [read.epc for read in good]
    assert held(decoder) == 0


@pytest.mark.parametrize("name", PROTOCOLS)
@given(data=st.data())
def test_what_a_simulated_reader_sends_is_what_the_decoder_reads(
    name: str, data: st.DataObject
) -> None:
    check_read_back(name, data.draw(reads(name)))


@pytest.mark.parametrize("name", sorted(PROTOCOLS.keys() - WITHOUT_EMPTY))
def test_an_empty_epc_is_a_read_too(name: str) -> None:
    check_read_back(name, Read(epc=b"", at_us=1_788_785_436_194_000, rssi_dbm=-1))


def check_read_back(name: str, read: Read) -> None:
    outcomes = decoded(PROTOCOLS[name].decoder({}), [module(name).encode(read)])
    rssi_dbm = None if name in WITHOUT_DBM else read.rssi_dbm
    assert [(o.epc, o.rssi_dbm) for o in outcomes if isinstance(o, Read)] == [(read.epc, rssi_dbm)]
    assert len(outcomes) == 1


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_decoder_that_was_not_started_and_holds_nothing_wants_nothing(name: str) -> None:
    due = PROTOCOLS[name].decoder({}).due(5)
    assert (due.send, due.outcomes, due.next_due_us) == (b"", [], None)
