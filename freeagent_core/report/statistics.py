"""Medians with bootstrap intervals, ratios, and where one curve overtakes another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
RESAMPLES = 2000
CONFIDENCE = 0.95
NORMAL = 1.96  # standard deviations that hold CONFIDENCE of a normal distribution
SEED = 20240229  # of the resampling alone, so that a report can be computed again


@dataclass(frozen=True)
class Estimate:
    """A median and its interval at `CONFIDENCE`.

    Parameters
    ----------
    median, low, high : float
    count : int
        Repetitions behind it.
    """

    median: float
    low: float
    high: float
    count: int

    def scaled(self, factor: float) -> Estimate:
        """Return ``factor * self``."""
        return self._of(factor * self.median, factor * self.low, factor * self.high)

    def inverse(self, numerator: float = 1.0) -> Estimate:
        """Return ``numerator / self``."""
        return self._of(numerator / self.median, numerator / self.low, numerator / self.high)

    def plus(self, summand: float) -> Estimate:
        """Return ``self + summand``."""
        return self._of(self.median + summand, self.low + summand, self.high + summand)

    def _of(self, median: float, one: float, other: float) -> Estimate:
        return Estimate(median, min(one, other), max(one, other), self.count)


NOTHING = Estimate(float("nan"), float("nan"), float("nan"), 0)


def resampled(count: int, resamples: int = RESAMPLES) -> npt.NDArray[np.intp]:
    """Return indices (resamples, count), drawn with replacement; always the same ones."""
    return np.random.default_rng(SEED).integers(count, size=(resamples, count))


def interval(values: FloatArray) -> tuple[float, float]:
    """Return the quantiles that enclose `CONFIDENCE` of the values."""
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def estimate(values: Sequence[float] | FloatArray) -> Estimate:
    """Return the median of repetitions and the percentile bootstrap interval of the median."""
    found = np.asarray(values, dtype=float)
    if found.size == 0:
        raise ValueError("there are no repetitions")
    medians = np.median(found[resampled(len(found))], axis=1)
    return Estimate(float(np.median(found)), *interval(medians), len(found))


def quantile(values: Sequence[float] | FloatArray, q: float) -> Estimate:
    """Return a quantile and its interval from order statistics (binomial, normal form)."""
    found = np.sort(np.asarray(values, dtype=float))
    n = len(found)
    half = NORMAL * np.sqrt(n * q * (1 - q))
    low, at, high = (int(min(max(n * q + side * half, 0), n - 1)) for side in (-1, 0, 1))
    return Estimate(float(found[at]), float(found[low]), float(found[high]), n)


def ratio(
    above: Sequence[float] | FloatArray, below: Sequence[float] | FloatArray, paired: bool
) -> Estimate:
    """Return above / below.

    Parameters
    ----------
    above, below : array_like
        Repetitions of each.
    paired : bool
        Whether repetition i of both was measured together: the median of their ratios.
        Otherwise the ratio of the medians, both resampled.
    """
    a, b = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    if paired:
        return estimate(a / b)
    rows_of_a = resampled(len(a))
    rows_of_b = np.random.default_rng(SEED + 1).integers(len(b), size=(RESAMPLES, len(b)))
    ratios = np.median(a[rows_of_a], axis=1) / np.median(b[rows_of_b], axis=1)
    return Estimate(float(np.median(a) / np.median(b)), *interval(ratios), min(len(a), len(b)))


@dataclass(frozen=True)
class Winner:
    """Who is fastest at one size.

    Parameters
    ----------
    name : str
    share : float
        Of the resamples in which it is.
    runner_up : str
    advantage : Estimate
        The runner-up's time over the winner's.
    """

    name: str
    share: float
    runner_up: str
    advantage: Estimate

    @property
    def is_clear(self) -> bool:
        """Whether it wins in at least `CONFIDENCE` of the resamples."""
        return self.share >= CONFIDENCE


def winner(times: Mapping[str, FloatArray]) -> Winner:
    """Return the way with the least median time; rounds of all ways are paired."""
    names = list(times)
    table = np.stack([np.asarray(times[name], dtype=float) for name in names])
    order = np.argsort(np.median(table, axis=1))
    first, second = int(order[0]), int(order[min(1, len(order) - 1)])
    medians = np.median(table[:, resampled(table.shape[1])], axis=2)
    share = float(np.mean(medians.argmin(axis=0) == first))
    return Winner(names[first], share, names[second], ratio(table[second], table[first], True))


@dataclass(frozen=True)
class Crossing:
    """From which number of agents on one way stays faster than another.

    Parameters
    ----------
    at : Estimate or None
        Agents; None where it never is, or is from the least number measured on.
    share : float
        Of the resamples that agree with what `at` and `always` say.
    always : bool
        Faster from the least number on.
    """

    at: Estimate | None
    share: float
    always: bool


def crossing(
    sizes: Sequence[int], challenger: Sequence[FloatArray], defender: Sequence[FloatArray]
) -> Crossing:
    """Return from where on `challenger` stays faster than `defender`.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of agents, ascending.
    challenger, defender : sequence of ndarray
        Times of rounds at each size; rounds of both are paired.

    Notes
    -----
    At each size the log of the ratio of medians; the last change of sign, interpolated
    linearly over log(agents). All of it again for each resample of the rounds.
    """
    logs = np.log(np.asarray(sizes, dtype=float))
    curves = []
    for k, (ours, theirs) in enumerate(zip(challenger, defender, strict=True)):
        rows = np.random.default_rng(SEED + k).integers(len(ours), size=(RESAMPLES, len(ours)))
        medians = [np.log(np.median(np.asarray(t)[rows], axis=1)) for t in (ours, theirs)]
        curves.append(medians[0] - medians[1])
    measured = [
        float(np.log(np.median(a) / np.median(b)))
        for a, b in zip(challenger, defender, strict=True)
    ]
    central = _last_change(logs, np.array(measured))
    found = np.array([_last_change(logs, curve) for curve in np.array(curves).T])
    if not np.isfinite(central):
        return Crossing(None, float(np.mean(found == central)), bool(central < 0))
    finite = found[np.isfinite(found)]
    low, high = interval(np.exp(finite)) if finite.size else (np.exp(central),) * 2
    at = Estimate(float(np.exp(central)), low, high, min(map(len, challenger)))
    return Crossing(at, finite.size / len(found), False)


def _last_change(logs: FloatArray, curve: FloatArray) -> float:
    """Return where `curve` last turns negative: -inf for always, inf for never."""
    slower = np.flatnonzero(curve >= 0)
    if slower.size == 0:
        return -np.inf
    last = int(slower[-1])
    if last == len(curve) - 1:
        return np.inf
    left, right = curve[last], curve[last + 1]
    part = left / (left - right)
    return float(logs[last] + part * (logs[last + 1] - logs[last]))
