"""One simulated reader a protocol: answers commands and says things by itself as the device does. No I/O."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final, NamedTuple

from simulators.device import MqttReader, SerialReader
from simulators.readers import (
    impinj_iot,
    json_tags,
    mercury,
    metratec,
    r200,
    transcore,
    uhfreader,
    zebra_iotc,
)


class SerialKind(NamedTuple):
    """A reader on a line: what makes it, its traps, and what a gateway's configuration says of it."""

    make: Callable[[AbstractSet[str]], SerialReader]
    traps: Mapping[str, str]
    protocol: str
    options: str = "{}"


class MqttKind(NamedTuple):
    """A reader that publishes; made with its traps and the events of one message (0: as it ships)."""

    make: Callable[[AbstractSet[str], int], MqttReader]
    traps: Mapping[str, str]
    protocol: str
    options: str = "{}"


_HEX_TEXT: Final = "pattern = '(?P<epc>[0-9A-F]{4,})'"

#: Name of a simulated reader -> its kind.
SERIAL_KINDS: Final[dict[str, SerialKind]] = {
    "r200": SerialKind(lambda traps: r200.R200Reader(traps=traps), r200.TRAPS, "r200"),
    "mercury": SerialKind(
        lambda traps: mercury.MercuryReader(traps=traps), mercury.TRAPS, "mercury"
    ),
    "uhfreader18": SerialKind(
        lambda traps: uhfreader.UhfReader("18", traps=traps), uhfreader.TRAPS, "uhfreader"
    ),
    "uhfreader288": SerialKind(
        lambda traps: uhfreader.UhfReader("288", traps=traps), uhfreader.TRAPS, "uhfreader"
    ),
    "transcore_basic": SerialKind(
        lambda traps: transcore.TransCoreReader("basic", traps=traps),
        transcore.TRAPS,
        "ascii_line",
        f'{{ dialect = "transcore_basic", {_HEX_TEXT} }}',
    ),
    "transcore_ecp": SerialKind(
        lambda traps: transcore.TransCoreReader("ecp", traps=traps),
        transcore.TRAPS,
        "ascii_line",
        f'{{ dialect = "transcore_ecp", {_HEX_TEXT} }}',
    ),
    "metratec_ascii": SerialKind(
        lambda traps: metratec.MetraTecReader("ascii", traps=traps),
        metratec.TRAPS,
        "ascii_line",
        '{ dialect = "metratec_ascii" }',
    ),
    "metratec_at": SerialKind(
        lambda traps: metratec.MetraTecReader("at", traps=traps),
        metratec.TRAPS,
        "ascii_line",
        '{ dialect = "metratec_at" }',
    ),
}

MQTT_KINDS: Final[dict[str, MqttKind]] = {
    "zebra_iotc": MqttKind(
        lambda traps, batch: zebra_iotc.ZebraReader(traps=traps, batch=batch),
        zebra_iotc.TRAPS,
        "zebra_iotc",
    ),
    "impinj_iot": MqttKind(
        lambda traps, _: impinj_iot.ImpinjReader(traps=traps), impinj_iot.TRAPS, "impinj_iot"
    ),
    "keonn": MqttKind(
        lambda traps, _: json_tags.JsonTagsReader("keonn", traps=traps),
        json_tags.TRAPS,
        "json_map",
    ),
    "csl": MqttKind(
        lambda traps, _: json_tags.JsonTagsReader("csl", traps=traps),
        json_tags.TRAPS,
        "json_map",
        '{ tags = "tags", antenna = "antennaPort", time = "timeStampOfRead", time_form = "us" }',
    ),
}

_NO_TRAPS: Final[frozenset[str]] = frozenset()

#: Name -> a new reader on a serial line, without traps.
SERIAL: Final[dict[str, Callable[[], SerialReader]]] = {
    name: partial(kind.make, _NO_TRAPS) for name, kind in SERIAL_KINDS.items()
}

#: Name -> a new reader that publishes by MQTT, without traps.
MQTT: Final[dict[str, Callable[[], MqttReader]]] = {
    name: partial(kind.make, _NO_TRAPS, 0) for name, kind in MQTT_KINDS.items()
}
