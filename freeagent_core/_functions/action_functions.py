"""The functions of `control` that enumerate policies and choose actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core import utils
from freeagent_core._kernels.action.action_selection import TIE_TOLERANCE
from freeagent_core._model import policies as planning
from freeagent_core.maths import softmax, spm_log_single

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]


def construct_policies(
    num_states: Sequence[int],
    num_controls: Sequence[int] | None = None,
    policy_len: int = 1,
    control_fac_idx: Sequence[int] | None = None,
) -> list[npt.NDArray[np.int64]]:
    """Return all sequences of actions, a list of arrays of shape (policy_len, num_factors)."""
    if num_controls is None:
        controlled = range(len(num_states)) if control_fac_idx is None else control_fac_idx
        num_controls = [n if f in controlled else 1 for f, n in enumerate(num_states)]
    return [policy.copy() for policy in planning.construct_policies(num_controls, policy_len)]


def get_num_controls_from_policies(policies: Sequence[Any]) -> list[int]:
    """Return the number of controls of each factor that policies use."""
    return list(np.max(np.vstack(policies), axis=0) + 1)


def select_highest(options_array: FloatArray) -> int:
    """Return the index of the largest entry; among those within 1e-8 of it, a random one."""
    best = _best(options_array)
    return int(best[np.random.choice(len(best))]) if len(best) > 1 else int(best[0])


def _select_highest_test(options_array: FloatArray, seed: int | None = None) -> int:
    """Like `select_highest`, with a generator of its own."""
    best = _best(options_array)
    if len(best) == 1:
        return int(best[0])
    return int(best[np.random.default_rng(seed).choice(len(best))])


def _best(options: FloatArray) -> npt.NDArray[np.intp]:
    return np.flatnonzero(np.abs(options - np.max(options)) <= TIE_TOLERANCE)


def _action_marginals(
    q_pi: FloatArray, policies: Sequence[Any], num_controls: Sequence[int]
) -> ObjectArray:
    marginals = utils.obj_array_zeros(num_controls)
    for p, policy in zip(q_pi, policies, strict=True):
        for f, u in enumerate(policy[0]):
            marginals[f][u] += p
    return utils.norm_dist_obj_arr(marginals)


def _choose(p: FloatArray, action_selection: str, alpha: float, select: Any) -> tuple[int, Any]:
    """Return a choice among probabilities, and what it was chosen by."""
    if action_selection == "deterministic":
        return select(p), p
    if action_selection == "stochastic":
        p = softmax(spm_log_single(p) * alpha)
        return utils.sample(p), p
    raise ValueError(
        f"action_selection must be 'deterministic' or 'stochastic', got {action_selection!r}"
    )


def sample_action(
    q_pi: FloatArray,
    policies: Sequence[Any],
    num_controls: Sequence[int],
    action_selection: str = "deterministic",
    alpha: float = 16.0,
) -> FloatArray:
    """Return an action chosen factor by factor, from the marginals of the first step.

    Parameters
    ----------
    q_pi : ndarray, shape (num_policies,)
    policies : list of ndarray of int, shape (policy_len, num_factors)
    num_controls : list of int
    action_selection : {"deterministic", "stochastic"}
    alpha : float
        Precision of stochastic selection.

    Returns
    -------
    action : ndarray of float64, shape (num_factors,)
    """
    marginals = _action_marginals(q_pi, policies, num_controls)
    return np.array(
        [float(_choose(p, action_selection, alpha, select_highest)[0]) for p in marginals]
    )


def _sample_action_test(
    q_pi: FloatArray,
    policies: Sequence[Any],
    num_controls: Sequence[int],
    action_selection: str = "deterministic",
    alpha: float = 16.0,
    seed: int | None = None,
) -> tuple[FloatArray, ObjectArray]:
    """Like `sample_action`; returns the probabilities of each factor's actions too."""
    chosen = [
        _choose(p, action_selection, alpha, lambda p: _select_highest_test(p, seed))
        for p in _action_marginals(q_pi, policies, num_controls)
    ]
    probabilities = utils.obj_array_from_list([p for _, p in chosen])
    return np.array([float(u) for u, _ in chosen]), probabilities


def sample_policy(
    q_pi: FloatArray,
    policies: Sequence[Any],
    num_controls: Sequence[int],
    action_selection: str = "deterministic",
    alpha: float = 16.0,
) -> FloatArray:
    """Like `sample_action`, the first action of a chosen policy."""
    index, _ = _choose(q_pi, action_selection, alpha, select_highest)
    return np.asarray(policies[index][0, : len(num_controls)], dtype=np.float64)


def _sample_policy_test(
    q_pi: FloatArray,
    policies: Sequence[Any],
    num_controls: Sequence[int],
    action_selection: str = "deterministic",
    alpha: float = 16.0,
    seed: int | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Like `sample_policy`; returns the probabilities of the policies too."""
    index, p = _choose(q_pi, action_selection, alpha, lambda p: _select_highest_test(p, seed))
    return np.asarray(policies[index][0, : len(num_controls)], dtype=np.float64), p
