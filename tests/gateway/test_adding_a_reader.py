"""The walk-through in docs/adding-a-reader.md is run as it stands."""

import json
import re
import types
from pathlib import Path

from gateway.capture_file import Heard, parse_line
from gateway.reads import Decoder, Read, ReaderNote, Rejected
from gateway.transcript import Row, Transcript

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-reader.md").read_text()


def block(first_line: str) -> str:
    """The fenced block of the page whose text begins like this."""
    found = re.search(r"```\w*\n(" + re.escape(first_line) + r".*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def acme() -> types.ModuleType:
    module = types.ModuleType("acme")
    exec(compile(block('"""Acme desk readers'), "acme.py", "exec"), vars(module))  # noqa: S102
    return module


def test_the_decoder_on_the_page_gives_what_the_page_expects_of_its_capture() -> None:
    transcript = Transcript(acme().decoder({}), "stream")
    rows: list[Row] = []
    for number, text in enumerate(block("# hex frame").encode().splitlines(), 1):
        line = parse_line("hex", number, text)
        if isinstance(line, Heard):
            rows += transcript.take(line)
    rows += transcript.end()
    wanted = [json.loads(line) for line in block('{"kind":"read"').splitlines()]
    assert [
        {key: row[key] for key in want} for row, want in zip(rows, wanted, strict=True)
    ] == wanted


def test_the_decoder_on_the_page_keeps_the_contract_it_explains() -> None:
    module = acme()
    read = Read(epc=b"\xa5\x0c\xa5" * 4, at_us=5, rssi_dbm=-40)
    stream = b"\x01\xa5\xfe" + module.encode(read) + b"\xa5\xff\xff" + module.encode(read)[:9]
    for pieces in ([stream], [bytes((byte,)) for byte in stream]):
        decoder: Decoder = module.decoder({})
        outcomes = [outcome for piece in pieces for outcome in decoder.feed(piece, 5)]
        outcomes += decoder.due(200_000).outcomes
        assert [o.epc for o in outcomes if isinstance(o, Read)] == [read.epc]
        assert sum(isinstance(o, ReaderNote) for o in outcomes) == 1
        assert sum(len(o.raw) for o in outcomes if isinstance(o, Rejected)) == 3 + 9
        assert decoder.due(300_000).next_due_us is None
