"""Files that are replaced as a whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_count = itertools.count()
# What a file system or kernel answers that has no files without a name.
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Replace the file at `path` when `write` has written all of the new one.

    Parameters
    ----------
    path : Path
        A symbolic link is followed: its target is replaced. An existing file keeps its mode, a
        new one gets that of the umask. What is not a regular file (a pipe, a device) is written to.
    write : callable
        Is given an open binary file.

    Notes
    -----
    The new file has no name until it is complete, where the system can do that (Linux): a
    process that is killed leaves nothing. Elsewhere it may leave one ``.part`` file, which the
    next call for this path takes away once that process is gone.
    """
    path = Path(os.path.realpath(path))
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        with open(path, "wb") as file:
            write(file)
        return
    part = _part_name(path)
    try:  # Ctrl-C may come with the return of any call
        handle, has_name = _open_part(path, part)
        with os.fdopen(handle, "wb") as file:
            if mode is not None:
                os.fchmod(handle, stat.S_IMODE(mode))
            write(file)
            file.flush()
            os.fsync(handle)
            if not has_name:
                # With a directory's descriptor os.link is linkat, which follows the link.
                os.link(f"/proc/self/fd/{handle}", part, src_dir_fd=handle)
            os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    _sync_directory(path.parent)


def _mode(path: Path) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _open_part(path: Path, part: Path) -> tuple[int, bool]:
    """Open a new file in the directory of `path`; return whether it needs its name, `part`."""
    _remove_stale_parts(path)
    if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
        try:
            return os.open(path.parent, os.O_TMPFILE | os.O_RDWR, 0o666), False
        except OSError as error:
            if error.errno not in _NO_TMPFILE or not path.parent.is_dir():
                raise
    return os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True


def _part_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{next(_count)}.part")


def _remove_stale_parts(path: Path) -> None:
    """Remove what processes that are gone have left of this file."""
    prefix, suffix = f".{path.name}.", ".part"
    with contextlib.suppress(OSError):
        for entry in os.scandir(path.parent):
            name = entry.name
            if not (name.startswith(prefix) and name.endswith(suffix)):
                continue
            pid, _, _ = name[len(prefix) : -len(suffix)].partition("-")
            if pid.isdigit() and not _is_alive(int(pid)):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync_directory(directory: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
