"""A capture in place of a reader: what is told again, with and without what MQTT adds."""

import asyncio
from pathlib import Path

from gateway.link import CaptureUrl, Chunk, Envelope, LinkDown, LinkUp, Oversize
from gateway.links.capture import CaptureLink
from gateway.tap import Tap, Wish
from tests.gateway.heard import Heard
from tests.gateway.rig import KEY

PLACE = Envelope("lane/1/events", 1, retain=True)


async def played(path: Path) -> Heard:
    heard = Heard()
    async with asyncio.timeout(10):
        await CaptureLink("booth", CaptureUrl(str(path), 0), lambda: 9).run(heard.tell)
    return heard


async def test_what_a_tap_captured_of_mqtt_is_told_again_as_it_was(tmp_path: Path) -> None:
    tap = Tap(KEY, lambda _reader, _antenna: None, lambda _point: None)
    viewer = tap.add(Wish(want="capture", reader="booth"))
    tap.rx(Chunk("booth", b"{}", 5, "management", None, PLACE))
    tap.rx(Oversize("booth", b"[1", 2_000_000, 6, None, PLACE))
    tap.rx(Chunk("booth", b"\xbb", 7))
    path = tmp_path / "booth.ndjson"
    path.write_bytes(viewer.take())
    heard = await played(path)
    assert heard.all[:-1] == [
        LinkUp("booth", 9),
        Chunk("booth", b"{}", 9, "management", None, PLACE),
        Oversize("booth", b"[1", 2_000_000, 9, None, PLACE),
        Chunk("booth", b"\xbb", 9),
    ]


async def test_lines_without_what_mqtt_adds_are_played_and_bad_ones_counted(tmp_path: Path) -> None:
    path = tmp_path / "old.ndjson"
    path.write_text('{"at_us":1,"dir":"rx","hex":"BB"}\n{"dir":"tx","hex":"AA"}\nnonsense\n')
    heard = await played(path)
    assert heard.bytes() == b"\xbb"
    (end,) = (said for said in heard.all if isinstance(said, LinkDown))
    assert end.ended
    assert end.cause == "the capture has ended (1 lines could not be read)"
