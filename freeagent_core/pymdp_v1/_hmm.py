"""Exact filtering and smoothing of one hidden state factor: hidden Markov models.

Forward and backward recursions, O(T K^2), of what pymdp computes by associative scans.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1._arrays import FloatArray, as_array
from freeagent_core.pymdp_v1._maths import MINVAL, _floats, compute_log_likelihood


def _steps(mats: Any, count: int, name: str) -> FloatArray:
    """Return one matrix, or one for each transition, as one for each."""
    array = _floats(mats)
    if array.ndim not in (2, 3):
        raise ValueError(f"{name} must be 2D or 3D")
    if array.ndim == 3 and len(array) != count:
        raise ValueError(
            f"{name} has leading dimension {len(array)}, expected {count} for T={count + 1}"
        )
    return np.broadcast_to(array, (count, *array.shape[-2:]))


def hmm_filter_scan_rowstoch(
    initial_probs: Any, transition_mats: Any, log_likelihoods: Any
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Filter a hidden Markov model: beliefs given the observations up to now.

    Parameters
    ----------
    initial_probs : (K,) array
    transition_mats : (K, K) or (T - 1, K, K) array
        p(next = j | now = i) at [i, j].
    log_likelihoods : (T, K) array

    Returns
    -------
    marginal_loglik : float64
        log p(o_1, ..., o_T)
    filtered_probs, predicted_probs : (T, K) array
        Beliefs after and before each observation.

    Examples
    --------
    >>> _, filtered, _ = hmm_filter_scan_rowstoch(np.ones(2) / 2, np.eye(2), np.log([[0.9, 0.1]]))
    >>> filtered.round(4)
    array([[0.9, 0.1]])
    """
    ll = _floats(log_likelihoods)
    mats = _steps(transition_mats, len(ll) - 1, "transition_mats")
    filtered, predicted = np.empty_like(ll), np.empty_like(ll)
    belief = _floats(initial_probs)
    total = 0.0
    for t, row in enumerate(ll):
        predicted[t] = belief if t == 0 else filtered[t - 1] @ mats[t - 1]
        highest = row.max()
        joint = predicted[t] * np.exp(row - highest)
        norm = joint.sum()
        filtered[t] = joint / (norm if norm > 0.0 else 1.0)
        total += float(np.log(max(norm, MINVAL)) + highest)
    return np.asarray(total), filtered, predicted


def hmm_filter_scan_colstoch(
    initial_probs: Any, B_mats: Any, log_likelihoods: Any
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Filter with transitions as B has them, p(next = j | now = i) at [j, i].

    Parameters
    ----------
    initial_probs : (K,) array
    B_mats : (K, K) or (T - 1, K, K) array
    log_likelihoods : (T, K) array

    Returns
    -------
    marginal_loglik, filtered_probs, predicted_probs
        See `hmm_filter_scan_rowstoch`.
    """
    return hmm_filter_scan_rowstoch(initial_probs, np.swapaxes(_floats(B_mats), -1, -2),
                                    log_likelihoods)  # fmt: skip


def hmm_smoother_scan_rowstoch(
    initial_probs: Any, transition_mats: Any, log_likelihoods: Any
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Filter and smooth a hidden Markov model: beliefs given all observations.

    Parameters
    ----------
    initial_probs : (K,) array
    transition_mats : (K, K) or (T - 1, K, K) array
        p(next = j | now = i) at [i, j].
    log_likelihoods : (T, K) array

    Returns
    -------
    marginal_loglik : float64
    filtered_probs, predicted_probs, smoothed_probs : (T, K) array
    trans_probs : (T - 1, K, K) array
        Beliefs about pairs, the earlier state first.
    cond_probs : (T - 1, K, K) array
        p(now = i | next = j) at [j, i].
    """
    ll = _floats(log_likelihoods)
    count = len(ll) - 1
    mats = _steps(transition_mats, count, "transition_mats")
    marginal, filtered, predicted = hmm_filter_scan_rowstoch(initial_probs, mats, ll)
    highest = ll.max(axis=-1, keepdims=True)
    weights = np.exp(ll - highest)
    norms = np.maximum((predicted * weights).sum(axis=-1, keepdims=True), MINVAL)
    weights = weights / norms
    beta = np.ones_like(ll)
    for t in reversed(range(count)):
        beta[t] = mats[t] @ (weights[t + 1] * beta[t + 1])
    smoothed = _normalized(filtered * beta, (-1,))
    pairs = filtered[:-1, :, None] * mats * (weights[1:] * beta[1:])[:, None, :]
    pairs = _normalized(pairs, (1, 2))
    conditional = pairs.transpose(0, 2, 1) / np.maximum(smoothed[1:, :, None], MINVAL)
    return marginal, filtered, predicted, smoothed, pairs, conditional


def hmm_smoother_from_filtered_colstoch(
    filtered_probs: Any, B_mats: Any, return_trans_probs: bool = False
) -> tuple[FloatArray, ...]:
    """Smooth filtered beliefs.

    Parameters
    ----------
    filtered_probs : (T, K) array
    B_mats : (K, K) or (T - 1, K, K) array
        p(next = j | now = i) at [j, i].
    return_trans_probs : bool, default False

    Returns
    -------
    smoothed_probs : (T, K) array
    joint_next_curr, cond_probs : (T - 1, K, K) array
        Beliefs about pairs, and p(now = i | next = j), at [j, i].
    trans_probs : (T - 1, K, K) array
        With `return_trans_probs`: pairs at [i, j].

    Examples
    --------
    >>> filtered = np.array([[0.5, 0.5], [0.9, 0.1]])
    >>> hmm_smoother_from_filtered_colstoch(filtered, np.eye(2))[0].round(4)
    array([[0.9, 0.1],
           [0.9, 0.1]])
    """
    filtered = _floats(filtered_probs)
    mats = _steps(B_mats, len(filtered) - 1, "B_mats")
    pairs = mats * filtered[:-1, None, :]
    conditional = pairs / np.maximum(pairs.sum(axis=-1, keepdims=True), MINVAL)
    smoothed = np.array(filtered)
    for t in reversed(range(len(mats))):
        smoothed[t] = smoothed[t + 1] @ conditional[t]
    smoothed = _normalized(smoothed, (-1,)) if len(mats) else smoothed
    joint = conditional * smoothed[1:, :, None]
    if return_trans_probs:
        return smoothed, joint, conditional, joint.transpose(0, 2, 1)
    return smoothed, joint, conditional


def hmm_smoother_scan_colstoch(
    initial_probs: Any, B_mats: Any, log_likelihoods: Any, return_trans_probs: bool = False
) -> tuple[FloatArray, ...]:
    """Filter and smooth with transitions as B has them.

    Parameters
    ----------
    initial_probs : (K,) array
    B_mats : (K, K) or (T - 1, K, K) array
    log_likelihoods : (T, K) array
    return_trans_probs : bool, default False

    Returns
    -------
    marginal_loglik, filtered_probs, predicted_probs, smoothed_probs, cond_probs
        See `hmm_smoother_from_filtered_colstoch`; with `return_trans_probs` trans_probs before the
        last.
    """
    forward = hmm_filter_scan_colstoch(initial_probs, B_mats, log_likelihoods)
    smoothed, _, conditional, pairs = hmm_smoother_from_filtered_colstoch(forward[1], B_mats, True)
    between = (pairs,) if return_trans_probs else ()
    return (*forward, smoothed, *between, conditional)


def run_exact_single_factor_hmm_scan(
    obs: Sequence[Any],
    A: Sequence[Any],
    B: Sequence[Any],
    prior: Sequence[Any],
    actions: Any = None,
    distr_obs: bool = True,
) -> tuple[FloatArray, list[FloatArray], list[FloatArray], list[FloatArray]]:
    """Infer the states of a sequence exactly, for a model of one factor.

    Parameters
    ----------
    obs : list of (T, num_obs) array, or with ``distr_obs=False`` of (T,) array of int
    A : list of (num_obs, K) array
    B : list of one (K, K), (K, K, num_controls) or (T - 1, K, K) array
    prior : list of one (K,) array
    actions : (T - 1,) or (T - 1, 1) array of int, optional
        Needed where B has an axis of actions and T > 1.
    distr_obs : bool, default True

    Returns
    -------
    marginal_loglik : float64
    qs, ps : list of one (T, K) array
        Smoothed beliefs, and those before each observation.
    qss : list of one (T - 1, K, K) array
        p(now = i | next = j) at [j, i].

    Raises
    ------
    ValueError
        If there is more than one factor, or actions do not fit.
    """
    if len(prior) != 1 or len(B) != 1:
        raise ValueError("run_exact_single_factor_hmm_scan expects singleton lists for prior and B")
    sequence = [as_array(o) for o in obs]
    T, K = len(sequence[0]), len(as_array(prior[0]))
    mats = _mats_of(_floats(B[0]), actions, T, K)
    ll = np.array(
        [compute_log_likelihood([o[t] for o in sequence], A, distr_obs) for t in range(T)]
    )
    marginal, _, predicted, smoothed, conditional = hmm_smoother_scan_colstoch(prior[0], mats, ll)
    return marginal, [smoothed], [predicted], [conditional]


def _mats_of(B: FloatArray, actions: Any, T: int, K: int) -> FloatArray:
    if B.ndim not in (2, 3):
        raise ValueError("B[0] must be 2D or 3D")
    if B.ndim == 2:
        return B
    if actions is None:
        if B.shape == (max(T - 1, 0), K, K):
            return B
        if T <= 1:
            return B[:, :, 0]
        raise ValueError("actions must be provided when B has an action dimension and T > 1")
    taken = as_array(actions)
    if taken.ndim == 2 and taken.shape[-1] == 1:
        taken = taken[:, 0]
    if taken.ndim != 1:
        raise ValueError("single-factor scan expects actions with shape (T-1,) or (T-1, 1)")
    if len(taken) != max(T - 1, 0):
        raise ValueError(f"actions has length {len(taken)} but expected {max(T - 1, 0)} for T={T}")
    if taken.size and not (taken.min() >= 0 and taken.max() < B.shape[-1]):
        raise ValueError(f"actions must be in range({B.shape[-1]}), got {taken.tolist()}")
    return np.moveaxis(B[:, :, taken.astype(np.int64)], -1, 0)


def _normalized(x: FloatArray, axis: tuple[int, ...]) -> FloatArray:
    return np.asarray(x / np.maximum(x.sum(axis=axis, keepdims=True), MINVAL))
