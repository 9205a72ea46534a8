"""Mazes with several cues, each of which tells which of two places has a reward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model.validation import choice
from freeagent_core.pymdp_v1 import random
from freeagent_core.pymdp_v1._arguments import outcomes, parts
from freeagent_core.pymdp_v1._arrays import Array, FloatArray, as_array
from freeagent_core.pymdp_v1.envs import _pictures
from freeagent_core.pymdp_v1.envs.env import PymdpEnv

_START, _WALL = 1, 2  # cells of a maze; set i has its cue at 3 + 3 i, its places at 4, 5 + 3 i


def get_maze_matrix(small: bool = False) -> FloatArray:
    """Return a maze: 3 x 3 with two sets of a cue and two places, or 5 x 5 with three.

    Parameters
    ----------
    small : bool, default False

    Returns
    -------
    array
        0 is free, 1 the start, 2 a wall; 3, 6, 9 are cues, 4 and 5, 7 and 8, 10 and 11 the places
        that they tell of.

    Examples
    --------
    >>> get_maze_matrix(small=True)
    array([[4., 0., 8.],
           [5., 0., 7.],
           [3., 1., 6.]])
    """
    if small:
        return np.array([[4.0, 0.0, 8.0], [5.0, 0.0, 7.0], [3.0, 1.0, 6.0]])
    return np.array(
        [
            [4.0, 0.0, 0.0, 0.0, 8.0],
            [5.0, 0.0, 0.0, 0.0, 7.0],
            [0.0, 3.0, 1.0, 6.0, 0.0],
            [0.0, 0.0, 9.0, 0.0, 0.0],
            [0.0, 10.0, 0.0, 11.0, 0.0],
        ]
    )


def parse_maze(maze: Any, rng_key: Any) -> dict[str, Any]:
    """Read a maze, and draw which of the two places of each set has the reward.

    Parameters
    ----------
    maze : array
        See `get_maze_matrix`.
    rng_key : key, int or numpy.random.Generator

    Returns
    -------
    dict
        ``maze``, ``actions`` (steps of row and column), ``num_cues``, ``cue_positions``,
        ``reward_1_positions``, ``reward_2_positions``, ``initial_position``, ``reward_locations``
        (0 or 1 for each set), ``reward_indices`` and ``no_reward_indices``.

    Raises
    ------
    ValueError
        If the start, a cue or a place is missing.

    Examples
    --------
    >>> info = parse_maze(get_maze_matrix(small=True), 0)
    >>> info["num_cues"], info["initial_position"], info["cue_positions"]
    (2, (2, 1), [(2, 0), (2, 2)])
    """
    cells = as_array(maze)
    num_cues = int((cells.max() - 2) // 3)

    def position(value: int) -> tuple[int, int]:
        found = np.argwhere(cells == value)
        if len(found) == 0:
            raise ValueError(f"maze must have a cell of {value}")
        return int(found[0, 0]), int(found[0, 1])

    cues, firsts, seconds = (
        [position(value + 3 * i) for i in range(num_cues)] for value in (3, 4, 5)
    )
    subkey = random.split(rng_key)[1]
    reward_locations = (random.uniform(subkey, (num_cues,)) > 0.5).astype(np.int32)
    rewarded, others = [], []
    for first, second, which in zip(firsts, seconds, reward_locations, strict=True):
        pair = [int(np.ravel_multi_index(p, cells.shape)) for p in (first, second)]
        rewarded.append(pair[which])
        others.append(pair[1 - which])
    return {
        "maze": cells,
        "actions": [(-1, 0), (1, 0), (0, -1), (0, 1)],
        "num_cues": num_cues,
        "cue_positions": cues,
        "reward_indices": rewarded,
        "no_reward_indices": others,
        "initial_position": position(_START),
        "reward_1_positions": firsts,
        "reward_2_positions": seconds,
        "reward_locations": reward_locations,
    }


def _index(maze_info: dict[str, Any], position: tuple[int, int]) -> int:
    return int(np.ravel_multi_index(position, maze_info["maze"].shape))


def generate_A(maze_info: dict[str, Any]) -> tuple[list[FloatArray], list[list[int]]]:
    """Return the likelihoods of position, cues and rewards, and the factors of each.

    Parameters
    ----------
    maze_info : dict
        From `parse_maze`.

    Returns
    -------
    A : list of array
    A_dependencies : list of list of int
    """
    size, sets = maze_info["maze"].size, range(maze_info["num_cues"])
    cues, rewards = [], []
    for i in sets:
        cue, reward = (np.zeros((3, size, 2)) for _ in range(2))
        cue[0] = reward[0] = 1.0
        cue[:, _index(maze_info, maze_info["cue_positions"][i])] = np.eye(3)[:, 1:]
        # outcome 1 in the place of the reward, as upstream has it, 2 in the other
        reward[:, _index(maze_info, maze_info["reward_1_positions"][i])] = np.eye(3)[:, 1:]
        reward[:, _index(maze_info, maze_info["reward_2_positions"][i])] = np.eye(3)[:, [2, 1]]
        cues.append(cue)
        rewards.append(reward)
    return [np.eye(size), *cues, *rewards], [[0], *([0, 1 + i] for _ in range(2) for i in sets)]


def generate_B(maze_info: dict[str, Any]) -> tuple[list[FloatArray], list[list[int]]]:
    """Return the transitions, the last action of the position to stay, and the factors of each.

    Parameters
    ----------
    maze_info : dict
        From `parse_maze`.

    Returns
    -------
    B : list of array
    B_dependencies : list of list of int
    """
    maze, sets = maze_info["maze"], range(maze_info["num_cues"])
    (rows, cols), moves = maze.shape, [*maze_info["actions"], (0, 0)]
    B = np.zeros((maze.size, maze.size, len(moves)))
    for here in range(maze.size):
        row, col = divmod(here, cols)
        for action, (down, right) in enumerate(moves):
            r, c = row + down, col + right
            free = 0 <= r < rows and 0 <= c < cols and maze[r, c] != _WALL
            B[r * cols + c if free else here, here, action] = 1.0
    return [B, *(np.eye(2)[:, :, None] for _ in sets)], [[0], *([1 + i] for i in sets)]


def generate_D(maze_info: dict[str, Any]) -> list[FloatArray]:
    """Return the priors of the first state, all sure.

    Parameters
    ----------
    maze_info : dict
        From `parse_maze`.

    Returns
    -------
    list of array
    """
    start = np.eye(maze_info["maze"].size)[_index(maze_info, maze_info["initial_position"])]
    return [start, *(np.eye(2)[which] for which in maze_info["reward_locations"])]


class GeneralizedTMazeEnv(PymdpEnv):
    """A maze with several cues and pairs of places.

    Parameters
    ----------
    env_info : dict
        From `parse_maze`.
    categorical_obs : bool, default False

    Examples
    --------
    >>> env = GeneralizedTMazeEnv(parse_maze(get_maze_matrix(small=True), 0))
    >>> env.reset(0)[1][0]
    array(7)

    Source: `pymdp.envs.generalized_tmaze.GeneralizedTMazeEnv`.
    """

    def __init__(self, env_info: dict[str, Any], categorical_obs: bool = False) -> None:
        A, A_dependencies = generate_A(env_info)
        B, B_dependencies = generate_B(env_info)
        D: list[Array] = list(generate_D(env_info))
        super().__init__(A, B, D, A_dependencies, B_dependencies, categorical_obs)
        self.env_info = env_info

    def render(self, states: Sequence[Any], mode: str = "human") -> npt.NDArray[np.uint8] | None:
        """Draw the maze, and where each agent of a batch is. Needs Matplotlib.

        Parameters
        ----------
        states : list of int, or of (batch,) array of int
            Of each factor, such as ``[s[:, t] for s in info["env_state"]]`` of a `rollout`.
        mode : {"human", "rgb_array"}
            Show the picture, or return it.

        Returns
        -------
        (height, width, 3) array of uint8, or None with ``mode="human"``

        Raises
        ------
        ImportError
            Without Matplotlib.
        ValueError, TypeError
            If states do not fit.
        """
        choice(mode, _pictures.MODES, "mode")
        num_sets, cells = self.env_info["num_cues"], self.env_info["maze"].size
        given = parts(states, 1 + num_sets, "states", "factor")[0]
        position = np.atleast_1d(outcomes(given, cells, "states[0]")).astype(np.int64)
        if position.ndim != 1 or not len(position) or (position < 0).any():
            raise ValueError(
                f"states[0] must be cells in range({cells}), of shape (batch,), got {given!r:.80}"
            )
        figure, axes = _pictures.squares(len(position), 8, "Generalized T-Maze Environment")
        for own, cell in zip(axes, position, strict=True):
            _pictures.draw_cells(own, self.env_info, int(cell))
        _pictures.sets_legend(axes[-1], num_sets)
        return _pictures.shown(figure, mode)
