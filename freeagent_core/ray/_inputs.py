"""Checks of what a `RayPopulation` is given, before any shard sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model import validation as check
from freeagent_core.model import GenerativeModel


class PopulationInputs:
    """Reads the arguments of calls; returns copies, which go to the log."""

    def __init__(self, model: GenerativeModel, size: int) -> None:
        self._model = model
        self._size = size

    def mask(self, mask: Any) -> npt.NDArray[np.bool_] | None:
        """Return an array of bool, shape (size,), or None."""
        if mask is None:
            return None
        array = np.asarray(mask)
        if array.shape != (self._size,) or array.dtype != bool:
            raise ValueError(
                f"mask must be an array of bool of shape ({self._size},), "
                f"got {array.dtype} of shape {array.shape}"
            )
        return array.copy()

    def observations(
        self, observations: Any, mask: npt.NDArray[np.bool_] | None
    ) -> npt.NDArray[np.intp]:
        """Return indices of outcomes, shape (size, num_modalities)."""
        num_obs = self._model.num_obs
        shape = self._size, len(num_obs)
        try:
            array = np.array(observations)  # another thread may write into the caller's
        except ValueError:
            raise ValueError(f"observations must have shape {shape}; rows differ") from None
        if array.ndim == 1 and len(num_obs) == 1:
            array = array[:, np.newaxis]
        if array.shape != shape:
            raise ValueError(f"observations must have shape {shape}, got {array.shape}")
        if array.dtype.kind not in "iu":
            raise TypeError(f"observations must be integers, got dtype {array.dtype}")
        wrong = (array < 0) | (array >= np.array(num_obs))
        if mask is not None:
            wrong &= mask[:, np.newaxis]
        if wrong.any():
            i, m = np.argwhere(wrong)[0].tolist()
            raise ValueError(
                f"observations[{i}, {m}] must be in 0 to {num_obs[m] - 1}, got {array[i, m]}"
            )
        return array.astype(np.intp, copy=False)

    def beliefs(self, beliefs: Any, name: str) -> list[npt.NDArray[np.float64]]:
        """Return an array per factor, each of shape (size, num_states[f])."""
        num_states = self._model.num_states
        if len(beliefs) != len(num_states):
            raise ValueError(
                f"{name} must have one array per factor ({len(num_states)}), got {len(beliefs)}"
            )
        checked = []
        for f, n in enumerate(num_states):
            array = np.array(check.real_array(beliefs[f], f"{name}[{f}]"))
            check.check_shape(array, (self._size, n), f"{name}[{f}]")
            check.check_non_negative(array, f"{name}[{f}]")
            checked.append(array)
        return checked
