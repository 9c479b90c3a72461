"""Several readers of one file, in one process."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import pytest
import serial

from gateway.protocols import PROTOCOLS
from gateway.protocols.mercury import encode_start
from gateway.reads import Read
from simulators.alone import ReaderError
from simulators.load import Load
from simulators.several import read_rows, run_readers, settings_of
from tests.simulators.made import until

ROW = '[[reader]]\nname = "{name}"\nkind = "{kind}"\non = "{on}"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[reader", "not a file of readers"),
        ("", "missing required field `reader`"),
        ("reader = []", "length >= 1"),
        (ROW.format(name="a", kind="r200", on="pty:p") + "speed = 1\n", "unknown field `speed`"),
        (ROW.format(name="a", kind="r200", on="pty:p") * 2, "the same name"),
        (ROW.format(name="a/b", kind="r200", on="pty:p"), "regex"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(text: str, said: str) -> None:
    with pytest.raises(ReaderError, match=r".*") as error:
        read_rows(text)
    assert said in str(error.value)


def test_a_reader_that_cannot_be_is_named_before_any_runs() -> None:
    rows = read_rows(
        ROW.format(name="a", kind="r200", on="pty:p") + ROW.format(name="b", kind="r2", on="pty:p")
    )
    with pytest.raises(ReaderError, match="'r2'"):
        run_readers(rows).close()


def test_two_readers_of_a_file_have_different_tags_unless_a_seed_says_otherwise() -> None:
    text = "".join(
        ROW.format(name=name, kind="r200", on="pty:p") + "rate = 10\n" for name in ("a", "b")
    )
    first, second = (settings_of(row, n, None).load for n, row in enumerate(read_rows(text)))
    assert first is not None
    assert second is not None
    assert first.epc(0) != second.epc(0)


async def test_they_run_until_all_is_sent_and_the_counts_are_right(tmp_path: Path) -> None:
    text = "".join(
        ROW.format(name=name, kind="mercury", on=f"pty:{tmp_path}/{name}")
        + "rate = 200\nfor_s = 0.5\n"
        for name in ("one", "two")
    )
    work = asyncio.create_task(run_readers(read_rows(text), tmp_path))
    ports = []
    for number, name in enumerate(("one", "two")):
        path = tmp_path / name
        await until(path.exists)
        counts = json.loads((tmp_path / f"{name}.json").read_bytes())
        assert (counts["taken"], counts["done"]) == (0, False)
        ports.append((serial.Serial(str(path), timeout=5), Load(rate=200, seed=number)))
    for port, load in ports:
        port.write(encode_start())
        decoder = PROTOCOLS["mercury"].decoder({})
        reads: list[bytes] = []
        while len(reads) < 100:
            outcomes = decoder.feed(await asyncio.to_thread(port.read, max(1, port.in_waiting)), 0)
            reads += [one.epc for one in outcomes if isinstance(one, Read)]
        assert reads == [load.epc(n) for n in range(100)]
    async with asyncio.timeout(20):
        while not work.done():
            for port, _ in ports:
                # What comes after the reads, until the reader is unplugged.
                with suppress(OSError):
                    port.read(port.in_waiting)
            await asyncio.sleep(0.01)
    await work
    for port, _ in ports:
        port.close()
    for name in ("one", "two"):
        counts = json.loads((tmp_path / f"{name}.json").read_bytes())
        assert (counts["sent"], counts["lost"], counts["done"]) == (100, 0, True)
