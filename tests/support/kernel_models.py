"""Random arrays of a model, for the functions of `freeagent_core.kernels`."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from random_arrays import KINDS, distribution, object_array, subset


@st.composite
def arrays(draw: Any) -> dict[str, Any]:
    """Draw A, B, pA, pB, C, beliefs and an action, of 1 to 3 factors and modalities."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_states = draw(st.lists(st.integers(2, 7), min_size=1, max_size=3))
    num_obs = draw(st.lists(st.integers(2, 9), min_size=1, max_size=3))
    F = len(num_states)
    controls = draw(st.lists(st.integers(1, 3), min_size=F, max_size=F))
    kinds = [draw(st.sampled_from(KINDS)) for _ in range(3)]
    A_lists = [subset(rng, F) for _ in num_obs]
    B_lists = [subset(rng, F) for _ in num_states]
    shapes_A = [(n, *(num_states[f] for f in fs)) for n, fs in zip(num_obs, A_lists, strict=True)]
    shapes_B = [
        (n, *(num_states[f] for f in fs), u)
        for n, fs, u in zip(num_states, B_lists, controls, strict=True)
    ]

    def beliefs(kind: str) -> Any:
        return object_array(distribution(rng, (n,), kind) for n in num_states)

    return {
        "rng": rng,
        "num_states": num_states,
        "num_obs": num_obs,
        "controls": controls,
        "A_lists": A_lists,
        "B_lists": B_lists,
        "A": object_array(distribution(rng, s, kinds[0]) for s in shapes_A),
        "B": object_array(distribution(rng, s, kinds[1]) for s in shapes_B),
        "pA": object_array(rng.integers(0, 5, s) + 0.5 for s in shapes_A),
        "pB": object_array(rng.integers(0, 5, s) + 0.5 for s in shapes_B),
        "C": object_array(rng.normal(size=n) for n in num_obs),
        "qs": beliefs(kinds[2]),
        "prior": beliefs("smooth"),
        "action": [int(rng.integers(u)) for u in controls],
        "observation": [int(rng.integers(n)) for n in num_obs],
    }
