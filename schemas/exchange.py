"""Topics `exchange-us`, `exchange-ca` and `exchange-mx`: what each country is told of a person's passage.

An allow-list: the elements that section 92(1) of Canada's Customs Act names (R.S.C. 1985, c. 1 (2nd Supp.),
s. 92, as of 2018, c. 30, s. 2), an id and a revision to speak of them, and nothing else. No such list is
published for the exchange between Mexico and the United States (INM and CBP): that the same one holds there
is unverified, and the narrowest that is known.
"""

from typing import Annotated, Literal

import msgspec

from schemas.message import Country, DerivedId, Id, Message, Micros, NoteText, Part, SealedS92

RetractionReason = Literal["no_entry", "record_in_error"]
"""`no_entry`: the entry that was told did not stand. `record_in_error`: it was told wrongly.

Not more: why somebody was refused is none of the elements of section 92(1).
"""

Element = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
"""Text of one element; the bound leaves no room for more than the element."""

AckOutcome = Literal["sent", "acked", "rejected"]


class S92(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The plaintext of a person's sealed field `s92`: section 92(1)(a) and (b), and nothing else.

    It stands in no topic: `stream.sealing` seals it where it is loaded, the partner's country opens it.
    """

    surname: Element
    #: Empty for who has one name only.
    first_name: Annotated[str, msgspec.Meta(max_length=100)]
    middle_names: Annotated[tuple[Element, ...], msgspec.Meta(max_length=10)] = ()
    date_of_birth: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    #: Citizenship or nationality: a code of ICAO 9303 part 3, section 5 (ISO 3166-1 alpha-3 and a few more).
    nationality: Annotated[str, msgspec.Meta(pattern="^[A-Z]{1,3}$")]
    #: As ICAO 9303 part 4 has it; X where it is not specified.
    sex: Literal["F", "M", "X"]
    document_type: Element
    #: The country or organisation that issued the document.
    document_issuer: Element
    document_number: Element


class Passage(Part, frozen=True, kw_only=True):
    """Date, time and place of a departure or an arrival: section 92(1)(c)."""

    country: Country
    #: Code of the office, None where no public source gives one; then its name says the place.
    office_code: str | None
    office_name: str | None
    at_us: Micros
    #: The same moment by the clock of the place with its offset from UTC, RFC 3339; None if the zone is not known.
    local: str | None


class ExchangeRecord(Message, frozen=True, kw_only=True, tag="exchange_record"):
    """One person's passage, as both countries of the pair are told it. The highest revision is in force."""

    v: Literal[1] = 1
    record_id: Id
    #: Counts what was said under this `record_id`, retractions too; not the revision of the border record.
    revision: int
    #: True until the person's sealed elements are known; a higher revision brings them.
    provisional: bool
    departure: Passage
    arrival: Passage
    #: Names the key that `s92` is sealed with.
    key_id: Id | None = None
    s92: SealedS92 | None = None


class ExchangeRetraction(Message, frozen=True, kw_only=True, tag="exchange_retraction"):
    """Takes back what was said under a `record_id`. It names nobody. A higher revision may say it again."""

    v: Literal[1] = 1
    record_id: Id
    revision: int
    reason: RetractionReason


class ExchangeAck(Message, frozen=True, kw_only=True, tag="exchange_ack"):
    """What became of a revision at the partner of the topic's country, as the adapter that talks to it says."""

    v: Literal[1] = 1
    #: `writer.epoch.seq` of the adapter.
    event_id: DerivedId
    record_id: Id
    revision: int
    outcome: AckOutcome
    #: Why it was rejected, in the partner's code; never personal data.
    reason: NoteText | None = None
    at_us: Micros
