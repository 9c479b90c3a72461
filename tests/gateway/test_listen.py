"""Where the pages may be served."""

import pytest

from gateway.listen import ListenError, parse_listen


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9464", "127.0.0.1", 9464),
        ("[::1]:80", "::1", 80),
        ("localhost:0", "127.0.0.1", 0),
    ],
)
def test_an_address_of_this_machine_is_taken(text: str, host: str, port: int) -> None:
    assert parse_listen(text) == (host, port)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.0.0.0:9464", "seen from other machines"),
        ("10.0.0.1:9464", "seen from other machines"),
        ("[::]:1", "seen from other machines"),
        ("border.example:1", "no address"),
        ("127.0.0.1", "HOST:PORT"),
        ("127.0.0.1:70000", "HOST:PORT"),
        (":1", "no address"),
    ],
)
def test_any_other_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ListenError, match=reason):
        parse_listen(text)
