"""Readers that publish lists of tags as JSON: Keonn AdvanNet in its common form, and a CSL CS463.

    keonn   {"devid":"..","devip":"..","devmac":"..","reads":[{"epc":"..","sku":"","serial":"","rssi":"-61","ts":"1788785436194"}]}
    csl     {"sequenceNumber":0,..,"tags":[{"epc":"..","timeStampOfRead":1788785436194000,"antennaPort":1,"rssi":"-70",..}]}

Forms: descriptions of both (`tests/captures/README.md`). Keonn's is a template that its user writes. A list a
message. Unverified: all of it on a device.
"""

from collections import deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Literal

import orjson

from simulators.device import Field, Publication, Published, Tag

REPORT_US: Final = 200_000
MAX_KEPT: Final = 10_000

TRAPS: Final = {
    "empty": "reports without a tag are published, too",
    "bad_tag": "each list begins with a tag whose EPC is no hex",
}

Form = Literal["keonn", "csl"]


class JsonTagsReader:
    """The device model. Each tag of its field is in each list, once."""

    def __init__(
        self, form: Form, *, traps: AbstractSet[str] = frozenset(), report_us: int = REPORT_US
    ) -> None:
        """It has been started."""
        self.field = Field()
        self._form = form
        self._traps = traps
        self._report_us = report_us
        self._report_at_us = 0
        self._number = 0
        self._kept: deque[tuple[int, Publication]] = deque(maxlen=MAX_KEPT)

    def due(self, now_us: int) -> Published:
        """The list that is due."""
        if now_us < self._report_at_us:
            return Published([], self._report_at_us)
        self._report_at_us = now_us + self._report_us
        tags = [tag for tag, reads in self.field.counted(now_us, 1) for _ in range(reads)]
        if not tags and "empty" not in self._traps:
            return Published([], self._report_at_us)
        publication = Publication("data", self._list(tags, now_us))
        self._kept.append((now_us, publication))
        return Published([publication], self._report_at_us)

    def kept(self, since_us: int) -> list[Publication]:
        """Its lists since then, as they were sent the first time."""
        return [publication for at_us, publication in self._kept if at_us >= since_us]

    def _list(self, tags: Sequence[Tag], now_us: int) -> bytes:
        # No tag answers twice in the same millisecond.
        times = range(now_us - 1_000 * (len(tags) - 1), now_us + 1, 1_000)
        heard = list(zip(tags, times, strict=True)) if tags else []
        if self._form == "keonn":
            rows = [_keonn(tag, at_us) for tag, at_us in heard]
            envelope: dict[str, object] = {
                "devid": "lane-1",
                "devip": "192.0.2.7",
                "devmac": "02:00:00:00:00:07",
            }
            name = "reads"
        else:
            rows = [_csl(tag, at_us) for tag, at_us in heard]
            self._number += 1
            envelope = {
                "sequenceNumber": self._number,
                "rfidReaderName": "lane-1",
                "pcEthernetMACAddress": "",
                "numberOfTags": len(tags),
            }
            name = "tags"
        if "bad_tag" in self._traps and rows:
            rows.insert(0, rows[0] | {"epc": "none"})
        return orjson.dumps(envelope | {name: rows})


def _keonn(tag: Tag, now_us: int) -> dict[str, object]:
    row = {"epc": tag.epc.hex(), "sku": "", "serial": "", "rssi": str(tag.rssi_dbm)}
    return {**row, "ts": str(now_us // 1000)}


def _csl(tag: Tag, now_us: int) -> dict[str, object]:
    port = tag.antenna or 1
    return {
        "epc": tag.epc.hex().upper(),
        "timeStampOfRead": now_us,
        "timeZone": "-5:00",
        "antennaPort": port,
        "capturePointName": f"lane-1-{port}",
        "rssi": str(tag.rssi_dbm),
    }
