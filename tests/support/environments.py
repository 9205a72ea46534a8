"""Models of pymdp's tutorials that the benchmarks do not have."""

from __future__ import annotations

from typing import Any

import models
import numpy as np
from random_arrays import object_array


def epistemic_bandit(hint: float = 0.7, reward: float = 0.8) -> dict[str, Any]:
    """pymdp's two-armed bandit with a hint: factors context and choice."""
    contexts, choices = 2, 4  # left or right is better; start, hint, left, right
    A_hint = np.zeros((3, contexts, choices))
    A_hint[0] = 1.0
    A_hint[:, :, 1] = [[0.0, 0.0], [hint, 1 - hint], [1 - hint, hint]]
    A_reward = np.zeros((3, contexts, choices))
    A_reward[0, :, :2] = 1.0
    A_reward[1:, :, 2] = [[1 - reward, reward], [reward, 1 - reward]]
    A_reward[1:, :, 3] = [[reward, 1 - reward], [1 - reward, reward]]
    A_choice = np.zeros((choices, contexts, choices))
    A_choice[np.arange(choices), :, np.arange(choices)] = 1.0
    B_choice = np.zeros((choices, choices, choices))
    B_choice[np.arange(choices), :, np.arange(choices)] = 1.0
    return {
        "A": object_array([A_hint, A_reward, A_choice]),
        "B": object_array([np.eye(contexts)[:, :, None], B_choice]),
        "C": object_array([np.zeros(3), np.array([0.0, -4.0, 2.0]), np.zeros(choices)]),
        "D": object_array([np.array([0.5, 0.5]), np.array([1.0, 0.0, 0.0, 0.0])]),
    }


def noisy_grid(side: int = 3, policy_len: int = 2) -> dict[str, Any]:
    """A grid world in which moves fail at times and the cell is seen with errors."""
    model = models.grid(side, policy_len)
    num_cells = side * side
    model["A"] = object_array([0.9 * model["A"][0] + 0.1 / num_cells])
    model["B"] = object_array([0.8 * model["B"][0] + 0.2 * np.eye(num_cells)[:, :, None]])
    return model
