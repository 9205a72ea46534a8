"""Reading A and B given as sparse matrices or as tables, without a dense copy.

Sparse matrices are known by what SciPy's have (``tocsc``, and of that ``indptr``, ``indices`` and
``data``), so that SciPy is not needed here. Up to `sparse_columns.MAX_WHOLE` entries they become
plain arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model import validation as check
from freeagent_core._model.sparse_columns import MAX_WHOLE, SparseColumns

FloatArray = npt.NDArray[np.float64]


def is_sparse_matrix(value: Any) -> bool:
    """Return whether `value` is a sparse matrix, of SciPy or alike."""
    return callable(getattr(value, "tocsc", None)) and hasattr(value, "shape")


def read_likelihoods(value: Any, name: str) -> list[FloatArray | SparseColumns]:
    """Return A: per modality an array, or a sparse matrix of shape (num_obs, num_states).

    Parameters
    ----------
    value : array_like, sparse matrix, or sequence of them
    name : str

    Returns
    -------
    A : list of ndarray or SparseColumns
    """
    if isinstance(value, SparseColumns) or is_sparse_matrix(value):
        return [_likelihood(value, f"{name}[0]")]
    return check.split(value, name, _likelihood)


def read_transitions(value: Any, name: str) -> list[FloatArray | SparseColumns]:
    """Return B: per factor an array, a sparse matrix per action, or a table of next states.

    Parameters
    ----------
    value : array_like, list of sparse matrices, or sequence of them
        A list of sparse matrices is one factor's, a matrix per action of shape (num_states,
        num_previous). An integer array of two axes is a table ``next_state[state, action]``.
    name : str

    Returns
    -------
    B : list of ndarray or SparseColumns
    """
    if is_sparse_matrix(value):
        raise TypeError(f"{name} must have a sparse matrix per action: give a list of them")
    if isinstance(value, SparseColumns) or _is_table(value) or _has_matrices(value):
        return [_transitions(value, f"{name}[0]")]
    return check.split(value, name, _transitions)


def check_normalised(array: FloatArray | SparseColumns, name: str) -> None:
    """Check that every column is a probability distribution."""
    if isinstance(array, SparseColumns):
        array.check_normalised(name)
    else:
        check.check_normalised(array, name)


def _likelihood(value: Any, name: str) -> FloatArray | SparseColumns:
    if isinstance(value, SparseColumns):
        return value
    if not is_sparse_matrix(value):
        return check.real_array(value, name)
    return _joined([_matrix(value, name)], False, name)


def _transitions(value: Any, name: str) -> FloatArray | SparseColumns:
    if isinstance(value, SparseColumns):
        return value
    if _is_table(value):
        return _table(value, name)
    if is_sparse_matrix(value):
        raise TypeError(f"{name} must have a sparse matrix per action: give a list of them")
    if not _has_matrices(value):
        return check.real_array(value, name)
    matrices = []
    for u, item in enumerate(value):
        if not is_sparse_matrix(item):
            raise TypeError(
                f"{name}[{u}] must be a sparse matrix like {name}[0], got {type(item).__name__}"
            )
        matrices.append(_matrix(item, f"{name}[{u}]"))
        if matrices[u].shape != matrices[0].shape:
            raise ValueError(
                f"{name}[{u}] must have shape {matrices[0].shape} like {name}[0], "
                f"got {matrices[u].shape}"
            )
    return _joined(matrices, True, name)


def _has_matrices(value: Any) -> bool:
    is_list = isinstance(value, list | tuple) or (
        isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 1
    )
    return is_list and len(value) > 0 and is_sparse_matrix(value[0])


def _is_table(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.ndim == 2


def _table(table: npt.NDArray[Any], name: str) -> FloatArray | SparseColumns:
    num_states, num_controls = table.shape
    if table.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {table.shape}")
    bad = (table < 0) | (table >= num_states)
    if bad.any():
        state, action = (int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name}[{state}, {action}] must be a state in 0 to {num_states - 1}, "
            f"got {table[state, action]}"
        )
    _check_count(table.size, name)
    return _settled(
        SparseColumns(
            (num_states, num_states, num_controls),
            np.arange(table.size + 1),
            np.ascontiguousarray(table.T).ravel(),
            np.ones(table.size),
        )
    )


def _matrix(matrix: Any, name: str) -> SparseColumns:
    """Return a sparse matrix with checked entries, sorted, without zeros and duplicates."""
    shape = tuple(matrix.shape)
    if len(shape) != 2:
        raise ValueError(f"{name} must be a matrix of two axes, got shape {shape}")
    if 0 in shape:
        raise ValueError(f"{name} must not be empty, got shape {shape}")
    if max(shape) >= check.MAX_INT:
        raise ValueError(f"{name} must have axes below {check.MAX_INT}, got shape {shape}")
    compressed = matrix.tocsc()
    start, index, value = (
        np.asarray(getattr(compressed, part)) for part in ("indptr", "indices", "data")
    )
    if value.dtype.kind not in "biuf":
        raise TypeError(f"{name} must have real numbers, got dtype {value.dtype}")
    num_rows, num_columns = shape
    if (
        start.shape != (num_columns + 1,)
        or start[0] != 0
        or (np.diff(start) < 0).any()
        or index.ndim != 1
        or min(len(index), len(value)) < start[-1]
    ):
        raise ValueError(f"{name} must have column starts that increase from 0 to its entries")
    used = int(start[-1])
    start, index = start.astype(np.int64), index[:used].astype(np.int64)
    value = value[:used].astype(np.float64)
    columns = np.repeat(np.arange(num_columns), np.diff(start))
    outside = (index < 0) | (index >= num_rows)
    if outside.any():
        k = int(outside.argmax())
        raise ValueError(
            f"{name} has an entry in row {index[k]} of column {columns[k]}; "
            f"rows must be in 0 to {num_rows - 1}"
        )
    for bad, what in ((~np.isfinite(value), "finite"), (value < 0.0, "non-negative")):
        if bad.any():
            k = int(bad.argmax())
            raise ValueError(f"{name}[{index[k]}, {columns[k]}] must be {what}, got {value[k]}")
    return _sorted(shape, columns, index, value, name)


def _sorted(
    shape: tuple[int, ...],
    columns: npt.NDArray[np.int64],
    index: npt.NDArray[np.int64],
    value: FloatArray,
    name: str,
) -> SparseColumns:
    """Return entries in order, without zeros; those of one place add up."""
    num_rows, num_columns = shape[0], math.prod(shape[1:])
    key = columns * num_rows + index
    if (np.diff(key) <= 0).any():  # unsorted, or with duplicates
        order = np.argsort(key, kind="stable")
        key, first = np.unique(key[order], return_index=True)
        value = np.add.reduceat(value[order], first)
        columns, index = key // num_rows, key % num_rows
    if not value.all():
        columns, index, value = (array[value != 0.0] for array in (columns, index, value))
    _check_count(len(value), name)
    start = np.append(0, np.cumsum(np.bincount(columns, minlength=num_columns)))
    return SparseColumns(shape, start, index, value)


def joined_columns(
    shape: tuple[int, int, int],
    columns: npt.NDArray[np.int64],
    index: npt.NDArray[np.int64],
    value: FloatArray,
    name: str,
) -> FloatArray | SparseColumns:
    """Return B of checked entries, given by column ``action * num_states + state`` and row."""
    return _settled(_sorted(shape, columns, index, value, name))


def _joined(
    matrices: Sequence[SparseColumns], by_action: bool, name: str
) -> FloatArray | SparseColumns:
    """Return matrices of one shape side by side: an action each, or a single one."""
    before = np.cumsum([0, *(matrix.nnz for matrix in matrices)])
    _check_count(int(before[-1]), name)
    start = np.concatenate(
        [[0], *(m.start[1:].astype(np.int64) + b for m, b in zip(matrices, before, strict=False))]
    )
    shape = matrices[0].shape
    return _settled(
        SparseColumns(
            (*shape, len(matrices)) if by_action else shape,
            start,
            np.concatenate([matrix.index for matrix in matrices]),
            np.concatenate([matrix.value for matrix in matrices]),
        )
    )


def _check_count(count: int, name: str) -> None:
    if count >= check.MAX_INT:
        raise ValueError(f"{name} must have less than {check.MAX_INT} nonzero entries, got {count}")


def _settled(columns: SparseColumns) -> FloatArray | SparseColumns:
    if columns.size > MAX_WHOLE:
        return columns
    array = columns.toarray()
    array.flags.writeable = False
    return array
