"""A Zebra reader with the IoT Connector: tag events and management events as MQTT messages.

It reports each tag in its field every `report_us`, with the reads since the last report, and sends a heartbeat.
Its operating mode shows in `type`: INVENTORY gives antenna, RSSI and reads; CUSTOM here also PC and CRC. `eventNum`
counts all events and restarts with the reader. Forms: public examples of the vendor's messages
(`tests/captures/README.md`), written here apart from the gateway's decoder. A reader whose broker lost the
subscriber's session can send again what it kept.
"""

from collections import deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final, Literal

import orjson

from gateway.gen2 import plain_pc, tag_crc
from simulators.device import Field, Publication, Published, Tag
from simulators.readers.iso_time import with_milliseconds

Mode = Literal["INVENTORY", "CUSTOM"]

REPORT_US: Final = 200_000
HEARTBEAT_US: Final = 1_000_000
#: Reads of one tag in a report interval: about 20 a second.
READS_A_REPORT: Final = 4
#: Tag events that the reader keeps: a real one keeps up to 150,000 (`maxNumEvents`).
MAX_KEPT: Final = 10_000
#: Old events of a replay, how old they are, and how many come in a report interval: 500 a second.
REPLAYED: Final = 2_000
REPLAY_AGE_US: Final = 3_600_000_000
REPLAY_A_REPORT: Final = 100
_RESET_AFTER: Final = 50

TRAPS: Final = {
    "simple": "SIMPLE mode: no antenna, no RSSI, no number of reads",
    "error_text": "an English error text where USER should be hex",
    "ble": "a Bluetooth beacon among the tags, with capitalised keys",
    "event_reset": "eventNum begins again at 1, as after a restart, after each 50 events",
    "antenna_disconnected": "antenna 2 is disconnected in the heartbeat",
    "ntp_unreachable": "the clock is an hour slow, and the heartbeat says that NTP is not reached",
    "replay": "at first 2,000 reads of an hour ago, 500 a second",
}


class ZebraReader:
    """The device model."""

    def __init__(
        self,
        *,
        mode: Mode = "INVENTORY",
        host: str = "FX9600SIM",
        report_us: int = REPORT_US,
        batch: int = 0,
        traps: AbstractSet[str] = frozenset(),
    ) -> None:
        """Started; `batch`: so many events at most in one message, as an array; 0: each by itself."""
        self.field = Field()
        self._mode = mode
        self._host = host
        self._report_us = report_us
        self._batch = batch
        self._traps = traps
        self._number = 0
        self._reads = 0
        self._report_at_us = self._heartbeat_at_us = 0
        self._kept: deque[tuple[int, Publication]] = deque(maxlen=MAX_KEPT)
        self._replay = REPLAYED if "replay" in traps else 0

    def due(self, now_us: int) -> Published:
        """The reports and the heartbeat that are due."""
        publications: list[Publication] = []
        if now_us >= self._heartbeat_at_us:
            self._heartbeat_at_us = now_us + HEARTBEAT_US
            publications.append(Publication("management", self._heartbeat(now_us)))
        if now_us >= self._report_at_us:
            self._report_at_us = now_us + self._report_us
            for event in self._packed(self._report(now_us)):
                self._kept.append((now_us, event))
                publications.append(event)
        return Published(publications, min(self._report_at_us, self._heartbeat_at_us))

    def kept(self, since_us: int) -> list[Publication]:
        """Its tag events since then, as they were sent the first time."""
        return [event for at_us, event in self._kept if at_us >= since_us]

    def _report(self, now_us: int) -> list[bytes]:
        """The tag events that are due."""
        count = min(self._replay, REPLAY_A_REPORT)
        self._replay -= count
        events = [
            self._event(_old_tag(place), 1, now_us - REPLAY_AGE_US + place)
            for place in range(count)
        ]
        events += [
            self._event(tag, reads, now_us)
            for tag, reads in self.field.counted(now_us, READS_A_REPORT)
        ]
        if "ble" in self._traps:
            beacon = {"Address": "02:00:00:00:00:01", "RSSI": -66, "beaconType": "EDDYSTONE_TLM"}
            event = {"data": beacon, "eventNum": self._next(), "type": "BLE_DATA"}
            events.append(orjson.dumps({**event, "timestamp": with_milliseconds(now_us)}))
        return events

    def _packed(self, events: Sequence[bytes]) -> list[Publication]:
        if not self._batch:
            return [Publication("data", event) for event in events]
        parts = [events[n : n + self._batch] for n in range(0, len(events), self._batch)]
        return [Publication("data", b"[" + b",".join(part) + b"]") for part in parts]

    def _next(self) -> int:
        if "event_reset" in self._traps and self._number >= _RESET_AFTER:
            self._number = 0
        self._number += 1
        return self._number

    def _time(self, now_us: int) -> str:
        return with_milliseconds(now_us - 3_600_000_000 * ("ntp_unreachable" in self._traps))

    def _event(self, tag: Tag, reads: int, at_us: int) -> bytes:
        self._reads += reads
        data: dict[str, object] = {
            "eventNum": self._next(),
            "format": "epc",
            "idHex": tag.epc.hex(),
        }
        kind: str = self._mode
        if "simple" in self._traps:
            kind = "SIMPLE"
        else:
            data |= {"antenna": tag.antenna or 1, "peakRssi": tag.rssi_dbm, "reads": reads}
            if self._mode == "CUSTOM":
                pc = plain_pc(tag.epc).to_bytes(2, "big")
                data |= {"PC": pc.hex(), "CRC": f"{tag_crc(pc + tag.epc):04x}"}
            if "error_text" in self._traps:
                data["USER"] = "Error: tag memory overrun (0x03)"
        return orjson.dumps({"data": data, "timestamp": self._time(at_us), "type": kind})

    def _heartbeat(self, now_us: int) -> bytes:
        antennas = {str(port): "connected" for port in (1, 2, 3, 4)}
        if "antenna_disconnected" in self._traps:
            antennas["2"] = "disconnected"
        reached = "ntp_unreachable" not in self._traps
        data = {
            "radio_control": {
                "antennas": antennas,
                "numErrors": 0,
                "numTagReads": self._reads,
                "numWarnings": 0,
                "radioActivity": "active",
                "radioConnection": "connected",
            },
            "reader_gateway": {"interfaceConnectionStatus": {"data": "connected"}},
            "system": {
                "hostName": self._host,
                "ntp": {"offset": 0.0, "reach": 377 if reached else 0},
                "uptime": "0",
            },
            "userapps": [],
        }
        event = {"component": "RG", "data": data, "eventNum": self._next(), "type": "heartbeat"}
        return orjson.dumps({**event, "timestamp": self._time(now_us)})


def _old_tag(number: int) -> Tag:
    return Tag(blake2b(b"old %d" % (number % 10), digest_size=12).digest(), 1, -60)
