"""Logarithms, contractions, likelihoods and Dirichlet distributions, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeagent_core._kernels.base.special_functions import digamma, expected_log_ratio, log_gamma
from freeagent_core.pymdp_v1._arrays import FloatArray, as_array
from freeagent_core.pymdp_v1.utils import resolve_a_dependencies

MINVAL = np.finfo(np.float64).eps


def _floats(x: Any) -> FloatArray:
    return np.asarray(as_array(x), dtype=np.float64)


def softmax(x: FloatArray) -> FloatArray:
    """Return exp(x) / sum of exp(x), along the last axis."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


# --- logarithms ----------------------------------------------------------------------------------


def log_stable(x: Any) -> FloatArray:
    """Return the logarithm of numbers clipped from below at 2.2e-16.

    Parameters
    ----------
    x : array

    Returns
    -------
    array of float64

    Examples
    --------
    >>> log_stable(np.array([1.0, 0.0])).round(4)
    array([  0.    , -36.0437])
    """
    return np.asarray(np.log(np.maximum(_floats(x), MINVAL)))


def _xlogy(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return x log(y) of y clipped from below, and 0 where x is 0."""
    return np.asarray(x * np.log(np.maximum(y, MINVAL)) + 0.0)


def stable_xlogx(x: Any) -> FloatArray:
    """Return x log(x) of each number, 0 of 0.

    Parameters
    ----------
    x : array

    Returns
    -------
    array of float64

    Examples
    --------
    >>> stable_xlogx(np.array([0.0, 0.5])).round(4)
    array([ 0.    , -0.3466])
    """
    numbers = _floats(x)
    return _xlogy(numbers, numbers)


def stable_entropy(x: Any) -> np.float64:
    """Return the entropy of a distribution, the sum of -x log(x).

    Parameters
    ----------
    x : array

    Returns
    -------
    float64

    Examples
    --------
    >>> round(float(stable_entropy(np.array([0.5, 0.5]))), 4)
    0.6931
    """
    return np.float64(-np.sum(stable_xlogx(x)))


def stable_cross_entropy(x: Any, y: Any) -> np.float64:
    """Return the cross entropy of two distributions, the sum of -x log(y).

    Parameters
    ----------
    x, y : array

    Returns
    -------
    float64

    Examples
    --------
    >>> round(float(stable_cross_entropy(np.array([1.0, 0.0]), np.array([0.5, 0.5]))), 4)
    0.6931
    """
    return np.float64(-np.sum(_xlogy(_floats(x), _floats(y))))


# --- contractions --------------------------------------------------------------------------------


def factor_dot(M: Any, xs: Sequence[Any], keep_dims: Sequence[int] | None = None) -> FloatArray:
    """Sum an array over its axes, weighted by a vector for each, but for the axes that stay.

    Parameters
    ----------
    M : array
    xs : list of array
        A vector for each axis that is not in `keep_dims`, in their order.
    keep_dims : tuple of int, optional

    Returns
    -------
    array
        With the axes `keep_dims` of `M`.

    Raises
    ------
    ValueError
        If `M` does not have an axis for each of `xs` and `keep_dims`.

    Examples
    --------
    >>> factor_dot(np.eye(2), [np.array([0.25, 0.75])], keep_dims=(0,))
    array([0.25, 0.75])
    """
    kept = () if keep_dims is None else tuple(keep_dims)
    array = _floats(M)
    if array.ndim != len(xs) + len(kept):
        raise ValueError(
            f"M has {array.ndim} axes, but xs and keep_dims are for {len(xs) + len(kept)}"
        )
    summed = [axis for axis in range(array.ndim) if axis not in kept]
    return factor_dot_flex(array, xs, [(axis,) for axis in summed], kept)


def factor_dot_flex(
    M: Any,
    xs: Sequence[Any],
    dims: Sequence[Sequence[int]],
    keep_dims: Sequence[int] | None = None,
) -> FloatArray:
    """Multiply an array by others along given axes, and sum over the axes that do not stay.

    Parameters
    ----------
    M : array
    xs : list of array
    dims : list of tuple of int
        For each of `xs`, the axes of `M` that its axes belong to.
    keep_dims : tuple of int, optional
        The axes of `M` that stay; by default those that are in none of `dims`.

    Returns
    -------
    array

    Examples
    --------
    >>> factor_dot_flex(np.ones((2, 3)), [np.array([0.5, 0.5])], [(0,)], keep_dims=(1,))
    array([1., 1., 1.])
    """
    array = _floats(M)
    if keep_dims is None:
        keep_dims = [axis for axis in range(array.ndim) if not any(axis in d for d in dims)]
    operands: list[Any] = [array, list(range(array.ndim))]
    for x, axes in zip(xs, dims, strict=True):
        operands += [_floats(x), list(axes)]
    return np.asarray(np.einsum(*operands, list(keep_dims), optimize=len(xs) > 1))


def spm_dot_sparse(
    X: Any,
    x: Sequence[Any],
    dims: Sequence[Sequence[int]] | None,
    keep_dims: Sequence[int] | None,
) -> FloatArray:
    """Sum an array, which may be sparse, over axes weighted by a vector for each.

    Parameters
    ----------
    X : array
    x : list of array
    dims : list of tuple of int, optional
        The axis of each vector; by default the last ones.
    keep_dims : tuple of int, optional
        Axes to leave out of `dims`.

    Returns
    -------
    array
        Of the axes that are not summed over.

    Examples
    --------
    >>> spm_dot_sparse(np.eye(2), [np.array([0.25, 0.75])], None, None)
    array([0.25, 0.75])
    """
    array = _floats(X)
    axes = list(range(array.ndim - len(x), array.ndim)) if dims is None else np.ravel(dims).tolist()
    axes = [axis for axis in axes if axis not in (keep_dims or ())]
    return factor_dot_flex(array, x, [(axis,) for axis in axes])


def multidimensional_outer(arrs: Sequence[Any]) -> FloatArray:
    """Return the outer product of vectors.

    Parameters
    ----------
    arrs : list of array

    Returns
    -------
    array
        With an axis for each vector.

    Examples
    --------
    >>> multidimensional_outer([np.array([1.0, 2.0]), np.array([1.0, 3.0])])
    array([[1., 3.],
           [2., 6.]])
    """
    product = _floats(arrs[0])
    for vector in arrs[1:]:
        product = product[..., None] * _floats(vector)
    return product


# --- likelihoods ---------------------------------------------------------------------------------


def compute_log_likelihood_single_modality(
    o_m: Any, A_m: Any, distr_obs: bool = True
) -> FloatArray:
    """Return the log likelihood of the states by one modality's observation.

    Parameters
    ----------
    o_m : array, or int
        A distribution over outcomes o; with ``distr_obs=False`` the index of one.
    A_m : array
        P(o | s), outcomes first.
    distr_obs : bool, default True

    Returns
    -------
    array
        Sum of o log P(o | s), of the shape of the states.

    Examples
    --------
    >>> A_m = np.array([[0.5, 1.0], [0.5, 0.0]])
    >>> compute_log_likelihood_single_modality(0, A_m, distr_obs=False).round(4)
    array([-0.6931,  0.    ])
    """
    likelihood = _floats(A_m)
    if distr_obs:
        outcome = _floats(o_m)
        if outcome.shape != likelihood.shape[:1]:
            raise ValueError(
                f"o_m must have the shape {likelihood.shape[:1]} of the outcomes of A_m, "
                f"got {outcome.shape}"
            )
        return np.asarray(np.tensordot(outcome, log_stable(likelihood), axes=1))
    index = as_array(o_m)
    if not np.issubdtype(index.dtype, np.integer):
        index = index.astype(np.int64)
    if index.size and not (index.min() >= 0 and index.max() < len(likelihood)):
        raise ValueError(f"o_m must be in range({len(likelihood)}), got {o_m}")
    return log_stable(likelihood[index])


def compute_log_likelihood_per_modality(
    obs: Sequence[Any], A: Sequence[Any], distr_obs: bool = True
) -> list[FloatArray]:
    """Return the log likelihood of the states by each modality's observation.

    Parameters
    ----------
    obs : list of array, or of int
    A : list of array
    distr_obs : bool, default True
        Observations are distributions, not indices.

    Returns
    -------
    list of array

    Examples
    --------
    >>> obs, A = [np.array([1.0, 0.0])], [np.full((2, 2), 0.5)]
    >>> [ll.round(4) for ll in compute_log_likelihood_per_modality(obs, A)]
    [array([-0.6931, -0.6931])]
    """
    return [
        compute_log_likelihood_single_modality(o_m, A_m, distr_obs)
        for o_m, A_m in zip(obs, A, strict=True)
    ]


def compute_log_likelihood(
    obs: Sequence[Any], A: Sequence[Any], distr_obs: bool = True
) -> FloatArray:
    """Return the log likelihood of the states by all observations together.

    Parameters
    ----------
    obs : list of array, or of int
    A : list of array
        All over the same states.
    distr_obs : bool, default True
        Observations are distributions, not indices.

    Returns
    -------
    array

    Examples
    --------
    >>> compute_log_likelihood([0, 1], [np.full((2, 2), 0.5)] * 2, distr_obs=False).round(4)
    array([-1.3863, -1.3863])
    """
    return np.asarray(sum(compute_log_likelihood_per_modality(obs, A, distr_obs)))


def compute_accuracy(
    qs: Sequence[Any],
    obs: Sequence[Any],
    A: Sequence[Any],
    A_dependencies: Sequence[Sequence[int]] | None = None,
    distr_obs: bool = True,
) -> np.float64:
    """Return the accuracy of beliefs: the log likelihood that they expect.

    Parameters
    ----------
    qs : list of array
        A belief for each factor.
    obs : list of array, or of int
    A : list of array
    A_dependencies : list of list of int, optional
        The factors of each modality; by default all.
    distr_obs : bool, default True
        Observations are distributions, not indices.

    Returns
    -------
    float64

    Examples
    --------
    >>> qs, A = [np.array([1.0, 0.0])], [np.full((2, 2), 0.5)]
    >>> round(float(compute_accuracy(qs, [0], A, distr_obs=False)), 4)
    -0.6931
    """
    dependencies = resolve_a_dependencies(len(qs), len(A), A_dependencies)
    log_likelihoods = compute_log_likelihood_per_modality(obs, A, distr_obs)
    return np.float64(
        sum(
            factor_dot(ll_m, [qs[f] for f in factors])
            for ll_m, factors in zip(log_likelihoods, dependencies, strict=True)
        )
    )


# --- Dirichlet distributions ---------------------------------------------------------------------


def dirichlet_expected_value(dir_arr: Any, event_dim: int = 0) -> FloatArray:
    """Return the mean of Dirichlet distributions.

    Parameters
    ----------
    dir_arr : array
        Concentration parameters, clipped from below at 2.2e-16.
    event_dim : int, default 0
        The axis of a distribution's outcomes.

    Returns
    -------
    array

    Examples
    --------
    >>> dirichlet_expected_value(np.array([1.0, 3.0]))
    array([0.25, 0.75])
    """
    counts = np.maximum(_floats(dir_arr), MINVAL)
    return np.asarray(counts / counts.sum(axis=event_dim, keepdims=True))


def dirichlet_kl_divergence(q_dir: Any, p_dir: Any, event_dim: int = 0) -> np.float64:
    """Return the Kullback-Leibler divergence of Dirichlet distributions, summed over all of them.

    Parameters
    ----------
    q_dir, p_dir : array
        Concentration parameters of the two, clipped from below at 2.2e-16.
    event_dim : int, default 0
        The axis of a distribution's outcomes.

    Returns
    -------
    float64

    Examples
    --------
    >>> round(float(dirichlet_kl_divergence(np.array([2.0, 1.0]), np.array([1.0, 1.0]))), 4)
    0.1931
    """
    q, p = (np.maximum(_floats(x), MINVAL) for x in (q_dir, p_dir))
    q_sum, p_sum = q.sum(axis=event_dim), p.sum(axis=event_dim)
    excess = digamma(q) - np.expand_dims(digamma(q_sum), event_dim)
    divergence = (
        log_gamma(q_sum)
        - log_gamma(p_sum)
        - log_gamma(q).sum(axis=event_dim)
        + log_gamma(p).sum(axis=event_dim)
        + ((q - p) * excess).sum(axis=event_dim)
    )
    return np.float64(np.sum(divergence))


def spm_wnorm(A: Any, exact_param_info_gain: bool = True) -> FloatArray:
    """Return the weights of the information gain about parameters, negative.

    Parameters
    ----------
    A : array
        Dirichlet concentration parameters, outcomes first.
    exact_param_info_gain : bool, default True
        The exact expectation (L. Da Costa et al., "Active inference on discrete state-spaces",
        2020, eq. D.15), written with digamma(x + 1) so that 1 / x cancels. False: the older
        ``1 / sum(A) - 1 / A``.

    Returns
    -------
    array of the shape of `A`

    Examples
    --------
    >>> spm_wnorm(np.array([1.0, 3.0])).round(4)
    array([-0.303 , -0.0377])
    """
    counts = _floats(A)
    if not exact_param_info_gain:
        return np.asarray(1.0 / counts.sum(axis=0) - 1.0 / (counts + MINVAL))
    counts = np.maximum(counts, MINVAL)
    total = np.maximum(counts.sum(axis=0), MINVAL)
    return np.asarray(expected_log_ratio(total) - expected_log_ratio(counts))
