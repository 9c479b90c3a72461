"""Targeting rules: CEL expressions over the joined record, as two countries agreed to them.

A rule sees the variables of `VARIABLES` and nothing else. What does not compile, or gives no boolean, is refused
when its pack is loaded, with line and column.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from cel_expr_python import cel

from schemas.policy import TargetingPack, TargetingRule
from stream.policy.in_force import Moment, in_force


class Inputs(NamedTuple):
    """What rules may look at. Nothing personal: no name, no document, no token."""

    pair: str
    direction: str
    #: `loaded`, `empty`, `bobtail` or `unknown`.
    load: str
    tier: str
    lanes: tuple[str, ...]
    #: What the notice tells the officer.
    flags: tuple[str, ...]
    has_trip: bool
    #: Drivers and unnamed persons whose card was heard.
    drivers_read: int
    shipments: int
    hazmat: bool
    other_department: bool
    hs_codes: tuple[str, ...]


class Broken(NamedTuple):
    """A rule that cannot be used, and where its text is wrong; line and column count from 1."""

    rule: str
    line: int
    column: int
    why: str

    def __str__(self) -> str:
        """`rule:line:column: why`."""
        return f"{self.rule}:{self.line}:{self.column}: {self.why}"


class Targeted(NamedTuple):
    """What the packs in force say of a crossing, by cause `targeted:PACK.RULE@VERSION`."""

    causes: tuple[str, ...] = ()
    shadow: tuple[str, ...] = ()
    #: Rules that failed on these inputs: they refer nobody, and the notice says so.
    failed: tuple[str, ...] = ()
    #: Rules on trial that failed: no notice says so.
    shadow_failed: tuple[str, ...] = ()


_TEXTS: Final = cel.Type.List(cel.Type.STRING)

VARIABLES: Final = {
    "pair": cel.Type.STRING,
    "direction": cel.Type.STRING,
    "load": cel.Type.STRING,
    "tier": cel.Type.STRING,
    "lanes": _TEXTS,
    "flags": _TEXTS,
    "has_trip": cel.Type.BOOL,
    "drivers_read": cel.Type.INT,
    "shipments": cel.Type.INT,
    "hazmat": cel.Type.BOOL,
    "other_department": cel.Type.BOOL,
    "hs_codes": _TEXTS,
}

_WHERE: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")

#: Results that are remembered: a notice is made anew far more often than its inputs change.
_REMEMBERED: Final = 4_096


def broken_rules(pack: TargetingPack) -> list[Broken]:
    """What is wrong with the rules of a pack, in their order, and with who answers for it."""
    found = [wrong for rule in pack.rules if (wrong := _broken(rule)) is not None]
    ids = [rule.id for rule in pack.rules]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    found += [Broken(one, 1, 1, "two rules have this id") for one in twice]
    if len(set(pack.owners)) != len(pack.owners):
        found.append(
            Broken(pack.policy_id, 1, 1, "an owner stands twice: each country answers for it")
        )
    return found


def targeted(packs: Iterable[TargetingPack], inputs: Inputs, moment: Moment) -> Targeted:
    """Evaluate the packs in force for the pair and direction. Same packs and inputs, same answer."""
    causes: set[str] = set()
    shadow: set[str] = set()
    failed: set[str] = set()
    shadow_failed: set[str] = set()
    for pack in asked(packs, inputs.pair, inputs.direction, moment):
        for rule, holds in _evaluated(pack, inputs):
            name = f"{pack.policy_id}.{rule.id}@{pack.version}"
            if holds is None:
                (shadow_failed if rule.shadow else failed).add(name)
            elif holds:
                (shadow if rule.shadow else causes).add(f"targeted:{name}")
    return Targeted(*(tuple(sorted(names)) for names in (causes, shadow, failed, shadow_failed)))


def asked(
    packs: Iterable[TargetingPack], pair: str, direction: str, moment: Moment
) -> list[TargetingPack]:
    """The packs in force for a pair and direction."""
    return [
        pack
        for pack in in_force(packs, moment)
        if direction in pack.directions and pack.pair in (None, pair)
    ]


def _evaluated(pack: TargetingPack, inputs: Inputs) -> Iterator[tuple[TargetingRule, bool | None]]:
    for rule in pack.rules:
        yield rule, _holds(rule.cel, inputs)


@lru_cache(maxsize=_REMEMBERED)
def _holds(text: str, inputs: Inputs) -> bool | None:
    """Whether a rule holds; None when it cannot be said, such as for an index out of range."""
    try:
        given = inputs._asdict()
        data = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in given.items()
        }
        value = _compiled(text).eval(data=data)
        return value.value() if value.type() == cel.Type.BOOL else None
    except RuntimeError:
        return None


@lru_cache(maxsize=1_024)
def _compiled(text: str) -> cel.Expression:
    return _environment().compile(text)


@lru_cache(maxsize=1)
def _environment() -> cel.Env:
    return cel.NewEnv(variables=VARIABLES)


def _broken(rule: TargetingRule) -> Broken | None:
    try:
        gives = _compiled(rule.cel).return_type()
    except RuntimeError as error:
        found = _WHERE.search(str(error))
        if found is None:
            return Broken(rule.id, 1, 1, str(error)[:200])
        return Broken(rule.id, int(found[1]), int(found[2]), found[3])
    return None if gives == cel.Type.BOOL else Broken(rule.id, 1, 1, f"gives {gives}, not a BOOL")
