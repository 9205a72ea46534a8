"""Measuring a kernel: all sides in turns, so that a change of the machine's speed meets all."""

from __future__ import annotations

import contextlib
import io
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from freeagent_core.bench import peers
from freeagent_core.bench.case import Problem
from freeagent_core.bench.machine import limits

SIDES = ("NumPy", "pymdp.legacy", "pymdp 1.x")
MIN_ROUNDS = 5
CALL_SECONDS = 2e-3  # of a timed call of ours, of many runs of the kernel
MAX_CALLS = 1000
CALL_SHARE = 0.03
MAX_CALL_SECONDS = 0.2


@dataclass(frozen=True)
class Row:
    """Medians of one kernel at one size.

    Parameters
    ----------
    name : str
    size : int
    seconds : float
        Of a run of the kernel.
    operations, bytes : float
        That it needs.
    share : float
        Of what this machine can do: the longer of the operations at the peak and the bytes at the
        bandwidth, over the measured time.
    others : dict of float
        Seconds of the same by others, by name; those that have it.
    """

    name: str
    size: int
    seconds: float
    operations: float
    bytes: float
    share: float
    others: dict[str, float]


def sides_of(name: str, problem: Problem, with_peers: bool = True) -> dict[str, Callable[[], Any]]:
    """Return what a kernel is compared with: those that are installed and have it."""
    sides: dict[str, Callable[[], Any]] = {}
    if problem.numpy is not None:
        sides["NumPy"] = problem.numpy
    for side, find in (("pymdp.legacy", peers.legacy), ("pymdp 1.x", peers.jitted)):
        if not with_peers:
            break
        try:
            call = find(name, problem.arrays)
        except ImportError:
            continue
        if call is not None:
            sides[side] = call
    return sides


def seconds_of(call: Callable[[], Any], calls: int = 1) -> float:
    """Return the seconds of one of several calls."""
    begin = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begin) / calls


def runs_within(ours: Callable[[int], Any], seconds: float = CALL_SECONDS) -> int:
    """Return how many runs of a kernel take about so long, at least one.

    Examples
    --------
    >>> runs_within(lambda repeats: None, 1e-6) >= 1
    True
    """
    ours(1)
    runs = 1
    while runs < 2**30:
        taken = seconds_of(lambda: ours(runs))  # noqa: B023
        if taken >= seconds / 2:
            break
        # a call's own cost makes the first ones look long
        runs *= 2 if taken > seconds / 20 else 8
    return max(runs, _runs_that_hide_the_call(ours, runs))


def _runs_that_hide_the_call(ours: Callable[[int], Any], runs: int) -> int:
    """Return how many runs of a kernel it takes until checks and copies of its input, which are
    made once a call, are below `CALL_SHARE` of the time."""
    single = min(seconds_of(lambda: ours(runs)) for _ in range(3))
    double = min(seconds_of(lambda: ours(2 * runs)) for _ in range(3))
    each = max((double - single) / runs, single / runs / 100)
    once = max(single - runs * each, 0.0)
    return int(min(once / each / CALL_SHARE, MAX_CALL_SECONDS / each))


def measure(name: str, size: int, problem: Problem, seconds: float, with_peers: bool = True) -> Row:
    """Measure a kernel for about `seconds`, and what it is compared with in the same rounds.

    Parameters
    ----------
    name : str
        Of `freeagent_core.bench.cases.CASES`.
    size : int
    problem : Problem
    seconds : float
        Beyond the five rounds that there are at least.
    with_peers : bool
        Compare with pymdp as well, where it is installed.

    Returns
    -------
    row : Row
    """
    # pymdp's message passing prints
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        runs = runs_within(problem.ours)
        sides = sides_of(name, problem, with_peers)
        calls = {}
        for side, call in sides.items():
            call()  # compiles
            calls[side] = min(max(int(CALL_SECONDS / max(seconds_of(call), 1e-9)), 1), MAX_CALLS)
        times: dict[str, list[float]] = {side: [] for side in sides}
        ours: list[float] = []
        least: list[float] = []
        start = time.perf_counter()
        while len(ours) < MIN_ROUNDS or time.perf_counter() - start < seconds:
            ours.append(seconds_of(lambda: problem.ours(runs)) / runs)
            for side, call in sides.items():
                times[side].append(seconds_of(call, calls[side]))
            peak, bandwidth = limits(problem.bytes, seconds=0.0)
            least.append(max(problem.operations / peak, problem.bytes / bandwidth))
    return Row(
        name,
        size,
        statistics.median(ours),
        problem.operations,
        problem.bytes,
        statistics.median(a / b for a, b in zip(least, ours, strict=True)),
        {side: statistics.median(each) for side, each in times.items()},
    )
