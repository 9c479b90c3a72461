"""Seals: what a trip declares for each trailer against the seal tags that were heard.

A seal tag is a credential of kind `seal_tag` with the trailer as its holder; its credential id is `seal:` and the
number as filings have it. A seal without a tag can only be looked at, so nothing is said of it.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from schemas.reference import Credential, Trip
from stream.reference import Reference

_SEAL: Final = "seal:"


def seal_flags(
    heard: Iterable[Credential], trip: Trip | None, reference: Reference, *, at_primary: bool
) -> Iterator[str]:
    """`seal_mismatch`: heard and not declared for its trailer. `seal_unread`: at primary, and a declared one not heard.

    `heard`: the credentials that readers heard. An unread seal is missed only on a trailer that was heard itself.
    """
    if trip is None:
        return
    declared = {one.trailer: {f"{_SEAL}{number}" for number in one.seals} for one in trip.trailers}
    known = tuple(heard)
    read = {one.credential_id for one in known}
    if any(
        one.kind == "seal_tag" and one.credential_id not in declared.get(one.holder, ())
        for one in known
    ):
        yield "seal_mismatch"
    if at_primary and any(
        not read.issuperset(seals & _tags_of(trailer, reference))
        for trailer, seals in declared.items()
        if any(one.holder == trailer for one in known)
    ):
        yield "seal_unread"


def _tags_of(trailer: str, reference: Reference) -> set[str]:
    """What is fixed to a trailer and has a tag, seals among it."""
    return {one.credential_id for one in reference.credentials_of(trailer)}
