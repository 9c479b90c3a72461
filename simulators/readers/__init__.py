"""One simulated reader a protocol: answers commands and says things by itself as the device does. No I/O."""

from collections.abc import Callable
from typing import Final

from simulators.device import MqttReader, SerialReader
from simulators.readers import r200, zebra_iotc

#: Protocol -> a new reader on a serial line.
SERIAL: Final[dict[str, Callable[[], SerialReader]]] = {"r200": r200.R200Reader}

#: Protocol -> a new reader that publishes by MQTT.
MQTT: Final[dict[str, Callable[[], MqttReader]]] = {"zebra_iotc": zebra_iotc.ZebraReader}
