"""Policies, their expected free energy and actions: the functions of ``pymdp.control``.

For one agent, each function its formula; `Agent.infer_policies` and `Agent.sample_action` do the
same for a batch, in compiled code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1 import random
from freeagent_core.pymdp_v1._arguments import backward_reachability
from freeagent_core.pymdp_v1._arrays import Array, FloatArray, as_array
from freeagent_core.pymdp_v1._maths import (
    factor_dot,
    log_stable,
    spm_wnorm,
    stable_entropy,
    stable_xlogx,
)
from freeagent_core.pymdp_v1._policies import IntArray, Policies, all_policies
from freeagent_core.pymdp_v1.utils import resolve_b_dependencies

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

Dependencies = Sequence[Sequence[int]]


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


# --- predictions ---------------------------------------------------------------------------------


def compute_expected_state(
    qs_prior: Sequence[Any], B: Sequence[Any], u_t: Any, B_dependencies: Dependencies | None = None
) -> list[FloatArray]:
    """Predict the next states: sum of B[:, parents, u] over beliefs about the parents.

    Parameters
    ----------
    qs_prior : list of (num_states,) array
    B : list of array
    u_t : (num_factors,) array of int
    B_dependencies : list of list of int, optional
        By default each factor itself.

    Returns
    -------
    list of (num_states,) array

    Examples
    --------
    >>> compute_expected_state([np.array([0.2, 0.8])], [np.eye(2)[::-1, :, None]], [0])
    [array([0.8, 0.2])]
    """
    _check_actions(B, u_t)
    parents = resolve_b_dependencies(len(B), B_dependencies)
    return [
        factor_dot(as_array(b)[..., int(u)], [qs_prior[f] for f in factors], keep_dims=(0,))
        for b, u, factors in zip(B, u_t, parents, strict=True)
    ]


def _check_actions(B: Sequence[Any], u_t: Any) -> None:
    if len(u_t) != len(B):
        raise ValueError(f"u_t must have an action for each of {len(B)} factors, got {len(u_t)}")


def compute_expected_state_and_Bs(
    qs_prior: Sequence[Any], B: Sequence[Any], u_t: Any
) -> tuple[list[FloatArray], list[Array]]:
    """Predict the next states of factors that depend on themselves, and return what B was used.

    Parameters
    ----------
    qs_prior : list of (num_states,) array
    B : list of (num_states, num_states, num_controls) array
    u_t : (num_factors,) array of int

    Returns
    -------
    qs_next : list of (num_states,) array
    Bs : list of (num_states, num_states) array

    Examples
    --------
    >>> compute_expected_state_and_Bs([np.array([0.2, 0.8])], [np.eye(2)[..., None]], [0])[0]
    [array([0.2, 0.8])]
    """
    _check_actions(B, u_t)
    chosen = [as_array(b)[..., int(u)] for b, u in zip(B, u_t, strict=True)]
    return [b.dot(as_array(q)) for b, q in zip(chosen, qs_prior, strict=True)], chosen


def compute_expected_obs(
    qs: Sequence[Any], A: Sequence[Any], A_dependencies: Dependencies
) -> list[FloatArray]:
    """Predict the outcomes: sum of A over beliefs about the states.

    Parameters
    ----------
    qs : list of (num_states,) array
    A : list of array
    A_dependencies : list of list of int

    Returns
    -------
    list of (num_obs,) array

    Examples
    --------
    >>> compute_expected_obs([np.array([0.2, 0.8])], [np.eye(2)], [[0]])
    [array([0.2, 0.8])]
    """
    return [
        factor_dot(a, [qs[f] for f in factors], keep_dims=(0,))
        for a, factors in zip(A, A_dependencies, strict=True)
    ]


# --- terms of the expected free energy -----------------------------------------------------------


def compute_info_gain(
    qs: Sequence[Any], qo: Sequence[Any], A: Sequence[Any], A_dependencies: Dependencies
) -> np.float64:
    """Return what outcomes tell of the states: H[q(o)] - E_q(s)[H[p(o | s)]], over modalities.

    Parameters
    ----------
    qs : list of (num_states,) array
    qo : list of (num_obs,) array
        From `compute_expected_obs`.
    A : list of array
    A_dependencies : list of list of int

    Returns
    -------
    float64

    Examples
    --------
    >>> qs = [np.array([0.5, 0.5])]
    >>> round(float(compute_info_gain(qs, qs, [np.eye(2)], [[0]])), 4)
    0.6931
    """
    gain = 0.0
    for qo_m, a, factors in zip(qo, A, A_dependencies, strict=True):
        entropy = -stable_xlogx(a).sum(axis=0)
        gain += float(stable_entropy(qo_m) - factor_dot(entropy, [qs[f] for f in factors]))
    return np.float64(gain)


def compute_expected_utility(qo: Sequence[Any], C: Sequence[Any], t: int = 0) -> np.float64:
    """Return the preference that outcomes are expected to meet, q(o) . C.

    Parameters
    ----------
    qo : list of (num_obs,) array
    C : list of (num_obs,) or (policy_len, num_obs) array
    t : int, default 0
        The step, where preferences depend on it; their last step goes on.

    Returns
    -------
    float64

    Examples
    --------
    >>> float(compute_expected_utility([np.array([0.25, 0.75])], [np.array([0.0, 2.0])]))
    1.5
    """
    preferences = [as_array(c) for c in C]
    return np.float64(
        sum(
            np.sum(as_array(o) * (c[min(t, len(c) - 1)] if c.ndim > 1 else c))
            for o, c in zip(qo, preferences, strict=True)
        )
    )


def _weights(counts: Any) -> FloatArray:
    array = as_array(counts)
    return np.asarray(spm_wnorm(array) * (array > 0.0))


def calc_negative_pA_info_gain(
    pA: Sequence[Any], qo: Sequence[Any], qs: Sequence[Any], A_dependencies: Dependencies
) -> np.float64:
    """Return minus what outcomes are expected to tell of A.

    Parameters
    ----------
    pA : list of array
        Dirichlet parameters.
    qo : list of (num_obs,) array
    qs : list of (num_states,) array
    A_dependencies : list of list of int

    Returns
    -------
    float64

    Examples
    --------
    >>> q = [np.array([0.5, 0.5])]
    >>> round(float(calc_negative_pA_info_gain([np.ones((2, 2))], q, q, [[0]])), 4)
    -0.1931
    """
    return np.float64(
        sum(
            as_array(o) @ factor_dot(_weights(p), [qs[f] for f in factors], keep_dims=(0,))
            for p, o, factors in zip(pA, qo, A_dependencies, strict=True)
        )
    )


def calc_negative_pB_info_gain(
    pB: Sequence[Any],
    qs_t: Sequence[Any],
    qs_t_minus_1: Sequence[Any],
    B_dependencies: Dependencies,
    u_t_minus_1: Any,
) -> np.float64:
    """Return minus what a transition is expected to tell of B.

    Parameters
    ----------
    pB : list of array
        Dirichlet parameters.
    qs_t, qs_t_minus_1 : list of (num_states,) array
        Beliefs after the transition and before.
    B_dependencies : list of list of int
    u_t_minus_1 : (num_factors,) array of int

    Returns
    -------
    float64

    Examples
    --------
    >>> q = [np.array([0.5, 0.5])]
    >>> round(float(calc_negative_pB_info_gain([np.ones((2, 2, 1))], q, q, [[0]], [0])), 4)
    -0.1931
    """
    _check_actions(pB, u_t_minus_1)
    total = 0.0
    for p, q, factors, u in zip(pB, qs_t, B_dependencies, u_t_minus_1, strict=True):
        parents = [qs_t_minus_1[f] for f in factors]
        weights = factor_dot(_weights(as_array(p)[..., int(u)]), parents, keep_dims=(0,))
        total += float(as_array(q) @ weights)
    return np.float64(total)


def generate_I_matrix(
    H: Sequence[Any], B: Sequence[Any], threshold: float, depth: int
) -> list[FloatArray]:
    """Return from which states the goals are within reach, step by step backwards.

    Parameters
    ----------
    H : list of (num_states,) array
        1 at goals.
    B : list of (num_states, num_states, num_controls) array
    threshold : float
        Transitions must be likelier than this.
    depth : int

    Returns
    -------
    list of (depth, num_states) array

    Examples
    --------
    >>> B = [np.roll(np.eye(3), 1, axis=0)[:, :, None]]  # 0 to 1 to 2 to 0
    >>> generate_I_matrix([np.array([0.0, 0.0, 1.0])], B, 0.5, 3)[0]
    array([[0., 0., 1.],
           [0., 1., 0.],
           [1., 0., 0.]])
    """
    limit = np.array([float(threshold)])
    return [
        backward_reachability(as_array(h)[None], as_array(b)[None], limit, depth)[0]
        for h, b in zip(H, B, strict=True)
    ]


def calc_inductive_value_t(
    qs: Sequence[Any],
    qs_next: Sequence[Any],
    I: Sequence[Any],  # noqa: E741
    epsilon: Any = 1e-3,
) -> np.float64:
    """Return the value of predicted states on the way to a goal.

    Parameters
    ----------
    qs, qs_next : list of (num_states,) array
        Beliefs now and predicted.
    I : list of (depth, num_states) array
        From `generate_I_matrix`.
    epsilon : float, default 1e-3

    Returns
    -------
    float64
        log(epsilon) times the probability of states that are not one step nearer to the goal than
        the likeliest one now; 0 where no goal is within reach.

    Examples
    --------
    >>> reach = [np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])]
    >>> at_0, at_1 = [np.array([1.0, 0.0, 0.0])], [np.array([0.0, 1.0, 0.0])]
    >>> float(calc_inductive_value_t(at_0, at_1, reach))
    0.0
    """
    value = 0.0
    log_epsilon = float(log_stable(epsilon))
    for q, q_next, rows in zip(qs, qs_next, I, strict=True):
        reach = as_array(rows)
        column = reach[:, int(np.argmax(as_array(q)))]
        nearer = reach[max(int(np.argmax(column)) - 1, 0)]
        within = min(max(float(column.sum()), 0.0), 1.0)
        value += within * float(((1.0 - nearer) * log_epsilon) @ as_array(q_next))
    return np.float64(value)


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
