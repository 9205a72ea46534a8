"""The inference algorithms as functions: those of ``pymdp.legacy.algos``.

Same names, arguments and results; pymdp's progress messages are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core import utils
from freeagent_core._agent.sequences import split_traces
from freeagent_core._functions.functional import pack_arrays
from freeagent_core._kernels.agents.agent_core import AgentCore
from freeagent_core._kernels.agents.parameters import Parameters
from freeagent_core._kernels.agents.sequence_functions import infer_sequences

ObjectArray = npt.NDArray[Any]


def run_vanilla_fpi(
    A: Any,
    obs: Any,
    num_obs: Sequence[int],
    num_states: Sequence[int],
    prior: Any = None,
    num_iter: int = 10,
    dF: float = 1.0,
    dF_tol: float = 0.001,
    compute_vfe: bool = True,
) -> ObjectArray:
    """Return beliefs by fixed-point iteration on the joint likelihood of all modalities.

    Parameters
    ----------
    A : object array of ndarray, shape (num_obs, *num_states)
    obs : ndarray, or object array of ndarray
        A distribution over outcomes of each modality.
    num_obs, num_states : list of int
    prior : object array of ndarray, shape (num_states,), optional
        Uniform by default.
    num_iter, dF, dF_tol, compute_vfe
        The stopping rule: at most `num_iter` iterations, and with `compute_vfe` while the
        free energy changes by `dF_tol` or more; `dF` is its change before the first.

    Returns
    -------
    qs : object array of ndarray, shape (num_states,)
    """
    packed = pack_arrays(A, num_states, D=prior, joint_likelihood=True)
    return _fixed_point(packed, obs, True, num_iter, dF, dF_tol, compute_vfe)


def run_vanilla_fpi_factorized(
    A: Any,
    obs: Any,
    num_obs: Sequence[int],
    num_states: Sequence[int],
    mb_dict: dict[str, Any],
    prior: Any = None,
    num_iter: int = 10,
    dF: float = 1.0,
    dF_tol: float = 0.001,
    compute_vfe: bool = True,
) -> ObjectArray:
    """Like `run_vanilla_fpi`, with a likelihood of each modality over the factors of
    ``mb_dict["A_factor_list"]``."""
    packed = pack_arrays(A, num_states, D=prior, A_factor_list=mb_dict["A_factor_list"])
    return _fixed_point(packed, obs, False, num_iter, dF, dF_tol, compute_vfe)


def _fixed_point(
    packed: Any, obs: Any, joint: bool, num_iter: int, dF: float, dF_tol: float, vfe: bool
) -> ObjectArray:
    parameters = Parameters(joint)
    parameters.set_fixed_point(num_iter, dF, dF_tol, vfe)
    core = AgentCore(packed, parameters)
    core.infer_states(utils.to_obj_array(obs) if isinstance(obs, np.ndarray) else obs, True)
    return core.qs


def run_mmp(
    lh_seq: Sequence[Any],
    B: ObjectArray,
    policy: Any,
    prev_actions: Any = None,
    prior: Any = None,
    num_iter: int = 10,
    grad_descent: bool = True,
    tau: float = 0.25,
    last_timestep: bool = False,
) -> tuple[ObjectArray, float]:
    """Return beliefs over past and planned steps, and F, by marginal message passing.

    Parameters
    ----------
    lh_seq : list of ndarray, shape (*num_states)
        Likelihood of the joint states at each observed step.
    B : object array of ndarray, shape (num_states, num_states, num_controls)
    policy : ndarray of int, shape (policy_len, num_factors)
    prev_actions : ndarray, shape (num_observed - 1, num_factors), optional
    prior : object array of ndarray, shape (num_states,), optional
        Beliefs before the first step; uniform by default.
    num_iter, grad_descent, tau
        Iterations, their kind and their rate.
    last_timestep : bool
        Leave out the step after the policy's last action.

    Returns
    -------
    qs_seq : object array
        ``[step][factor]`` of ndarray, shape (num_states,).
    F : float
        Variational free energy, in nats.
    """
    qs_seq, F, _ = _pass_messages(
        [[lh] for lh in lh_seq], None, B, None, policy, prev_actions, prior,
        (num_iter, grad_descent, tau), last_timestep, False,
    )  # fmt: skip
    return qs_seq, F


def run_mmp_factorized(
    lh_seq: Sequence[Any],
    mb_dict: dict[str, Any],
    B: ObjectArray,
    B_factor_list: Any,
    policy: Any,
    prev_actions: Any = None,
    prior: Any = None,
    num_iter: int = 10,
    grad_descent: bool = True,
    tau: float = 0.25,
    last_timestep: bool = False,
) -> tuple[ObjectArray, float]:
    """Like `run_mmp`, with a likelihood of each modality over the factors of
    ``mb_dict["A_factor_list"]`` at each step, and transitions of `B_factor_list`."""
    qs_seq, F, _ = _pass_messages(
        lh_seq, mb_dict["A_factor_list"], B, B_factor_list, policy, prev_actions, prior,
        (num_iter, grad_descent, tau), last_timestep, False,
    )  # fmt: skip
    return qs_seq, F


def _run_mmp_testing(
    lh_seq: Sequence[Any],
    B: ObjectArray,
    policy: Any,
    prev_actions: Any = None,
    prior: Any = None,
    num_iter: int = 10,
    grad_descent: bool = True,
    tau: float = 0.25,
    last_timestep: bool = False,
) -> tuple[ObjectArray, float, list[ObjectArray], list[ObjectArray]]:
    """Like `run_mmp`; returns each iteration's beliefs xn and errors vn as well."""
    qs_seq, F, traces = _pass_messages(
        [[lh] for lh in lh_seq], None, B, None, policy, prev_actions, prior,
        (num_iter, grad_descent, tau), last_timestep, True,
    )  # fmt: skip
    xn, vn = (split_traces(each, [len(b) for b in B])[0] for each in traces)
    return qs_seq, F, xn, vn


def _pass_messages(
    lh_seq: Sequence[Any],
    A_factor_list: Any,
    B: ObjectArray,
    B_factor_list: Any,
    policy: Any,
    prev_actions: Any,
    prior: Any,
    params: tuple[int, bool, float],
    last_timestep: bool,
    traces: bool,
) -> tuple[ObjectArray, float, Any]:
    num_states = [len(b) for b in B]
    every = list(range(len(num_states)))
    lists = [every] if A_factor_list is None else A_factor_list
    # step t is the outcome t of modalities whose "A" are the given likelihoods
    A = [
        np.stack([np.reshape(lh[m], [num_states[f] for f in factors]) for lh in lh_seq])
        for m, factors in enumerate(lists)
    ]
    packed = pack_arrays(
        A,
        num_states,
        B=B,
        policies=[policy],
        A_factor_list=lists,
        B_factor_list=B_factor_list,
        inference_algo="MMP",
    )
    parameters = Parameters()
    parameters.set_message_passing(*params)
    if prior is None:
        prior = utils.obj_array_uniform(num_states)
    sequences, F, found = infer_sequences(
        packed,
        parameters,
        [(t,) * len(lists) for t in range(len(lh_seq))],
        [] if prev_actions is None else list(np.asarray(prev_actions, dtype=float)),
        utils.to_obj_array(prior) if isinstance(prior, np.ndarray) else prior,
        A_factor_list is not None,
        traces,
        last_timestep,
    )
    return sequences[0], float(F[0]), found
