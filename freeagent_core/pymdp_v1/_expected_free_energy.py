"""What a policy's step predicts, and the terms of its expected free energy: for one agent, each
function its formula. Public as functions of `pymdp_v1.control`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1._arguments import backward_reachability
from freeagent_core.pymdp_v1._arrays import Array, FloatArray, as_array
from freeagent_core.pymdp_v1._maths import (
    factor_dot,
    log_stable,
    spm_wnorm,
    stable_entropy,
    stable_xlogx,
)
from freeagent_core.pymdp_v1.utils import resolve_b_dependencies

Dependencies = Sequence[Sequence[int]]


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
