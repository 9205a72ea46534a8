"""Transition tables of Markov decision processes, as Gymnasium's toy worlds have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model import validation as check
from freeagent_core._model.sparse_columns import MAX_WHOLE, SparseColumns
from freeagent_core._model.sparse_input import joined_columns

FloatArray = npt.NDArray[np.float64]


def rows_of(P: Any, name: str, of_what: str) -> list[Any]:
    """Return the items of a dict with keys 0, 1, ..., or of a sequence."""
    if isinstance(P, Mapping):
        missing = [i for i in range(len(P)) if i not in P]
        if missing:
            raise ValueError(
                f"{name} must have {of_what} 0 to {len(P) - 1}, {missing[0]} is missing"
            )
        rows = [P[i] for i in range(len(P))]
    elif isinstance(P, Sequence | np.ndarray) and not isinstance(P, str):
        rows = list(P)
    else:
        raise TypeError(f"{name} must be a dict or a list, got {type(P).__name__}")
    if not rows:
        raise ValueError(f"{name} must not be empty")
    return rows


def read_table(P: Any) -> tuple[FloatArray | SparseColumns, FloatArray]:
    """Return B and the mean reward of each state.

    Parameters
    ----------
    P : dict or sequence
        ``P[state][action]`` is a list of ``(probability, next_state, reward, done)``; what follows
        the reward is not read.

    Returns
    -------
    B : ndarray or SparseColumns, shape (num_states, num_states, num_controls)
        Probabilities of a next state that is listed twice add up.
    rewards : ndarray, shape (num_states,)
        Of the transitions of positive probability that lead to a state, over all states and
        actions before it, each alike; 0 where none does.
    """
    states = rows_of(P, "P", "states")
    table = [rows_of(row, f"P[{s}]", "actions") for s, row in enumerate(states)]
    num_states, num_controls = len(table), len(table[0])
    columns: list[int] = []
    following: list[int] = []
    numbers: list[float] = []
    rewards: list[float] = []
    for s, row in enumerate(table):
        if len(row) != num_controls:
            raise ValueError(f"P[{s}] must have {num_controls} actions like P[0], got {len(row)}")
        for a, outcomes in enumerate(row):
            if not isinstance(outcomes, Iterable):
                raise TypeError(f"P[{s}][{a}] must be a list, got {type(outcomes).__name__}")
            for k, outcome in enumerate(outcomes):
                name = f"P[{s}][{a}][{k}]"
                try:
                    probability, state, reward = outcome[0], outcome[1], outcome[2]
                except (TypeError, IndexError, KeyError):
                    raise TypeError(
                        f"{name} must be (probability, next_state, reward, done), "
                        f"got {outcome!r:.80}"
                    ) from None
                columns.append(a * num_states + s)
                following.append(check.integer(state, 0, num_states, f"{name}[1]"))
                numbers.append(check.number(probability, f"{name}[0]"))
                rewards.append(check.number(reward, f"{name}[2]"))
                if numbers[-1] < 0.0:
                    raise ValueError(f"{name}[0] must be non-negative, got {numbers[-1]}")
    reached, value = np.array(following, dtype=np.int64), np.array(numbers)
    B = joined_columns(
        (num_states, num_states, num_controls),
        np.array(columns, dtype=np.int64),
        reached,
        value,
        "P",
    )
    counts = np.bincount(reached[value > 0.0], minlength=num_states)
    total = np.bincount(reached[value > 0.0], np.array(rewards)[value > 0.0], num_states)
    return B, total / np.maximum(counts, 1)


def identity(size: int) -> FloatArray | SparseColumns:
    """Return the likelihood of states that are seen as they are."""
    if size * size <= MAX_WHOLE:
        return np.eye(size)
    return SparseColumns((size, size), np.arange(size + 1), np.arange(size), np.ones(size))
