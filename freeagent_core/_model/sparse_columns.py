"""Probabilities as the nonzero entries of columns, for arrays too large to be held whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model import validation as check

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int32]

# An array of at most so many entries (8 MiB) is held whole, however it was given.
MAX_WHOLE = 2**20
# An array of more entries than this (1 GiB) is not made where it was given as nonzero entries.
MAX_DENSE = 2**27
# An action's B, and a modality's A in a model with a belief graph, are stored as their
# nonzero entries where there are at most this many a column, or one in so many. Measured
# (benchmarks/sparse_forms.py, us a step, sparse against dense): 25 states, 1 entry 3.7 / 4.1, 2
# entries 14.5 / 12.6; 100 states, 1 entry 3.0 / 5.0, 2 entries 20.2 / 20.7, 3 entries 26.0 / 27.6,
# 6 entries 49 / 46: adding a vector of eight costs less than scattering one entry.
SPARSE_COLUMN = 1.5
SPARSE_SHARE = 1 / 40
# Of more entries than this (128 MiB) the nonzero ones are kept up to one in eight: with more,
# whole rows take no more memory.
MAX_DENSE_ENTRIES = 2**24
MAX_LARGE_SHARE = 1 / 8


class SparseColumns:
    """A[m] or B[f], of which the nonzero entries alone are held.

    What `GenerativeModel.A` and `GenerativeModel.B` have for sparse matrices and tables of more
    than 2**20 entries. Immutable.

    Parameters
    ----------
    shape : tuple of int
        ``(num_obs, num_states)`` or ``(num_states, num_previous, num_controls)``.
    start : ndarray of int32, shape (num_columns + 1,)
        Where each column begins in the other two. Columns follow each other by state, or by
        action and then by previous state.
    index : ndarray of int32, shape (nnz,)
        Outcomes or next states; within a column they increase.
    value : ndarray of float64, shape (nnz,)

    Examples
    --------
    >>> import numpy as np
    >>> columns = SparseColumns((2, 2), np.array([0, 1, 2]), np.array([1, 0]), np.ones(2))
    >>> columns.toarray()
    array([[0., 1.],
           [1., 0.]])
    """

    __slots__ = ("index", "shape", "start", "value")

    def __init__(
        self, shape: Sequence[int], start: npt.NDArray[Any], index: npt.NDArray[Any], value: Any
    ) -> None:
        self.shape = tuple(shape)
        self.start: IndexArray = np.ascontiguousarray(start, dtype=np.int32)
        self.index: IndexArray = np.ascontiguousarray(index, dtype=np.int32)
        self.value: FloatArray = np.ascontiguousarray(value, dtype=np.float64)
        for array in (self.start, self.index, self.value):
            array.flags.writeable = False

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Entries of the whole array."""
        return math.prod(self.shape)

    @property
    def nnz(self) -> int:
        """Nonzero entries."""
        return len(self.value)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, nnz={self.nnz})"

    def __reduce__(self) -> tuple[Any, ...]:
        return SparseColumns, (self.shape, self.start, self.index, self.value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("the whole array of SparseColumns is a copy")
        return self.toarray().astype(dtype or np.float64, copy=False)

    def columns(self) -> npt.NDArray[np.int64]:
        """Return the column of each entry, shape (nnz,)."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    def column_sums(self) -> FloatArray:
        """Return the sum of each column, shape (num_columns,)."""
        sums = np.bincount(self.columns(), self.value, len(self.start) - 1)
        return sums.astype(np.float64, copy=False)

    def toarray(self) -> FloatArray:
        """Return the whole array.

        Returns
        -------
        array : ndarray of float64

        Raises
        ------
        ValueError
            If it has more than 2**27 entries (1 GiB).
        """
        if self.size > MAX_DENSE:
            raise ValueError(
                f"an array of shape {self.shape} has {self.size} entries; of {self.nnz} nonzero "
                f"ones no whole array of more than {MAX_DENSE} is made"
            )
        out = np.zeros(self.shape)
        # columns go by action, then by previous state
        axes: tuple[Any, ...] = np.unravel_index(self.columns(), self.shape[:0:-1])[::-1]
        out[(self.index, *axes)] = self.value
        return out

    def check_normalised(self, name: str) -> None:
        """Check that each column sums to 1; entries have been checked."""
        sums = self.column_sums()
        bad = np.abs(sums - 1.0) > check.SUM_TOLERANCE
        if bad.any():
            column = int(bad.argmax())
            where = np.unravel_index(column, self.shape[:0:-1])[::-1]
            place = ", ".join([":", *(str(int(i)) for i in where)])
            raise ValueError(
                f"{name} is not normalized: {name}[{place}] must sum to 1, got {sums[column]}"
            )


def whole(array: FloatArray | SparseColumns, what: str) -> FloatArray:
    """Return an array itself, or made whole for `what`, which needs it.

    Raises
    ------
    ValueError
        If it is too large.
    """
    if not isinstance(array, SparseColumns):
        return array
    if array.size > MAX_DENSE:
        raise ValueError(
            f"{what} needs a whole array of shape {array.shape}, {array.size * 8 / 2**30:.1f} GiB; "
            "it was given as nonzero entries, and is made up to 1 GiB"
        )
    return array.toarray()


def count_nonzero(array: FloatArray | SparseColumns) -> int:
    """Return the number of nonzero entries."""
    return array.nnz if isinstance(array, SparseColumns) else int(np.count_nonzero(array))


def column_counts(B: FloatArray | SparseColumns) -> npt.NDArray[np.int64]:
    """Return the nonzero entries of the columns of B, shape (num_controls, joint previous)."""
    if isinstance(B, SparseColumns):
        return np.diff(B.start).astype(np.int64).reshape(B.shape[-1], -1)
    by_action = B.reshape(len(B), -1, B.shape[-1]).transpose(2, 1, 0)
    return np.stack([np.count_nonzero(columns, axis=1) for columns in by_action])


def column_entries(
    B: FloatArray | SparseColumns, action: int
) -> tuple[npt.NDArray[Any], FloatArray]:
    """Return next states and probabilities of an action's nonzero entries, column by column."""
    if isinstance(B, SparseColumns):
        first, last = B.start[action * B.shape[1]], B.start[(action + 1) * B.shape[1]]
        return B.index[first:last], B.value[first:last]
    columns = B.reshape(len(B), -1, B.shape[-1])[:, :, action].T
    previous, state = np.nonzero(columns)
    return state, columns[previous, state]


def dense_columns(B: FloatArray | SparseColumns, action: int) -> FloatArray:
    """Return an action's B, of shape (joint previous, num_states)."""
    if not isinstance(B, SparseColumns):
        return B.reshape(len(B), -1, B.shape[-1])[:, :, action].T
    out = np.zeros((B.shape[1], B.shape[0]))
    state, value = column_entries(B, action)
    counts = np.diff(B.start[action * B.shape[1] : (action + 1) * B.shape[1] + 1])
    out[np.repeat(np.arange(B.shape[1]), counts), state] = value
    return out


def nonzeros_of(A: FloatArray) -> SparseColumns:
    """Return the nonzero entries of a likelihood of shape (num_obs, joint states)."""
    state, outcome = np.nonzero(A.T)
    start = np.append(0, np.cumsum(np.bincount(state, minlength=A.shape[1])))
    return SparseColumns(A.shape, start, outcome, A[outcome, state])


def stacked(parts: Sequence[FloatArray | SparseColumns]) -> SparseColumns:
    """Return the columns of some likelihoods of the same states, one below the other."""
    every = [part if isinstance(part, SparseColumns) else nonzeros_of(part) for part in parts]
    rows = np.cumsum([0, *(len(part) for part in every)])
    columns = np.concatenate([part.columns() for part in every])
    order = np.argsort(columns, kind="stable")
    index = np.concatenate([part.index + row for part, row in zip(every, rows, strict=False)])
    value = np.concatenate([part.value for part in every])
    start = sum(part.start.astype(np.int64) for part in every)
    return SparseColumns(
        (int(rows[-1]), every[0].shape[1]), np.asarray(start), index[order], value[order]
    )


def column_sums(A: FloatArray | SparseColumns) -> FloatArray:
    """Return the sum of each column of a likelihood."""
    return A.column_sums() if isinstance(A, SparseColumns) else A.sum(axis=0)


def sum_p_log_p(parts: Sequence[FloatArray | SparseColumns], eps: float) -> FloatArray:
    """Return ``sum_o p * log(p + eps)`` of each state, over the outcomes of all parts."""
    total = np.zeros(parts[0].shape[1])
    dense = [part for part in parts if not isinstance(part, SparseColumns)]
    if dense:
        p = np.concatenate(dense)
        total = (p * np.log(p + eps)).sum(axis=0)
    for part in parts:
        if isinstance(part, SparseColumns):
            terms = part.value * np.log(part.value + eps)
            total += np.bincount(part.columns(), weights=terms, minlength=len(total))
    return total


def expected_of_rows(rows: FloatArray, A: FloatArray | SparseColumns) -> FloatArray:
    """Return ``rows @ A``."""
    if not isinstance(A, SparseColumns):
        return rows @ A
    columns = A.columns()
    return np.stack([np.bincount(columns, row[A.index] * A.value, A.shape[1]) for row in rows])


def is_sparse_form(num_nonzero: int, columns: int, size: int) -> bool:
    """Return whether the nonzero entries of columns of a size are better kept one by one."""
    share = MAX_LARGE_SHARE if columns * size > MAX_DENSE_ENTRIES else SPARSE_SHARE
    return bool(num_nonzero <= columns * max(SPARSE_COLUMN, size * share))


def is_large_and_sparse(A: FloatArray | SparseColumns) -> bool:
    """Return whether a likelihood is kept as its nonzero entries where nothing needs all of it."""
    return A.size > MAX_WHOLE and is_sparse_form(count_nonzero(A), A.size // len(A), len(A))
