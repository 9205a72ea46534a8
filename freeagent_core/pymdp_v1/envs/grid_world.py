"""A grid to walk in, seen as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1._arrays import FloatArray, as_shape
from freeagent_core.pymdp_v1.envs.env import PymdpEnv


class GridWorld(PymdpEnv):
    """A grid world: one factor and one modality, the location ``row * cols + col``.

    Actions are `UP`, `RIGHT`, `DOWN`, `LEFT` and, with `include_stay`, `STAY`.

    Parameters
    ----------
    shape : (rows, cols), default (3, 3)
    walls : iterable of (row, col), optional
        Cells that cannot be entered; those outside of the grid do not count.
    initial_position : (row, col) or int, optional
        By default all cells that are no wall are equally likely.
    include_stay : bool, default True
    success_prob : float, default 1.0
        Otherwise a move stays where it is, as moves into walls always do.
    categorical_obs : bool, default False

    Raises
    ------
    ValueError
        If the grid is empty, a probability is none, or the first position is a wall or outside.

    Examples
    --------
    >>> env = GridWorld((2, 2), initial_position=0)
    >>> observation, state = env.reset(0)
    >>> env.step(0, state, [GridWorld.RIGHT])[1]
    [array(1)]

    Source: `pymdp.envs.GridWorld`.
    """

    UP = 0
    RIGHT = 1
    DOWN = 2
    LEFT = 3
    STAY = 4

    def __init__(
        self,
        shape: tuple[int, int] = (3, 3),
        walls: Iterable[tuple[int, int]] | None = None,
        initial_position: tuple[int, int] | int | None = None,
        include_stay: bool = True,
        success_prob: float = 1.0,
        categorical_obs: bool = False,
    ) -> None:
        shape = _checked_shape(shape)
        rows, cols = shape
        if not 0.0 <= success_prob <= 1.0:
            raise ValueError(f"success_prob must be in [0, 1], got {success_prob}")
        blocked = {r * cols + c for r, c in walls or () if 0 <= r < rows and 0 <= c < cols}
        super().__init__(
            A=[np.eye(rows * cols)],
            B=[_transitions(rows, cols, blocked, include_stay, success_prob)],
            D=[_start(shape, blocked, initial_position)],
            A_dependencies=[[0]],
            B_dependencies=[[0]],
            categorical_obs=categorical_obs,
        )

    @staticmethod
    def coords_to_index(shape: tuple[int, int], coord: tuple[int, int]) -> int:
        """Return the location of a row and a column."""
        return int(np.ravel_multi_index(coord, shape))

    @staticmethod
    def index_to_coords(shape: tuple[int, int], idx: int) -> tuple[int, int]:
        """Return the row and the column of a location."""
        row, col = np.unravel_index(idx, shape)
        return int(row), int(col)


def _checked_shape(shape: Any) -> tuple[int, int]:
    sizes = as_shape(shape)
    if len(sizes) != 2 or min(sizes) < 1:
        raise ValueError(f"shape must be two positive integers, rows and columns, got {shape}")
    return sizes[0], sizes[1]


def _transitions(
    rows: int, cols: int, blocked: set[int], include_stay: bool, success_prob: float
) -> FloatArray:
    moves = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    B = np.zeros((rows * cols, rows * cols, len(moves) + include_stay))
    for s in range(rows * cols):
        row, col = divmod(s, cols)
        for action, (down, right) in enumerate(moves):
            r, c = row + down, col + right
            target = r * cols + c if 0 <= r < rows and 0 <= c < cols else s
            if target == s or target in blocked:
                B[s, s, action] = 1.0
            else:
                B[target, s, action] = success_prob
                B[s, s, action] = 1.0 - success_prob
        if include_stay:
            B[s, s, GridWorld.STAY] = 1.0
    return B


def _start(
    shape: tuple[int, int], blocked: set[int], position: tuple[int, int] | int | None
) -> FloatArray:
    size = shape[0] * shape[1]
    if position is None:
        free = np.ones(size)
        free[list(blocked)] = 0.0
        return np.asarray(free / free.sum() if free.any() else np.ones(size) / size)
    index = int(np.ravel_multi_index(position, shape)) if isinstance(position, tuple) else position
    if not 0 <= index < size:
        raise ValueError(f"initial_position must be in range({size}), got {position}")
    if index in blocked:
        raise ValueError("initial_position cannot be a wall.")
    start: FloatArray = np.eye(size)[index]
    return start
