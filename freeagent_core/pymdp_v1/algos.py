"""Algorithms of state inference: the functions of ``pymdp.algos``, for one agent.

Each is its formula in NumPy; `Agent.infer_states` does the same for a batch, in compiled code.
Variants for XLA are left out (docs/pymdp_v1_left_out.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1._arrays import FloatArray, as_array
from freeagent_core.pymdp_v1._filtering import (
    update_variational_filtering,
    variational_filtering_step,
)
from freeagent_core.pymdp_v1._hmm import (
    hmm_filter_scan_colstoch,
    hmm_filter_scan_rowstoch,
    hmm_smoother_from_filtered_colstoch,
    hmm_smoother_scan_colstoch,
    hmm_smoother_scan_rowstoch,
    run_exact_single_factor_hmm_scan,
)
from freeagent_core.pymdp_v1._marginal_likelihoods import (
    all_marginal_log_likelihood,
    marginal_log_likelihood,
    mll_factors,
)
from freeagent_core.pymdp_v1._maths import (
    MINVAL,
    _floats,
    compute_log_likelihood,
    compute_log_likelihood_per_modality,
    factor_dot_flex,
    log_stable,
    softmax,
)

__all__ = [
    "add",
    "all_marginal_log_likelihood",
    "get_mmp_messages",
    "get_vmp_messages",
    "hmm_filter_scan_colstoch",
    "hmm_filter_scan_rowstoch",
    "hmm_smoother_from_filtered_colstoch",
    "hmm_smoother_scan_colstoch",
    "hmm_smoother_scan_rowstoch",
    "marginal_log_likelihood",
    "mirror_gradient_descent_step",
    "mll_factors",
    "run_exact_single_factor_hmm_scan",
    "run_factorized_fpi",
    "run_mmp",
    "run_vanilla_fpi",
    "run_vmp",
    "update_marginals",
    "update_variational_filtering",
    "variational_filtering_step",
]

Dependencies = Sequence[Sequence[int]]
Messages = tuple[list[Any], list[Any]]


def add(x: Any, y: Any) -> Any:
    """Return x + y.

    Examples
    --------
    >>> add(1, 2)
    3
    """
    return x + y


# --- one step ------------------------------------------------------------------------------------


def run_vanilla_fpi(
    A: Sequence[Any],
    obs: Sequence[Any],
    prior: Sequence[Any],
    num_iter: int = 1,
    distr_obs: bool = True,
) -> list[FloatArray]:
    """Infer states by fixed-point iteration, all modalities over all factors.

    Parameters
    ----------
    A : list of (num_obs, *num_states) array
    obs : list of (num_obs,) array, with ``distr_obs=False`` of int
    prior : list of (num_states,) array
    num_iter : int, default 1
        All are made, all factors at once, from uniform beliefs.
    distr_obs : bool, default True

    Returns
    -------
    list of (num_states,) array

    Examples
    --------
    >>> A = [np.array([[0.9, 0.2], [0.1, 0.8]])]
    >>> run_vanilla_fpi(A, [0], [np.ones(2) / 2], distr_obs=False)[0].round(4)
    array([0.8182, 0.1818])
    """
    ll = compute_log_likelihood(obs, A, distr_obs)
    return _iterated(prior, [ll], [list(range(len(prior)))], num_iter)


def _iterated(
    prior: Sequence[Any], log_likelihoods: Sequence[Any], lists: Dependencies, num_iter: int
) -> list[FloatArray]:
    log_prior = [log_stable(p) for p in prior]
    log_q = [np.zeros_like(p) for p in log_prior]
    for _ in range(num_iter):
        messages = all_marginal_log_likelihood([softmax(q) for q in log_q], log_likelihoods, lists)
        log_q = [p + message for p, message in zip(log_prior, messages, strict=True)]
    return [softmax(q) for q in log_q]


def run_factorized_fpi(
    A: Sequence[Any],
    obs: Sequence[Any],
    prior: Sequence[Any],
    A_dependencies: Dependencies,
    num_iter: int = 1,
    distr_obs: bool = True,
) -> list[FloatArray]:
    """Infer states by fixed-point iteration, each modality over the factors it depends on.

    Parameters
    ----------
    A : list of array
    obs : list of (num_obs,) array, with ``distr_obs=False`` of int
    prior : list of (num_states,) array
    A_dependencies : list of list of int
    num_iter : int, default 1
        See `run_vanilla_fpi`; of one factor the result is exact, whatever it is.
    distr_obs : bool, default True

    Returns
    -------
    list of (num_states,) array

    Examples
    --------
    >>> A = [np.array([[0.9, 0.2], [0.1, 0.8]])]
    >>> run_factorized_fpi(A, [0], [np.ones(2) / 2], [[0]], distr_obs=False)[0].round(4)
    array([0.8182, 0.1818])
    """
    if len(prior) == 1:
        return [softmax(compute_log_likelihood(obs, A, distr_obs) + log_stable(prior[0]))]
    log_likelihoods = compute_log_likelihood_per_modality(obs, A, distr_obs)
    return _iterated(prior, log_likelihoods, A_dependencies, num_iter)


# --- windows of steps ----------------------------------------------------------------------------


def mirror_gradient_descent_step(
    tau: float, ln_A: Any, lnB_past: Any, lnB_future: Any, ln_qs: Any
) -> FloatArray:
    """Move log beliefs by tau towards the sum of the messages; return normalized beliefs.

    Parameters
    ----------
    tau : float
    ln_A, lnB_past, lnB_future, ln_qs : array

    Returns
    -------
    array

    Examples
    --------
    >>> mirror_gradient_descent_step(1.0, np.log([0.5, 0.25]), 0.0, 0.0, np.zeros(2)).round(4)
    array([0.6667, 0.3333])
    """
    logs = _floats(ln_qs)
    logs = logs + tau * (_floats(ln_A) - logs + lnB_past + lnB_future)
    return softmax(np.asarray(logs - logs.mean(axis=-1, keepdims=True)))


def update_marginals(
    get_messages: Callable[..., Messages],
    obs: Sequence[Any],
    A: Sequence[Any],
    B: Sequence[Any] | None,
    prior: Sequence[Any],
    A_dependencies: Dependencies,
    B_dependencies: Dependencies,
    num_iter: int = 1,
    tau: float = 1.0,
    distr_obs: bool = True,
    obs_valid_mask: Any = None,
    transition_valid_mask: Any = None,
) -> list[FloatArray]:
    """Infer the states of a window by messages between neighbouring steps.

    All steps and factors at once, `num_iter` times, from uniform beliefs.

    Parameters
    ----------
    get_messages : callable
        `get_mmp_messages`, `get_vmp_messages`, or another of the same arguments.
    obs : list of (T, num_obs) array, with ``distr_obs=False`` of (T,) array of int
    A : list of array
    B : list of (T - 1, num_states, *num_states of parents) array, or None
        Of the actions that were taken.
    prior : list of (num_states,) array
        Of the first step.
    A_dependencies, B_dependencies : list of list of int
    num_iter : int, default 1
    tau : float, default 1.0
    distr_obs : bool, default True
    obs_valid_mask : (T,) array of bool, optional
    transition_valid_mask : (T - 1,) array of bool, optional
        A step without a transition to it starts from the prior.

    Returns
    -------
    list of (T, num_states) array
    """
    sequence = [as_array(o) for o in obs]
    T = len(sequence[0])
    log_likelihoods = [
        compute_log_likelihood_per_modality([o[t] for o in sequence], A, distr_obs)
        for t in range(T)
    ]
    if obs_valid_mask is not None:
        valid = as_array(obs_valid_mask).astype(bool)
        log_likelihoods = [
            ll if valid[t] else [np.zeros_like(l_m) for l_m in ll]
            for t, ll in enumerate(log_likelihoods)
        ]
    ln_prior = [log_stable(p) for p in prior]
    mats = None if B is None else [_floats(b) for b in B]
    ln_B = None if mats is None else [log_stable(b) for b in mats]
    qs = [np.full((T, len(p)), 1.0 / len(p)) for p in ln_prior]
    for _ in range(num_iter):
        future, past = get_messages(
            ln_B, mats, qs, ln_prior, B_dependencies, transition_valid_mask=transition_valid_mask
        )
        evidence = [
            all_marginal_log_likelihood([q[t] for q in qs], log_likelihoods[t], A_dependencies)
            for t in range(T)
        ]
        qs = [
            mirror_gradient_descent_step(
                tau, np.stack([e[f] for e in evidence]), past[f], future[f], log_stable(q)
            )
            for f, q in enumerate(qs)
        ]
    return qs


def _masks(transition_valid_mask: Any, T: int) -> tuple[FloatArray, FloatArray]:
    """Return columns that tell which transitions count, and which steps start from the prior."""
    count = max(T - 1, 0)
    if transition_valid_mask is None:
        linked = np.ones(count, dtype=bool)
    else:
        linked = as_array(transition_valid_mask).astype(bool)
        if linked.shape != (count,):
            raise ValueError(
                f"transition_valid_mask must have the shape ({count},), got {linked.shape}"
            )
    starts = np.concatenate([[True], ~linked])
    return linked[:, None], starts[:, None]


def _forward(b: FloatArray, qs: Sequence[FloatArray], parents: Sequence[int]) -> FloatArray:
    """Return b summed over beliefs about the parents at the step before."""
    dims = [(0, 2 + i) for i in range(len(parents))]
    return factor_dot_flex(b, [qs[p][:-1] for p in parents], dims, keep_dims=(0, 1))


def _children(
    mats: Sequence[FloatArray], qs: Sequence[FloatArray], lists: Dependencies, f: int
) -> list[tuple[int, FloatArray]]:
    """Return each factor whose next state depends on f, and its matrices from f's states."""
    found = []
    for child, parents in enumerate(lists):
        if f in parents:
            others = [(i, p) for i, p in enumerate(parents) if p != f]
            keep = (0, 1, 2 + list(parents).index(f))
            found.append(
                (
                    child,
                    factor_dot_flex(
                        mats[child],
                        [qs[p][:-1] for _, p in others],
                        [(0, 2 + i) for i, _ in others],
                        keep_dims=keep,
                    ),
                )
            )
    return found


def _with_last_zero(messages: Any, linked: FloatArray) -> FloatArray:
    rows = np.where(linked, messages, 0.0)
    return np.concatenate([rows, np.zeros((1, rows.shape[1]))])


def get_vmp_messages(
    ln_B: Sequence[Any] | None,
    B: Sequence[Any] | None,
    qs: Sequence[Any],
    ln_prior: Sequence[Any],
    B_dependencies: Dependencies,
    transition_valid_mask: Any = None,
) -> Messages:
    """Return the messages of variational message passing: expected logarithms of B.

    Parameters
    ----------
    ln_B, B : list of (T - 1, num_states, *num_states of parents) array, or None
    qs : list of (T, num_states) array
    ln_prior : list of (num_states,) array
    B_dependencies : list of list of int
    transition_valid_mask : (T - 1,) array of bool, optional

    Returns
    -------
    from_past, from_future : list of (T, num_states) array
        Zeros without B.
    """
    if ln_B is None:
        return [0.0 for _ in qs], [0.0 for _ in qs]
    linked, starts = _masks(transition_valid_mask, len(qs[0]))
    forward, backward = [], []
    for f, prior in enumerate(ln_prior):
        message = np.where(linked, _forward(ln_B[f], qs, B_dependencies[f]), 0.0)
        forward.append(np.where(starts, prior, np.concatenate([prior[None], message])))
        total: Any = np.zeros((len(linked), 1))
        for child, mats in _children(ln_B, qs, B_dependencies, f):
            total = total + np.einsum("ti,tif->tf", qs[child][1:], mats)
        backward.append(_with_last_zero(total, linked))
    return forward, backward


def get_mmp_messages(
    ln_B: Sequence[Any] | None,
    B: Sequence[Any] | None,
    qs: Sequence[Any],
    ln_prior: Sequence[Any],
    B_deps: Dependencies,
    transition_valid_mask: Any = None,
) -> Messages:
    """Return the messages of marginal message passing: logarithms of expected B, halved.

    Parameters
    ----------
    ln_B, B : list of (T - 1, num_states, *num_states of parents) array, or None
    qs : list of (T, num_states) array
    ln_prior : list of (num_states,) array
    B_deps : list of list of int
    transition_valid_mask : (T - 1,) array of bool, optional

    Returns
    -------
    from_past, from_future : list of (T, num_states) array
        Without B the prior, and zeros.
    """
    if B is None:
        return [p[None] for p in ln_prior], [0.0 for _ in qs]
    linked, starts = _masks(transition_valid_mask, len(qs[0]))
    weight = np.where(np.concatenate([linked, [[False]]]), 0.5, 1.0)
    forward, backward = [], []
    for f, prior in enumerate(ln_prior):
        message = np.where(linked, log_stable(_forward(B[f], qs, B_deps[f])), 0.0)
        from_past = np.where(starts, prior, np.concatenate([prior[None], message]))
        forward.append(from_past * weight)
        total: Any = np.zeros((len(linked), 1))
        for child, mats in _children(B, qs, B_deps, f):
            rows = mats / np.maximum(mats.sum(axis=-1, keepdims=True), MINVAL)
            total = total + 0.5 * log_stable(np.einsum("ti,tif->tf", qs[child][1:], rows))
        backward.append(_with_last_zero(total, linked))
    return forward, backward


def run_mmp(
    A: Sequence[Any],
    B: Sequence[Any] | None,
    obs: Sequence[Any],
    prior: Sequence[Any],
    A_dependencies: Dependencies,
    B_dependencies: Dependencies,
    num_iter: int = 1,
    tau: float = 1.0,
    distr_obs: bool = True,
    obs_valid_mask: Any = None,
    transition_valid_mask: Any = None,
) -> list[FloatArray]:
    """Infer the states of a window by marginal message passing.

    Parameters
    ----------
    A, B, obs, prior, A_dependencies, B_dependencies, num_iter, tau, distr_obs
    obs_valid_mask, transition_valid_mask
        See `update_marginals`.

    Returns
    -------
    list of (T, num_states) array

    Examples
    --------
    >>> A, obs, prior = [np.array([[0.9, 0.1], [0.1, 0.9]])], [np.array([0, 0])], [np.ones(2) / 2]
    >>> stay = [np.eye(2)[None]]
    >>> run_mmp(A, stay, obs, prior, [[0]], [[0]], num_iter=8, distr_obs=False)[0].round(2)
    array([[1., 0.],
           [1., 0.]])
    """
    return update_marginals(
        get_mmp_messages, obs, A, B, prior, A_dependencies, B_dependencies, num_iter, tau,
        distr_obs, obs_valid_mask, transition_valid_mask,
    )  # fmt: skip


def run_vmp(
    A: Sequence[Any],
    B: Sequence[Any] | None,
    obs: Sequence[Any],
    prior: Sequence[Any],
    A_dependencies: Dependencies,
    B_dependencies: Dependencies,
    num_iter: int = 1,
    tau: float = 1.0,
    distr_obs: bool = True,
    obs_valid_mask: Any = None,
    transition_valid_mask: Any = None,
) -> list[FloatArray]:
    """Infer the states of a window by variational message passing.

    Parameters
    ----------
    A, B, obs, prior, A_dependencies, B_dependencies, num_iter, tau, distr_obs
    obs_valid_mask, transition_valid_mask
        See `update_marginals`.

    Returns
    -------
    list of (T, num_states) array
    """
    return update_marginals(
        get_vmp_messages, obs, A, B, prior, A_dependencies, B_dependencies, num_iter, tau,
        distr_obs, obs_valid_mask, transition_valid_mask,
    )  # fmt: skip
