"""The C primitives as Python functions, to test and to micro-benchmark them.

Inference does not pass here: kernels call the same functions through the pointer
``P`` of ``primitives.pxd``.
"""

import os

import numpy as np


cdef extern from "freeagent_primitives.h" nogil:
    const fc_primitives* fc_active
    int fc_select(const char* name)
    const char* fc_available(int i)


def simd_levels():
    """Return the SIMD levels that this processor runs, best first.

    Returns
    -------
    levels : list of str

    Examples
    --------
    >>> simd_levels()[-1] in ("plain", "neon")
    True
    """
    levels = []
    while fc_available(<int>len(levels)) != NULL:
        levels.append(fc_available(<int>len(levels)).decode())
    return levels


def simd_level():
    """Return the SIMD level in use: ``"avx512"``, ``"avx2"``, ``"plain"`` or ``"neon"``."""
    return P.name.decode()


def set_simd_level(level=None):
    """Select the SIMD level for the whole process.

    Parameters
    ----------
    level : str, optional
        One of `simd_levels`; the best by default.

    Raises
    ------
    ValueError
        If this processor does not run `level`.

    Examples
    --------
    >>> set_simd_level(simd_levels()[-1])
    >>> set_simd_level()
    """
    global P
    if level is not None and not isinstance(level, str):
        raise TypeError(f"level must be a str or None, got {type(level).__name__}")
    name = (level or "").encode()
    if fc_select(name) != 0:
        raise ValueError(f"SIMD level {level!r} does not run here; available: {simd_levels()}")
    P = fc_active


cdef const double[::1] _vector(x, str name):
    array = np.ascontiguousarray(x, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got shape {array.shape}")
    return array


cdef const double[::1] _filled(x, str name):
    array = _vector(x, name)
    if array.shape[0] == 0:
        raise ValueError(f"{name} must not be empty")
    return array


cdef object _map(void (*function)(const double*, Py_ssize_t, double*) noexcept nogil,
                 const double[::1] x):
    out = np.empty(x.shape[0])
    cdef double[::1] y = out
    if x.shape[0]:
        with nogil:
            function(&x[0], x.shape[0], &y[0])
    return out


def log(x):
    """Return the natural logarithm of a vector.

    Parameters
    ----------
    x : array_like of float64, shape (n,)

    Returns
    -------
    out : ndarray of float64, shape (n,)

    Examples
    --------
    >>> float(log([1.0])[0])
    0.0
    """
    return _map(P.log, _vector(x, "x"))


def exp(x):
    """Return the exponential of a vector; like `log` otherwise."""
    return _map(P.exp, _vector(x, "x"))


def log_eps(x):
    """Return ``log(x + 1e-16)`` of non-negative numbers (pymdp's ``spm_log_single``)."""
    return _map(P.log_eps, _vector(x, "x"))


def softmax(x):
    """Return the softmax of a vector of at least one entry.

    Examples
    --------
    >>> softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    return _map(P.softmax, _filled(x, "x"))


def neg_entropy(x):
    """Return ``sum(x * log(x + 1e-16))`` of a vector of probabilities."""
    cdef const double[::1] v = _filled(x, "x")
    return P.neg_entropy(&v[0], v.shape[0])


def sum(x):
    """Return the sum of a vector, to the bit as ``numpy.sum`` of contiguous float64."""
    cdef const double[::1] v = _filled(x, "x")
    return P.sum(&v[0], v.shape[0])


def dot(x, y):
    """Return the inner product of two vectors of the same length."""
    cdef const double[::1] v = _filled(x, "x")
    cdef const double[::1] w = _filled(y, "y")
    if v.shape[0] != w.shape[0]:
        raise ValueError(f"x and y must have the same length, got {v.shape[0]} and {w.shape[0]}")
    return P.dot(&v[0], &w[0], v.shape[0])


set_simd_level(os.environ.get("FREEAGENT_CORE_SIMD"))
