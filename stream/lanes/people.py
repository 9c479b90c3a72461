"""For whom a crossing ended, how and when: the persons heard near the booth, named or keyed, and corrections.

A card counts when it was heard at or after the approach in the truck's own lane. An officer's word counts
for whom it names. What a person set right afterwards counts last.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from schemas.border import PersonRole
from stream.lanes.crossing import country_entered, overall_ruling, ruling_for
from stream.lanes.ends import ending
from stream.lanes.join import Joined
from stream.lanes.rows import Corrected, Crossing, Emitted


def wanted_ends(crossing: Crossing, joined: Joined) -> tuple[Emitted, ...]:
    """How the crossing ended for each person, or for nobody known; empty while it goes on."""
    if crossing.merged_into is not None:
        return ()
    if crossing.how in ("u_turn", "diverted") and crossing.ended_at_us is not None:
        return (Emitted(person=None, role=None, how=crossing.how, at_us=crossing.ended_at_us),)
    return corrected(_ends(crossing, joined), crossing)


def _ends(crossing: Crossing, joined: Joined) -> tuple[Emitted, ...]:
    persons = persons_of(crossing, joined)
    ends = []
    in_motion = overall_ruling(crossing) is None
    for person, role in sorted(persons.items()):
        ruling = ruling_for(crossing, person)
        if ruling is None and in_motion and crossing.how == "entered":
            at_us = crossing.ended_at_us or 0
            ends.append(Emitted(person=person, role=role, how="entered", at_us=at_us))
        how = ending(ruling)
        if ruling is not None and how is not None:
            ends.append(Emitted(person=person, role=role, how=how, at_us=ruling.at_us))
    if not ends and crossing.how is not None and crossing.ended_at_us is not None:
        nobody = Emitted(person=None, role=None, how=crossing.how, at_us=crossing.ended_at_us)
        ends.append(nobody)
    return tuple(ends)


def persons_of(crossing: Crossing, joined: Joined) -> dict[str, PersonRole]:
    """Everybody who gets a record should the crossing end as an entry, with their part."""
    persons = joined.persons(crossing.lane)
    here = country_entered(crossing)
    for ruling in crossing.rulings:
        if ruling.country == here:
            for person in ruling.persons:
                if person.startswith("person:"):
                    persons.setdefault(person, joined.role_of(person))
    return persons


def corrected(ends: tuple[Emitted, ...], crossing: Crossing) -> tuple[Emitted, ...]:
    """The ends as set right by people of the entered country, one after the other."""
    if not crossing.corrected:
        return ends
    now = {one.person: one for one in ends}
    for word in crossing.corrected:
        if word.country == country_entered(crossing):
            _correct(now, word)
    return tuple(one for _, one in sorted(now.items(), key=lambda pair: pair[0] or ""))


def _correct(now: dict[str | None, Emitted], word: Corrected) -> None:
    person: str | None = word.person
    if person not in now and set(now) == {None}:
        person = None  # nobody was known, and now somebody is
    one = now.get(person)
    if one is None:
        return
    if word.to_person is not None and word.to_person.startswith("person:"):
        del now[person]
        now[word.to_person] = replace(one, person=word.to_person, role=one.role or "person")
    elif word.to_at_us is not None:
        now[person] = replace(one, at_us=word.to_at_us)
    elif one.person is not None and word.to_person is None:
        now[person] = replace(one, how="withdrawn")


def difference(emitted: tuple[Emitted, ...], wanted: tuple[Emitted, ...]) -> list[Emitted]:
    """What must be written so that the rows say what is wanted; what no longer holds is withdrawn."""
    before = {one.person: one for one in emitted}
    now = {one.person: one for one in wanted}
    gone = [
        Emitted(person=one.person, role=one.role, how="withdrawn", at_us=one.at_us)
        for person, one in before.items()
        if person not in now and one.how != "withdrawn"
    ]
    return [*gone, *(one for person, one in now.items() if before.get(person) != one)]


def merge(emitted: tuple[Emitted, ...], written: Iterable[Emitted]) -> tuple[Emitted, ...]:
    """What was last written for each person."""
    last = {one.person: one for one in (*emitted, *written)}
    return tuple(last.values())
