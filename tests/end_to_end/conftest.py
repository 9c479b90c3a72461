"""The gateway's servers, for tests of the whole way."""

from tests.gateway.conftest import broker, pty_reader

__all__ = ["broker", "pty_reader"]
