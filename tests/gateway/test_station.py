"""One reader's place in the daemon: commands, keys, and a decoder that breaks alone."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from gateway.intake import Report, Told
from gateway.link import Chunk, LinkDown, LinkUp, Oversize, Tell, Ticket
from gateway.now import anchored_clock
from gateway.protocols import PROTOCOLS
from gateway.protocols.zebra_iotc import encode_note
from gateway.reads import Due, Outcome, Read, ReaderNote, Rejected, WireProtocol
from gateway.station import Station
from gateway.tables import ReaderTable
from tests.gateway.rig import CARD_FRAME, START, STOP

NOW = 1_800_000_000_000_000
TICKET = Ticket(1, 7)


class Line:
    """A link that keeps what is written to it."""

    def __init__(self) -> None:
        self.readers: tuple[str, ...] = ("booth",)
        self.written: list[bytes] = []
        self._more = asyncio.Event()

    async def run(self, tell: Tell) -> None:
        """Nothing comes."""

    async def write(self, reader: str, data: bytes) -> bool:
        self.written.append(data)
        self._more.set()
        return True

    async def until(self, count: int) -> None:
        async with asyncio.timeout(15):
            while len(self.written) < count:
                self._more.clear()
                await self._more.wait()

    def acknowledge(self, tickets: Sequence[Ticket]) -> None:
        """Nothing to acknowledge."""


class Breaking:
    """A decoder with a fault of its own: it breaks at the word `break`."""

    def start(self) -> bytes:
        return b""

    def stop(self) -> bytes:
        return b""

    def feed(self, data: bytes, at_us: int) -> list[Outcome]:
        if data == b"break":
            raise ZeroDivisionError("E2001234")
        return [Read(epc=data, at_us=at_us)]

    def due(self, now_us: int) -> Due:
        return Due(b"", [], None)

    def flush(self, at_us: int) -> list[Outcome]:
        raise ZeroDivisionError


def breaking(options: Mapping[str, object]) -> Breaking:
    return Breaking()


class Desk:
    """A station and all it has told."""

    def __init__(
        self, protocol: WireProtocol = PROTOCOLS["r200"], now_us: Callable[[], int] = lambda: NOW
    ) -> None:
        self.told: list[Told] = []
        self.line = Line()
        table = ReaderTable(id="booth", link="serial:///x", protocol="r200")
        self.station = Station(table, protocol, self.line, self._take, now_us)

    async def _take(self, told: Told) -> None:
        self.told.append(told)

    @property
    def reports(self) -> list[Report]:
        return [told for told in self.told if isinstance(told, Report)]


async def test_a_reader_is_started_when_its_line_comes_up_and_stopped_at_the_end() -> None:
    desk = Desk()
    await desk.station.take(LinkUp("booth", NOW))
    await desk.station.stop()
    assert desk.line.written == [START, STOP]
    assert desk.told == [LinkUp("booth", NOW)]


async def test_half_a_frame_is_a_reject_when_the_line_goes_down() -> None:
    desk = Desk()
    await desk.station.take(LinkUp("booth", NOW))
    await desk.station.take(Chunk("booth", CARD_FRAME[:9], NOW))
    await desk.station.take(LinkDown("booth", NOW + 1, "unplugged"))
    (report,) = desk.reports
    assert [type(outcome) for outcome in report.outcomes] == [Rejected]
    assert desk.told[-1] == LinkDown("booth", NOW + 1, "unplugged")


async def test_an_attempt_that_fails_alike_is_told_once() -> None:
    desk = Desk()
    for at_us, cause in ((1, "gone"), (2, "gone"), (3, "locked")):
        await desk.station.take(LinkDown("booth", at_us, cause))
    assert [told for told in desk.told if isinstance(told, LinkDown)] == [
        LinkDown("booth", 1, "gone"),
        LinkDown("booth", 3, "locked"),
    ]


ONE = b'{"data":{"eventNum":7,"format":"epc","idHex":"e280"},"timestamp":"2026-09-07T12:50:36.194+0000","type":"SIMPLE"}'


@pytest.mark.parametrize(
    ("payload", "keyed"), [(ONE, False), (b"[" + ONE + b"]", False), (b"[]", True), (b"{", True)]
)
async def test_a_message_is_known_by_its_one_event_or_by_its_payload(
    payload: bytes, keyed: bool
) -> None:
    desk = Desk(PROTOCOLS["zebra_iotc"])
    await desk.station.take(Chunk("booth", payload, NOW, "data", TICKET))
    (report,) = desk.reports
    assert (report.payload_key is not None) == keyed
    assert report.ticket == TICKET


async def test_a_read_on_a_management_topic_is_rejected_and_a_note_on_a_data_topic_is_not() -> None:
    note = encode_note("gpi", event_num=1, at_us=NOW, data={"pin": 1, "state": "HIGH"})
    desk = Desk(PROTOCOLS["zebra_iotc"])
    for payload in (ONE, note):
        await desk.station.take(Chunk("booth", payload, NOW, "management", TICKET))
        await desk.station.take(Chunk("booth", payload, NOW, "data", TICKET))
    outcomes = [outcome for report in desk.reports for outcome in report.outcomes]
    assert [type(outcome) for outcome in outcomes] == [Rejected, Read, ReaderNote, ReaderNote]
    assert isinstance(outcomes[0], Rejected)
    assert outcomes[0].reason == "not_a_note"


async def test_a_payload_that_is_too_large_is_a_reject_with_its_ticket() -> None:
    desk = Desk(PROTOCOLS["zebra_iotc"])
    await desk.station.take(Oversize("booth", b"{", 2_000_000, NOW, TICKET))
    (report,) = desk.reports
    (rejected,) = report.outcomes
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.detail) == ("payload_too_large", "2000000 bytes")
    assert report.ticket == TICKET


async def test_a_decoder_that_breaks_is_replaced_and_its_reader_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    desk = Desk(WireProtocol("stream", breaking))
    for data in (b"a", b"break", b"b"):
        await desk.station.take(Chunk("booth", data, NOW, "data", TICKET))
    await desk.station.take(LinkDown("booth", NOW, "gone"))
    kinds = [type(outcome) for report in desk.reports for outcome in report.outcomes]
    assert kinds == [Read, Rejected, Read, Rejected]
    broken = desk.reports[1].outcomes[0]
    assert isinstance(broken, Rejected)
    assert broken.reason == "decoder_broke"
    assert broken.detail.startswith("ZeroDivisionError at test_station.py:")
    said = capsys.readouterr()
    assert "decoder_broke" in said.out + said.err
    assert "E2001234" not in said.out + said.err + broken.detail


async def test_a_silent_reader_is_started_again() -> None:
    desk = Desk(now_us=anchored_clock())
    await desk.station.take(LinkUp("booth", NOW))
    watching = asyncio.create_task(desk.station.watch())
    await desk.line.until(2)
    watching.cancel()
    assert desk.line.written == [START, START]
