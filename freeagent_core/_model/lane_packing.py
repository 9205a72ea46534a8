"""Which models have their agents stepped eight at a time, one a SIMD lane, and what that needs.

Lanes waste nothing on arrays that are shorter than a register, and one reading of the model serves
eight agents; but they neither merge equal beliefs, as a belief graph does, nor share partial sums
between policies, as the kernels for dense transitions do.
"""

from __future__ import annotations

import numpy as np

from freeagent_core._kernels.model.lane_model import PackedLanes
from freeagent_core._kernels.model.packed_model import PackedModel
from freeagent_core._model.group_packing import group_factors
from freeagent_core._model.model_arrays import FloatArray, ModelArrays, Tables
from freeagent_core._model.packing import pack
from freeagent_core._model.sparse_columns import MAX_WHOLE, whole

# More policies than this are not laid out as a tree for lanes.
MAX_LANE_POLICIES = 512
# Doubles of one lane: a block of eight fills half of a second cache of 512 KiB.
MAX_LANE_DOUBLES = 4096
# Operations of a block up to which lanes are faster, by what they compete with. Measured
# (benchmarks/lanes.py --everywhere): 0.1 us of an agent for each 1,000 of them, and 0.3 us.
# Matrix products over dense transitions, which need no lanes where factors have many states:
MAX_OF_PRODUCTS = 25_000.0
MAX_LANE_STATES = 16
# A belief graph: it values the beliefs of one factor as matrices, those of several hardly as fast;
# it merges many where transitions are deterministic; where outcomes are so as well, hardly anything
# is left to compute.
MAX_OF_ONE_FACTOR = 16_000.0
MAX_OF_GRAPH = 70_000.0
MAX_OF_DETERMINISTIC = 8_000.0
MAX_OF_POINT_MASSES = 1_500.0
# Agents that learn B, of which all is dense then (--learning): 0.14 us for each 1,000.
MAX_OF_LEARNED = 70_000.0


def _are_deterministic(arrays: Tables) -> bool:
    return all(bool(np.isin(whole(array, "it"), (0.0, 1.0)).all()) for array in arrays)


def lane_arrays(model: ModelArrays) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return B, shape (num_controls, num_previous, num_states), and A of each group of modalities,
    shape (num_outcomes, num_joint)."""
    A = [
        np.concatenate(
            [
                whole(array, "A").reshape(len(array), -1)
                for array, factors in zip(model.A, model.A_factor_list, strict=True)
                if tuple(factors) == group
            ]
        )
        for group in group_factors(model)
    ]
    B = [
        np.ascontiguousarray(array.reshape(len(array), -1, array.shape[-1]).transpose(2, 1, 0))
        for array in (whole(B, "B") for B in model.B)
    ]
    return B, A


def pack_lanes(
    model: ModelArrays, packed: PackedModel, *, learned: bool = False
) -> PackedLanes | None:
    """Return what blocks of eight agents need, or None for models that lanes do not pay for.

    Parameters
    ----------
    model : ModelArrays
    packed : PackedModel
        Its packed form.
    learned : bool
        For agents that have learned, each with arrays of its own.

    Returns
    -------
    lanes : PackedLanes or None
    """
    if model.inference_algo == "MMP" or model.sophisticated or model.joint_likelihood:
        return None
    if not packed.enumerates_policies or len(model.policy_arrays) > MAX_LANE_POLICIES:
        return None
    if max(model.num_states) > MAX_LANE_STATES:
        return None
    # each entry takes an operation: what is larger need not be laid out
    largest = max(*(A.size for A in model.A), *(B.size // B.shape[-1] for B in model.B))
    if largest > min(max(MAX_OF_PRODUCTS, MAX_OF_GRAPH), MAX_WHOLE):
        return None
    limit = MAX_OF_PRODUCTS
    if packed.uses_belief_graph:
        limit = MAX_OF_GRAPH if len(model.num_states) > 1 else MAX_OF_ONE_FACTOR
        if _are_deterministic(model.B):
            is_exact = _are_deterministic(model.A) and not learned
            limit = MAX_OF_POINT_MASSES if is_exact else MAX_OF_DETERMINISTIC
        packed = pack(model, {}, uses_belief_graph=False)
    B, A = lane_arrays(model)
    if learned:  # as the packed model and what agents learn have it
        B = [np.pad(array, [(0, 0), (0, 0), (0, -array.shape[2] % 8)]) for array in B]
    lanes = PackedLanes(packed, B, A, learned)
    if learned and model.pB is not None:
        lanes.only_with_B = lanes.num_operations > limit
        limit = max(limit, MAX_OF_LEARNED)
    if lanes.num_rows > MAX_LANE_DOUBLES or lanes.num_operations > limit:
        return None
    return lanes
