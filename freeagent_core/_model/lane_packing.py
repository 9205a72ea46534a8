"""Which models have their agents stepped eight at a time, one a SIMD lane, and what that needs.

Lanes waste nothing on arrays that are shorter than a register, and one reading of the model serves
eight agents; but they neither merge equal beliefs, as a belief graph does, nor share partial sums
between policies, as the kernels for dense transitions do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.model.lane_model import PackedLanes
from freeagent_core._kernels.model.packed_model import PackedModel
from freeagent_core._model.model_arrays import ModelArrays
from freeagent_core._model.packing import group_factors, pack
from freeagent_core._model.sparse_columns import MAX_WHOLE, whole

FloatArray = npt.NDArray[np.float64]

# More policies than this are not laid out as a tree for lanes.
MAX_LANE_POLICIES = 512
# Of dense transitions: beyond these sizes matrix products of single agents are faster. Measured
# (benchmarks/lanes.py): 1.5 to 2 times as fast in lanes with 8 states, 0.9 with 19, 0.7 with 25.
MAX_LANE_STATES = 16
MAX_LANE_JOINT = 128
# Of deterministic transitions: with more policies the belief graph, which merges beliefs, is
# faster; with other sparse ones lanes are 2 to 8 times as fast.
MAX_DETERMINISTIC_POLICIES = 16
# Doubles of one lane: a block of eight fills half of a second cache of 512 KiB.
MAX_LANE_DOUBLES = 4096


def pack_lanes(model: ModelArrays, packed: PackedModel) -> PackedLanes | None:
    """Return what blocks of eight agents need, or None for models that lanes do not pay for.

    Parameters
    ----------
    model : ModelArrays
    packed : PackedModel
        Its packed form.

    Returns
    -------
    lanes : PackedLanes or None
    """
    if model.inference_algo == "MMP" or model.sophisticated or model.joint_likelihood:
        return None
    if not packed.enumerates_policies or len(model.policy_arrays) > MAX_LANE_POLICIES:
        return None
    groups = group_factors(model)
    max_joint = max(
        int(np.prod([model.num_states[f] for f in factors]))
        for factors in (*groups, *model.B_factor_list)
    )
    if max(model.num_states) > MAX_LANE_STATES or max_joint > MAX_LANE_JOINT:
        return None
    if any(array.size > MAX_WHOLE for array in (*model.A, *model.B)):
        return None
    if packed.uses_belief_graph:
        deterministic = all(np.isin(B, (0.0, 1.0)).all() for B in model.B)
        if deterministic and len(model.policy_arrays) > MAX_DETERMINISTIC_POLICIES:
            return None
        packed = pack(model, {}, uses_belief_graph=False)
    A = [
        np.concatenate(
            [
                whole(array, "A").reshape(len(array), -1)
                for array, factors in zip(model.A, model.A_factor_list, strict=True)
                if tuple(factors) == group
            ]
        )
        for group in groups
    ]
    B = [
        np.ascontiguousarray(array.reshape(len(array), -1, array.shape[-1]).transpose(2, 1, 0))
        for array in (whole(B, "B") for B in model.B)
    ]
    lanes = PackedLanes(packed, B, A)
    return lanes if lanes.num_rows <= MAX_LANE_DOUBLES else None
