from typing import Annotated, Literal

import msgspec
import pytest

from gateway.options import parse_options
from gateway.reads import OptionError


class Options(msgspec.Struct, frozen=True, kw_only=True):
    mode: Literal["FAST", "SLOW"] = "FAST"
    rounds: Annotated[int, msgspec.Meta(ge=1, le=9)] = 5


class NoOptions(msgspec.Struct, frozen=True):
    pass


def test_options_come_from_configuration_or_as_text_from_the_command_line() -> None:
    assert parse_options(Options, {}) == Options()
    assert parse_options(Options, {"rounds": 2}) == parse_options(Options, {"rounds": "2"})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"mod": "FAST"}, "unknown option 'mod': did you mean 'mode'?"),
        ({"zzz": 1}, "unknown option 'zzz': there is mode, rounds"),
        ({"mode": "fst"}, "option 'mode' cannot be 'fst': did you mean FAST?"),
        ({"mode": "zzz"}, "option 'mode' cannot be 'zzz': allowed: FAST, SLOW"),
        ({"mode": 7}, "option 'mode' cannot be 7: allowed: FAST, SLOW"),
        ({"rounds": 10}, "option 'rounds' cannot be 10: Expected `int` <= 9"),
        ({"rounds": "x"}, "option 'rounds' cannot be 'x': Expected `int`, got `str`"),
    ],
)
def test_an_option_that_cannot_be_is_named_with_what_can(
    options: dict[str, object], text: str
) -> None:
    with pytest.raises(OptionError) as caught:
        parse_options(Options, options)
    assert str(caught.value) == text


def test_a_protocol_without_options_says_so() -> None:
    with pytest.raises(OptionError, match="this protocol has no options"):
        parse_options(NoOptions, {"a": 1})
