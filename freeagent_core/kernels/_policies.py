"""Kernels of planning: the terms of the expected free energy (EFE), G and the policy posterior.

G is *minus* the expected free energy, as in pymdp: larger is better.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._functions.functional import pack_arrays
from freeagent_core._kernels.model.packed_model import PackedModel
from freeagent_core._kernels.planning import planning_functions as kernels
from freeagent_core._model import validation as check
from freeagent_core.kernels import _inputs as read
from freeagent_core.maths import spm_log_single
from freeagent_core.model import GenerativeModel

FloatArray = npt.NDArray[np.float64]


def expected_utility(
    model: Any,
    qs: Any,
    C: Any = None,
    *,
    step: int = 0,
    A_factor_list: Any = None,
    repeats: int = 1,
) -> float:
    """Return the utility of the outcomes to expect, `sum_m sum_o q(o_m) ln softmax(C_m)(o)`.

    `q(o_m) = sum_s A_m[o, s] q(s)` is not computed: the kernel sums `q(s)` times the utility of
    each joint state, of which a packed model has a table.

    Parameters
    ----------
    model : GenerativeModel, or object array of ndarray, shape (num_obs[m], *states of its factors)
        A model, or A.
    qs : object array or sequence of array_like, shape (num_states[f],)
    C : object array or sequence of array_like, shape (num_obs[m],) or (num_obs[m], steps)
        Preferences, with A.
    step : int
        Of a policy, where C depends on it.
    A_factor_list : list of list of int, optional
        The factors that each modality depends on, with A; all by default.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    utility : float
        In nats, at most 0.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.control.calc_expected_utility`, one step; `ln(p + 1e-16)`.
    Cost: the joint belief, a multiply-add per joint state of positive probability.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> round(kernels.expected_utility(np.eye(2), [[0.5, 0.5]], [[0.0, 2.0]]), 3)
    -1.127
    """
    packed = _packed_likelihoods(model, qs, A_factor_list, C=C)
    step = check.integer(step, 0, 2**31, "step")
    return kernels.terms(packed, qs, step, True, False, False, read.count(repeats))


def states_info_gain(
    model: Any,
    qs: Any,
    *,
    A_factor_list: Any = None,
    joint_outcomes: bool = False,
    repeats: int = 1,
) -> float:
    """Return the information about states that outcomes are expected to give.

    `sum_m (sum_s q(s) sum_o A_m[o, s] ln(A_m[o, s] + e^-16) - sum_o q(o_m) ln(q(o_m) + 1e-16))`
    over the joint states with `q(s) > e^-16`: the mutual information of states and outcomes.

    Parameters
    ----------
    model : GenerativeModel, or object array of ndarray, shape (num_obs[m], *states of its factors)
        A model, or A.
    qs : object array or sequence of array_like, shape (num_states[f],)
    A_factor_list : list of list of int, optional
        The factors that each modality depends on, with A; all by default.
    joint_outcomes : bool
        With A: of the joint outcomes of all modalities, as pymdp 0.0.7.1 does. A model knows.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    gain : float
        In nats.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.maths.spm_MDP_G` and `control.calc_states_info_gain_factorized`; the sum
    over outcomes given states is in the packed model. Cost: the joint belief, a multiply-add per
    outcome and joint state of positive probability, a logarithm per outcome.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> round(kernels.states_info_gain(np.eye(2), [[0.5, 0.5]]), 3)  # ln 2
    0.693
    """
    joint = check.flag(joint_outcomes, "joint_outcomes")
    if isinstance(model, GenerativeModel) and joint:
        raise ValueError("joint_outcomes must not be given beside a model, which has its own")
    packed = _packed_likelihoods(model, qs, A_factor_list, joint_likelihood=joint)
    return kernels.terms(packed, qs, 0, False, True, False, read.count(repeats))


def pA_info_gain(
    model: Any, qs: Any, pA: Any = None, *, A_factor_list: Any = None, repeats: int = 1
) -> float:
    """Return the information about A that outcomes are expected to give (novelty).

    `-sum_m sum_o q(o_m) sum_s wA_m[o, s] q(s)` with
    `wA = (1 / sum_o (pA + 1e-16) - 1 / (pA + 1e-16)) (pA > 0)`.

    Parameters
    ----------
    model : GenerativeModel, or object array of ndarray, shape (num_obs[m], *states of its factors)
        A model with pA, or A.
    qs : object array or sequence of array_like, shape (num_states[f],)
    pA : object array or sequence of ndarray, of A's shapes
        Dirichlet parameters, with A.
    A_factor_list : list of list of int, optional
        The factors that each modality depends on, with A; all by default.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    gain : float
        In nats.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.control.calc_pA_info_gain_factorized`, one step.
    Cost: the joint belief, two multiply-adds per outcome and joint state of positive probability.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> A = np.full((2, 2), 0.5)
    >>> round(kernels.pA_info_gain(A, [[0.5, 0.5]], 2 * A), 3)
    0.5
    """
    if not isinstance(model, GenerativeModel):
        A = read.all_weights(model, "A")
        pA = read.all_weights(pA, "pA")
        check.check_count(pA, len(A), "pA", "modality")
        for m, (parameters, array) in enumerate(zip(pA, A, strict=True)):
            check.check_dirichlet(parameters, array.shape, f"pA[{m}]")
        packed = _packed_likelihoods(A, qs, A_factor_list, pA=pA)
    else:
        packed = read.packed(model, pA=pA, A_factor_list=A_factor_list)
    return kernels.terms(packed, qs, 0, False, False, True, read.count(repeats))


def pB_info_gain(
    model: Any,
    qs: Any,
    action: Any,
    predicted: Any,
    *,
    B_factor_list: Any = None,
    repeats: int = 1,
) -> float:
    """Return the information about B that a transition is expected to give (novelty).

    `-sum_f sum_s' predicted_f(s') sum_s wB_f[s', s, u_f] q(s)`, wB of pB as wA of pA
    (`pA_info_gain`).

    Parameters
    ----------
    model : GenerativeModel, or object array of ndarray, shape (num_states[f], *previous, num_controls[f])
        A model with pB, or pB: Dirichlet parameters.
    qs : object array or sequence of array_like, shape (num_states[f],)
        Beliefs before the action.
    action : array_like of int, shape (num_factors,)
    predicted : object array or sequence of array_like, shape (num_states[f],)
        Beliefs after it: `predicted_states`.
    B_factor_list : list of list of int, optional
        The factors that each factor's transitions depend on, with pB; itself by default.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    gain : float
        In nats.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.control.calc_pB_info_gain_interactions`, one step.
    Cost: per factor a multiply-add per next state and previous state of positive probability.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> pB = np.ones((2, 2, 1))
    >>> round(kernels.pB_info_gain(pB, [[0.5, 0.5]], [0], [[0.5, 0.5]]), 3)
    0.5
    """  # noqa: E501
    if isinstance(model, GenerativeModel):
        packed = read.packed(model, B_factor_list=B_factor_list)
    else:
        pB = read.all_weights(model, "pB")
        for f, parameters in enumerate(pB):
            check.check_dirichlet(parameters, parameters.shape, f"pB[{f}]")
        packed = read.packed_transitions(pB, B_factor_list, "pB", pB=pB)
    return kernels.pB_info_gain(packed, qs, action, predicted, read.count(repeats))


def inductive_cost(model: Any, qs: Any, predicted: Any, *, repeats: int = 1) -> float:
    """Return the cost of predicted beliefs that are off the way to a goal, `<= 0`.

    `sum_f sum_s predicted_f(s) (1 - I_f[row, s]) ln(1e-3)`; the row is the last before the goal
    is in reach of the likeliest state of `qs`, the first of equals.

    Parameters
    ----------
    model : GenerativeModel, or sequence of array_like, shape (depth, num_states[f])
        A model with H, or I: 1 where a goal is in reach after so many steps
        (`freeagent_core.control.backwards_induction`).
    qs : object array or sequence of array_like, shape (num_states[f],)
        Present beliefs.
    predicted : object array or sequence of array_like, shape (num_states[f],)
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    cost : float
        In nats.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.control.calc_inductive_cost`, one step. Cost: a comparison and a
    multiply-add per state.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> I = np.array([[0.0, 1.0], [1.0, 1.0]])  # the goal is state 1, which 0 reaches in a step
    >>> round(kernels.inductive_cost([I], [[1.0, 0.0]], [[1.0, 0.0]]), 3)
    -6.908
    """
    if isinstance(model, GenerativeModel):
        packed = read.packed(model)
    else:
        reach = read.all_weights(model, "I")
        for f, array in enumerate(reach):
            if array.ndim != 2:
                raise ValueError(f"I[{f}] must have shape (depth, num_states), got {array.shape}")
        num_states = [array.shape[1] for array in reach]
        packed = pack_arrays([np.ones((1, num_states[0]))], num_states, I=reach,
                             A_factor_list=[[0]])  # fmt: skip
    return kernels.inductive_cost(packed, qs, predicted, read.count(repeats))


def evaluate_policies(
    model: GenerativeModel,
    qs: Any,
    *,
    gamma: float | None = None,
    use_utility: bool | None = None,
    use_states_info_gain: bool | None = None,
    use_param_info_gain: bool | None = None,
    repeats: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Return the policy posterior, and G of every policy, from beliefs.

    `G(pi) = sum_t sum_m (utility + information gains) + sum_t sum_f (inductive cost)` of the
    beliefs that the policy leads to, `q_pi = softmax(gamma G + ln(E + 1e-16))`.

    Parameters
    ----------
    model : GenerativeModel
        It is packed for the way to evaluate them: a belief graph, a deterministic rollout, or
        matrix products over a policy tree.
    qs : object array or sequence of array_like, shape (num_states[f],)
    gamma : float, optional
    use_utility, use_states_info_gain, use_param_info_gain : bool, optional
        The model's by default.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    q_pi : ndarray of float64, shape (num_policies,)
    G : ndarray of float64, shape (num_policies,)
        In nats.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape; also for more policies than a model
        enumerates (2^13).
    FloatingPointError, MemoryError
        If G is not finite, or too many predicted beliefs are distinct.

    Notes
    -----
    Source: `pymdp.legacy.control.update_posterior_policies_factorized`. Cost: the terms of G once
    per distinct predicted belief, an addition per policy prefix, an exponential per policy.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import GenerativeModel, kernels
    >>> B = np.stack([np.eye(2), 1 - np.eye(2)], axis=-1)
    >>> model = GenerativeModel(np.eye(2), B, C=np.array([0.0, 2.0]))
    >>> q_pi, G = kernels.evaluate_policies(model, [[1.0, 0.0]])
    >>> G.round(3).tolist()
    [-2.127, -0.127]
    """
    if not isinstance(model, GenerativeModel):
        raise TypeError(f"model must be a GenerativeModel, got {type(model).__name__}")
    precision = check.number(model.gamma if gamma is None else gamma, "gamma")
    utility, states, params = (
        check.flag(getattr(model, name) if value is None else value, name)
        for name, value in (
            ("use_utility", use_utility),
            ("use_states_info_gain", use_states_info_gain),
            ("use_param_info_gain", use_param_info_gain),
        )
    )
    return kernels.evaluate_policies(
        model.packed, qs, precision, utility, states, params, read.count(repeats)
    )


def policy_posterior(
    G: Any,
    E: Any = None,
    out: FloatArray | None = None,
    *,
    gamma: float = 16.0,
    repeats: int = 1,
) -> FloatArray:
    """Return the posterior over policies, `softmax(gamma G + ln(E + 1e-16))`.

    Parameters
    ----------
    G : array_like, shape (num_policies,)
        Minus the expected free energies, in nats.
    E : array_like, shape (num_policies,), optional
        Prior; constant by default.
    out : ndarray of float64 in C order, shape (num_policies,), optional
    gamma : float
        Precision.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    q_pi : ndarray of float64, shape (num_policies,)

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.
    FloatingPointError
        If q_pi is not finite.

    Notes
    -----
    Source: `pymdp.legacy.control.update_posterior_policies_factorized`.
    Cost: an exponential and a multiply-add per policy.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.policy_posterior([0.0, 0.0], E=[0.25, 0.75]).round(3).tolist()
    [0.25, 0.75]
    """
    values = read.finite(G, "G")
    target = read.result(out, values.shape)
    log_E = None if E is None else spm_log_single(read.weights(E, "E", values.shape))
    found = np.empty(values.shape)  # which may not be finite: `out` stays then
    kernels.policy_probabilities(
        values, log_E, check.number(gamma, "gamma"), found, read.count(repeats)
    )
    target[...] = found
    return target


def _packed_likelihoods(model: Any, qs: Any, A_factor_list: Any, **others: Any) -> PackedModel:
    if isinstance(model, GenerativeModel):
        return read.packed(model, C=others.get("C"), A_factor_list=A_factor_list)
    if "C" in others:
        model = A = read.all_weights(model, "A")
        C = read.each(others["C"], "C")
        check.check_count(C, len(A), "C", "modality")
        arrays = [read.real(c, f"C[{m}]") for m, c in enumerate(C)]
        for m, array in enumerate(arrays):
            check.check_preferences(array, len(A[m]), 1, f"C[{m}]")
        steps = {array.shape[1] for array in arrays if array.ndim == 2}
        if len(steps) > 1:
            raise ValueError(f"C must have the same steps in all modalities, got {sorted(steps)}")
        others = {**others, "C": arrays, "preference_steps": max(steps, default=1)}
    return read.packed_likelihoods(model, read.sizes_of(qs), A_factor_list, **others)
