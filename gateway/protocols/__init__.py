"""Every wire protocol that a reader may speak: one file here, one line below, one capture in the tests."""

from typing import Final

from gateway.protocols import ascii_line, impinj_iot, json_map, mercury, r200, uhfreader, zebra_iotc
from gateway.reads import WireProtocol

#: The name in a reader's configuration -> the protocol.
PROTOCOLS: Final[dict[str, WireProtocol]] = {
    "ascii_line": WireProtocol("stream", ascii_line.decoder),
    "impinj_iot": WireProtocol("message", impinj_iot.decoder),
    "mercury": WireProtocol("stream", mercury.decoder),
    "json_map": WireProtocol("message", json_map.decoder),
    "r200": WireProtocol("stream", r200.decoder),
    "uhfreader": WireProtocol("stream", uhfreader.decoder),
    "zebra_iotc": WireProtocol("message", zebra_iotc.decoder),
}
