"""Functions of Dirichlet counts, element by element."""

from libc.math cimport lgamma, log

import numpy as np


# digamma(x) for x > 0, to 2e-15 relative to max(1, |digamma(x)|): the recurrence
# digamma(x) = digamma(x + 1) - 1/x up to x >= 10, then the asymptotic series (Abramowitz and
# Stegun 6.3.5, 6.3.18). Cost: at most 10 divisions.
cdef double _digamma(double x) noexcept nogil:
    cdef double below = 0.0, y
    while x < 10.0:
        below += 1.0 / x
        x += 1.0
    y = 1.0 / (x * x)
    return log(x) - 0.5 / x - y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (
        1.0 / 240 - y * (1.0 / 132 - y * (691.0 / 32760 - y / 12)))))) - below


# digamma(x + 1) - log(x): what `pymdp.maths.spm_wnorm` is made of.
cdef double log_ratio(double x) noexcept nogil:
    return _digamma(x + 1.0) - log(x)


def digamma(x):
    """Derivative of the logarithm of the gamma function.

    Parameters
    ----------
    x : array of positive float64

    Returns
    -------
    array of the same shape
    """
    cdef const double[::1] values = np.ascontiguousarray(x, dtype=np.float64).reshape(-1)
    out = np.empty(np.shape(x))
    cdef double[::1] results = out.reshape(-1)
    cdef Py_ssize_t i
    with nogil:
        for i in range(values.shape[0]):
            results[i] = _digamma(values[i])
    return out


def expected_log_ratio(x):
    """digamma(x + 1) - log(x) of an array of positive float64."""
    cdef const double[::1] values = np.ascontiguousarray(x, dtype=np.float64).reshape(-1)
    out = np.empty(np.shape(x))
    cdef double[::1] results = out.reshape(-1)
    cdef Py_ssize_t i
    with nogil:
        for i in range(values.shape[0]):
            results[i] = log_ratio(values[i])
    return out


def log_gamma(x):
    """Logarithm of the gamma function of an array of positive float64."""
    cdef const double[::1] values = np.ascontiguousarray(x, dtype=np.float64).reshape(-1)
    out = np.empty(np.shape(x))
    cdef double[::1] results = out.reshape(-1)
    cdef Py_ssize_t i
    with nogil:
        for i in range(values.shape[0]):
            results[i] = lgamma(values[i])
    return out
