"""Random arrays of generative models. Needs nothing but NumPy (`golden/make_pymdp_v0.py`)."""

from __future__ import annotations

from typing import Any

import numpy as np

KINDS = ("smooth", "deterministic", "peaked", "sparse")


def object_array(arrays: Any) -> np.ndarray:
    arrays = list(arrays)
    out = np.empty(len(arrays), dtype=object)
    for i, array in enumerate(arrays):
        out[i] = array
    return out


def distribution(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Return probabilities that sum to 1 over the first axis."""
    if kind == "smooth":
        p = rng.random(shape) + 0.05
    elif kind == "sparse":
        p = rng.random(shape) * (rng.random(shape) < 0.5)
        p[rng.integers(shape[0])] += 0.1
    else:
        p = np.zeros(shape) if kind == "deterministic" else np.full(shape, 1e-20)
        best = rng.integers(shape[0], size=(1, *shape[1:]))
        np.put_along_axis(p, best, 1.0, axis=0)
    return p / p.sum(axis=0)


def subset(rng: np.random.Generator, num_factors: int) -> list[int]:
    size = rng.integers(1, num_factors + 1)
    return sorted(int(f) for f in rng.choice(num_factors, size=size, replace=False))


def random_policies(
    rng: np.random.Generator, num_controls: list[int], policy_len: int, most: int
) -> list[np.ndarray]:
    """Return policies of one length that may repeat and share beginnings."""
    count = int(rng.integers(1, min(most, 12) + 1))
    return [
        rng.integers(0, num_controls, size=(policy_len, len(num_controls))) for _ in range(count)
    ]


def observations(model: dict[str, Any], seed: int, steps: int) -> list[list[int]]:
    """Return random outcomes, likely or not."""
    rng = np.random.default_rng(seed)
    return [[int(rng.integers(len(A))) for A in model["A"]] for _ in range(steps)]
