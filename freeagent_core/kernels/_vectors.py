"""The vector primitives: elementwise functions and sums of the SIMD level in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.base import primitives
from freeagent_core._model.validation import check_non_negative
from freeagent_core.kernels import _inputs as read

FloatArray = npt.NDArray[np.float64]


def _elementwise(
    function: Callable[[FloatArray, FloatArray, int], FloatArray],
    x: FloatArray,
    out: Any,
    repeats: int,
) -> FloatArray:
    repeats = read.count(repeats)
    target = read.result(out, x.shape)
    x = read.same_or_apart(x, target)
    if repeats > 1 and np.may_share_memory(x, target):  # the same each time
        x = x.copy()
    function(x.reshape(-1), target.reshape(-1), repeats)
    return target


def log(x: npt.ArrayLike, out: FloatArray | None = None, *, repeats: int = 1) -> FloatArray:
    r"""Return the natural logarithm, element by element: `out = ln x`.

    Parameters
    ----------
    x : array_like of real numbers, any shape
    out : ndarray of float64 in C order, of the shape of `x`, optional
        May be `x`.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    out : ndarray of float64, of the shape of `x`
        -inf for 0, NaN for negative numbers, as in NumPy but without a warning.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, for what is not real or an `out` that does not fit.

    Notes
    -----
    Below one unit in the last place from the exact result. A polynomial of the mantissa, in
    vectors of eight. Source: FDLIBM, `e_log.c`. Cost: about 30 operations a number.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.log([1.0, 2.0]).round(3).tolist()
    [0.0, 0.693]
    """
    return _elementwise(primitives.log, read.real(x, "x"), out, repeats)


def exp(x: npt.ArrayLike, out: FloatArray | None = None, *, repeats: int = 1) -> FloatArray:
    """Return the exponential, element by element: `out = exp x`; arguments as of `log`.

    Notes
    -----
    Infinite above 709.8, and 0 below -745.2. Below one unit in the last place from the exact
    result. Source: FDLIBM, `e_exp.c`. Cost: about 30 operations a number.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.exp([[0.0], [1.0]]).round(3).tolist()
    [[1.0], [2.718]]
    """
    return _elementwise(primitives.exp, read.real(x, "x"), out, repeats)


def log_eps(x: npt.ArrayLike, out: FloatArray | None = None, *, repeats: int = 1) -> FloatArray:
    """Return `ln(x + 1e-16)`, element by element: the logarithm of probabilities that may be 0.

    Parameters
    ----------
    x : array_like of finite numbers that are not negative, any shape
    out, repeats
        See `log`.

    Returns
    -------
    out : ndarray of float64, of the shape of `x`

    Raises
    ------
    ValueError
        Also where `x` is negative, infinite or NaN.

    Notes
    -----
    Source: `pymdp.legacy.maths.spm_log_single`. Cost: that of `log`.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.log_eps([0.0, 1.0]).round(2).tolist()
    [-36.84, 0.0]
    """
    values = read.real(x, "x")
    check_non_negative(values, "x")
    return _elementwise(primitives.log_eps, values, out, repeats)


def softmax(x: npt.ArrayLike, out: FloatArray | None = None, *, repeats: int = 1) -> FloatArray:
    """Return `exp(x - max x) / sum(exp(x - max x))` of a vector.

    Parameters
    ----------
    x : array_like of finite numbers, shape (n,)
        At least one.
    out, repeats
        See `log`.

    Returns
    -------
    out : ndarray of float64, shape (n,)

    Raises
    ------
    ValueError
        Also for an empty `x`, or an entry that is infinite or NaN.

    Notes
    -----
    Source: `pymdp.legacy.maths.softmax`. Cost: an exponential (30 operations) and 4 more per entry.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    return _elementwise(primitives.softmax, read.finite(x, "x"), out, repeats)


def entropy(p: npt.ArrayLike, *, repeats: int = 1) -> float:
    """Return the entropy of a distribution, `-sum_i p_i ln(p_i + 1e-16)`, in nats.

    Parameters
    ----------
    p : array_like of finite numbers that are not negative, shape (n,)
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    H : float

    Raises
    ------
    ValueError
        For an empty vector, or an entry that is negative, infinite or NaN.

    Notes
    -----
    Source: the entropy terms of `pymdp.legacy.maths.calc_free_energy` and `spm_MDP_G`.
    Cost: a logarithm (30 operations) and a multiply-add per entry.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> round(kernels.entropy([0.5, 0.5]), 4)
    0.6931
    """
    values = read.real(p, "p", 1)
    return -primitives.neg_entropy(read.weights(values, "p"), read.count(repeats))


def sum(x: npt.ArrayLike, *, repeats: int = 1) -> float:
    """Return the sum of a vector, to the bit as `numpy.sum` of contiguous float64.

    Parameters
    ----------
    x : array_like of real numbers, shape (n,)
        At least one.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    total : float

    Notes
    -----
    Pairwise over eight lanes, in NumPy's order. Cost: an addition per entry.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.sum([1.0, 2.0, 3.0])
    6.0
    """
    return primitives.sum(read.vector(x, "x"), read.count(repeats))
