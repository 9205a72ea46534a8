"""Sums, products and information measures: the functions of ``pymdp.legacy.maths``.

Same names, arguments and results. They are for code that is written with functions;
inference itself runs in the kernels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core.utils import EPS_VAL, is_obj_array, obj_array_from_list, to_obj_array

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]

MASK = np.exp(-16)  # joint states at or below this probability do not count in spm_MDP_G

_log_gamma = np.vectorize(math.lgamma, otypes=[float])


# --- products --------------------------------------------------------------------------------


def _at_least_1d(Y: Any) -> FloatArray:
    """Return a result of one entry as a vector of float64, as pymdp does."""
    return np.array([Y.item()], dtype=np.float64) if np.size(Y) <= 1 else Y


def _vectors(X: FloatArray, x: Any, plain_axis: int = 1) -> tuple[list[FloatArray], list[int]]:
    """Return the vectors of `x` and the axes of `X` that they belong to."""
    if is_obj_array(x):
        return list(x), list(range(X.ndim - len(x), X.ndim))
    return [x.squeeze()], [plain_axis]


def spm_dot(X: FloatArray, x: Any, dims_to_omit: list[int] | None = None) -> FloatArray:
    """Sum an array over its last axes, weighted by a vector each.

    Parameters
    ----------
    X : ndarray
    x : ndarray, or object array of ndarray
        A vector for the second axis, or one for each of the last axes.
    dims_to_omit : list of int, optional
        Axes that stay; by default the first.

    Returns
    -------
    Y : ndarray
        Of at least one axis.

    Examples
    --------
    >>> spm_dot(np.eye(2), np.array([0.25, 0.75]))
    array([0.25, 0.75])
    """
    vectors, axes = _vectors(X, x)
    omitted = dims_to_omit or []
    operands: list[Any] = [X, list(range(X.ndim))]
    for i, (vector, axis) in enumerate(zip(vectors, axes, strict=True)):
        if i not in omitted:
            operands += [vector, [axis]]
    return _at_least_1d(np.einsum(*operands, [0] if dims_to_omit is None else dims_to_omit))


def spm_dot_classic(X: FloatArray, x: Any, dims_to_omit: list[int] | None = None) -> FloatArray:
    """Like `spm_dot`; axes of one entry are dropped, and all that are not omitted summed."""
    return _multiply_and_sum(X, *_vectors(X, x), dims_to_omit)


def spm_dot_old(
    X: FloatArray, x: Any, dims_to_omit: list[int] | None = None, obs_mode: bool = False
) -> FloatArray:
    """Like `spm_dot_classic`; with `obs_mode`, a plain `x` belongs to the first axis."""
    return _multiply_and_sum(X, *_vectors(X, x, 0 if obs_mode else 1), dims_to_omit)


def _multiply_and_sum(
    X: FloatArray, vectors: list[FloatArray], axes: list[int], omitted: list[int] | None
) -> FloatArray:
    if omitted is not None and not isinstance(omitted, list):
        raise ValueError("dims_to_omit must be a list of int")
    kept = [i for i in range(len(vectors)) if i not in (omitted or [])]
    for i in kept:
        shape = [1] * X.ndim
        shape[axes[i]] = len(vectors[i])
        X = X * vectors[i].reshape(shape)
    return _at_least_1d(np.sum(X, axis=tuple(axes[i] for i in kept)).squeeze())


def factor_dot_flex(
    M: FloatArray,
    xs: Sequence[FloatArray],
    dims: Sequence[tuple[int, ...]],
    keep_dims: tuple[int, ...] | None = None,
) -> FloatArray:
    """Multiply an array by others along given axes, and sum over all axes but `keep_dims`."""
    operands: list[Any] = [M, list(range(M.ndim))]
    for x, axes in zip(xs, dims, strict=True):
        operands += [x, list(axes)]
    out: FloatArray = np.einsum(*operands, list(keep_dims or ()))
    return out


def spm_cross(x: Any, y: Any = None, *args: Any) -> FloatArray:
    """Return the outer product of arrays; an object array stands for its entries.

    Examples
    --------
    >>> spm_cross(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    array([[1., 3.],
           [2., 6.]])
    """
    factors = [spm_cross(*f) if is_obj_array(f) else f for f in (x, y, *args) if f is not None]
    if not all(np.issubdtype(factor.dtype, np.number) for factor in factors):
        raise ValueError("spm_cross needs arrays of numbers")
    return functools.reduce(np.multiply.outer, factors)


# --- likelihoods -----------------------------------------------------------------------------


def dot_likelihood(A: FloatArray, obs: FloatArray) -> FloatArray:
    """Return the likelihood of states, given a distribution over outcomes."""
    return _at_least_1d(np.squeeze((A * obs.reshape(-1, *[1] * (A.ndim - 1))).sum(axis=0)))


def get_joint_likelihood(A: Any, obs: Any, num_states: Any) -> FloatArray:
    """Return the product of all modalities' likelihoods, over the joint states."""
    shape = (num_states,) if isinstance(num_states, int) else tuple(num_states)
    joint = np.ones(shape)
    for A_m, obs_m in zip(to_obj_array(A), to_obj_array(obs), strict=True):
        joint = joint * dot_likelihood(A_m, obs_m).reshape(shape)
    return joint


def get_joint_likelihood_seq(A: Any, obs: Any, num_states: Any) -> ObjectArray:
    """Return `get_joint_likelihood` of each observation."""
    return obj_array_from_list([get_joint_likelihood(A, o, num_states) for o in obs])


def get_joint_likelihood_seq_by_modality(A: Any, obs: Any, num_states: Any) -> ObjectArray:
    """Return, for each observation, the likelihood of each modality."""
    return obj_array_from_list(
        [
            obj_array_from_list(
                [dot_likelihood(A_m, o) for A_m, o in zip(A, to_obj_array(obs_t), strict=True)]
            )
            for obs_t in obs
        ]
    )


# --- logarithms and norms --------------------------------------------------------------------


def spm_norm(A: FloatArray) -> FloatArray:
    """Return ``A + 1e-16``, divided by its sums over the first axis."""
    raised = A + EPS_VAL
    normed: FloatArray = raised / raised.sum(axis=0)
    return normed


def spm_log_single(arr: FloatArray) -> FloatArray:
    """Return ``log(arr + 1e-16)``."""
    return np.log(arr + EPS_VAL)


def spm_log_obj_array(obj_arr: ObjectArray) -> ObjectArray:
    """Return `spm_log_single` of each array."""
    return obj_array_from_list([spm_log_single(arr) for arr in obj_arr])


def spm_wnorm(A: FloatArray) -> FloatArray:
    """Return ``1 / sum(A) - 1 / A`` over axis 0: weights of the parameter information gain."""
    raised = A + EPS_VAL
    weights: FloatArray = 1.0 / raised.sum(axis=0) - 1.0 / raised
    return weights


def softmax(dist: FloatArray) -> FloatArray:
    """Return the softmax over the first axis."""
    e = np.exp(dist - dist.max(axis=0))
    out: FloatArray = e / e.sum(axis=0)
    return out


def softmax_obj_arr(arr: ObjectArray) -> ObjectArray:
    """Return `softmax` of each array."""
    return obj_array_from_list([softmax(a) for a in arr])


# --- free energy and information -------------------------------------------------------------


def compute_accuracy(log_likelihood: FloatArray, qs: ObjectArray) -> FloatArray:
    """Return the expected log likelihood under independent beliefs over the last axes."""
    operands: list[Any] = [log_likelihood, list(range(log_likelihood.ndim))]
    for f, belief in enumerate(qs):
        operands += [belief, [log_likelihood.ndim - len(qs) + f]]
    accuracy: FloatArray = np.einsum(*operands)
    return accuracy


def calc_free_energy(
    qs: ObjectArray, prior: ObjectArray, n_factors: int, likelihood: FloatArray | None = None
) -> FloatArray:
    """Return the variational free energy of beliefs, shape (1,), in nats.

    Parameters
    ----------
    qs, prior : object array of ndarray, shape (num_states,)
        Beliefs and log prior of each factor.
    n_factors : int
    likelihood : ndarray, shape (*num_states), optional
        Log likelihood over the joint states.
    """
    vfe = np.zeros(1)
    for f in range(n_factors):
        neg_entropy = qs[f].dot(np.log(qs[f][:, np.newaxis] + EPS_VAL))
        vfe += neg_entropy - qs[f].dot(prior[f][:, np.newaxis])
    return vfe if likelihood is None else vfe - compute_accuracy(likelihood, qs)


def _masked(A: Any, x: Any) -> tuple[FloatArray, FloatArray]:
    """Return the joint states that count, and the joint outcomes that each gives: a row each."""
    qx = spm_cross(x).ravel()
    counts = qx > MASK
    outcomes = np.ones((int(counts.sum()), 1))
    for A_m in A if is_obj_array(A) else [A]:
        rows = A_m.reshape(len(A_m), -1)[:, counts].T
        outcomes = (outcomes[:, :, np.newaxis] * rows[:, np.newaxis, :]).reshape(len(rows), -1)
    return qx[counts], outcomes


def spm_calc_qo_entropy(A: Any, x: Any) -> Any:
    """Return the entropy of the expected outcomes, in nats (first part of `spm_MDP_G`)."""
    q, outcomes = _masked(A, x)
    qo = q @ outcomes
    return -(qo @ spm_log_single(qo))


def spm_calc_neg_ambig(A: Any, x: Any) -> Any:
    """Return minus the expected entropy of outcomes given states, in nats."""
    q, outcomes = _masked(A, x)
    return q @ (outcomes * np.log(outcomes + MASK)).sum(axis=1)


def spm_MDP_G(A: Any, x: Any) -> Any:
    """Return the information that outcomes are expected to give about states, in nats.

    Parameters
    ----------
    A : ndarray, or object array of ndarray, shape (num_obs, *num_states)
        One modality, or several of which the joint outcomes are taken.
    x : ndarray, or object array of ndarray, shape (num_states,)
        Beliefs of one factor, or of several.
    """
    return spm_calc_neg_ambig(A, x) + spm_calc_qo_entropy(A, x)


def kl_div(P: Any, Q: Any) -> Any:
    """Return the Kullback-Leibler divergence, summed over the distributions of two lists."""
    return sum(np.dot(p, np.log(p + EPS_VAL) - np.log(q + EPS_VAL)) for p, q in zip(P, Q))  # noqa: B905


def entropy(A: Any) -> ObjectArray:
    """Return, per modality, the entropy of outcomes given each joint state, in nats."""
    return obj_array_from_list([-(a * np.log(a + EPS_VAL)).sum(axis=0) for a in A])


def spm_betaln(z: FloatArray) -> Any:
    """Return the logarithm of the multivariate beta function, over the first axis."""
    return _log_gamma(z).sum(axis=0) - _log_gamma(z.sum(axis=0))


def dirichlet_log_evidence(
    q_dir: FloatArray, p_dir: FloatArray, r_dir: FloatArray
) -> tuple[Any, FloatArray]:
    """Return the evidence of a reduced Dirichlet model: Bayesian model reduction.

    Parameters
    ----------
    q_dir, p_dir, r_dir : ndarray
        Parameters of the posterior, the prior, and the reduced prior.

    Returns
    -------
    F : float or ndarray
        Log evidence of the reduced model relative to the full one, in nats.
    s_dir : ndarray
        Parameters of the reduced posterior.
    """
    s_dir = q_dir + r_dir - p_dir
    return spm_betaln(q_dir) + spm_betaln(r_dir) - spm_betaln(p_dir) - spm_betaln(s_dir), s_dir
