"""Learning Dirichlet parameters: the functions of ``pymdp.learning``, for one agent.

`Agent.infer_parameters` does the same for a batch, in compiled code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1._arrays import FloatArray, as_array
from freeagent_core.pymdp_v1._maths import dirichlet_expected_value


def one_hot(index: Any, size: int, name: str = "index") -> FloatArray:
    """Return indices as one-hot vectors along a new last axis; -1 gives zeros.

    Raises
    ------
    ValueError
        If an index is not in ``range(-1, size)``.

    Examples
    --------
    >>> one_hot(np.array([1, -1]), 2)
    array([[0., 1.],
           [0., 0.]])
    """
    array = as_array(index)
    if array.size and not (array.min() >= -1 and array.max() < size):
        raise ValueError(f"{name} must be in range(-1, {size}), got {array.tolist()}")
    return np.asarray(array[..., None] == np.arange(size), dtype=np.float64)


def _summed_outer(parts: Sequence[Any]) -> FloatArray:
    """Return the sum over time of the outer products of arrays (time, ...)."""
    operands: list[Any] = []
    axes: list[int] = []
    for part in parts:
        array = np.asarray(as_array(part), dtype=np.float64)
        own = list(range(1 + len(axes), array.ndim + len(axes)))
        operands += [array, [0, *own]]
        axes += own
    return np.asarray(np.einsum(*operands, axes))


def update_obs_likelihood_dirichlet_m(
    pA_m: Any, obs_m: Any, qs: Sequence[Any], dependencies_m: Sequence[int], lr: Any = 1.0
) -> tuple[FloatArray, FloatArray]:
    """Add to one modality's Dirichlet parameters what was observed, weighted by beliefs.

    pA + lr * sum_t o_t outer q(s_t), over the factors that the modality depends on.

    Parameters
    ----------
    pA_m : (num_obs, *num_states) array
    obs_m : (T, num_obs) array
        Distributions over outcomes.
    qs : list of (T, num_states) array
    dependencies_m : list of int
    lr : float, default 1.0

    Returns
    -------
    pA_m, A_m : array
        The parameters, and their mean.

    Examples
    --------
    >>> update_obs_likelihood_dirichlet_m(np.ones((2, 2)), np.eye(2), [np.eye(2)], [0])[0]
    array([[2., 1.],
           [1., 2.]])
    """
    counts = _summed_outer([obs_m, *(qs[f] for f in dependencies_m)])
    qA = as_array(pA_m) + lr * counts
    return qA, dirichlet_expected_value(qA)


def update_obs_likelihood_dirichlet(
    pA: Sequence[Any],
    A: Sequence[Any],
    obs: Sequence[Any],
    qs: Sequence[Any],
    *,
    A_dependencies: Sequence[Sequence[int]],
    categorical_obs: bool,
    num_obs: Sequence[int],
    lr: Any,
) -> tuple[list[FloatArray | None], list[FloatArray]]:
    """Add to the Dirichlet parameters of A what was observed, weighted by beliefs.

    Parameters
    ----------
    pA : list of array or None
        Modalities of None are not learned.
    A : list of array
    obs : list of (T,) array of int, with `categorical_obs` of (T, num_obs) array
    qs : list of (T, num_states) array
    A_dependencies : list of list of int
    categorical_obs : bool
    num_obs : list of int
    lr : float

    Returns
    -------
    qA, E_qA : list of array
        The parameters, and their means.

    Examples
    --------
    >>> qA, A = update_obs_likelihood_dirichlet(
    ...     [np.ones((2, 2))], [np.full((2, 2), 0.5)], [np.array([1])], [np.array([[1.0, 0.0]])],
    ...     A_dependencies=[[0]], categorical_obs=False, num_obs=[2], lr=1.0,
    ... )
    >>> qA[0]
    array([[1., 1.],
           [2., 1.]])
    """
    qA: list[FloatArray | None] = []
    E_qA = []
    for m, pA_m in enumerate(pA):
        if pA_m is None:
            qA.append(None)
            E_qA.append(as_array(A[m]))
            continue
        seen = obs[m] if categorical_obs else one_hot(obs[m], num_obs[m], f"obs[{m}]")
        counts, mean = update_obs_likelihood_dirichlet_m(pA_m, seen, qs, A_dependencies[m], lr)
        qA.append(counts)
        E_qA.append(mean)
    return qA, E_qA


def update_state_transition_dirichlet_f(
    pB_f: Any, actions_f: Any, joint_qs_f: Any, lr: Any = 1.0
) -> tuple[FloatArray, FloatArray]:
    """Add to one factor's Dirichlet parameters the transitions that are believed in.

    Parameters
    ----------
    pB_f : (num_states, *num_states of parents, num_controls) array
    actions_f : (T - 1, num_controls) array
        One-hot.
    joint_qs_f : (T - 1, num_states, *num_states of parents) array, or list of array
        Beliefs about pairs; or, independent, of the next state and of each parent.
    lr : float, default 1.0

    Returns
    -------
    pB_f, B_f : array
        The parameters, and their mean.

    Examples
    --------
    >>> joint = np.array([[[1.0, 0.0], [0.0, 0.0]]])
    >>> update_state_transition_dirichlet_f(np.ones((2, 2, 1)), np.ones((1, 1)), joint)[0][..., 0]
    array([[2., 1.],
           [1., 1.]])
    """
    joint = list(joint_qs_f) if isinstance(joint_qs_f, list | tuple) else [joint_qs_f]
    qB = as_array(pB_f) + lr * _summed_outer([*joint, actions_f])
    return qB, dirichlet_expected_value(qB)


def update_state_transition_dirichlet(
    pB: Sequence[Any],
    B: Sequence[Any],
    joint_beliefs: Sequence[Any],
    actions: Any,
    *,
    num_controls: Sequence[int],
    lr: Any,
    factors_to_update: str | Sequence[int] = "all",
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Add to the Dirichlet parameters of B the transitions that are believed in.

    Parameters
    ----------
    pB, B : list of array
    joint_beliefs : list of array, or of list of array
        See `update_state_transition_dirichlet_f`.
    actions : (T - 1, num_factors) array of int
        -1 counts nothing.
    num_controls : list of int
    lr : float
    factors_to_update : "all" or list of int

    Returns
    -------
    qB, E_qB : list of array
        The parameters, and the means of all factors.

    Examples
    --------
    >>> joint, actions = [[np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]])]], np.array([[0]])
    >>> qB, _ = update_state_transition_dirichlet(
    ...     [np.ones((2, 2, 1))], [None], joint, actions, num_controls=[1], lr=1.0
    ... )
    >>> qB[0][..., 0]
    array([[2., 1.],
           [1., 1.]])
    """
    taken = as_array(actions)
    chosen = range(len(pB)) if isinstance(factors_to_update, str) else factors_to_update
    qB, E_qB = [], []
    for f, pB_f in enumerate(pB):
        counts = np.asarray(as_array(pB_f), dtype=np.float64)
        if f in chosen:
            one_hots = one_hot(taken[..., f], num_controls[f], f"actions[..., {f}]")
            counts, _ = update_state_transition_dirichlet_f(counts, one_hots, joint_beliefs[f], lr)
        qB.append(counts)
        E_qB.append(dirichlet_expected_value(counts))
    return qB, E_qB
