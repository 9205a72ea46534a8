"""How beliefs lie in memory: each factor's states rounded up to whole vectors of eight doubles.

``padded`` in ``_kernels/model/structs.pxd`` is the same rule for kernels.
"""

from __future__ import annotations

from collections.abc import Sequence


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
