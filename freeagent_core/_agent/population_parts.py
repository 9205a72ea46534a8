"""Files of `Population.save` joined and cut: one population in several parts, and back."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np

Arrays = dict[str, Any]  # of ndarray


def join_files(parts: Sequence[bytes], file: BinaryIO) -> None:
    """Write the file of all agents, from files of consecutive ones.

    Parameters
    ----------
    parts : sequence of bytes
        Of one model, in the order of the agents.
    file : binary file
    """
    read = [_read(io.BytesIO(part)) for part in parts]
    firsts = np.cumsum([0] + [len(each["state/random"]) for each in read])
    joined: Arrays = {name: array for name, array in read[0].items() if array.ndim == 0}
    for name in sorted({name for each in read for name in each} - set(joined)):
        there = [(each, first) for each, first in zip(read, firsts, strict=False) if name in each]
        # indices of agents, of those that have learned, count from the first of all
        by_index = name.endswith("/agents")
        rows = [each[name] + first if by_index else each[name] for each, first in there]
        joined[name] = np.concatenate(rows)
    np.savez(file, **joined)


def split_file(file: BinaryIO, bounds: Sequence[int]) -> Iterator[bytes]:
    """Yield the files of consecutive agents, from one bound to the next, of one of all."""
    whole = _read(file)
    for start, stop in pairwise(bounds):
        part: Arrays = {}
        for name, array in whole.items():
            kind = name.split("/")[0]
            if array.ndim == 0:
                part[name] = array
            elif kind == "state":
                part[name] = array[start:stop]
            else:
                agents = whole[f"{kind}/agents"]
                chosen = (agents >= start) & (agents < stop)
                if chosen.any():
                    rows = array[chosen]
                    part[name] = rows - start if name.endswith("/agents") else rows
        out = io.BytesIO()
        np.savez(out, **part)
        yield out.getvalue()


def _read(file: BinaryIO) -> Arrays:
    file.seek(0)
    with np.load(file, allow_pickle=False) as contents:
        return {name: contents[name] for name in contents.files}
