"""A Zebra reader with the IoT Connector: tag events and management events as MQTT messages.

It reports each tag in its field every `report_us`, with the reads since the last report, and sends a heartbeat.
Its operating mode shows in `type`: INVENTORY gives antenna, RSSI and reads; CUSTOM here also PC and CRC. `eventNum`
counts all events and restarts with the reader. Shapes: `gateway.protocols.zebra_iotc` and public examples of the
vendor's messages. A reader whose broker lost the subscriber's session can send again what it kept.
"""

from collections import deque
from typing import Final, Literal

from gateway.protocols.zebra_iotc import encode_note, encode_tag_event
from simulators.device import Field, Publication, Published, Tag

Mode = Literal["INVENTORY", "CUSTOM"]

REPORT_US: Final = 200_000
HEARTBEAT_US: Final = 1_000_000
#: Reads of one tag in a report interval: about 20 a second.
READS_A_REPORT: Final = 4
#: Tag events that the reader keeps: a real one keeps up to 150,000 (`maxNumEvents`).
MAX_KEPT: Final = 10_000


class ZebraReader:
    """The device model."""

    def __init__(
        self, *, mode: Mode = "INVENTORY", host: str = "FX9600SIM", report_us: int = REPORT_US
    ) -> None:
        """Powered up: it reports at once, without being told to."""
        self.field = Field()
        self._mode = mode
        self._host = host
        self._report_us = report_us
        self._number = 0
        self._reads = 0
        self._report_at_us = self._heartbeat_at_us = 0
        self._kept: deque[tuple[int, Publication]] = deque(maxlen=MAX_KEPT)

    def due(self, now_us: int) -> Published:
        """The reports and the heartbeat that are due."""
        publications: list[Publication] = []
        if now_us >= self._heartbeat_at_us:
            self._heartbeat_at_us = now_us + HEARTBEAT_US
            publications.append(Publication("management", self._heartbeat(now_us)))
        if now_us >= self._report_at_us:
            self._report_at_us = now_us + self._report_us
            for tag in self.field.present(now_us):
                event = Publication("data", self._event(tag, now_us))
                self._kept.append((now_us, event))
                publications.append(event)
        return Published(publications, min(self._report_at_us, self._heartbeat_at_us))

    def kept(self, since_us: int) -> list[Publication]:
        """Its tag events since then, as they were sent the first time."""
        return [event for at_us, event in self._kept if at_us >= since_us]

    def _event(self, tag: Tag, now_us: int) -> bytes:
        self._number += 1
        self._reads += READS_A_REPORT
        return encode_tag_event(
            tag.epc,
            event_num=self._number,
            at_us=now_us,
            mode=self._mode,
            fields={
                "antenna": tag.antenna or 1,
                "peakRssi": tag.rssi_dbm,
                "reads": READS_A_REPORT,
            },
        )

    def _heartbeat(self, now_us: int) -> bytes:
        self._number += 1
        data = {
            "radio_control": {
                "antennas": {str(port): "connected" for port in (1, 2, 3, 4)},
                "numErrors": 0,
                "numTagReads": self._reads,
                "numWarnings": 0,
                "radioActivity": "active",
                "radioConnection": "connected",
            },
            "reader_gateway": {"interfaceConnectionStatus": {"data": "connected"}},
            "system": {"hostName": self._host, "ntp": {"offset": 0.0, "reach": 377}, "uptime": "0"},
            "userapps": [],
        }
        return encode_note("heartbeat", event_num=self._number, at_us=now_us, data=data)
