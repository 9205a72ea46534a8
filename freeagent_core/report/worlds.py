"""Models by name: the demo's world and the models of the benchmarks' table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from freeagent_core.demo import MOVES, GridWorld
from freeagent_core.report.arguments import DEFAULT_MODEL
from freeagent_core.utils import obj_array_from_list

Arguments = dict[str, Any]


def grid_transitions(rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Return B of a grid's cells, shape (cells, cells, 5): up, down, left, right, stay."""
    num_cells = rows * columns
    B = np.zeros((num_cells, num_cells, len(MOVES)))
    for cell in range(num_cells):
        row, column = divmod(cell, columns)
        for action, (down, right) in enumerate(MOVES):
            next_row = min(max(row + down, 0), rows - 1)
            next_column = min(max(column + right, 0), columns - 1)
            B[next_row * columns + next_column, cell, action] = 1.0
    return B


def cue_grid() -> Arguments:
    """Return the world of ``freeagent-core demo``."""
    return GridWorld(seed=0).model()


def grid(side: int, policy_len: int) -> Arguments:
    """Return a grid whose cell is observed; agents start in the first cell, prefer the last."""
    num_cells = side * side
    C, D = np.zeros(num_cells), np.zeros(num_cells)
    C[-1] = 3.0
    D[0] = 1.0
    return {
        "A": obj_array_from_list([np.eye(num_cells)]),
        "B": obj_array_from_list([grid_transitions(side, side)]),
        "C": obj_array_from_list([C]),
        "D": obj_array_from_list([D]),
        "policy_len": policy_len,
    }


def random_model(
    num_states: list[int], num_obs: list[int], num_controls: list[int], policy_len: int
) -> Arguments:
    """Return a dense model drawn at random; every modality depends on every factor."""
    rng = np.random.default_rng(0)
    A = [rng.random([n, *num_states]) for n in num_obs]
    B = [rng.random((n, n, u)) for n, u in zip(num_states, num_controls, strict=True)]
    return {
        "A": obj_array_from_list([A_m / A_m.sum(axis=0) for A_m in A]),
        "B": obj_array_from_list([B_f / B_f.sum(axis=0) for B_f in B]),
        "C": obj_array_from_list([rng.normal(size=n) for n in num_obs]),
        "D": obj_array_from_list([np.full(n, 1.0 / n) for n in num_states]),
        "policy_len": policy_len,
    }


def cue_chaining(rows: int = 5, columns: int = 7, policy_len: int = 4) -> Arguments:
    """Return pymdp's cue chaining: a cue tells where the second cue is, that where the reward."""
    num_cells = rows * columns
    first_cue = 2 * columns
    second_cues = [2, columns + 3, 3 * columns + 3, 4 * columns + 2]
    rewards = [columns + 5, 3 * columns + 5]
    num_states = [num_cells, len(second_cues), len(rewards)]
    cell = np.zeros([num_cells, *num_states])
    cell[np.arange(num_cells), np.arange(num_cells)] = 1.0
    first = np.zeros([5, *num_states])  # nothing, or one of four places
    first[0] = 1.0
    first[0, first_cue] = 0.0
    second = np.zeros([3, *num_states])  # nothing, reward above, reward below
    second[0] = 1.0
    for place, at in enumerate(second_cues):
        first[place + 1, first_cue, place] = 1.0
        second[0, at, place] = 0.0
        for side in range(2):
            second[side + 1, at, place, side] = 1.0
    outcome = np.zeros([3, *num_states])  # nothing, reward, shock
    outcome[0] = 1.0
    for side, at in enumerate(rewards):
        outcome[0, at] = 0.0
        outcome[1, at, :, side] = 1.0
        outcome[2, at, :, 1 - side] = 1.0
    start = np.zeros(num_cells)
    start[0] = 1.0
    return {
        "A": obj_array_from_list([cell, first, second, outcome]),
        "B": obj_array_from_list(
            [grid_transitions(rows, columns), np.eye(4)[:, :, None], np.eye(2)[:, :, None]]
        ),
        "C": obj_array_from_list(
            [np.zeros(num_cells), np.zeros(5), np.zeros(3), np.array([0.0, 2.0, -4.0])]
        ),
        "D": obj_array_from_list([start, np.full(4, 0.25), np.full(2, 0.5)]),
        "policy_len": policy_len,
    }


class World(NamedTuple):
    """A model that has a name."""

    description: str
    make: Callable[[], Arguments]


DEFAULT = DEFAULT_MODEL
WORLDS = {
    DEFAULT: World("the demo's grid with walls and a cue, 625 policies", cue_grid),
    "grid-5x5": World("25 cells, policy_len 3, 125 policies", lambda: grid(5, 3)),
    "grid-10x10": World("100 cells, policy_len 2, 25 policies", lambda: grid(10, 2)),
    "three-factors": World(
        "3 factors of 8 states, 3 modalities of 6 outcomes, dense, 27 policies",
        lambda: random_model([8, 8, 8], [6, 6, 6], [3, 3, 3], 1),
    ),
    "dense-128": World(
        "128 states, 64 outcomes, dense, 64 policies",
        lambda: random_model([128], [64], [8], 2),
    ),
    "cue-chaining": World("35 x 4 x 2 states, 4 modalities, 625 policies", cue_chaining),
}
