"""Policies and actions of pymdp 0.0.7.1: `freeagent_core.control`, where its results are the same.

The best action is a plain argmax, the first of equals; pymdp.legacy draws one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core import utils
from freeagent_core._functions.action_functions import _action_marginals, _choose
from freeagent_core.control import (
    calc_expected_utility,
    calc_pA_info_gain,
    calc_pB_info_gain,
    calc_states_info_gain,
    construct_policies,
    get_expected_obs,
    get_expected_states,
    get_num_controls_from_policies,
    update_posterior_policies,
    update_posterior_policies_full,
)

FloatArray = npt.NDArray[np.float64]

__all__ = [
    "calc_expected_utility",
    "calc_pA_info_gain",
    "calc_pB_info_gain",
    "calc_states_info_gain",
    "construct_policies",
    "get_expected_obs",
    "get_expected_states",
    "get_num_controls_from_policies",
    "sample_action",
    "sample_policy",
    "update_posterior_policies",
    "update_posterior_policies_full",
]


def _first_of_best(p: FloatArray) -> int:
    return int(np.argmax(p))


def sample_action(
    q_pi: FloatArray,
    policies: Sequence[Any],
    num_controls: Sequence[int],
    action_selection: str = "deterministic",
    alpha: float = 16.0,
) -> FloatArray:
    """Return an action chosen factor by factor; see `freeagent_core.control.sample_action`."""
    return _sample_action_test(q_pi, policies, num_controls, action_selection, alpha)[0]


def _sample_action_test(
    q_pi: FloatArray,
    policies: Sequence[Any],
    num_controls: Sequence[int],
    action_selection: str = "deterministic",
    alpha: float = 16.0,
) -> tuple[FloatArray, npt.NDArray[Any]]:
    """Return `sample_action` and the probabilities it drew from: zeros where it drew none."""
    marginals = _action_marginals(q_pi, policies, num_controls)
    chosen = [_choose(p, action_selection, alpha, _first_of_best) for p in marginals]
    p_actions = utils.obj_array_zeros(list(num_controls))
    if action_selection == "stochastic":
        p_actions = utils.obj_array_from_list([p for _, p in chosen])
    return np.array([float(u) for u, _ in chosen]), p_actions


def sample_policy(
    q_pi: FloatArray,
    policies: Sequence[Any],
    num_controls: Sequence[int],
    action_selection: str = "deterministic",
    alpha: float = 16.0,
) -> FloatArray:
    """Return the first action of a chosen policy; see `freeagent_core.control.sample_policy`."""
    return _sample_policy_test(q_pi, policies, num_controls, action_selection, alpha)[0]


def _sample_policy_test(
    q_pi: FloatArray,
    policies: Sequence[Any],
    num_controls: Sequence[int],
    action_selection: str = "deterministic",
    alpha: float = 16.0,
) -> tuple[FloatArray, FloatArray]:
    """Return `sample_policy` and the probabilities it chose by."""
    index, p = _choose(q_pi, action_selection, alpha, _first_of_best)
    return np.asarray(policies[index][0, : len(num_controls)], dtype=np.float64), p
