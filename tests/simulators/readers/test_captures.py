"""What simulated readers send has the bytes of real devices, as far as there are captures.

`GATEBOOK_CAPTURES` names a folder with the whole session of a ThingMagic module, which is not in the repository.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from gateway.protocols import PROTOCOLS
from gateway.reads import Read
from simulators.device import Tag
from simulators.readers.impinj_iot import ImpinjReader
from simulators.readers.mercury import frame, tag_report
from simulators.readers.uhfreader import UhfReader, crc
from simulators.readers.zebra_iotc import ZebraReader
from tests.needs import missing
from tests.simulators.readers.talk import NOON

CAPTURES: Final = Path(__file__).parents[2] / "captures"


def lines(name: str) -> list[list[str]]:
    """The columns of each line of a capture, hex first; comments are left out."""
    text = (CAPTURES / name).read_text()
    return [line.split(" ; ") for line in text.splitlines() if not line.startswith("#")]


def built(sent: bytes) -> bytes:
    """A tag report put together anew from its fields, by their places in TM1."""
    rssi = int.from_bytes(sent[12:13], "big", signed=True)
    return tag_report(
        Tag(sent[31:-4], sent[13] & 15, rssi),
        int.from_bytes(sent[17:21], "big"),
        frequency_khz=int.from_bytes(sent[14:17], "big"),
        phase_deg=int.from_bytes(sent[21:23], "big"),
        gpio=sent[26],
        pc=int.from_bytes(sent[29:31], "big"),
    )


def rebuilt(sent: bytes) -> bytes:
    """Any frame of a module."""
    if sent[2] == 0x22 and sent[1] > 12:
        return built(sent)
    return frame(sent[2], sent[5:-2], int.from_bytes(sent[3:5], "big"))


def test_mercury_frames_are_those_of_real_modules() -> None:
    received = [bytes.fromhex(row[0]) for row in lines("mercury_thingmagic.txt") if row[1] == "rx"]
    assert len(received) == 7
    assert [rebuilt(sent) for sent in received] == received


def test_a_whole_session_of_a_module_comes_out_of_the_simulator_and_through_the_decoder() -> None:
    folder = os.environ.get("GATEBOOK_CAPTURES")
    if folder is None:
        missing("GATEBOOK_CAPTURES does not name a folder of captures")
    path = Path(folder) / "mercury_session.ndjson"
    if not path.exists():
        missing("mercury_session.ndjson is not among the captures")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    received = [bytes.fromhex(row["hex"]) for row in rows if row["dir"] == "rx"]
    simulated = [rebuilt(sent) for sent in received]
    assert simulated == received
    decoder = PROTOCOLS["mercury"].decoder({})
    outcomes = [one for sent in simulated for one in decoder.feed(sent, NOON)]
    reads = Counter(one.epc.hex() for one in outcomes if isinstance(one, Read))
    assert reads == {
        "000000000000000000001545": 375,
        "596f596f": 376,
        "e2001026760e017915907125": 371,
    }


def test_the_checksum_of_uhfreaders_is_that_of_every_real_frame() -> None:
    rows = lines("chafon_uhfreader.txt")
    for row in rows:
        sent = bytes.fromhex(row[0])
        assert (crc(sent[:-2]) == sent[-2:]) != row[-1].startswith("NEGATIVE"), row[0]


@pytest.mark.parametrize(
    ("dialect", "wanted", "levels"),
    [
        ("18", "20000103020C0000000000000000000003130C0000000000000000000003149AC9", (0, 0)),
        (
            "288",
            "2300010301020C0000000000000000000003136B0C0000000000000000000003146C70F2",
            (0x6B - 130, 0x6C - 130),
        ),
    ],
)
def test_a_poll_is_answered_by_the_frames_of_real_readers(
    dialect: str, wanted: str, levels: tuple[int, int]
) -> None:
    assert wanted in {row[0] for row in lines("chafon_uhfreader.txt")}
    reader = UhfReader("18" if dialect == "18" else "288")
    for end, level in zip(("0313", "0314"), levels, strict=True):
        tag = Tag(bytes.fromhex("00000000000000000000" + end), 1, level)
        reader.field.enter(tag, NOON + 10**9)
    poll = "040001DB4B" if dialect == "18" else "06000104FFD439"
    assert reader.receive(bytes.fromhex(poll), NOON) == b""
    answer = reader.due(NOON + 1_000_000).data
    assert answer.hex().upper() == wanted + "0700010101001E4B"


def test_a_zebra_event_has_the_members_of_a_real_one() -> None:
    text = (CAPTURES / "zebra_iotc_tagdata.ndjson").read_text().splitlines()
    real = next(one for one in map(json.loads, text) if one["type"] == "INVENTORY")
    reader = ZebraReader()
    reader.field.enter(Tag(bytes.fromhex(real["data"]["idHex"]), 1, -37), NOON + 10**9)
    made = [json.loads(one.payload) for one in reader.due(NOON).publications][-1]
    assert {**made, "timestamp": "", "data": None} == {**real, "timestamp": "", "data": None}
    assert len(made["timestamp"]) == len(real["timestamp"])
    same = {"eventNum": 0, "reads": 0}
    assert made["data"] | same == real["data"] | same


def test_an_impinj_event_has_members_of_a_real_one_in_their_form() -> None:
    text = (CAPTURES / "impinj_iot_events.ndjson").read_text().splitlines()
    real = next(one for one in map(json.loads, text) if one.get("eventType") == "tagInventory")
    inner = real["tagInventoryEvent"]
    reader = ImpinjReader()
    reader.field.enter(Tag(bytes.fromhex(inner["epcHex"]), 2, -57), NOON + 10**9)
    made = [json.loads(one.payload) for one in reader.due(NOON).publications[1:]][-1]
    assert set(made) == set(real)
    assert set(made["tagInventoryEvent"]) <= set(inner)
    for name in ("epc", "epcHex", "antennaPort", "frequency"):
        assert made["tagInventoryEvent"][name] == inner[name]
    assert len(made["timestamp"]) == len(real["timestamp"])
