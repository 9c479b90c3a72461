"""`gatebook simulate reader` as a process of its own."""

import asyncio
import json
import sys
import tomllib
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
import serial

from gateway.protocols.mercury import encode_start
from simulators.alone import AloneSettings, Place, ReaderError, place_of, run_reader
from tests.gateway.rig import ROOT
from tests.simulators.made import until


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("pty:ports/a:b", Place("pty", "ports/a:b")),
        ("tcp:0", Place("tcp", "0")),
        ("rfc2217:4001", Place("rfc2217", "4001")),
        ("mqtt:127.0.0.1:1883", Place("mqtt", "127.0.0.1:1883")),
        ("mqtt://127.0.0.1:1883/", Place("mqtt", "127.0.0.1:1883")),
    ],
)
def test_a_place_is_read(text: str, place: Place) -> None:
    assert place_of(text) == place


@pytest.mark.parametrize(
    "text", ["", "pty", "pty:", "tcp:", "tcp:65536", "tcp:x", "mqtt:1883", "mqtt::1", "usb:1"]
)
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ReaderError, match="is not pty:PATH"):
        place_of(text)


def test_a_trap_of_another_reader_is_refused() -> None:
    settings = AloneSettings(traps=frozenset({"ble"}))
    with pytest.raises(ReaderError, match="r200 has no trap 'ble'"):
        run_reader("r200", place_of("tcp:0"), settings).close()


async def test_it_says_what_the_configuration_needs_and_how_much_it_sent_when_it_is_stopped(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "gatebook", "simulate", "reader", "--protocol", "mercury"]
    command += ["--on", f"pty:{tmp_path}/port", "--name", "booth", "--rate", "200"]
    command += ["--count-file", str(tmp_path / "counts.json"), "--trap", "return_loss"]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    try:
        assert process.stderr is not None
        said = b"".join([await process.stderr.readline() for _ in range(5)])
        assert tomllib.loads(said.decode())["reader"] == [
            {
                "id": "booth",
                "link": f"serial://{tmp_path}/port",
                "protocol": "mercury",
                "options": {},
            }
        ]
        counts = tmp_path / "counts.json"
        with serial.Serial(f"{tmp_path}/port", timeout=0) as port:
            assert json.loads(counts.read_bytes())["taken"] == 0
            port.write(encode_start())
            await until(lambda: port.in_waiting > 100)
            process.terminate()
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0
    last = json.loads(out)
    assert last == json.loads(counts.read_bytes())
    assert last["sent"] == last["taken"] - last["lost"] > 0
    assert last["done"] is False
