"""An Impinj R700 with the IoT device interface: one event a message, from the start of its preset on.

Its forms are those of the reader's API description and of a message of an R700 (`tests/captures/README.md`): EPC in
base64 of the URL-safe alphabet, RSSI in 1/100 dBm, nine digits of a second. Without further settings there is
only `epc`. All events go to one topic. Unverified: overflow, antenna and status events on a device.
"""

from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Set as AbstractSet
from typing import Final

import orjson

from simulators.device import Field, Publication, Published, Tag
from simulators.readers.iso_time import with_nanoseconds

REPORT_US: Final = 200_000
TROUBLE_US: Final = 1_000_000
MAX_KEPT: Final = 10_000

TRAPS: Final = {
    "base64_only": "the EPC in base64 alone: no hex, no antenna, no RSSI",
    "untyped": "no eventType: the inner object alone tells",
    "overflow": "an overflow event a second: reads were thrown away",
    "antenna_disconnected": "antenna 2 comes loose and is there again, by turns",
    "will": "plain text on the topic: connection lost, connected",
}


class ImpinjReader:
    """The device model. Each tag of its field is in each report, once."""

    def __init__(
        self, *, traps: AbstractSet[str] = frozenset(), report_us: int = REPORT_US
    ) -> None:
        """Its preset has been started; before it said that it is connected."""
        self.field = Field()
        self._traps = traps
        self._report_us = report_us
        self._report_at_us = self._trouble_at_us = 0
        self._began = False
        self._turn = 0
        self._kept: deque[tuple[int, Publication]] = deque(maxlen=MAX_KEPT)

    def due(self, now_us: int) -> Published:
        """The events that are due."""
        publications: list[Publication] = []
        if not self._began:
            self._began = True
            publications.append(Publication("data", b"connected"))
            status = self._event("inventoryStatus", {"inventoryStatus": "running"}, now_us)
            publications.append(Publication("data", status))
        if now_us >= self._trouble_at_us:
            self._trouble_at_us = now_us + TROUBLE_US
            publications += [Publication("data", one) for one in self._trouble(now_us)]
        if now_us >= self._report_at_us:
            self._report_at_us = now_us + self._report_us
            tags = [tag for tag, reads in self.field.counted(now_us, 1) for _ in range(reads)]
            for back, tag in zip(range(len(tags) - 1, -1, -1), tags, strict=True):
                # No tag answers twice in the same millisecond.
                event = Publication("data", self._tag(tag, now_us - back * 1_000))
                self._kept.append((now_us, event))
                publications.append(event)
        return Published(publications, min(self._report_at_us, self._trouble_at_us))

    def kept(self, since_us: int) -> list[Publication]:
        """Its tag events since then, as they were sent the first time."""
        return [event for at_us, event in self._kept if at_us >= since_us]

    def _tag(self, tag: Tag, now_us: int) -> bytes:
        inner: dict[str, object] = {"epc": urlsafe_b64encode(tag.epc).decode()}
        if "base64_only" not in self._traps:
            inner |= {
                "epcHex": tag.epc.hex().upper(),
                "antennaPort": tag.antenna or 1,
                "antennaName": "lane",
                "peakRssiCdbm": 100 * tag.rssi_dbm,
                "frequency": 921_625,
                "transmitPowerCdbm": 3000,
                "lastSeenTime": with_nanoseconds(now_us),
            }
        return self._event("tagInventory", inner, now_us)

    def _trouble(self, now_us: int) -> list[bytes]:
        events: list[bytes] = []
        self._turn += 1
        if "overflow" in self._traps:
            times = {"firstEventTimestamp": now_us - 5_000_000, "lastEventTimestamp": now_us}
            inner: dict[str, object] = {name: with_nanoseconds(at) for name, at in times.items()}
            inner |= {"eventsPurged": 17, "eventsRemaining": 100_000}
            events.append(self._event("overflow", inner, now_us))
        if "antenna_disconnected" in self._traps:
            kind = "antennaDisconnected" if self._turn % 2 else "antennaConnected"
            events.append(self._event(kind, {"antennaPort": 2}, now_us))
        if "will" in self._traps:
            events += [b"connection lost", b"connected"]
        return events

    def _event(self, kind: str, inner: dict[str, object], now_us: int) -> bytes:
        event: dict[str, object] = {
            "timestamp": with_nanoseconds(now_us),
            "hostname": "impinj-00-00-01",
        }
        if "untyped" not in self._traps:
            event["eventType"] = kind
        return orjson.dumps(event | {f"{kind}Event": inner})
