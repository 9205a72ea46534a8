"""How beliefs lie in memory: each factor's states rounded up to whole vectors of eight doubles.

``padded`` in ``_kernels/model/structs.pxd`` is the same rule for kernels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def padded(size: int) -> int:
    """Return `size` rounded up to a multiple of eight."""
    return -(-size // 8) * 8


def belief_slices(num_states: Sequence[int]) -> list[slice]:
    """Return where each factor's beliefs stand in a row of all factors."""
    slices, start = [], 0
    for n in num_states:
        slices.append(slice(start, start + n))
        start += padded(n)
    return slices


def aligned_zeros(shape: tuple[int, ...]) -> FloatArray:
    """Return zeros that start on a cache line (64 bytes)."""
    size = int(np.prod(shape))
    block = np.zeros(size + 8)
    start = -(block.ctypes.data // 8) % 8
    return block[start : start + size].reshape(shape)


def rows_by_state(columns: FloatArray, stride: int) -> FloatArray:
    """Return `columns`, of shape (rows, states), as padded rows of shape (states, stride)."""
    out = aligned_zeros((columns.shape[1], stride))
    out[:, : columns.shape[0]] = columns.T
    return out
