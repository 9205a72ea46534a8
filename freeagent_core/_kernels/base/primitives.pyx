"""The C primitives as Python functions, to test and to micro-benchmark them.

Inference does not pass here: kernels call the same functions through the pointer
``P`` of ``primitives.pxd``.
"""

import os

from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc

from freeagent_core._kernels.base.repeats cimport check_all_ran, stops

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


# Functions below run the primitive `repeats` times, which all give the same: to time one that takes
# less than a call from Python does.
cdef object _map(void (*function)(const double*, Py_ssize_t, double*) noexcept nogil,
                 const double[::1] x, out, Py_ssize_t repeats):
    if out is None:
        out = np.empty(x.shape[0])
    cdef double[::1] y = out
    cdef Py_ssize_t i, n = x.shape[0]
    if y.shape[0] != n:
        raise ValueError(f"out must have {n} entries, got {y.shape[0]}")
    if n:
        with nogil:
            for i in range(repeats):
                function(&x[0], n, &y[0])
                if stops(i, repeats):
                    break
        check_all_ran(i, repeats)
    return out


def log(x, out=None, Py_ssize_t repeats=1):
    """Return the natural logarithm of a vector.

    Parameters
    ----------
    x : array_like of float64, shape (n,)
    out : ndarray of float64, shape (n,), optional
    repeats : int

    Returns
    -------
    out : ndarray of float64, shape (n,)

    Examples
    --------
    >>> float(log([1.0])[0])
    0.0
    """
    return _map(P.log, _vector(x, "x"), out, repeats)


def exp(x, out=None, Py_ssize_t repeats=1):
    """Return the exponential of a vector; like `log` otherwise."""
    return _map(P.exp, _vector(x, "x"), out, repeats)


def log_eps(x, out=None, Py_ssize_t repeats=1):
    """Return ``log(x + 1e-16)`` of non-negative numbers (pymdp's ``spm_log_single``)."""
    return _map(P.log_eps, _vector(x, "x"), out, repeats)


def softmax(x, out=None, Py_ssize_t repeats=1):
    """Return the softmax of a vector of at least one entry.

    Examples
    --------
    >>> softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    return _map(P.softmax, _filled(x, "x"), out, repeats)


cdef double _reduce(double (*function)(const double*, Py_ssize_t) noexcept nogil,
                    const double[::1] x, Py_ssize_t repeats):
    cdef Py_ssize_t i
    cdef double value = 0.0
    with nogil:
        for i in range(repeats):
            value = function(&x[0], x.shape[0])
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)
    return value


def neg_entropy(x, Py_ssize_t repeats=1):
    """Return ``sum(x * log(x + 1e-16))`` of a vector of probabilities."""
    return _reduce(P.neg_entropy, _filled(x, "x"), repeats)


def sum(x, Py_ssize_t repeats=1):
    """Return the sum of a vector, to the bit as ``numpy.sum`` of contiguous float64."""
    return _reduce(P.sum, _filled(x, "x"), repeats)


def dot(x, y, Py_ssize_t repeats=1):
    """Return the inner product of two vectors of the same length."""
    cdef const double[::1] v = _filled(x, "x")
    cdef const double[::1] w = _filled(y, "y")
    cdef Py_ssize_t i
    cdef double value = 0.0
    if v.shape[0] != w.shape[0]:
        raise ValueError(f"x and y must have the same length, got {v.shape[0]} and {w.shape[0]}")
    with nogil:
        for i in range(repeats):
            value = P.dot(&v[0], &w[0], v.shape[0])
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)
    return value


def outer(const double[::1] x, const double[::1] y, double[:, ::1] out, Py_ssize_t repeats=1):
    """Write ``outer(x, y)`` to `out`."""
    cdef Py_ssize_t i
    if x.shape[0] == 0 or y.shape[0] == 0 or (
            out.shape[0] != x.shape[0] or out.shape[1] != y.shape[0]):
        raise ValueError(f"out must have shape ({x.shape[0]}, {y.shape[0]}), with entries")
    with nogil:
        for i in range(repeats):
            P.outer(&x[0], x.shape[0], &y[0], y.shape[0], &out[0, 0])
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)


def gemv(const double[:, ::1] M, const double[::1] x, double[::1] out, Py_ssize_t repeats=1):
    """Write ``M @ x`` to `out`."""
    cdef Py_ssize_t i
    if M.shape[0] == 0 or M.shape[1] == 0 or (
            x.shape[0] != M.shape[1] or out.shape[0] != M.shape[0]):
        raise ValueError(f"x must have {M.shape[1]} entries and out {M.shape[0]}, at least one")
    with nogil:
        for i in range(repeats):
            P.gemv(&M[0, 0], &x[0], M.shape[0], M.shape[1], &out[0])
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)


def gemv_t(const double[::1] x, const double[:, ::1] M, double[::1] out, Py_ssize_t repeats=1):
    """Write ``x @ M`` to `out`."""
    cdef Py_ssize_t i
    if M.shape[0] == 0 or M.shape[1] == 0 or (
            x.shape[0] != M.shape[0] or out.shape[0] != M.shape[1]):
        raise ValueError(f"x must have {M.shape[0]} entries and out {M.shape[1]}, at least one")
    with nogil:
        for i in range(repeats):
            P.gemv_t(&x[0], &M[0, 0], M.shape[0], M.shape[1], &out[0])
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)


cdef const double[:, ::1] _matrix(x, str name):
    array = np.ascontiguousarray(x, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name} must have 2 dimensions and entries, got shape {array.shape}")
    return array


cdef const double[:, ::1] _right_factor(M, Py_ssize_t n):
    cdef const double[:, ::1] matrix = _matrix(M, "M")
    if matrix.shape[0] != n or matrix.shape[1] % 8:
        raise ValueError(f"M must have shape ({n}, a multiple of 8), "
                         f"got ({matrix.shape[0]}, {matrix.shape[1]})")
    return matrix


def gemm(x, M, out=None, Py_ssize_t repeats=1):
    """Return the matrix product ``x @ M``, each row to the bit as if it were alone.

    Parameters
    ----------
    x : array_like of float64, shape (rows, n)
    M : array_like of float64, shape (n, columns)
        A multiple of 8 columns.
    out : ndarray of float64, shape (rows, columns), optional
    repeats : int

    Returns
    -------
    out : ndarray of float64, shape (rows, columns)

    Examples
    --------
    >>> gemm([[1.0, 2.0]], np.ones((2, 8))).tolist()
    [[3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]]
    """
    cdef const double[:, ::1] left = _matrix(x, "x")
    cdef const double[:, ::1] right = _right_factor(M, left.shape[1])
    cdef Py_ssize_t r, i, rows = left.shape[0], n = left.shape[1], columns = right.shape[1]
    if out is None:
        out = np.empty((rows, columns))
    cdef double[:, ::1] result = out
    if result.shape[0] != rows or result.shape[1] != columns:
        raise ValueError(f"out must have shape ({rows}, {columns})")
    cdef const double** sources = <const double**>malloc(rows * sizeof(void*))
    cdef double** results = <double**>malloc(rows * sizeof(void*))
    if sources == NULL or results == NULL:
        free(sources)
        free(results)
        raise MemoryError("no memory for the rows")
    for r in range(rows):
        sources[r], results[r] = &left[r, 0], &result[r, 0]
    with nogil:
        for i in range(repeats):
            P.gemm(sources, rows, n, &right[0, 0], columns, columns, results)
            if stops(i, repeats):
                break
    free(sources)
    free(results)
    check_all_ran(i, repeats)
    return out


def sparse_gemv_t(x, M, double threshold=0.0):
    """Return ``where(x > threshold, x, 0) @ M``; see `gemm`."""
    cdef const double[::1] weights = _filled(x, "x")
    cdef Py_ssize_t n = weights.shape[0], count
    cdef const double[:, ::1] matrix = _right_factor(M, n)
    result = np.empty(matrix.shape[1])
    cdef double[::1] out = result
    cdef int32_t[::1] index = np.empty(n, dtype=np.int32)
    cdef double[::1] chosen = np.empty(n)
    with nogil:
        count = P.support(&weights[0], n, threshold, &index[0], &chosen[0])
        P.sparse_gemv_t(&chosen[0], &matrix[0, 0], &index[0], count, matrix.shape[1], &out[0])
    return result


def outcome_terms(rows, Py_ssize_t n, totals, part_start, weights=None):
    """Return the expected-free-energy terms of rows whose first `n` entries x are outcomes:
    ``weights @ x`` minus ``sum(x * log(x + 1e-16))`` over these and the complement of each part
    of them in `totals`. Rows and `weights` have a multiple of 8 entries."""
    cdef const double[:, ::1] matrix = _matrix(rows, "rows")
    cdef const double[::1] sums = _filled(totals, "totals")
    cdef const int32_t[::1] start = np.ascontiguousarray(part_start, dtype=np.int32)
    cdef const double[::1] linear
    cdef const double* w = NULL
    cdef Py_ssize_t k, num_parts = start.shape[0] - 1
    if matrix.shape[1] % 8 or not 0 <= n <= matrix.shape[1]:
        raise ValueError(f"rows must have a multiple of 8 entries and at least n ({n}), "
                         f"got {matrix.shape[1]}")
    if sums.shape[0] != matrix.shape[0]:
        raise ValueError(f"totals must have {matrix.shape[0]} entries, got {sums.shape[0]}")
    for k in range(num_parts):
        if not 0 <= start[k] <= start[k + 1] <= n:
            raise ValueError(f"part_start must ascend from 0 to n ({n})")
    if weights is not None:
        linear = _filled(weights, "weights")
        if linear.shape[0] != matrix.shape[1]:
            raise ValueError(f"weights must have {matrix.shape[1]} entries, got {linear.shape[0]}")
        w = &linear[0]
    result = np.empty(matrix.shape[0])
    cdef double[::1] out = result
    with nogil:
        P.outcome_terms(&matrix[0, 0], matrix.shape[0], matrix.shape[1], n, w, &sums[0],
                        &start[0] if num_parts > 0 else NULL, max(num_parts, 0), &out[0])
    return result


def min_positive(x):
    """Return ``min(x[x > 0])`` of a vector of at least one entry, or inf."""
    cdef const double[::1] v = _filled(x, "x")
    return P.min_positive(&v[0], v.shape[0])


def softmaxes_of_sums(x, y):
    """Return ``softmax(a + b)`` for up to four pairs of vectors a, b in lists `x` and `y`, the
    sum of ``softmax(a + b) @ a - max(a + b)``, and the product of the norms divided by."""
    cdef const double* sources[4]
    cdef const double* others[4]
    cdef double* results[4]
    cdef Py_ssize_t size[4]
    cdef const double[::1] v, w
    cdef double[::1] out
    cdef double norm, value
    cdef Py_ssize_t k, count = len(x)
    if not 1 <= count <= 4 or len(y) != count:
        raise ValueError(f"x and y must be 1 to 4 vectors, got {count} and {len(y)}")
    arrays = [(_filled(a, "x"), _filled(b, "y"), np.empty(len(a)))
              for a, b in zip(x, y, strict=True)]
    for k in range(count):
        v, w, out = arrays[k]
        if v.shape[0] != w.shape[0]:
            raise ValueError(f"x[{k}] and y[{k}] must have the same length, "
                             f"got {v.shape[0]} and {w.shape[0]}")
        sources[k], others[k], results[k], size[k] = &v[0], &w[0], &out[0], v.shape[0]
    value = P.softmaxes_of_sums(sources, others, size, count, results, &norm)
    return [each[2] for each in arrays], value, norm


def multiply_adds(Py_ssize_t n):
    """Do `n` rounds of multiply-adds in registers, without the GIL; return how many there were."""
    with nogil:
        P.multiply_adds(n, 1.0)
    return n * P.multiply_adds_per_round


def read(x, Py_ssize_t repeats):
    """Read a vector over and over, without the GIL; return the bytes that were read."""
    cdef const double[::1] v = _filled(x, "x")
    with nogil:
        P.read(&v[0], v.shape[0], repeats)
    return v.shape[0] // 64 * 512 * repeats


set_simd_level(os.environ.get("FREEAGENT_CORE_SIMD"))
