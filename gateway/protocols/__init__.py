"""Every wire protocol that a reader may speak: one file here, one line below, one capture in the tests."""

from typing import Final

from gateway.protocols import r200, zebra_iotc
from gateway.reads import WireProtocol

#: The name in a reader's configuration -> the protocol.
PROTOCOLS: Final[dict[str, WireProtocol]] = {
    "r200": WireProtocol("stream", r200.decoder),
    "zebra_iotc": WireProtocol("message", zebra_iotc.decoder),
}
