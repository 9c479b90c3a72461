"""Ids that are made from their cause, so that doing a thing twice gives the same id twice."""

from uuid import UUID, uuid5

NAMESPACE = UUID("5e0b7d0e-6a53-5c1b-9d7e-2f1c4b8a9e10")
"""The UUIDv5 namespace of all gatebook ids. Changing it changes every id."""


def crossing_id(pair: str, opening_event_id: str) -> str:
    """The id of the crossing that the event opened at the pair (first in log order)."""
    return str(uuid5(NAMESPACE, f"{pair}|{opening_event_id}"))


def record_id(crossing: str, person: str) -> str:
    """The id of a person's border record; its revisions share it."""
    return str(uuid5(NAMESPACE, f"{crossing}|{person}"))
