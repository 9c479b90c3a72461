"""The options of a protocol: from a reader's configuration or the command line to a frozen value."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from gateway.reads import OptionError

OptionsT = TypeVar("OptionsT", bound=msgspec.Struct)


def parse_options(kind: type[OptionsT], options: Mapping[str, object]) -> OptionsT:
    """The options as a `kind`; numbers may come as text. Raises `OptionError` that names the option."""
    known = kind.__struct_fields__
    for name in options:
        if name not in known:
            raise OptionError(f"unknown option {name!r}{_instead(name, known)}")
    try:
        return msgspec.convert(dict(options), kind, strict=False)
    except msgspec.ValidationError as error:
        raise OptionError(_explain(kind, options, str(error))) from error


def _instead(name: str, known: tuple[str, ...]) -> str:
    if not known:
        return ": this protocol has no options"
    close = get_close_matches(name, known, n=1)
    return f": did you mean {close[0]!r}?" if close else f": there is {', '.join(known)}"


def _explain(kind: type[msgspec.Struct], options: Mapping[str, object], text: str) -> str:
    """Msgspec's text with the option's name in front, and what is allowed where that is a list."""
    reason, _, path = text.partition(" - at `$.")
    name = path.rstrip("`")
    hint = get_type_hints(kind).get(name)
    if get_origin(hint) is Literal:
        allowed = [str(value) for value in get_args(hint)]
        close = get_close_matches(str(options[name]).upper(), allowed, n=1)
        meant = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(allowed)}"
        return f"option {name!r} cannot be {options[name]!r}: {meant}"
    return f"option {name!r} cannot be {options.get(name)!r}: {reason}"
