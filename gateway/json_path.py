"""Paths into a JSON document that somebody else designed, as a configuration may name them.

    data.tagData      members of objects        reads[0]      one element, from 0
    reads[*].epc      every element             $             the document itself, or in front: $.reads

A name may hold anything but `.`, `[`, `]` and `=`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

Step = str | int | None
"""A member's name, an element's number, or every element."""

#: Of one path: bounds what is looked up for each tag.
MAX_STEPS: Final = 8

_STEP: Final = re.compile(r"(?P<name>[^.\[\]=]+)|\[(?P<number>\d{1,5})\]|(?P<every>\[\*\])")


class PathError(ValueError):
    """A text that is no path; says what is wrong with it."""


class NotThere(LookupError):  # noqa: N818 - named by what happened
    """A document in which nothing, or not the right thing, stands where the path leads."""

    def __init__(self, text: str, where: str) -> None:
        """`where` is a path from the document's root, such as `$.reads[3].epc`."""
        super().__init__(f"{text} - at `{where}`")


Getter = Callable[[object, object], object]
"""From a tag and its root to a value."""


class Place(NamedTuple):
    """Where something is: below a tag, or below the document's root."""

    steps: tuple[Step, ...]
    from_root: bool
    #: Gives what is there without `[*]`, None where nothing is. Never raises.
    get: Getter


class Condition(NamedTuple):
    """What must stand somewhere, as a configuration writes it: strings without quotes."""

    get: Getter
    wanted: str


def parse_place(text: str) -> Place:
    """Where a path leads; raises `PathError`."""
    steps, from_root = _steps(text), text.startswith("$")
    return Place(steps, from_root, _getter(steps, from_root=from_root))


def parse_conditions(text: str) -> tuple[Condition, ...]:
    """The conditions of `PATH=VALUE, PATH=VALUE`; raises `PathError`."""
    conditions = []
    for pair in text.split(",") if text else ():
        path, equals, wanted = pair.partition("=")
        if not equals:
            raise PathError(f"{text!r} is not PATH=VALUE")
        place = parse_place(path.strip())
        if None in place.steps:
            raise PathError(f"{text!r} has [*] in it: name one element")
        conditions.append(Condition(place.get, wanted.strip()))
    return tuple(conditions)


def fits(tag: object, root: object, conditions: tuple[Condition, ...]) -> bool:
    """Whether all conditions hold."""
    return all(_plain(get(tag, root)) == wanted for get, wanted in conditions)


def _getter(steps: tuple[Step, ...], *, from_root: bool) -> Getter:
    """Made once, as it is called for each field of each tag."""
    if from_root:
        return lambda _, root: find(root, steps)
    if len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]
        return lambda tag, _: tag.get(name) if isinstance(tag, dict) else None
    return lambda tag, _: find(tag, steps)


def _plain(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _steps(text: str) -> tuple[Step, ...]:
    if not text:
        raise PathError("an empty path: $ is the whole document")
    rest = text.removeprefix("$")
    if rest != text and rest[:1] not in {"", ".", "["}:
        raise PathError(f"{text!r} is no path: after $ comes a dot")
    rest = rest.removeprefix(".") if rest != text else rest
    steps: list[Step] = []
    while rest:
        found = _STEP.match(rest)
        if found is None:
            raise PathError(f"{text!r} is no path, such as data.tags[0].epc")
        name, number = found["name"], found["number"]
        steps.append(int(number) if number else name)
        rest = rest[found.end() :]
        if rest[:1] == ".":
            rest = rest[1:] or "."
        elif rest and rest[0] != "[":
            raise PathError(f"{text!r} is no path: a dot is missing")
    if len(steps) > MAX_STEPS:
        raise PathError(f"{text!r} has more than {MAX_STEPS} steps")
    return tuple(steps)


def find(value: object, steps: tuple[Step, ...]) -> object:
    """What stands at the end of a path without `[*]`; None where nothing does. Never raises."""
    for step in steps:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
        if value is None:
            return None
    return value


Found = tuple[str, int | None, object]
"""Where something is, its number there if that is an array, and what it is: a path is written when it is needed."""


def every(value: object, steps: tuple[Step, ...], where: str) -> Iterator[Found]:
    """Each thing at the end of a path; an array at the end gives its elements.

    Raises `NotThere` when an object lacks the member, or something is not the array that it should be.
    """
    for place, step in enumerate(steps):
        if isinstance(step, str):
            where = f"{where}.{step}"
            value = value.get(step) if isinstance(value, dict) else None
            if value is None:
                raise NotThere("nothing there", where)
            continue
        if not isinstance(value, list):
            raise NotThere("no array", where)
        rest = steps[place + 1 :]
        if step is None and not rest:
            break
        if step is not None and step >= len(value):
            raise NotThere("nothing there", f"{where}[{step}]")
        for number in range(len(value)) if step is None else (step,):
            yield from every(value[number], rest, f"{where}[{number}]")
        return
    if isinstance(value, list):
        for number, element in enumerate(value):
            yield where, number, element
    else:
        yield where, None, value


def numbered(where: str, number: int | None) -> str:
    """The path of a thing that `every` found."""
    return where if number is None else f"{where}[{number}]"


def written(where: str, steps: tuple[Step, ...]) -> str:
    """The path of what stands below `where`."""
    names = (f".{step}" if isinstance(step, str) else f"[{step}]" for step in steps)
    return where + "".join(names)
