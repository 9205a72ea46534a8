"""Policies and actions as functions: those of ``pymdp.legacy.control``.

Same names, arguments and results. The evaluation of policies and the sophisticated search
run in the kernels. What is one NumPy expression in pymdp is the same expression here, so that
the results are equal to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core import utils
from freeagent_core._functions.action_functions import (
    _sample_action_test as _sample_action_test,
)
from freeagent_core._functions.action_functions import (
    _sample_policy_test as _sample_policy_test,
)
from freeagent_core._functions.action_functions import (
    _select_highest_test as _select_highest_test,
)
from freeagent_core._functions.action_functions import (
    construct_policies,
    get_num_controls_from_policies,
    sample_action,
    sample_policy,
    select_highest,
)
from freeagent_core._functions.functional import pack_arrays
from freeagent_core._kernels.agents.agent_core import AgentCore
from freeagent_core._kernels.agents.parameters import Parameters
from freeagent_core._kernels.agents.sequence_functions import evaluate_sequences
from freeagent_core._model import policies as planning
from freeagent_core._model.inference_params import check_inference_params
from freeagent_core.maths import (
    entropy,
    softmax_obj_arr,
    spm_dot,
    spm_log_single,
    spm_MDP_G,
    spm_wnorm,
)

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]

__all__ = [
    "backwards_induction",
    "calc_ambiguity_factorized",
    "calc_expected_utility",
    "calc_inductive_cost",
    "calc_pA_info_gain",
    "calc_pA_info_gain_factorized",
    "calc_pB_info_gain",
    "calc_pB_info_gain_interactions",
    "calc_states_info_gain",
    "calc_states_info_gain_factorized",
    "construct_policies",
    "get_expected_obs",
    "get_expected_obs_factorized",
    "get_expected_states",
    "get_expected_states_interactions",
    "get_num_controls_from_policies",
    "sample_action",
    "sample_policy",
    "select_highest",
    "sophisticated_inference_search",
    "update_posterior_policies",
    "update_posterior_policies_factorized",
    "update_posterior_policies_full",
    "update_posterior_policies_full_factorized",
]

# --- evaluation of policies ------------------------------------------------------------------


def update_posterior_policies(
    qs: ObjectArray,
    A: ObjectArray,
    B: ObjectArray,
    C: ObjectArray,
    policies: Sequence[Any],
    use_utility: bool = True,
    use_states_info_gain: bool = True,
    use_param_info_gain: bool = False,
    pA: Any = None,
    pB: Any = None,
    E: Any = None,
    I: Any = None,  # noqa: E741
    gamma: float = 16.0,
) -> tuple[FloatArray, FloatArray]:
    """Return the posterior over policies, with one information gain over all modalities.

    Parameters
    ----------
    qs : object array of ndarray, shape (num_states,)
    A, B, C : object array of ndarray
    policies : list of ndarray of int, shape (policy_len, num_factors)
    use_utility, use_states_info_gain, use_param_info_gain : bool
    pA, pB : object array, optional
    E : ndarray, shape (num_policies,), optional
    I : list of ndarray, shape (depth, num_states), optional
        Of `backwards_induction`.
    gamma : float

    Returns
    -------
    q_pi : ndarray, shape (num_policies,)
    G : ndarray, shape (num_policies,)
        Negative expected free energies, in nats.
    """
    return _evaluate(
        qs, A, B, C, None, None, policies, (use_utility, use_states_info_gain, use_param_info_gain),
        pA, pB, E, I, gamma, True,
    )  # fmt: skip


def update_posterior_policies_factorized(
    qs: ObjectArray,
    A: ObjectArray,
    B: ObjectArray,
    C: ObjectArray,
    A_factor_list: Any,
    B_factor_list: Any,
    policies: Sequence[Any],
    use_utility: bool = True,
    use_states_info_gain: bool = True,
    use_param_info_gain: bool = False,
    pA: Any = None,
    pB: Any = None,
    E: Any = None,
    I: Any = None,  # noqa: E741
    gamma: float = 16.0,
) -> tuple[FloatArray, FloatArray]:
    """Like `update_posterior_policies`, with modalities and transitions that depend on some
    factors, and an information gain for each modality."""
    return _evaluate(
        qs, A, B, C, A_factor_list, B_factor_list, policies,
        (use_utility, use_states_info_gain, use_param_info_gain), pA, pB, E, I, gamma, False,
    )  # fmt: skip


def _evaluate(
    qs: ObjectArray, A: Any, B: Any, C: Any, A_factor_list: Any, B_factor_list: Any,
    policies: Any, flags: tuple[bool, bool, bool], pA: Any, pB: Any, E: Any, I: Any,  # noqa: E741
    gamma: float, joint: bool,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    packed = pack_arrays(
        A, [len(b) for b in B], B=B, C=C, E=E, I=I, pA=pA, pB=pB, policies=policies,
        A_factor_list=A_factor_list, B_factor_list=B_factor_list, joint_likelihood=joint,
    )  # fmt: skip
    core = AgentCore(packed, _parameters(joint, gamma, flags))
    core.qs = qs
    core.infer_policies()
    return core.q_pi, core.G


def update_posterior_policies_full(
    qs_seq_pi: ObjectArray,
    A: ObjectArray,
    B: ObjectArray,
    C: ObjectArray,
    policies: Sequence[Any],
    use_utility: bool = True,
    use_states_info_gain: bool = True,
    use_param_info_gain: bool = False,
    prior: Any = None,
    pA: Any = None,
    pB: Any = None,
    F: Any = None,
    E: Any = None,
    I: Any = None,  # noqa: E741
    gamma: float = 16.0,
) -> tuple[FloatArray, FloatArray]:
    """Return the posterior over policies, from beliefs about each step under each policy.

    Parameters
    ----------
    qs_seq_pi : object array
        ``[policy][step][factor]`` of ndarray, shape (num_states,).
    A, B, C, policies, pA, pB, E, I, gamma, use_utility, use_states_info_gain, \
use_param_info_gain
        See `update_posterior_policies`.
    prior : optional
        Not used (pymdp's information gain about pB, which needs it, is not available).
    F : ndarray, shape (num_policies,), optional
        Variational free energies.

    Returns
    -------
    q_pi, G : ndarray, shape (num_policies,)

    Raises
    ------
    NotImplementedError
        For `use_param_info_gain` with `pB`.
    """
    return _evaluate_sequences(
        qs_seq_pi, A, B, C, None, None, policies,
        (use_utility, use_states_info_gain, use_param_info_gain), pA, pB, F, E, I, gamma, True,
    )  # fmt: skip


def update_posterior_policies_full_factorized(
    qs_seq_pi: ObjectArray,
    A: ObjectArray,
    B: ObjectArray,
    C: ObjectArray,
    A_factor_list: Any,
    B_factor_list: Any,
    policies: Sequence[Any],
    use_utility: bool = True,
    use_states_info_gain: bool = True,
    use_param_info_gain: bool = False,
    prior: Any = None,
    pA: Any = None,
    pB: Any = None,
    F: Any = None,
    E: Any = None,
    I: Any = None,  # noqa: E741
    gamma: float = 16.0,
) -> tuple[FloatArray, FloatArray]:
    """Like `update_posterior_policies_full`, with an information gain for each modality."""
    return _evaluate_sequences(
        qs_seq_pi, A, B, C, A_factor_list, B_factor_list, policies,
        (use_utility, use_states_info_gain, use_param_info_gain), pA, pB, F, E, I, gamma, False,
    )  # fmt: skip


def _evaluate_sequences(
    qs_seq_pi: Any, A: Any, B: Any, C: Any, A_factor_list: Any, B_factor_list: Any,
    policies: Any, flags: tuple[bool, bool, bool], pA: Any, pB: Any, F: Any, E: Any,
    I: Any, gamma: float, joint: bool,  # noqa: E741
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    num_states, num_steps = [len(b) for b in B], len(qs_seq_pi[0])
    packed = pack_arrays(
        A, num_states, B=B, C=C, E=E, I=I, pA=pA, pB=pB, policies=policies,
        A_factor_list=A_factor_list, B_factor_list=B_factor_list, joint_likelihood=joint,
        inference_algo="MMP", preference_steps=num_steps,
    )  # fmt: skip
    free_energies = np.zeros(len(policies)) if F is None else F
    return evaluate_sequences(
        packed, _parameters(joint, gamma, flags, True), qs_seq_pi, free_energies
    )


def _parameters(
    joint: bool, gamma: float, flags: tuple[bool, bool, bool], passes_messages: bool = False
) -> Parameters:
    parameters = Parameters(joint)
    if passes_messages:
        parameters.set_message_passing(1, True, 1.0)
    parameters.gamma = gamma
    parameters.use_utility, parameters.use_states_info_gain, parameters.use_param_info_gain = flags
    return parameters


def sophisticated_inference_search(
    qs: ObjectArray,
    policies: Sequence[Any],
    A: ObjectArray,
    B: ObjectArray,
    C: ObjectArray,
    A_factor_list: Any,
    B_factor_list: Any,
    I: Any = None,  # noqa: E741
    horizon: int = 1,
    policy_prune_threshold: float = 1 / 16,
    state_prune_threshold: float = 1 / 16,
    prune_penalty: float = 512,
    gamma: float = 16,
    inference_params: Any = None,
    n: int = 0,
) -> tuple[FloatArray, FloatArray]:
    """Return the posterior over policies of one step, by a search over what may follow.

    Parameters
    ----------
    qs, policies, A, B, C, A_factor_list, B_factor_list, I, gamma
        See `update_posterior_policies_factorized`.
    horizon : int
        Steps to look ahead.
    policy_prune_threshold, state_prune_threshold : float
        Policies and outcomes less probable than this are not followed.
    prune_penalty : float
        Taken off G of policies that are not, in nats.
    inference_params : dict, optional
        Of `freeagent_core.algos.run_vanilla_fpi`; by default without the free energy.
    n : int
        Steps of the horizon that have passed.

    Returns
    -------
    q_pi, G : ndarray, shape (num_policies,)
    """
    packed = pack_arrays(
        A, [len(b) for b in B], B=B, C=C, I=I, policies=policies, A_factor_list=A_factor_list,
        B_factor_list=B_factor_list,
    )  # fmt: skip
    params = {"compute_vfe": False} if inference_params is None else inference_params
    parameters = Parameters()
    parameters.set_fixed_point(**check_inference_params(params, "VANILLA"))
    parameters.set_search(
        max(horizon - n, 1), policy_prune_threshold, state_prune_threshold, prune_penalty, gamma
    )
    core = AgentCore(packed, parameters)
    core.qs = qs
    core.infer_policies()
    return core.q_pi, core.G


# --- what is expected under a policy ---------------------------------------------------------


def get_expected_states(qs: ObjectArray, B: ObjectArray, policy: Any) -> list[ObjectArray]:
    """Return the beliefs after each step of a policy."""
    qs_pi = [qs]
    for actions in policy:
        qs_pi.append(
            utils.obj_array_from_list(
                [B[f][:, :, int(u)].dot(qs_pi[-1][f]) for f, u in enumerate(actions)]
            )
        )
    return qs_pi[1:]


def get_expected_states_interactions(
    qs: ObjectArray, B: ObjectArray, B_factor_list: Any, policy: Any
) -> list[ObjectArray]:
    """Return the beliefs after each step of a policy, of transitions over some factors.

    Parameters
    ----------
    qs : object array of ndarray, shape (num_states,)
    B : object array of ndarray
    B_factor_list : list of list of int
    policy : ndarray, shape (policy_len, num_factors)

    Returns
    -------
    qs_pi : list of object array
    """
    qs_pi = [qs]
    for actions in policy:
        qs_pi.append(
            utils.obj_array_from_list(
                [
                    spm_dot(B[f][..., int(u)], qs_pi[-1][B_factor_list[f]])
                    for f, u in enumerate(actions)
                ]
            )
        )
    return qs_pi[1:]


def get_expected_obs(qs_pi: Sequence[ObjectArray], A: ObjectArray) -> list[ObjectArray]:
    """Return the expected outcomes of beliefs, step by step."""
    return [utils.obj_array_from_list([spm_dot(A_m, qs) for A_m in A]) for qs in qs_pi]


def get_expected_obs_factorized(
    qs_pi: Sequence[ObjectArray], A: ObjectArray, A_factor_list: Any
) -> list[ObjectArray]:
    """Return the expected outcomes, of modalities that depend on some factors."""
    return [
        utils.obj_array_from_list(
            [spm_dot(A_m, qs[factors]) for A_m, factors in zip(A, A_factor_list, strict=True)]
        )
        for qs in qs_pi
    ]


# --- terms of the expected free energy -------------------------------------------------------


def calc_expected_utility(qo_pi: Sequence[ObjectArray], C: ObjectArray) -> Any:
    """Return the utility of expected outcomes, summed over steps and modalities, in nats."""
    columns = [c if c.ndim == 2 else np.tile(c[:, np.newaxis], (1, len(qo_pi))) for c in C]
    p = softmax_obj_arr(utils.obj_array_from_list(columns))
    return sum(
        qo[m].dot(spm_log_single(p[m][:, t])) for t, qo in enumerate(qo_pi) for m in range(len(C))
    )


def calc_states_info_gain(A: Any, qs_pi: Sequence[ObjectArray]) -> Any:
    """Return the information that the joint outcomes give about states, in nats."""
    return sum(spm_MDP_G(A, qs) for qs in qs_pi)


def calc_states_info_gain_factorized(
    A: ObjectArray, qs_pi: Sequence[ObjectArray], A_factor_list: Any
) -> Any:
    """Return the information about states, summed over modalities, in nats."""
    return sum(spm_MDP_G(A_m, qs[A_factor_list[m]]) for qs in qs_pi for m, A_m in enumerate(A))


def calc_pA_info_gain(
    pA: ObjectArray, qo_pi: Sequence[ObjectArray], qs_pi: Sequence[ObjectArray]
) -> Any:
    """Return the information about pA, shape (1,), in nats."""
    every = [list(range(len(qs_pi[0])))] * len(pA)
    return calc_pA_info_gain_factorized(pA, qo_pi, qs_pi, every)


def calc_pA_info_gain_factorized(
    pA: ObjectArray,
    qo_pi: Sequence[ObjectArray],
    qs_pi: Sequence[ObjectArray],
    A_factor_list: Any,
) -> Any:
    """Return the information about pA of modalities that depend on some factors, shape (1,)."""
    gain: Any = 0
    for m, p in enumerate(pA):
        weights = spm_wnorm(p) * (p > 0).astype(np.float64)
        for qo, qs in zip(qo_pi, qs_pi, strict=True):
            gain -= qo[m].dot(spm_dot(weights, qs[A_factor_list[m]])[:, np.newaxis])
    return gain


def calc_pB_info_gain(
    pB: ObjectArray, qs_pi: Sequence[ObjectArray], qs_prev: ObjectArray, policy: Any
) -> Any:
    """Return the information about pB under a policy, in nats."""
    novelty = [spm_wnorm(p) for p in pB]
    gain: Any = 0
    for before, after, actions in zip([qs_prev, *qs_pi[:-1]], qs_pi, policy, strict=True):
        for f, u in enumerate(actions):
            gain -= after[f].dot(_weights(novelty[f], pB[f], int(u)).dot(before[f]))
    return gain


def calc_pB_info_gain_interactions(
    pB: ObjectArray,
    qs_pi: Sequence[ObjectArray],
    qs_prev: ObjectArray,
    B_factor_list: Any,
    policy: Any,
) -> Any:
    """Return the information about pB, of transitions that depend on some factors, in nats."""
    novelty = [spm_wnorm(p) for p in pB]
    gain: Any = 0
    for before, after, actions in zip([qs_prev, *qs_pi[:-1]], qs_pi, policy, strict=True):
        for f, u in enumerate(actions):
            weights = _weights(novelty[f], pB[f], int(u))
            gain -= after[f].dot(spm_dot(weights, before[B_factor_list[f]]))
    return gain


def _weights(novelty: FloatArray, pB_f: FloatArray, action: int) -> FloatArray:
    """Return the novelty of transitions under an action, 0 where they are impossible."""
    weights: FloatArray = novelty[..., action] * (pB_f[..., action] > 0).astype(np.float64)
    return weights


def calc_inductive_cost(
    qs: ObjectArray,
    qs_pi: Sequence[ObjectArray],
    I: Any,  # noqa: E741
    epsilon: float = 1e-3,
) -> Any:
    """Return the cost of states that do not come nearer to the goal, in nats.

    Parameters
    ----------
    qs : object array of ndarray, shape (num_states,)
        The present beliefs, of which the likeliest state counts.
    qs_pi : list of object array
    I : list of ndarray, shape (depth, num_states)
    epsilon : float
        Probability given to such states.
    """
    weights = {}
    for f, reached in enumerate(I):
        steps = np.flatnonzero(reached[:, np.argmax(qs[f])] == 1)
        if len(steps):
            weights[f] = (1 - reached[max(steps[0] - 1, 0), :]) * np.log(epsilon)
    return sum(w.dot(beliefs[f]) for beliefs in qs_pi for f, w in weights.items())


def calc_ambiguity_factorized(
    qs_pi: Sequence[ObjectArray], A: ObjectArray, A_factor_list: Any
) -> Any:
    """Return the expected entropy of outcomes given states, in nats."""
    entropies = entropy(A)
    return sum(
        np.sum(spm_dot(H, qs[A_factor_list[m]])) for qs in qs_pi for m, H in enumerate(entropies)
    )


def backwards_induction(
    H: ObjectArray, B: ObjectArray, B_factor_list: Any, threshold: float, depth: int
) -> ObjectArray:
    """Return from which states a goal is in reach after how many steps.

    Parameters
    ----------
    H : object array of ndarray, shape (num_states,)
    B : object array of ndarray
    B_factor_list : list of list of int, or None
    threshold : float
        Transitions at most this probable do not count.
    depth : int

    Returns
    -------
    I : object array of ndarray, shape (depth, num_states)
    """
    return utils.obj_array_from_list(
        planning.backwards_induction(list(H), list(B), B_factor_list, threshold, depth)
    )
