"""Dirichlet learning and pruning of models: the functions of ``pymdp.legacy.learning``.

Same names, arguments and results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core import utils
from freeagent_core._kernels.learning import array_updates as kernels

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]


def _floats(array: Any) -> FloatArray:
    return np.ascontiguousarray(array, dtype=np.float64)


def _copies(arrays: Any) -> ObjectArray:
    return utils.obj_array_from_list([array.copy() for array in arrays])


def _joint(beliefs: Any) -> FloatArray:
    return kernels.joint_belief([_floats(belief) for belief in beliefs])


def update_obs_likelihood_dirichlet(
    pA: ObjectArray,
    A: ObjectArray,
    obs: Any,
    qs: Any,
    lr: float = 1.0,
    modalities: Any = "all",
) -> ObjectArray:
    """Return the Dirichlet parameters of A after an observation.

    Parameters
    ----------
    pA, A : object array of ndarray, shape (num_obs, *num_states)
    obs : int, list, tuple or ndarray
        See `freeagent_core.utils.process_observation`.
    qs : object array of ndarray, shape (num_states,)
    lr : float
        Learning rate.
    modalities : "all" or list of int

    Returns
    -------
    qA : object array
    """
    factors = [list(range(len(qs)))] * len(pA)
    return update_obs_likelihood_dirichlet_factorized(pA, A, obs, qs, factors, lr, modalities)


def update_obs_likelihood_dirichlet_factorized(
    pA: ObjectArray,
    A: ObjectArray,
    obs: Any,
    qs: Any,
    A_factor_list: Sequence[Sequence[int]],
    lr: float = 1.0,
    modalities: Any = "all",
) -> ObjectArray:
    """Like `update_obs_likelihood_dirichlet`, of modalities that depend on some factors."""
    num_obs = [len(p) for p in pA]
    vectors = utils.to_obj_array(utils.process_observation(obs, len(pA), num_obs))
    qA = _copies(pA)
    for m in range(len(pA)) if isinstance(modalities, str) else modalities:
        posterior = np.empty(pA[m].shape)
        shape = (num_obs[m], -1)
        kernels.update_likelihood(
            _floats(pA[m]).reshape(shape),
            _floats(A[m]).reshape(shape),
            _floats(vectors[m]),
            _joint(qs[f] for f in A_factor_list[m]),
            lr,
            posterior.reshape(shape),
        )
        qA[m] = posterior
    return qA


def update_state_likelihood_dirichlet(
    pB: ObjectArray,
    B: ObjectArray,
    actions: Any,
    qs: Any,
    qs_prev: Any,
    lr: float = 1.0,
    factors: Any = "all",
) -> ObjectArray:
    """Return the Dirichlet parameters of B after a transition.

    Parameters
    ----------
    pB, B : object array of ndarray, shape (num_states, num_states, num_controls)
    actions : ndarray, shape (num_factors,)
    qs, qs_prev : object array of ndarray, shape (num_states,)
        Beliefs after and before the action.
    lr : float
        Learning rate.
    factors : "all" or list of int

    Returns
    -------
    qB : object array
    """
    own = [[f] for f in range(len(pB))]
    return update_state_likelihood_dirichlet_interactions(
        pB, B, actions, qs, qs_prev, own, lr, factors
    )


def update_state_likelihood_dirichlet_interactions(
    pB: ObjectArray,
    B: ObjectArray,
    actions: Any,
    qs: Any,
    qs_prev: Any,
    B_factor_list: Sequence[Sequence[int]],
    lr: float = 1.0,
    factors: Any = "all",
) -> ObjectArray:
    """Like `update_state_likelihood_dirichlet`, of transitions that depend on some factors."""
    qB = _copies(pB)
    for f in range(len(pB)) if isinstance(factors, str) else factors:
        posterior = np.empty(pB[f].shape)
        shape = (len(pB[f]), -1, pB[f].shape[-1])
        kernels.update_transition(
            _floats(pB[f]).reshape(shape),
            _floats(B[f]).reshape(shape),
            int(actions[f]),
            _floats(qs[f]),
            _joint(qs_prev[g] for g in B_factor_list[f]),
            lr,
            posterior.reshape(shape),
        )
        qB[f] = posterior
    return qB


def update_state_prior_dirichlet(
    pD: ObjectArray, qs: Any, lr: float = 1.0, factors: Any = "all"
) -> ObjectArray:
    """Return the Dirichlet parameters of D after the first beliefs of an episode."""
    qD = _copies(pD)
    for f in range(len(pD)) if isinstance(factors, str) else factors:
        posterior = np.empty(len(pD[f]))
        kernels.update_prior(_floats(pD[f]), _floats(qs[f]), lr, posterior)
        qD[f] = posterior
    return qD


# --- pruning ---------------------------------------------------------------------------------


def _kept(size: int, removed: Any) -> npt.NDArray[np.intp]:
    return np.setdiff1d(np.arange(size), np.asarray(removed, dtype=np.intp))


def _no_dirichlet(dirichlet: bool) -> None:
    if dirichlet:
        raise NotImplementedError("pruning Dirichlet parameters is not implemented")


def _prune_prior(prior: Any, levels_to_remove: Any, dirichlet: bool = False) -> Any:
    """Return prior beliefs without some states, normalised; factors without states go."""
    _no_dirichlet(dirichlet)
    if not utils.is_obj_array(prior):
        return utils.norm_dist(prior[_kept(len(prior), levels_to_remove)])
    kept = [_kept(len(p), removed) for p, removed in zip(prior, levels_to_remove, strict=True)]
    return utils.obj_array_from_list(
        [utils.norm_dist(p[keep]) for p, keep in zip(prior, kept, strict=True) if len(keep)]
    )


def _prune_A(
    A: Any, obs_levels_to_prune: Any, state_levels_to_prune: Any, dirichlet: bool = False
) -> Any:
    """Return likelihoods without some outcomes and states, normalised."""
    _no_dirichlet(dirichlet)
    if not utils.is_obj_array(A):
        rows, columns = _kept(len(A), obs_levels_to_prune), _kept(A.shape[1], state_levels_to_prune)
        return utils.norm_dist(A[np.ix_(rows, columns)])
    kept = [
        _kept(n, removed) for n, removed in zip(A[0].shape[1:], state_levels_to_prune, strict=True)
    ]
    return utils.obj_array_from_list(
        [
            utils.norm_dist(A_m[np.ix_(_kept(len(A_m), removed), *kept)])
            for A_m, removed in zip(A, obs_levels_to_prune, strict=True)
        ]
    )


def _prune_B(
    B: Any, state_levels_to_prune: Any, action_levels_to_prune: Any, dirichlet: bool = False
) -> Any:
    """Return transitions without some states and actions, normalised."""
    _no_dirichlet(dirichlet)
    if not utils.is_obj_array(B):
        states = _kept(len(B), state_levels_to_prune)
        actions = _kept(B.shape[2], action_levels_to_prune)
        return utils.norm_dist(B[np.ix_(states, states, actions)])
    return utils.obj_array_from_list(
        [
            _prune_B(B_f, states, actions)
            for B_f, states, actions in zip(
                B, state_levels_to_prune, action_levels_to_prune, strict=True
            )
        ]
    )
