"""Who and what comes to the border on the simulated day. All invented: ids without names, cards without numbers.

Pure: everything follows from the draws. `trusted` parties are members of every programme that opens a lane, so
that it takes one odd thing to close it.
"""

from dataclasses import dataclass
from typing import Final

from schemas.message import Country
from schemas.reference import (
    Commodity,
    Credential,
    CredentialKind,
    CredentialStatus,
    Membership,
    Party,
    Plate,
    Shipment,
)
from simulators.day.places import DAY
from simulators.fleet import Draws

#: An invented carrier code; numbers of trips and cargo begin with it.
CODE: Final = "GBSX"
TRUSTED: Final = "trusted"
PLAIN: Final = "plain"

#: Programmes whose members may use special lanes, by the country that keeps them.
_PROGRAMMES: Final[tuple[tuple[str, Country], ...]] = (
    ("C-TPAT", "US"),
    ("PIP", "CA"),
    ("CSA", "CA"),
    ("OEA", "MX"),
)

#: Kinds of parties, and the programmes of each.
KINDS: Final[dict[str, tuple[str, ...]]] = {
    TRUSTED: tuple(programme for programme, _ in _PROGRAMMES),
    PLAIN: (),
    **{programme.lower(): (programme,) for programme, _ in _PROGRAMMES},
}

#: Description, HS code, other department, hazardous.
_GOODS: Final = (
    ("wiring harnesses", "854430", False, False),
    ("avocados", "080440", True, False),
    ("automotive seats", "940120", False, False),
    ("refrigerators", "841810", False, False),
    ("medical instruments", "901890", True, False),
    ("solvents", "381400", False, True),
    ("steel coil", "720839", False, False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A person, truck or trailer and the card or tag that can be heard of it."""

    id: str
    token: str
    kind: CredentialKind
    programme: str | None = None

    @property
    def card(self) -> str:
        """Its credential id."""
        kind = "card" if self.kind == "driver_card" else "tag"
        return f"{kind}:{self.id.partition(':')[2]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """A truck and all that comes with it."""

    truck: Held
    driver: Held
    passengers: tuple[Held, ...]
    trailers: tuple[Held, ...]
    #: Kind of its carrier.
    carrier: str
    #: Kind of the importers and manufacturers of what it carries.
    goods: str

    @property
    def trusted(self) -> bool:
        """Whether everything about it opens a special lane today."""
        return self.carrier == self.goods == TRUSTED and self.driver.programme == "FAST"

    @property
    def every(self) -> tuple[Held, ...]:
        """What can be heard of it, the front of the truck first."""
        return (self.truck, self.driver, *self.passengers, *self.trailers)


def held(kind: CredentialKind, name: str, draws: Draws, *, programme: str | None = None) -> Held:
    """Somebody or something with a card; `name` as `driver:00012`, unique in the day."""
    holder = {"driver_card": "person", "truck_tag": "truck"}.get(kind, "trailer")
    return Held(
        id=f"{holder}:{name}",
        token=f"day.{draws.randbytes(16).hex()}",
        kind=kind,
        programme=programme,
    )


def credential(one: Held, start_us: int, *statuses: CredentialStatus) -> Credential:
    """Its row; active since long ago, then `statuses`."""
    since_us = start_us - 400 * DAY
    active = CredentialStatus(state="active", effective_from_us=since_us, accepted_at_us=since_us)
    return Credential(
        token=one.token,
        credential_id=one.card,
        kind=one.kind,
        holder=one.id,
        programme=one.programme,
        statuses=(active, *statuses),
        expires_us=start_us + 900 * DAY,
    )


def parties(start_us: int) -> tuple[Party, ...]:
    """Carriers, importers and manufacturers: trusted ones, ones in one programme, and ones in none."""
    since_us = start_us - 500 * DAY
    members = {
        kind: tuple(
            Membership(
                programme=programme,
                country=country,
                state="member",
                effective_from_us=since_us,
                accepted_at_us=since_us,
            )
            for programme, country in _PROGRAMMES
            if programme in programmes
        )
        for kind, programmes in KINDS.items()
    }
    return tuple(
        Party(
            id=f"party:{role}-{kind}",
            name=f"Invented {role} ({kind})",
            roles=(role,),
            memberships=members[kind],
        )
        for role in ("carrier", "importer", "manufacturer")
        for kind in KINDS
    )


def plate(name: str) -> Plate:
    """An invented plate."""
    return Plate(number=f"SIM{name.upper()}", country="US")


def shipment(
    number: str, entered: Country, at: int, draws: Draws, *, kind: str, plain_goods: bool
) -> Shipment:
    """A shipment under the trip's number. `plain_goods`: nothing hazardous, nothing of other departments."""
    goods = [one for one in _GOODS if not plain_goods or not (one[2] or one[3])]
    description, hs_code, other_department, hazmat = goods[draws.randrange(0, len(goods))]
    control = f"{number}{at:02d}"
    if entered == "MX":
        control = f"26  24  3{draws.randrange(100, 999)}  6{draws.randrange(100_000, 999_999)}"
    return Shipment(
        control_number=control,
        importer=f"party:importer-{kind}",
        manufacturer=f"party:manufacturer-{kind}",
        commodities=(
            Commodity(
                description=description,
                hs_code=hs_code,
                quantity=draws.randrange(1, 40),
                weight_kg=float(draws.randrange(200, 9_000)),
                hazmat=hazmat,
            ),
        ),
        other_department=other_department,
        release_status="on_file",
    )


def goods_flags(shipments: tuple[Shipment, ...]) -> tuple[str, ...]:
    """What a notice says of goods that need a look."""
    lines = [line for one in shipments for line in one.commodities]
    found = ["hazmat"] if any(line.hazmat for line in lines) else []
    return (
        (*found, "other_department")
        if any(one.other_department for one in shipments)
        else (*found,)
    )
