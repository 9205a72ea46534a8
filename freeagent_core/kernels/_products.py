"""The products of the SIMD level in use: vectors, matrices, joint beliefs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.base import primitives
from freeagent_core._kernels.base.joint_belief import joint_of
from freeagent_core.kernels import _inputs as read

FloatArray = npt.NDArray[np.float64]

MAX_JOINT = 2**40
COLUMNS = 8  # of a product's right side, a multiple
MAX_FACTORS = 32  # dimensions of an array in NumPy 1.26


def _matrix(value: Any, name: str) -> FloatArray:
    array = read.real(value, name, 2)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    return array


def dot(x: npt.ArrayLike, y: npt.ArrayLike, *, repeats: int = 1) -> float:
    """Return the inner product of two vectors, `sum_i x_i y_i`.

    Parameters
    ----------
    x, y : array_like of real numbers, shape (n,)
        At least one.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    product : float

    Raises
    ------
    ValueError
        For empty vectors or different lengths.

    Notes
    -----
    Fused multiply-adds where the processor has them. Cost: one per entry.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.dot([1.0, 2.0], [3.0, 4.0])
    11.0
    """
    left = read.vector(x, "x")
    return primitives.dot(left, read.vector(y, "y", len(left)), read.count(repeats))


def outer(
    x: npt.ArrayLike, y: npt.ArrayLike, out: FloatArray | None = None, *, repeats: int = 1
) -> FloatArray:
    """Return `out[i, j] = x_i y_j`.

    Parameters
    ----------
    x : array_like of real numbers, shape (n,)
    y : array_like of real numbers, shape (m,)
    out : ndarray of float64 in C order, shape (n, m), optional
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    out : ndarray of float64, shape (n, m)

    Notes
    -----
    Cost: n m multiplications.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.outer([1.0, 2.0], [3.0, 4.0]).tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """
    left, right = read.vector(x, "x"), read.vector(y, "y")
    target = read.result(out, (len(left), len(right)))
    primitives.outer(
        read.apart(left, target), read.apart(right, target), target, read.count(repeats)
    )
    return target


def gemv(
    M: npt.ArrayLike, x: npt.ArrayLike, out: FloatArray | None = None, *, repeats: int = 1
) -> FloatArray:
    """Return the matrix-vector product `out_i = sum_j M[i, j] x_j`.

    Parameters
    ----------
    M : array_like of real numbers, shape (rows, n)
    x : array_like of real numbers, shape (n,)
    out : ndarray of float64 in C order, shape (rows,), optional
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    out : ndarray of float64, shape (rows,)

    Notes
    -----
    Cost: rows n multiply-adds; M is read once.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.gemv([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0]).tolist()
    [3.0, 7.0]
    """
    matrix = _matrix(M, "M")
    vector = read.vector(x, "x", matrix.shape[1])
    target = read.result(out, (len(matrix),))
    primitives.gemv(
        read.apart(matrix, target), read.apart(vector, target), target, read.count(repeats)
    )
    return target


def gemv_t(
    x: npt.ArrayLike, M: npt.ArrayLike, out: FloatArray | None = None, *, repeats: int = 1
) -> FloatArray:
    """Return the vector-matrix product `out_j = sum_i x_i M[i, j]`.

    Parameters
    ----------
    x : array_like of real numbers, shape (rows,)
    M : array_like of real numbers, shape (rows, n)
    out : ndarray of float64 in C order, shape (n,), optional
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    out : ndarray of float64, shape (n,)

    Notes
    -----
    Rows where `x` is 0 are not read. Cost: n multiply-adds for each other row.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.gemv_t([1.0, 1.0], [[1.0, 2.0], [3.0, 4.0]]).tolist()
    [4.0, 6.0]
    """
    matrix = _matrix(M, "M")
    vector = read.vector(x, "x", len(matrix))
    target = read.result(out, (matrix.shape[1],))
    primitives.gemv_t(
        read.apart(vector, target), read.apart(matrix, target), target, read.count(repeats)
    )
    return target


def gemm(
    x: npt.ArrayLike, M: npt.ArrayLike, out: FloatArray | None = None, *, repeats: int = 1
) -> FloatArray:
    """Return the matrix product `x M`, each row to the bit as if it were alone.

    Parameters
    ----------
    x : array_like of real numbers, shape (rows, n)
    M : array_like of real numbers, shape (n, columns)
        A packed matrix has a multiple of 8 columns; another one is copied into one at every call.
    out : ndarray of float64 in C order, shape (rows, columns), optional
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    out : ndarray of float64, shape (rows, columns)

    Notes
    -----
    Several rows of `x` share each load of `M`. Cost: rows n columns multiply-adds.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.gemm([[1.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]]).tolist()
    [[1.0, 2.0]]
    """
    left, right = _matrix(x, "x"), _matrix(M, "M")
    if left.shape[1] != len(right):
        raise ValueError(f"M must have {left.shape[1]} rows, got shape {right.shape}")
    columns = right.shape[1]
    target = read.result(out, (len(left), columns))
    if columns % COLUMNS == 0:
        primitives.gemm(
            read.apart(left, target), read.apart(right, target), target, read.count(repeats)
        )
        return target
    padded = np.zeros((len(right), -(-columns // COLUMNS) * COLUMNS))
    padded[:, :columns] = right
    target[...] = primitives.gemm(left, padded, None, read.count(repeats))[:, :columns]
    return target


def joint_belief(beliefs: Any, out: FloatArray | None = None, *, repeats: int = 1) -> FloatArray:
    """Return the joint belief of independent factors, `q(s) = prod_f q_f(s_f)`.

    Parameters
    ----------
    beliefs : object array or sequence of array_like, shape (num_states[f],)
        1 to 32 of them.
    out : ndarray of float64 in C order, shape (*num_states), optional
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    q : ndarray of float64, shape (*num_states)

    Notes
    -----
    Source: `pymdp.legacy.maths.spm_cross`. Cost: about one multiplication per joint state.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.joint_belief([[0.5, 0.5], [1.0, 0.0]]).tolist()
    [[0.5, 0.0], [0.5, 0.0]]
    """
    parts = [
        read.vector(part, f"beliefs[{f}]") for f, part in enumerate(read.each(beliefs, "beliefs"))
    ]
    if len(parts) > MAX_FACTORS:
        raise ValueError(f"beliefs must be of at most {MAX_FACTORS} factors, got {len(parts)}")
    shape = tuple(map(len, parts))
    if math.prod(shape) > MAX_JOINT:
        raise ValueError(f"beliefs have too many joint states ({math.prod(shape)})")
    target = read.result(out, shape)
    joint_of([read.apart(part, target) for part in parts], target.reshape(-1), read.count(repeats))
    return target
