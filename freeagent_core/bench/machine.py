"""What this machine can do at most: operations and bytes a second, measured in place."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from freeagent_core._kernels.base import primitives

MIN_BLOCK = 64  # doubles that one round of the reading kernel takes
READ_BYTES = 10_000_000  # of a timed call
ROUNDS = 100_000  # of multiply-adds in a timed call


def rate(call: Callable[[], float], seconds: float) -> float:
    """Return what `call` reports a second, the median of at least five calls."""
    rates: list[float] = []
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(rates) < 5:
        begin = time.perf_counter()
        done = call()
        rates.append(done / (time.perf_counter() - begin))
    return float(np.median(rates))


def limits(working_set: float, seconds: float = 0.01) -> tuple[float, float]:
    """Return the operations and the bytes a second that one thread of this machine reaches.

    Parameters
    ----------
    working_set : float
        Bytes that are read over and over: what fits a cache is read faster.
    seconds : float
        For each of the two.

    Returns
    -------
    operations, bytes : float
        Independent multiply-adds in registers (two operations each), and reads, by small
        kernels of ``csrc/`` at the SIMD level in use.

    Examples
    --------
    >>> operations, read = limits(10_000, seconds=0.0)
    >>> operations > 1e6 and read > 1e6
    True
    """
    block = np.ones(max(int(working_set / 8), MIN_BLOCK))
    repeats = max(1, READ_BYTES // block.nbytes)
    peak = 2 * rate(lambda: primitives.multiply_adds(ROUNDS), seconds)
    return peak, rate(lambda: primitives.read(block, repeats), seconds)
