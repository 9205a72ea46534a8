"""Policies, their expected free energy and actions: the functions of ``pymdp.control``.

For one agent, each function its formula; `Agent.infer_policies` and `Agent.sample_action` do the
same for a batch, in compiled code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1 import random
from freeagent_core.pymdp_v1._arrays import Array, FloatArray, as_array
from freeagent_core.pymdp_v1._expected_free_energy import (
    Dependencies,
    calc_inductive_value_t,
    calc_negative_pA_info_gain,
    calc_negative_pB_info_gain,
    compute_expected_obs,
    compute_expected_state,
    compute_expected_state_and_Bs,
    compute_expected_utility,
    compute_info_gain,
    generate_I_matrix,
)
from freeagent_core.pymdp_v1._maths import log_stable
from freeagent_core.pymdp_v1._policies import IntArray, Policies, all_policies

__all__ = [
    "Policies",
    "calc_inductive_value_t",
    "calc_negative_pA_info_gain",
    "calc_negative_pB_info_gain",
    "compute_expected_obs",
    "compute_expected_state",
    "compute_expected_state_and_Bs",
    "compute_expected_utility",
    "compute_info_gain",
    "compute_neg_efe_policy",
    "compute_neg_efe_policy_inductive",
    "construct_policies",
    "generate_I_matrix",
    "get_marginals",
    "sample_action",
    "sample_policy",
    "update_posterior_policies",
    "update_posterior_policies_inductive",
]

# --- actions -------------------------------------------------------------------------------------


def get_marginals(q_pi: Any, policies: Any, num_controls: Sequence[int]) -> list[FloatArray]:
    """Return the probability of each factor's first action.

    Parameters
    ----------
    q_pi : (num_policies,) array
    policies : (num_policies, policy_len, num_factors) array of int
    num_controls : list of int

    Returns
    -------
    list of (num_controls,) array

    Examples
    --------
    >>> get_marginals(np.array([0.25, 0.75]), np.array([[[0]], [[1]]]), [2])
    [array([0.25, 0.75])]
    """
    first = as_array(policies)[:, 0]
    return [
        np.bincount(first[:, f], as_array(q_pi), n).astype(np.float64)
        for f, n in enumerate(num_controls)
    ]


def sample_action(
    policies: Any,
    num_controls: Sequence[int],
    q_pi: Any,
    action_selection: str = "deterministic",
    alpha: Any = 16.0,
    rng_key: Any = None,
) -> Array:
    """Choose each factor's action from its marginal probabilities.

    Parameters
    ----------
    policies : (num_policies, policy_len, num_factors) array of int
    num_controls : list of int
    q_pi : (num_policies,) array
    action_selection : {"deterministic", "stochastic"}
        The likeliest, the first of equals; or drawn from softmax(alpha log p).
    alpha : float, default 16.0
    rng_key : key
        For all factors the same, as in pymdp (issue 430): actions are drawn with one noise.
        `Agent.sample_action` draws each factor under a key of its own.

    Returns
    -------
    (num_factors,) array of int

    Examples
    --------
    >>> sample_action(np.array([[[0]], [[1]]]), [2], np.array([0.25, 0.75]))
    array([1])
    """
    marginals = get_marginals(q_pi, policies, num_controls)
    if action_selection == "deterministic":
        return np.array([np.argmax(p) for p in marginals])
    if action_selection != "stochastic":
        raise NotImplementedError(f"action_selection {action_selection!r}")
    return np.array([int(random.categorical(rng_key, alpha * log_stable(p))) for p in marginals])


def sample_policy(
    policies: Any,
    q_pi: Any,
    action_selection: str = "deterministic",
    alpha: Any = 16.0,
    rng_key: Any = None,
) -> Array:
    """Choose a policy, and return its first actions.

    Parameters
    ----------
    policies : (num_policies, policy_len, num_factors) array of int
    q_pi : (num_policies,) array
    action_selection : {"deterministic", "stochastic"}
        The likeliest, the first of equals; or drawn from softmax(alpha log q_pi).
    alpha : float, default 16.0
    rng_key : key

    Returns
    -------
    (num_factors,) array of int

    Examples
    --------
    >>> sample_policy(np.array([[[0]], [[1]]]), np.array([0.25, 0.75]))
    array([1])
    """
    if action_selection == "deterministic":
        index = int(np.argmax(as_array(q_pi)))
    elif action_selection == "stochastic":
        index = int(random.categorical(rng_key, log_stable(q_pi) * alpha))
    else:
        raise NotImplementedError(f"action_selection {action_selection!r}")
    return np.asarray(as_array(policies)[index, 0])


def construct_policies(
    num_states: Sequence[int],
    num_controls: Sequence[int] | None = None,
    policy_len: int = 1,
    control_fac_idx: Sequence[int] | None = None,
) -> IntArray:
    """Enumerate all sequences of actions, the last factor of the last step fastest.

    Parameters
    ----------
    num_states : list of int
    num_controls : list of int, optional
        By default as many as states for the factors `control_fac_idx`, 1 for others.
    policy_len : int, default 1
    control_fac_idx : list of int, optional
        By default all factors.

    Returns
    -------
    (num_policies, policy_len, num_factors) array of int

    Examples
    --------
    >>> construct_policies([2], policy_len=2)[:, :, 0]
    array([[0, 0],
           [0, 1],
           [1, 0],
           [1, 1]])
    """
    return all_policies(num_states, num_controls, policy_len, control_fac_idx)


# --- policies ------------------------------------------------------------------------------------


def compute_neg_efe_policy(
    qs_init: Sequence[Any],
    A: Sequence[Any],
    B: Sequence[Any],
    C: Sequence[Any],
    pA: Sequence[Any] | None,
    pB: Sequence[Any] | None,
    A_dependencies: Dependencies,
    B_dependencies: Dependencies,
    policy_i: Any,
    use_utility: bool = True,
    use_states_info_gain: bool = True,
    use_param_info_gain: bool = False,
) -> np.float64:
    """Return minus the expected free energy of one policy.

    Parameters
    ----------
    qs_init : list of (num_states,) array
    A, B, C : list of array
    pA, pB : list of array, optional
    A_dependencies, B_dependencies : list of list of int
    policy_i : (policy_len, num_factors) array of int
    use_utility, use_states_info_gain, use_param_info_gain : bool

    Returns
    -------
    float64

    Raises
    ------
    ValueError
        If `use_param_info_gain` has neither pA nor pB.

    Examples
    --------
    >>> qs, A, B = [np.array([1.0, 0.0])], [np.eye(2)], [np.eye(2)[:, :, None]]
    >>> C, policy = [np.array([0.5, 0.0])], np.zeros((2, 1), dtype=int)
    >>> float(compute_neg_efe_policy(qs, A, B, C, None, None, [[0]], [[0]], policy))
    1.0
    """
    return compute_neg_efe_policy_inductive(
        qs_init, A, B, C, pA, pB, A_dependencies, B_dependencies, [], policy_i, 1e-3,
        use_utility, use_states_info_gain, use_param_info_gain, False,
    )  # fmt: skip


def compute_neg_efe_policy_inductive(
    qs_init: Sequence[Any],
    A: Sequence[Any],
    B: Sequence[Any],
    C: Sequence[Any],
    pA: Sequence[Any] | None,
    pB: Sequence[Any] | None,
    A_dependencies: Dependencies,
    B_dependencies: Dependencies,
    I: Sequence[Any],  # noqa: E741
    policy_i: Any,
    inductive_epsilon: Any = 1e-3,
    use_utility: bool = True,
    use_states_info_gain: bool = True,
    use_param_info_gain: bool = False,
    use_inductive: bool = False,
) -> np.float64:
    """Return minus the expected free energy of one policy, with inductive inference.

    Parameters
    ----------
    qs_init : list of (num_states,) array
    A, B, C : list of array
    pA, pB : list of array, optional
    A_dependencies, B_dependencies : list of list of int
    I : list of (depth, num_states) array
    policy_i : (policy_len, num_factors) array of int
    inductive_epsilon : float, default 1e-3
    use_utility, use_states_info_gain, use_param_info_gain, use_inductive : bool

    Returns
    -------
    float64

    Raises
    ------
    ValueError
        If `use_param_info_gain` has neither pA nor pB.
    """
    _check_counts(use_param_info_gain, pA, pB)
    value = 0.0
    qs = list(qs_init)
    for t, action in enumerate(as_array(policy_i)):
        qs_next = compute_expected_state(qs, B, action, B_dependencies)
        qo = compute_expected_obs(qs_next, A, A_dependencies)
        if use_states_info_gain:
            value += float(compute_info_gain(qs_next, qo, A, A_dependencies))
        if use_utility:
            value += float(compute_expected_utility(qo, C, t))
        if use_inductive:
            value += float(calc_inductive_value_t(qs_init, qs_next, I, inductive_epsilon))
        if use_param_info_gain and pA is not None:
            value -= float(calc_negative_pA_info_gain(pA, qo, qs_next, A_dependencies))
        if use_param_info_gain and pB is not None:
            value -= float(calc_negative_pB_info_gain(pB, qs_next, qs, B_dependencies, action))
        qs = qs_next
    return np.float64(value)


def _check_counts(use_param_info_gain: bool, pA: Any, pB: Any) -> None:
    if use_param_info_gain and pA is None and pB is None:
        raise ValueError("use_param_info_gain=True requires at least one of pA or pB.")


def update_posterior_policies(
    policy_matrix: Any,
    qs_init: Sequence[Any],
    A: Sequence[Any],
    B: Sequence[Any],
    C: Sequence[Any],
    E: Any,
    pA: Sequence[Any] | None,
    pB: Sequence[Any] | None,
    A_dependencies: Dependencies,
    B_dependencies: Dependencies,
    gamma: Any = 16.0,
    use_utility: bool = True,
    use_states_info_gain: bool = True,
    use_param_info_gain: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Infer the policies: softmax(gamma * neg_efe + log E).

    Parameters
    ----------
    policy_matrix : (num_policies, policy_len, num_factors) array of int
    qs_init : list of (num_states,) array
    A, B, C : list of array
    E : (num_policies,) array
    pA, pB : list of array, optional
    A_dependencies, B_dependencies : list of list of int
    gamma : float, default 16.0
    use_utility, use_states_info_gain, use_param_info_gain : bool

    Returns
    -------
    q_pi, neg_efe : (num_policies,) array

    Examples
    --------
    >>> qs, A, B = [np.array([1.0, 0.0])], [np.eye(2)], [np.eye(2)[:, None, :] * np.ones((2, 1))]
    >>> q_pi, _ = update_posterior_policies(
    ...     np.array([[[0]], [[1]]]), qs, A, B, [np.array([0.0, 1.0])], np.full(2, 0.5), None, None,
    ...     [[0]], [[0]], gamma=1.0,
    ... )
    >>> q_pi.round(4)
    array([0.2689, 0.7311])
    """
    return update_posterior_policies_inductive(
        policy_matrix, qs_init, A, B, C, E, pA, pB, A_dependencies, B_dependencies, [], gamma, 1e-3,
        use_utility, use_states_info_gain, use_param_info_gain, False,
    )  # fmt: skip


def update_posterior_policies_inductive(
    policy_matrix: Any,
    qs_init: Sequence[Any],
    A: Sequence[Any],
    B: Sequence[Any],
    C: Sequence[Any],
    E: Any,
    pA: Sequence[Any] | None,
    pB: Sequence[Any] | None,
    A_dependencies: Dependencies,
    B_dependencies: Dependencies,
    I: Sequence[Any],  # noqa: E741
    gamma: Any = 16.0,
    inductive_epsilon: Any = 1e-3,
    use_utility: bool = True,
    use_states_info_gain: bool = True,
    use_param_info_gain: bool = False,
    use_inductive: bool = True,
) -> tuple[FloatArray, FloatArray]:
    """Infer the policies with inductive inference: softmax(gamma * neg_efe + log E).

    Parameters
    ----------
    policy_matrix : (num_policies, policy_len, num_factors) array of int
    qs_init : list of (num_states,) array
    A, B, C : list of array
    E : (num_policies,) array
    pA, pB : list of array, optional
    A_dependencies, B_dependencies : list of list of int
    I : list of (depth, num_states) array
    gamma : float, default 16.0
    inductive_epsilon : float, default 1e-3
    use_utility, use_states_info_gain, use_param_info_gain, use_inductive : bool

    Returns
    -------
    q_pi, neg_efe : (num_policies,) array
    """
    _check_counts(use_param_info_gain, pA, pB)
    neg_efe = np.array(
        [
            compute_neg_efe_policy_inductive(
                qs_init, A, B, C, pA, pB, A_dependencies, B_dependencies, I, policy,
                inductive_epsilon, use_utility, use_states_info_gain, use_param_info_gain,
                use_inductive,
            )
            for policy in as_array(policy_matrix)
        ]
    )  # fmt: skip
    logits = as_array(gamma) * neg_efe + log_stable(E)
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum()), neg_efe
