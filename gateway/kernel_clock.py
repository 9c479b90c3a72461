"""Whether the machine's clock is synchronised, by what the kernel knows of it."""

import ctypes
from typing import Final

#: Bit of `status` that stands until something disciplines the clock. Source: adjtimex(2), STA_UNSYNC.
UNSYNCHRONISED: Final = 0x40


class _Timex(ctypes.Structure):
    """The head of `struct timex`, and room for the rest of it. Source: adjtimex(2)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def synchronised() -> bool | None:
    """Whether the kernel's clock is synchronised; None where the kernel does not say."""
    timex = _Timex()
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    if ask(ctypes.byref(timex)) < 0:
        return None
    return not timex.status & UNSYNCHRONISED
