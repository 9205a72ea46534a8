"""Digamma and the logarithm of the gamma function, of arrays."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Bernoulli numbers B_2k / 2k of the asymptotic series of digamma (Abramowitz and Stegun, 6.3.18)
_SERIES = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
_LARGE = 10.0  # from here on the series is exact to double precision

_lgamma = np.vectorize(math.lgamma, otypes=[float])


def digamma(x: FloatArray) -> FloatArray:
    """Return the derivative of the logarithm of the gamma function, for x above 0.

    Examples
    --------
    >>> digamma(np.array([1.0, 2.5])).round(6)
    array([-0.577216,  0.703157])
    """
    shifted = np.array(x, dtype=np.float64)
    out = np.zeros_like(shifted)
    while np.any(small := shifted < _LARGE):
        # digamma(x) = digamma(x + 1) - 1 / x
        out[small] -= 1.0 / shifted[small]
        shifted[small] += 1.0
    inverse = 1.0 / (shifted * shifted)
    series = np.zeros_like(shifted)
    for coefficient in reversed(_SERIES):
        series = (series + coefficient) * inverse
    return np.asarray(out + np.log(shifted) - 0.5 / shifted - series)


def gammaln(x: FloatArray) -> FloatArray:
    """Return the logarithm of the gamma function, for x above 0.

    Examples
    --------
    >>> gammaln(np.array([1.0, 5.0])).round(6)
    array([0.      , 3.178054])
    """
    return np.asarray(_lgamma(x))
