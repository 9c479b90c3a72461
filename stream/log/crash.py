"""Named points at which a test can kill the process: `GATEBOOK_CRASH_AT=<name>:<n>`.

`passing("commit.before")` kills the process with SIGKILL at its n-th passage when that point was named;
otherwise it costs a comparison.
"""

import os
import signal

_name, _, _count = os.environ.get("GATEBOOK_CRASH_AT", "").partition(":")
_left = int(_count) if _count.isdigit() else 1


def passing(point: str) -> None:
    """Die here, if this is the passage that `GATEBOOK_CRASH_AT` names."""
    global _left  # noqa: PLW0603 - a count of this process
    if point != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
