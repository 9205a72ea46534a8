"""A grid where one cue tells where another is, which tells where the reward is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeagent_core.pymdp_v1._arrays import Array
from freeagent_core.pymdp_v1.envs.env import PymdpEnv

Coord = tuple[int, int]


class CueChainingEnv(PymdpEnv):
    """A grid world with a chain of two cues.

    Factors are the location, which second cue is informative, and the reward condition. The
    modalities are the location; the first cue, which tells the second factor; the second cue, which
    tells the third; and the reward (null, cheese, shock). Arrays are of float32, as upstream's.

    Parameters
    ----------
    grid_shape : (rows, cols), default (5, 7)
    start_location, cue1_location : (row, col)
    cue2_locations : sequence of (row, col)
    reward_locations : two (row, col)
    cue2_state, reward_condition : int, optional
        The first state of these factors; by default uniform.
    cue2_names, reward_condition_names : sequence of str, optional
    categorical_obs : bool, default False

    Raises
    ------
    ValueError
        If a location is outside of the grid, or lists have wrong lengths.

    Examples
    --------
    >>> env = CueChainingEnv(cue2_state=1, reward_condition=0)
    >>> env.reset(0)[1]
    [array(0), array(1), array(0)]

    Source: `pymdp.envs.CueChainingEnv`.
    """

    ACTION_LABELS = ("UP", "DOWN", "LEFT", "RIGHT", "STAY")

    def __init__(
        self,
        grid_shape: Coord = (5, 7),
        start_location: Coord = (0, 0),
        cue1_location: Coord = (2, 0),
        cue2_locations: Sequence[Coord] = ((0, 2), (1, 3), (3, 3), (4, 2)),
        reward_locations: Sequence[Coord] = ((1, 5), (3, 5)),
        cue2_state: int | None = None,
        reward_condition: int | None = None,
        cue2_names: Sequence[str] | None = None,
        reward_condition_names: Sequence[str] | None = None,
        categorical_obs: bool = False,
    ) -> None:
        rows, cols = grid_shape
        if rows <= 0 or cols <= 0:
            raise ValueError("`grid_shape` must contain strictly positive integers.")
        if len(cue2_locations) == 0:
            raise ValueError("`cue2_locations` must contain at least one location.")
        if len(reward_locations) != 2:
            raise ValueError("`reward_locations` must contain exactly two locations.")
        self.grid_shape = (rows, cols)
        self.start_location, self.cue1_location = _coord(start_location), _coord(cue1_location)
        self.cue2_locations = tuple(_coord(c) for c in cue2_locations)
        self.reward_locations = tuple(_coord(c) for c in reward_locations)
        self.num_location_states = rows * cols
        self.num_cue2_states = len(self.cue2_locations)
        self.num_reward_states = len(self.reward_locations)
        self.start_index = self.coords_to_index(self.start_location)
        self.cue1_index = self.coords_to_index(self.cue1_location)
        self.cue2_indices = tuple(self.coords_to_index(c) for c in self.cue2_locations)
        self.reward_indices = tuple(self.coords_to_index(c) for c in self.reward_locations)
        if cue2_state is not None and not 0 <= cue2_state < self.num_cue2_states:
            raise ValueError("`cue2_state` out of bounds for provided `cue2_locations`.")
        if reward_condition is not None and not 0 <= reward_condition < self.num_reward_states:
            raise ValueError("`reward_condition` out of bounds for provided `reward_locations`.")
        self.cue2_names = tuple(cue2_names or (f"L{i + 1}" for i in range(self.num_cue2_states)))
        if len(self.cue2_names) != self.num_cue2_states:
            raise ValueError("`cue2_names` length must match `cue2_locations`.")
        self.reward_condition_names = tuple(reward_condition_names or ("TOP", "BOTTOM"))
        if len(self.reward_condition_names) != self.num_reward_states:
            raise ValueError("`reward_condition_names` length must match `reward_locations`.")
        self.location_obs_names = tuple(f"({r}, {c})" for r in range(rows) for c in range(cols))
        self.cue1_obs_names = ("Null", *self.cue2_names)
        self.cue2_obs_names = (
            "Null",
            *(f"reward_on_{name.lower()}" for name in self.reward_condition_names),
        )
        self.reward_obs_names = ("Null", "Cheese", "Shock")
        sizes = (self.num_location_states, self.num_cue2_states, self.num_reward_states)
        firsts = (self.start_index, cue2_state, reward_condition)
        super().__init__(
            self._likelihoods(),
            self._transitions(),
            [_prior(n, first) for n, first in zip(sizes, firsts, strict=True)],
            [[0], [0, 1], [0, 1, 2], [0, 2]],
            [[0], [1], [2]],
            categorical_obs,
        )

    def coords_to_index(self, coord: Coord) -> int:
        """Return the location of a row and a column."""
        (row, col), (rows, cols) = coord, self.grid_shape
        if not (0 <= row < rows and 0 <= col < cols):
            raise ValueError(f"Coordinate {coord} is outside grid bounds {self.grid_shape}.")
        return int(row * cols + col)

    def index_to_coords(self, index: int) -> Coord:
        """Return the row and the column of a location."""
        if not 0 <= index < self.num_location_states:
            raise ValueError("`index` out of bounds for location state space.")
        return divmod(index, self.grid_shape[1])

    def _likelihoods(self) -> list[Array]:
        places, cues, rewards = (
            self.num_location_states,
            self.num_cue2_states,
            self.num_reward_states,
        )
        cue1 = _null((1 + cues, places, cues))
        cue1[:, self.cue1_index] = np.eye(1 + cues)[:, 1:]
        cue2 = _null((1 + rewards, places, cues, rewards))
        for state, place in enumerate(self.cue2_indices):
            cue2[:, place, state] = np.eye(1 + rewards)[:, 1:]
        reward = _null((3, places, rewards))
        for arm, place in enumerate(self.reward_indices):
            for condition in range(rewards):
                reward[:, place, condition] = np.eye(3)[1 if arm == condition else 2]
        return [np.eye(places, dtype=np.float32), cue1, cue2, reward]

    def _transitions(self) -> list[Array]:
        (rows, cols), places = self.grid_shape, self.num_location_states
        moves = [(-1, 0), (1, 0), (0, -1), (0, 1), (0, 0)]
        B = np.zeros((places, places, len(moves)), dtype=np.float32)
        for here in range(places):
            row, col = divmod(here, cols)
            for action, (down, right) in enumerate(moves):
                r = min(max(row + down, 0), rows - 1)
                c = min(max(col + right, 0), cols - 1)
                B[r * cols + c, here, action] = 1.0
        stays = [
            np.eye(n, dtype=np.float32)[:, :, None]
            for n in (self.num_cue2_states, self.num_reward_states)
        ]
        return [B, *stays]


def _coord(coord: Coord) -> Coord:
    row, col = coord
    return row, col


def _null(shape: tuple[int, ...]) -> Array:
    array = np.zeros(shape, dtype=np.float32)
    array[0] = 1.0
    return array


def _prior(size: int, first: int | None) -> Array:
    if first is None:
        return np.full(size, np.float32(1) / np.float32(size))
    prior: Array = np.eye(size, dtype=np.float32)[first]
    return prior
