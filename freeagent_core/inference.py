"""Inference of hidden states as functions: those of ``pymdp.legacy.inference``.

Same names, arguments and results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core import algos, maths, utils
from freeagent_core._agent.sequences import average_over_policies

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]

VANILLA = "VANILLA"
VMP = "VMP"
MMP = "MMP"
BP = "BP"
EP = "EP"
CV = "CV"


def update_posterior_states(A: Any, obs: Any, prior: Any = None, **kwargs: Any) -> ObjectArray:
    """Return beliefs about hidden states, by fixed-point iteration.

    Parameters
    ----------
    A : object array of ndarray, shape (num_obs, *num_states)
    obs : int, list, tuple or ndarray
        See `freeagent_core.utils.process_observation`.
    prior : object array of ndarray, shape (num_states,), optional
    **kwargs
        Of `freeagent_core.algos.run_vanilla_fpi`.

    Returns
    -------
    qs : object array of ndarray, shape (num_states,)
    """
    likelihoods = utils.to_obj_array(A)
    num_obs, num_states = [len(a) for a in likelihoods], list(likelihoods[0].shape[1:])
    obs = utils.process_observation(obs, len(num_obs), num_obs)
    prior = None if prior is None else utils.to_obj_array(prior)
    return algos.run_vanilla_fpi(A, obs, num_obs, num_states, prior, **kwargs)


def update_posterior_states_factorized(
    A: Any,
    obs: Any,
    num_obs: Sequence[int],
    num_states: Sequence[int],
    mb_dict: dict[str, Any],
    prior: Any = None,
    **kwargs: Any,
) -> ObjectArray:
    """Like `update_posterior_states`, of modalities that depend on some factors."""
    obs = utils.process_observation(obs, len(num_obs), num_obs)
    prior = None if prior is None else utils.to_obj_array(prior)
    return algos.run_vanilla_fpi_factorized(A, obs, num_obs, num_states, mb_dict, prior, **kwargs)


def update_posterior_states_full(
    A: ObjectArray,
    B: ObjectArray,
    prev_obs: Sequence[Any],
    policies: Sequence[Any],
    prev_actions: Any = None,
    prior: Any = None,
    policy_sep_prior: bool = True,
    **kwargs: Any,
) -> tuple[ObjectArray, FloatArray]:
    """Return beliefs over past and planned steps under each policy, by message passing.

    Parameters
    ----------
    A, B : object array of ndarray
    prev_obs : list
        The observed steps.
    policies : list of ndarray of int, shape (policy_len, num_factors)
    prev_actions : list of ndarray, optional
        Actions between the observed steps.
    prior : object array, optional
        Beliefs before the first step; with `policy_sep_prior` one object array per policy.
    policy_sep_prior : bool
    **kwargs
        Of `freeagent_core.algos.run_mmp`.

    Returns
    -------
    qs_seq_pi : object array
        ``[policy][step][factor]`` of ndarray, shape (num_states,).
    F : ndarray, shape (num_policies,)
        Variational free energies, in nats.
    """
    lh_seq, actions = _window(A, B, prev_obs, prev_actions, joint=True)
    return _collect(
        [
            algos.run_mmp(lh_seq, B, policy, actions, own, **kwargs)
            for policy, own in zip(
                policies, _priors(prior, policy_sep_prior, policies), strict=True
            )
        ]
    )


def update_posterior_states_full_factorized(
    A: ObjectArray,
    mb_dict: dict[str, Any],
    B: ObjectArray,
    B_factor_list: Any,
    prev_obs: Sequence[Any],
    policies: Sequence[Any],
    prev_actions: Any = None,
    prior: Any = None,
    policy_sep_prior: bool = True,
    **kwargs: Any,
) -> tuple[ObjectArray, FloatArray]:
    """Like `update_posterior_states_full`, with modalities and transitions that depend on
    some factors."""
    lh_seq, actions = _window(A, B, prev_obs, prev_actions, joint=False)
    return _collect(
        [
            algos.run_mmp_factorized(
                lh_seq, mb_dict, B, B_factor_list, policy, actions, own, **kwargs
            )
            for policy, own in zip(
                policies, _priors(prior, policy_sep_prior, policies), strict=True
            )
        ]
    )


def _update_posterior_states_full_test(
    A: ObjectArray,
    B: ObjectArray,
    prev_obs: Sequence[Any],
    policies: Sequence[Any],
    prev_actions: Any = None,
    prior: Any = None,
    policy_sep_prior: bool = True,
    **kwargs: Any,
) -> tuple[ObjectArray, FloatArray, ObjectArray, ObjectArray]:
    """Like `update_posterior_states_full`; returns each iteration's beliefs and errors too."""
    lh_seq, actions = _window(A, B, prev_obs, prev_actions, joint=True)
    results = [
        algos._run_mmp_testing(lh_seq, B, policy, actions, own, **kwargs)
        for policy, own in zip(policies, _priors(prior, policy_sep_prior, policies), strict=True)
    ]
    qs_seq_pi, F = _collect([result[:2] for result in results])
    xn, vn = (utils.obj_array_from_list([result[i] for result in results]) for i in (2, 3))
    return qs_seq_pi, F, xn, vn


def _window(
    A: ObjectArray, B: ObjectArray, prev_obs: Sequence[Any], prev_actions: Any, joint: bool
) -> tuple[Any, Any]:
    """Return the likelihoods of the observed steps, and the actions between them."""
    observations = utils.process_observation_seq(prev_obs, len(A), [len(a) for a in A])
    if joint:
        lh_seq = maths.get_joint_likelihood_seq(A, observations, [len(b) for b in B])
    else:
        lh_seq = maths.get_joint_likelihood_seq_by_modality(A, observations, None)
    return lh_seq, None if prev_actions is None else np.stack(prev_actions, 0)


def _priors(prior: Any, separate: bool, policies: Sequence[Any]) -> Any:
    return prior if separate and prior is not None else [prior] * len(policies)


def _collect(results: Sequence[tuple[ObjectArray, float]]) -> tuple[ObjectArray, FloatArray]:
    sequences = utils.obj_array_from_list([sequence for sequence, _ in results])
    return sequences, np.array([F for _, F in results])


def average_states_over_policies(qs_pi: Any, q_pi: Any) -> ObjectArray:
    """Return beliefs averaged over policies.

    Parameters
    ----------
    qs_pi : object array
        ``[policy][factor]`` of ndarray, shape (num_states,).
    q_pi : ndarray, shape (num_policies,)

    Returns
    -------
    qs_bma : object array of ndarray, shape (num_states,)
    """
    return average_over_policies(qs_pi, q_pi)
