"""Full samples of what stands in the topics of the countries; `tests.schemas.samples` has the rest."""

from typing import Final

from schemas.exchange import ExchangeAck, ExchangeRecord, ExchangeRetraction, Passage
from schemas.message import Message

_T: Final = 1_772_460_000_000_000

EXCHANGE_SAMPLES: Final[tuple[Message, ...]] = (
    ExchangeRecord(
        record_id="1c8f5a61-52a4-5a52-8a3b-0a9d5b0f6c22",
        revision=2,
        provisional=False,
        departure=Passage(
            country="MX",
            office_code="240",
            office_name="Nuevo Laredo",
            at_us=_T,
            local="2026-03-02T08:00:00.000000-06:00",
        ),
        arrival=Passage(
            country="US",
            office_code="2304",
            office_name="Laredo",
            at_us=_T,
            local="2026-03-02T08:00:00.000000-06:00",
        ),
        key_id="seal-1",
        s92=b"\x00sealed",
    ),
    ExchangeRetraction(
        record_id="1c8f5a61-52a4-5a52-8a3b-0a9d5b0f6c22", revision=3, reason="no_entry"
    ),
    ExchangeAck(
        event_id="adapter-us.e1.7",
        record_id="1c8f5a61-52a4-5a52-8a3b-0a9d5b0f6c22",
        revision=2,
        outcome="rejected",
        reason="E17",
        at_us=_T + 5,
    ),
)
