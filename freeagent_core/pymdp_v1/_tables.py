"""Tables that depend on the model alone, made once per model and read by the kernels.

Arrays have a leading axis of agents, of size 1 where all share one. In pymdp's A and B the
outcome, or next state, comes first; the kernels read them with it last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.base.special_functions import expected_log_ratio

Array = npt.NDArray[np.float64]

EPSILON = float(np.finfo(np.float64).eps)


def shared(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an array's only entry along its first axis if all are the same memory."""
    return array[:1] if array.shape[0] > 1 and array.strides[0] == 0 else array


def log_stable(x: Array) -> Array:
    """log(max(x, 2^-52)): `pymdp.maths.log_stable`."""
    return np.log(np.maximum(x, EPSILON))


def log_likelihood(A: Array) -> Array:
    """log A of shape (agents, num_obs, joint states)."""
    A = shared(A)
    return log_stable(np.ascontiguousarray(A.reshape(*A.shape[:2], -1)))


def outcomes_last(A: Array) -> Array:
    """A of shape (agents, joint states, num_obs)."""
    A = shared(A)
    return np.ascontiguousarray(A.reshape(*A.shape[:2], -1).transpose(0, 2, 1))


def next_state_last(B: Array) -> Array:
    """B of shape (agents, num_controls, joint states, num_states)."""
    B = shared(B)
    return np.ascontiguousarray(B.reshape(*B.shape[:2], -1, B.shape[-1]).transpose(0, 3, 2, 1))


def certain_next_state(B: Array) -> npt.NDArray[np.int32] | None:
    """The next state where it is certain, else -1, of `next_state_last(B)`; None if nowhere."""
    certain = (B.max(axis=-1) == 1.0) & (np.count_nonzero(B, axis=-1) == 1)
    if not certain.any():
        return None
    return np.where(certain, B.argmax(axis=-1), -1).astype(np.int32)


def group_values(
    A: Sequence[Array], C: Sequence[Array], use_utility: bool, use_states_info_gain: bool
) -> tuple[Array, Array]:
    """What each joint state of some modalities' parents is worth.

    Parameters
    ----------
    A : sequence of (agents, joint states, num_obs) array
    C : sequence of (agents, num_obs) or (agents, steps, num_obs) array

    Returns
    -------
    linear : (agents, steps, joint states) array
        A^T C - H(A), summed over the modalities: what is linear in the beliefs.
    certain : the same shape
        The value where the joint state is certain: the entropies cancel.
    """
    linear: Any = 0.0
    certain: Any = 0.0
    for A_m, C_m in zip(A, C, strict=True):
        steps = C_m if C_m.ndim == 3 else C_m[:, None]
        utility = np.zeros((1, 1, A_m.shape[1]))
        if use_utility:
            utility = np.matmul(shared(steps), A_m.transpose(0, 2, 1))
        certain = _add_steps(certain, utility)
        if use_states_info_gain:
            negative_entropy = (A_m * log_stable(A_m)).sum(axis=-1)
            utility = utility + negative_entropy[:, None]
        linear = _add_steps(linear, utility)
    return np.ascontiguousarray(linear), np.ascontiguousarray(certain)


def _add_steps(total: Any, values: Array) -> Array:
    """Sum of arrays (agents, steps, states) of 1 or more steps; the last step goes on."""
    if isinstance(total, float):
        return values
    if total.shape[1] != values.shape[1]:
        steps = max(total.shape[1], values.shape[1])
        index = np.arange(steps)
        total = total[:, np.minimum(index, total.shape[1] - 1)]
        values = values[:, np.minimum(index, values.shape[1] - 1)]
    return np.asarray(total + values)


def novelty(counts: Array) -> Array:
    """Weights of the information gain about Dirichlet counts, over axis 1.

    -(log a0 - log a + digamma(a + 1) - digamma(a0 + 1)) where a > 0, else 0, a0 the sum of a over
    the outcomes: `pymdp.maths.spm_wnorm`, exact form.
    """
    counts = np.ascontiguousarray(shared(counts))
    clipped = np.maximum(counts, EPSILON)
    total = np.maximum(clipped.sum(axis=1, keepdims=True), EPSILON)
    return np.where(counts > 0.0, expected_log_ratio(total) - expected_log_ratio(clipped), 0.0)


def size(shape: Sequence[int]) -> int:
    """Product of some sizes."""
    return math.prod(shape)


def planning_tables(agent: Any, groups: Sequence[Sequence[int]]) -> dict[str, Any]:
    """All tables that `freeagent_core._kernels.planning.policy_plan.PolicyPlan` takes."""
    A = [outcomes_last(a) for a in agent.A]
    linear, certain = [], []
    explore = agent.use_param_info_gain
    A_novelty: list[Array | None] = [None] * len(A)
    B_novelty: list[Array | None] = [None] * len(agent.B)
    if explore and agent.pA is not None:
        A_novelty = [None if p is None else outcomes_last(novelty(p)) for p in agent.pA]
    if explore and agent.pB is not None:
        B_novelty = [next_state_last(novelty(p)) for p in agent.pB]
    for parents in groups:
        members = [m for m, f in enumerate(agent.A_dependencies) if tuple(f) == tuple(parents)]
        values = group_values(
            [A[m] for m in members],
            [agent.C[m] for m in members],
            agent.use_utility,
            agent.use_states_info_gain,
        )
        linear.append(values[0])
        sure = values[1]
        for m in members:
            weights = A_novelty[m]
            if weights is not None:
                sure = sure - (A[m] * weights).sum(axis=-1)[:, None]
        certain.append(np.ascontiguousarray(sure))
    return {
        "A": A,
        "linear": linear,
        "certain": certain,
        "A_novelty": A_novelty,
        "B_novelty": B_novelty,
        "next_state": [certain_next_state(next_state_last(B)) for B in agent.B],
        "inductive": [
            np.ascontiguousarray(shared(rows)) if agent.use_inductive else None for rows in agent.I
        ],
        "log_E": log_stable(np.ascontiguousarray(shared(agent.E))),
        "gamma": np.ascontiguousarray(shared(agent.gamma)),
        "log_epsilon": log_stable(np.ascontiguousarray(shared(agent.inductive_epsilon))),
    }
