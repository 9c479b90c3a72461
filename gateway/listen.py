"""Where the daemon's own pages may be served: `HOST:PORT`, a loopback address of this machine only."""

import ipaddress
from typing import NamedTuple


class ListenError(ValueError):
    """An address that cannot be; the text says what it should look like."""


class Address(NamedTuple):
    """A loopback address."""

    host: str
    port: int


def parse_listen(text: str) -> Address:
    """The address of `127.0.0.1:9464` or `[::1]:9464`; raises `ListenError`."""
    host, colon, digits = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not digits.isascii() or not digits.isdigit() or int(digits) > 65_535:
        raise ListenError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:9464")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ListenError(f"{host!r} is no address: use 127.0.0.1 or [::1]") from None
    if not address.is_loopback:
        raise ListenError(
            f"{host} is seen from other machines, and the pages ask nobody who he is: use 127.0.0.1 "
            "and a proxy"
        )
    return Address(str(address), int(digits))
