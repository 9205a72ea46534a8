"""Places where a test lets a worker process die: a switch, not chance.

With ``FREEAGENT_CORE_FAULTS`` set to a directory, a worker that reaches the point ``name``
while the directory has a file of that name takes the file away and ends itself by SIGKILL.
The file has how often; empty means once. Without the variable a point costs one comparison.
"""

from __future__ import annotations

import contextlib
import os
import signal

_directory: str | None = None


def switch_on() -> None:
    """Look at the environment: in a worker process, when it starts."""
    global _directory
    _directory = os.environ.get("FREEAGENT_CORE_FAULTS")


def is_armed(name: str) -> bool:
    """Return whether the process is to die at this point, and count that it did."""
    if _directory is None:
        return False
    path = os.path.join(_directory, name)
    with contextlib.suppress(OSError):
        with open(path) as file:
            remaining = int(file.read() or 1) - 1
        if remaining > 0:
            with open(path, "w") as file:
                file.write(str(remaining))
        else:
            os.unlink(path)
        return True
    return False


def reach(name: str) -> None:
    """Die here if a test says so."""
    if is_armed(name):
        os.kill(os.getpid(), signal.SIGKILL)
