"""What the doctor takes from a running gateway, which has its readers' links itself: the status file."""

from pathlib import Path

import msgspec

from gateway.diagnosis import Notes
from gateway.health import status_path
from gateway.tables import Config


class ReaderState(msgspec.Struct, frozen=True):
    """What the status file says of one reader."""

    up: bool
    cause: str | None = None
    reads: int = 0
    rejects: object = None


class StatusFile(msgspec.Struct, frozen=True):
    """The part of the status file that is looked at."""

    readers: dict[str, ReaderState]


def look_at_status(config: Config, reader: str, notes: Notes) -> None:
    """Whether the running gateway hears a reader, by its own word."""
    path = status_path(Path(config.outbox.path))
    try:
        status = msgspec.json.decode(path.read_bytes(), type=StatusFile)
    except (OSError, msgspec.MsgspecError) as error:
        why = f"{path}: {getattr(error, 'strerror', None) or error}"
        notes.wrong("whether the gateway hears the reader", why, "look at its log", "unknown")
        return
    state = status.readers.get(reader)
    if state is None:
        why = "it runs with an earlier configuration"
        notes.wrong(
            f"the running gateway does not know {reader}", why, "restart it, or send SIGHUP"
        )
    elif state.up:
        notes.good(f"the running gateway hears it: {state.reads} reads so far")
    else:
        fix = "see why; docs/operating.md has a table of causes"
        notes.wrong("the running gateway does not hear it", state.cause or "no cause is given", fix)
