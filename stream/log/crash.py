"""Named points at which a test can kill the process: `GATEBOOK_CRASH_AT=<name>:<n>`.

`passing("commit.before")` kills the process with SIGKILL at its n-th passage when that point was named;
otherwise it costs a comparison. `<name>:<n>:stop` stops it with SIGSTOP instead, which makes a zombie: it
goes on with SIGCONT.
"""

import os
import signal

_name, _count, _how = (*os.environ.get("GATEBOOK_CRASH_AT", "").split(":"), "", "")[:3]
_left = int(_count) if _count.isdigit() else 1
_signal = signal.SIGSTOP if _how == "stop" else signal.SIGKILL


def passing(point: str) -> None:
    """Die here, if this is the passage that `GATEBOOK_CRASH_AT` names."""
    global _left  # noqa: PLW0603 - a count of this process
    if point != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), _signal)
