"""Kernels of inference: prediction, belief update, message passing, free energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.parameters import Parameters
from freeagent_core._kernels.agents.sequence_functions import infer_sequences
from freeagent_core._kernels.inference import inference_functions as kernels
from freeagent_core._kernels.model.packed_model import PackedModel
from freeagent_core._model import validation as check
from freeagent_core._model.policies import construct_policies
from freeagent_core.kernels import _inputs as read
from freeagent_core.model import GenerativeModel

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]


def predicted_states(
    model: Any,
    qs: Any,
    action: Any,
    out: ObjectArray | None = None,
    *,
    B_factor_list: Any = None,
    repeats: int = 1,
) -> ObjectArray:
    """Return the beliefs after an action: `out_f(s') = sum_s B_f[s', s, u_f] q(s)`.

    Parameters
    ----------
    model : GenerativeModel, or object array of ndarray, shape (num_states[f], *previous, num_controls[f])
        A model, or B.
    qs : object array or sequence of array_like, shape (num_states[f],)
        Beliefs before the action; they need not sum to 1.
    action : array_like of int, shape (num_factors,)
    out : object array or sequence of ndarray of float64, shape (num_states[f],), optional
        The results are copied into its arrays.
    B_factor_list : list of list of int, optional
        The factors that each factor's transitions depend on, with B; itself by default.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    out : object array of ndarray, shape (num_states[f],)

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.control.get_expected_states_interactions`, one step.
    Cost: a multiply-add per entry of ``B_f[..., u_f]`` where q is positive, or per nonzero entry
    where an action's B is sparse.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> B = np.stack([np.eye(2), 1 - np.eye(2)], axis=-1)
    >>> kernels.predicted_states(B, [[0.9, 0.1]], [1])[0].tolist()
    [0.1, 0.9]
    """  # noqa: E501
    if isinstance(model, GenerativeModel):
        packed = read.packed(model, B_factor_list=B_factor_list)
    else:
        packed = read.packed_transitions(model, B_factor_list)
    return read.into(out, kernels.predicted_states(packed, qs, action, read.count(repeats)))


def predicted_outcomes(
    model: Any,
    qs: Any,
    out: ObjectArray | None = None,
    *,
    A_factor_list: Any = None,
    repeats: int = 1,
) -> ObjectArray:
    """Return the outcomes to expect of beliefs: `out_m(o) = sum_s A_m[o, s] q(s)`.

    Parameters
    ----------
    model : GenerativeModel, or object array of ndarray, shape (num_obs[m], *states of its factors)
        A model, or A.
    qs : object array or sequence of array_like, shape (num_states[f],)
    out : object array or sequence of ndarray of float64, shape (num_obs[m],), optional
        The results are copied into its arrays.
    A_factor_list : list of list of int, optional
        The factors that each modality depends on, with A; all by default.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    out : object array of ndarray, shape (num_obs[m],)

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.control.get_expected_obs_factorized`; the kernel of sophisticated
    inference, while policies are otherwise evaluated without expected outcomes of their own
    (see `states_info_gain`). Cost: the joint belief, a multiply-add per entry of A.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> A = np.array([[0.9, 0.2], [0.1, 0.8]])
    >>> kernels.predicted_outcomes(A, [[0.5, 0.5]])[0].round(3).tolist()
    [0.55, 0.45]
    """
    packed = _likelihoods(model, qs, A_factor_list)
    return read.into(out, kernels.predicted_outcomes(packed, qs, read.count(repeats)))


def update_beliefs(
    model: Any,
    observation: Any,
    prior: Any = None,
    out: ObjectArray | None = None,
    *,
    A_factor_list: Any = None,
    joint_likelihood: bool = False,
    num_iter: int = 10,
    dF: float = 1.0,
    dF_tol: float = 0.001,
    compute_vfe: bool = True,
    repeats: int = 1,
) -> ObjectArray:
    """Return beliefs after an observation, by fixed-point iteration (mean field).

    One factor: `q(s) = prior(s) prod_m A_m[o_m, s] / norm`. Several, all at once from uniform
    beliefs: `q_f = softmax(E_q(others)[sum_m ln A_m[o_m, s]] + ln prior_f)`, until the free
    energy changes by less than `dF_tol`. Every logarithm is `ln(x + 1e-16)`.

    Parameters
    ----------
    model : GenerativeModel, or object array of ndarray, shape (num_obs[m], *states of its factors)
        A model, or A.
    observation : int, or sequence of int or array_like, shape (num_obs[m],)
        Per modality an outcome, or a distribution over outcomes.
    prior : object array or sequence of array_like, shape (num_states[f],), optional
        A model's D by default; must be given with A.
    out : object array or sequence of ndarray of float64, shape (num_states[f],), optional
        The results are copied into its arrays.
    A_factor_list : list of list of int, optional
        The factors that each modality depends on, with A; all by default.
    joint_likelihood : bool
        Add 1e-16 to the product over modalities instead of to each of them, as pymdp 0.0.7.1 does.
    num_iter, dF, dF_tol, compute_vfe
        At most `num_iter` iterations, and with `compute_vfe` while the free energy changes by
        `dF_tol` or more; `dF` is its change before the first.
    repeats : int
        Runs of the kernel, to time it; each copies the prior.

    Returns
    -------
    qs : object array of ndarray, shape (num_states[f],)

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.
    FloatingPointError
        If a belief is not finite.

    Notes
    -----
    Source: `pymdp.legacy.algos.fpi.run_vanilla_fpi_factorized` (and `run_vanilla_fpi`).
    Cost: an addition per joint state and modality; then per iteration about two multiply-adds
    per joint state of each group of modalities with the same factors, and an exponential per
    state. One factor needs neither logarithm nor exponential.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> A = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> kernels.update_beliefs(A, [0], prior=[[0.5, 0.5]])[0].round(3).tolist()
    [0.9, 0.1]
    """
    packed = _likelihoods(model, prior, A_factor_list, "prior", joint_likelihood)
    found = kernels.updated_beliefs(
        packed, observation, prior, check.flag(joint_likelihood, "joint_likelihood"),
        check.integer(num_iter, 0, 2**31, "num_iter"), check.number(dF, "dF"),
        check.number(dF_tol, "dF_tol"), check.flag(compute_vfe, "compute_vfe"), read.count(repeats),
    )  # fmt: skip
    return read.into(out, found)


def free_energy(
    model: Any,
    observation: Any,
    qs: Any,
    prior: Any = None,
    *,
    A_factor_list: Any = None,
    joint_likelihood: bool = False,
    repeats: int = 1,
) -> float:
    """Return the variational free energy (VFE) of beliefs, in nats.

    `F = sum_f sum_s q_f (ln q_f - ln prior_f) - E_q[sum_m ln A_m[o_m, s]]`: complexity minus
    accuracy. Every logarithm is `ln(x + 1e-16)`.

    Parameters
    ----------
    model, observation, prior, A_factor_list, joint_likelihood, repeats
        See `update_beliefs`.
    qs : object array or sequence of array_like, shape (num_states[f],)

    Returns
    -------
    F : float

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.maths.calc_free_energy` with `compute_accuracy`. The belief update
    follows F from iteration to iteration by the same messages, without a logarithm per state.
    Cost: an addition per joint state and modality, two multiply-adds per joint state of a group,
    two logarithms per state.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> A = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> round(kernels.free_energy(A, [0], [[0.9, 0.1]], prior=[[0.5, 0.5]]), 4)  # -ln p(o)
    0.6931
    """
    packed = _likelihoods(model, qs, A_factor_list, "qs", joint_likelihood)
    if prior is None and not isinstance(model, GenerativeModel):
        raise ValueError("prior must be given with A")
    return kernels.free_energy(
        packed,
        observation,
        qs,
        prior,
        check.flag(joint_likelihood, "joint_likelihood"),
        read.count(repeats),
    )


def _likelihoods(
    model: Any, beliefs: Any, A_factor_list: Any, name: str = "qs", joint_likelihood: bool = False
) -> PackedModel:
    if isinstance(model, GenerativeModel):
        return read.packed(model, A_factor_list=A_factor_list)
    if beliefs is None:
        raise ValueError(f"{name} must be given with A")
    return read.packed_likelihoods(
        model,
        read.sizes_of(beliefs, name),
        A_factor_list,
        joint_likelihood=check.flag(joint_likelihood, "joint_likelihood"),
    )


def pass_messages(
    model: Any,
    observations: Sequence[Any],
    actions: Sequence[Any] = (),
    prior: Any = None,
    *,
    B: Any = None,
    policies: Sequence[Any] | None = None,
    A_factor_list: Any = None,
    B_factor_list: Any = None,
    num_iter: int = 10,
    grad_descent: bool = True,
    tau: float = 0.25,
    repeats: int = 1,
) -> tuple[ObjectArray, FloatArray]:
    """Return beliefs over past and planned steps under each policy, by marginal message passing.

    A sweep updates step after step, and in it factor after factor, with messages from what was
    observed and from the beliefs one step before and after:
    `q <- softmax(ln q + tau (err - mean err))`,
    `err = 2 ln A + ln B_past + ln B_future / 2 - 2 ln q` (1 in the place of 2 behind the last
    observation).

    Parameters
    ----------
    model : GenerativeModel, or object array of ndarray, shape (num_obs[m], *states of its factors)
        A model with ``inference_algo="MMP"``, or A.
    observations : sequence
        Of each observed step what `update_beliefs` takes, at least one.
    actions : sequence of array_like of int, shape (num_factors,)
        Between the observed steps: one less.
    prior : object array or sequence of array_like, shape (num_states[f],), optional
        Beliefs before the first step. A model's D by default, with A uniform.
    B : object array of ndarray, shape (num_states[f], *previous, num_controls[f])
        With A.
    policies : sequence of ndarray of int, shape (policy_len, num_factors), optional
        With A; all actions by default.
    A_factor_list, B_factor_list : list of list of int, optional
        With A and B.
    num_iter : int
        Sweeps.
    grad_descent, tau
        Follow the gradient at the rate `tau`, else set each belief to the softmax of its messages.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    qs : object array
        ``[policy][step][factor]`` of ndarray, shape (num_states[f],).
    F : ndarray of float64, shape (num_policies,)
        Variational free energies, in nats.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.
    FloatingPointError
        If a belief or F is not finite.

    Notes
    -----
    Source: `pymdp.legacy.algos.mmp.run_mmp_factorized`; Parr, Markovic, Kiebel and Friston,
    "Neuronal message passing using Mean-field, Bethe, and Marginal approximations", Scientific
    Reports 9, 2019. Cost: per sweep, policy, step and factor a multiply-add per entry of
    ``B_f[..., u_f]`` for each of two messages, one per joint state for each modality, two
    logarithms and an exponential per state.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> A, B = np.array([[0.9, 0.1], [0.1, 0.9]]), np.eye(2)[:, :, np.newaxis]
    >>> qs, F = kernels.pass_messages(A, [[0], [0]], [[0]], B=B)
    >>> qs[0][1][0].round(2).tolist()
    [0.99, 0.01]
    """
    if isinstance(model, GenerativeModel):
        packed = read.packed(model, B=B, policies=policies, A_factor_list=A_factor_list,
                             B_factor_list=B_factor_list)  # fmt: skip
        if model.inference_algo != "MMP":
            raise ValueError(
                f"the model must have inference_algo='MMP', got {model.inference_algo!r}"
            )
        start: Any = model.D
        num_states = list(model.num_states)
    else:
        if B is None:
            raise ValueError("B must be given with A")
        arrays, B_lists = read.transitions(B, B_factor_list)
        num_states = [len(array) for array in arrays]
        num_controls = [array.shape[-1] for array in arrays]
        given = construct_policies(num_controls, 1) if policies is None else policies
        packed = read.packed_likelihoods(
            model, num_states, A_factor_list, B=arrays, B_factor_list=B_lists,
            policies=_of_one_length(given, num_controls),
            inference_algo="MMP",
        )  # fmt: skip
        start = [np.full(n, 1.0 / n) for n in num_states]
    steps, taken = _sequence(observations, "observations"), _sequence(actions, "actions")
    if prior is not None:
        start = read.beliefs(prior, num_states, "prior")
    if not steps or len(taken) != len(steps) - 1:
        raise ValueError(
            f"actions must be one less than observations, of which there must be at least one; "
            f"got {len(taken)} and {len(steps)}"
        )
    parameters = Parameters()
    parameters.set_message_passing(
        check.integer(num_iter, 1, 2**31, "num_iter"),
        check.flag(grad_descent, "grad_descent"),
        check.number(tau, "tau"),
    )
    qs, F, _ = infer_sequences(
        packed, parameters, steps, taken, start, True, False, False,
        read.count(repeats),
    )  # fmt: skip
    return qs, F


def _sequence(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list | tuple | np.ndarray) or (
        isinstance(value, np.ndarray) and value.ndim == 0
    ):
        raise TypeError(f"{name} must be a sequence with one entry per step, got {value!r:.80}")
    return list(value)


def _of_one_length(policies: Any, num_controls: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    checked = check.policy_list(policies, num_controls)
    for p, policy in enumerate(checked):
        if len(policy) != len(checked[0]):
            raise ValueError(
                f"policies[{p}] must have as many steps as policies[0] ({len(checked[0])}), "
                f"got {len(policy)}"
            )
    return checked
