"""Environments that behave as the model says, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core.model import GenerativeModel

IntArray = npt.NDArray[np.intp]
CHUNK = 1 << 22  # probabilities gathered at once


class _Columns:
    """Draws from the columns of an array of shape (outcomes, ...)."""

    def __init__(self, array: npt.NDArray[np.float64]) -> None:
        self.array = array
        peaks = array.max(axis=0)
        self.certain = array.argmax(axis=0) if np.all(peaks >= 1.0) else None

    def draw(self, index: Sequence[IntArray], rng: np.random.Generator) -> IntArray:
        """Return an outcome from the column of each row of `index`."""
        if self.certain is not None:
            found: IntArray = self.certain[tuple(index)]
            return found
        size = len(index[0])
        step = max(1, CHUNK // len(self.array))
        return np.concatenate(
            [self._draw([i[k : k + step] for i in index], rng) for k in range(0, size, step)]
        )

    def _draw(self, index: Sequence[IntArray], rng: np.random.Generator) -> IntArray:
        chosen: Any = (slice(None), *index)
        cumulated = np.cumsum(self.array[chosen], axis=0)
        drawn = rng.random(cumulated.shape[1]) * cumulated[-1]
        found: IntArray = (cumulated <= drawn).sum(axis=0)
        return np.minimum(found, len(self.array) - 1)


class Environments:
    """Environments of one model: states and outcomes drawn from its own A, B and D.

    Parameters
    ----------
    model : GenerativeModel
    seed : int or sequence of int
    """

    def __init__(self, model: GenerativeModel, seed: Any = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._A = [_Columns(A_m) for A_m in model.A]
        self._B = [_Columns(B_f) for B_f in model.B]
        self._D = [np.asarray(D_f, dtype=float) for D_f in model.D]
        self._factors_of_A = model.A_factor_list
        self._factors_of_B = model.B_factor_list
        self._states: list[IntArray] = []

    def reset(self, size: int) -> IntArray:
        """Begin an episode in `size` environments; return outcomes (size, num_modalities)."""
        self._states = [self._rng.choice(len(D_f), size=size, p=D_f / D_f.sum()) for D_f in self._D]
        return self._observe()

    def step(self, actions: npt.NDArray[Any]) -> IntArray:
        """Act, (size, num_factors), and return the outcomes that follow."""
        chosen = np.asarray(actions).astype(np.intp).T
        self._states = [
            B_f.draw([*(self._states[g] for g in factors), chosen[f]], self._rng)
            for f, (B_f, factors) in enumerate(zip(self._B, self._factors_of_B, strict=True))
        ]
        return self._observe()

    def _observe(self) -> IntArray:
        columns = [
            A_m.draw([self._states[f] for f in factors], self._rng)
            for A_m, factors in zip(self._A, self._factors_of_A, strict=True)
        ]
        return np.stack(columns, axis=1)
