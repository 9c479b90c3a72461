"""Back-pressure between a library's thread and the event loop."""

import threading


class HandOver:
    """Lets the sending thread wait while too much is in hand; closed until it is opened."""

    def __init__(self, most: int, most_bytes: int) -> None:
        """At most so many pieces and bytes at once; one piece always fits."""
        self._most = most
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._count = 0
        self._bytes = 0
        self._open = False

    def enter(self, size: int) -> bool:
        """Wait for room; False once it is closed: then the piece must be dropped."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open or self._has_room(size))
            self._count += 1
            self._bytes += size
            return self._open

    def leave(self, size: int | None) -> None:
        """A piece was taken on; None: it had not entered here."""
        if size is None:
            return
        with self._changed:
            self._count -= 1
            self._bytes -= size
            self._changed.notify_all()

    def set(self, *, open_: bool) -> None:
        """Open it, or close it and wake whoever waits."""
        with self._changed:
            self._open = open_
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        if not self._count:
            return True
        return self._count < self._most and self._bytes + size <= self._most_bytes
