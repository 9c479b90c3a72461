"""One simulated reader by hand: its tags stay in its field all the time."""

from collections.abc import Coroutine, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from simulators.device import Field, Tag
from simulators.follow import now_us
from simulators.mqtt_port import MqttPort
from simulators.pty_port import PtyPort
from simulators.readers import MQTT, SERIAL

#: Longer than any run.
_FOR_EVER_US: Final = 1 << 62
_RSSI_DBM: Final = -55


class ReaderError(ValueError):
    """A reader that cannot be run so; the text says what to change."""


def run_reader(
    protocol: str,
    port: Path | None,
    broker: tuple[str, int] | None,
    *,
    name: str,
    tags: Sequence[str],
    antenna: int,
) -> Coroutine[Any, Any, None]:
    """What runs the reader until it is cancelled; raises `ReaderError`."""
    epcs = [_epc(text) for text in tags]
    if protocol in SERIAL:
        if port is None:
            raise ReaderError(f"{protocol} is a serial reader: name its port by --port PATH")
        return _serial(protocol, port, epcs)
    if protocol in MQTT:
        if broker is None:
            raise ReaderError(f"{protocol} speaks MQTT: name its broker by --mqtt HOST:PORT")
        return _mqtt(protocol, name, broker, epcs, antenna)
    known = (*SERIAL, *MQTT)
    near = get_close_matches(protocol, known, n=1)
    advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    raise ReaderError(f"no simulated reader speaks {protocol!r}; {advice}")


async def _serial(protocol: str, path: Path, epcs: list[bytes]) -> None:
    reader = SERIAL[protocol]()
    _fill(reader.field, epcs, None)
    with PtyPort(path, reader, now_us) as port:
        await port.run()


async def _mqtt(
    protocol: str, name: str, broker: tuple[str, int], epcs: list[bytes], antenna: int
) -> None:
    reader = MQTT[protocol]()
    _fill(reader.field, epcs, antenna)
    with MqttPort(name, reader, broker, now_us) as port:
        await port.run()


def _fill(field: Field, epcs: list[bytes], antenna: int | None) -> None:
    for epc in epcs:
        field.enter(Tag(epc, antenna, _RSSI_DBM), _FOR_EVER_US)


def _epc(text: str) -> bytes:
    try:
        epc = bytes.fromhex(text)
    except ValueError:
        epc = b""
    if not epc or len(epc) % 2 or len(epc) > 62:
        raise ReaderError("--tag expects an EPC as hex: 2 to 62 bytes, an even number of them")
    return epc
