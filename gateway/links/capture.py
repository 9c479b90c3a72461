"""A capture file in place of a reader: NDJSON, one chunk a line, `{"at_us":..,"dir":"rx","hex":..}`.

What the reader sent (`rx`) comes again with the distances in time that it had, divided by the rate, and
with the present as its time of receipt; so do topics, and messages that were too large. Other lines, and lines that cannot be read, are passed over and
counted in the last word.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from gateway.capture_file import MAX_LINE, BadLine, Heard, parse_line
from gateway.link import (
    CaptureUrl,
    Chunk,
    Clock,
    Link,
    LinkDown,
    LinkUp,
    Oversize,
    Said,
    Tell,
    Ticket,
    parse_link,
)
from gateway.tables import Config

#: Longest wait between two chunks, seconds: a gap of a night in a capture is not played as one.
LONGEST_WAIT_S: Final = 60.0


def links(config: Config, now_us: Clock) -> list[Link]:
    """A link for each reader that is a capture."""
    urls = {reader.id: parse_link(reader.link) for reader in config.readers}
    return [
        CaptureLink(name, url, now_us) for name, url in urls.items() if isinstance(url, CaptureUrl)
    ]


class CaptureLink:
    """One capture, played once."""

    def __init__(self, reader: str, url: CaptureUrl, now_us: Clock) -> None:
        """Nothing is opened yet."""
        self.readers: tuple[str, ...] = (reader,)
        self._reader = reader
        self._url = url
        self._now_us = now_us

    async def run(self, tell: Tell) -> None:
        """Play the file to its end."""
        try:
            file = await asyncio.to_thread(Path(self._url.path).open, "rb")
        except OSError as error:
            cause = f"{self._url.path}: {error.strerror}"
            await tell(LinkDown(self._reader, self._now_us(), cause, ended=True))
            return
        with file:
            await tell(LinkUp(self._reader, self._now_us()))
            bad = await self._play(file, tell)
        cause = f"the capture has ended ({bad} lines could not be read)"
        await tell(LinkDown(self._reader, self._now_us(), cause, ended=True))

    async def _play(self, file: BinaryIO, tell: Tell) -> int:
        """Tell the chunks at their distances; return how many lines were none."""
        last_us: int | None = None
        bad = 0
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), b""), start=1):
            heard = parse_line("capture", number, line)
            if isinstance(heard, BadLine):
                bad += 1
            elif heard is not None:
                await self._wait(last_us, heard.at_us)
                last_us = heard.at_us
                await tell(self._again(heard))
        return bad

    def _again(self, heard: Heard) -> Said:
        now_us, envelope = self._now_us(), heard.envelope
        if heard.size is not None:
            return Oversize(self._reader, heard.chunk, heard.size, now_us, None, envelope)
        return Chunk(self._reader, heard.chunk, now_us, heard.kind, None, envelope)

    async def _wait(self, last_us: int | None, at_us: int | None) -> None:
        if last_us is not None and at_us is not None and self._url.rate:
            wait_s = (at_us - last_us) / 1e6 / self._url.rate
            await asyncio.sleep(min(max(wait_s, 0), LONGEST_WAIT_S))

    async def write(self, reader: str, data: bytes) -> bool:  # noqa: ARG002 - nobody is there
        """A capture takes no commands, and needs none."""
        return True

    def acknowledge(self, tickets: Sequence[Ticket]) -> None:
        """A capture has no tickets."""
