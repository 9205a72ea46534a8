"""Which models with message passing have their agents stepped eight at a time, one a SIMD lane, and
what that needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.model.lane_model import PackedLanes
from freeagent_core._kernels.model.message_lanes import MAX_MESSAGES, PackedMessageLanes
from freeagent_core._kernels.model.packed_model import PackedModel
from freeagent_core._model.lane_packing import lane_arrays
from freeagent_core._model.model_arrays import FloatArray, ModelArrays
from freeagent_core._model.sparse_columns import MAX_WHOLE
from freeagent_core.utils import EPS_VAL

# Entries of B or A, and rows of a block: 2 MiB, a second cache.
MAX_LANE_ENTRIES = 65_536
MAX_LANE_ROWS = 32_768
# Share of entries that are not zero up to which a list of them is faster than all.
MAX_DENSITY = 0.5


def pack_message_lanes(
    model: ModelArrays, packed: PackedModel, horizon: int
) -> PackedMessageLanes | None:
    """Return what blocks of eight agents that pass messages need, or None where they have no lanes.

    Parameters
    ----------
    model : ModelArrays
    packed : PackedModel
        Its packed form.
    horizon : int
        Observed steps at most.

    Returns
    -------
    lanes : PackedMessageLanes or None
    """
    if model.inference_algo != "MMP" or model.joint_likelihood or model.I is not None:
        return None
    if any(len(factors) > 1 for factors in model.B_factor_list):
        return None
    # from the step before, the belief itself, modalities, and the next steps
    if 2 + len(model.A) + len(model.B) > MAX_MESSAGES:
        return None
    largest = max(*(A.size for A in model.A), *(B.size for B in model.B))
    if largest > min(MAX_LANE_ENTRIES, MAX_WHOLE):
        return None
    B, A = lane_arrays(model)
    transitions = [
        (int(model.B_factor_list[f][0]), *_transition(array)) for f, array in enumerate(B)
    ]
    lanes = PackedMessageLanes(PackedLanes(packed, B, A), transitions, horizon)
    return lanes if lanes.num_rows + lanes.lanes.num_rows <= MAX_LANE_ROWS else None


def _transition(B: FloatArray) -> tuple[FloatArray, FloatArray, Any]:
    """Return (forward, backward, pattern) of B of shape (num_controls, num_previous, num_states),
    as `PackedMessageLanes` takes them."""
    num_controls = len(B)
    raised = B.transpose(0, 2, 1) + EPS_VAL  # pymdp's spm_norm over the previous state
    totals = raised.sum(axis=2, keepdims=True)
    used = (B != 0.0).any(axis=0)
    if used.mean() > MAX_DENSITY:
        backward = np.ascontiguousarray(raised / totals)
        return B.reshape(num_controls, -1), backward.reshape(num_controls, -1), None
    # (B + eps) / total is B / total, and eps / total of all entries of a row alike
    ratios, base = B / totals.transpose(0, 2, 1), EPS_VAL / totals[:, :, 0]
    starts, previous, next_state = _entries(used.T)
    forward = np.ascontiguousarray(B[:, previous, next_state])
    pattern: list[Any] = [starts, previous]
    starts, next_state, previous = _entries(used)
    backward = np.concatenate([ratios[:, previous, next_state], base], axis=1)
    pattern += [starts, next_state, _of_each(B.transpose(0, 2, 1)), _of_each(ratios, base)]
    return forward, backward, tuple(pattern)


def _of_each(matrices: FloatArray, base: FloatArray | None = None) -> tuple[Any, Any, Any]:
    """Return the entries of matrices that are not zero, each followed by its row of `base`, where
    each row begins, and their columns."""
    values, starts, columns, size = [], [], [], 0
    for i, matrix in enumerate(matrices):
        start, column, row = _entries(matrix != 0.0)
        behind = np.empty(0) if base is None else base[i]
        values += [matrix[row, column], behind]
        starts.append(start + np.int32(size))
        columns += [column, np.zeros(len(behind), dtype=np.int32)]
        size += len(column) + len(behind)
    return np.concatenate(values), np.concatenate(starts), np.concatenate(columns)


def _entries(used: npt.NDArray[np.bool_]) -> tuple[Any, Any, Any]:
    """Return where each row's entries begin, their columns and their rows."""
    rows, columns = np.nonzero(used)
    starts = np.searchsorted(rows, np.arange(len(used) + 1))
    return starts.astype(np.int32), columns.astype(np.int32), rows
