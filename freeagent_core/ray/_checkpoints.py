"""Checkpoint files of one shard: complete or absent, the last two kept."""

from __future__ import annotations

import contextlib
from pathlib import Path

from freeagent_core._agent.atomic_file import write_atomically

NAME = "checkpoint-{:012d}"
KEPT = 2  # the older one is for a newer one that cannot be read


def numbers(directory: Path) -> list[int]:
    """Return the numbers of the checkpoints that are there, in order."""
    found = directory.glob("checkpoint-*")
    return sorted(int(path.name[11:]) for path in found if path.name[11:].isdigit())


def path_of(directory: Path, number: int) -> Path:
    """Return the path of a checkpoint."""
    return directory / NAME.format(number)


def write(directory: Path, number: int, contents: bytes, received: int) -> list[int]:
    """Write a checkpoint and remove those that are not needed any more.

    Needed are the last two of which the driver has received all replies: one that is later
    cannot give it those that it still waits for.

    Returns
    -------
    kept : list of int
        The numbers of those that are left.
    """
    write_atomically(path_of(directory, number), lambda file: file.write(contents))
    there = numbers(directory)
    old = [each for each in there if each <= received][:-KEPT]
    for each in old:
        with contextlib.suppress(FileNotFoundError):
            path_of(directory, each).unlink()
    return there[len(old) :]
