"""Everything that depends on the model alone, computed once and laid out for the kernels.

Arrays of states come first in memory and are padded to eight doubles, so that a kernel
adds whole rows for the states of positive weight, and skips the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.base import primitives
from freeagent_core._kernels.model.packed_model import PackedModel
from freeagent_core._model.belief_matrices import MAX_ENTRIES, pack_matrices
from freeagent_core._model.group_packing import (
    group_factors,
    info_gain_weights,
    joint_outcomes,
    log_preferences,
    pack_group,
)
from freeagent_core._model.layout import aligned_zeros, padded
from freeagent_core._model.model_arrays import ModelArrays
from freeagent_core._model.policies import AllSequences
from freeagent_core._model.policy_tree import build_policy_tree
from freeagent_core._model.sparse_columns import (
    MAX_DENSE_ENTRIES,
    SparseColumns,
    column_counts,
    column_entries,
    count_nonzero,
    dense_columns,
    is_large_and_sparse,
    is_sparse_form,
    nonzeros_of,
    whole,
)
from freeagent_core.maths import spm_log_single
from freeagent_core.utils import EPS_VAL

FloatArray = npt.NDArray[np.float64]

INDUCTIVE_EPS = 1e-3  # pymdp.legacy.control.calc_inductive_cost
# A belief graph is used where the transitions of all factors that can be controlled have
# at most this many nonzero entries a column. Measured there: with 4 entries and policy_len 3,
# 19 against 25 us (25 states) and 33 against 151 us (100 states); with 6 entries anywhere in 25
# states hardly any two paths meet, and matrix products win, 25 against 11 us.
MAX_GRAPH_COLUMN = 4.0
# More policies than this are not enumerated unless they must be: 16 bytes each and agent.
MAX_STORED_POLICIES = 2**13

# Which parts of a packed model must be made again when an argument changes; the
# arguments that are not named here are no part of it.
PARTS = {
    "A": ("groups", "matrices"),
    "pA": ("groups",),
    "C": ("groups",),
    "pymdp_version": ("groups", "matrices"),
    "B": ("factors", "groups", "matrices"),  # for next_outcomes
    "pB": ("factors",),
    "H": ("factors",),
    "I": ("factors",),
    "ii_depth": ("factors",),
    "ii_threshold": ("factors",),
    "D": ("D",),
    "pD": ("D",),
    "E": ("log_E",),
    "policies": ("tree", "groups", "log_E", "matrices"),
    "policy_len": ("tree", "groups", "log_E", "matrices"),
    "A_factor_list": ("tree", "groups", "matrices"),
    "B_factor_list": ("tree", "factors", "matrices"),
    "inference_algo": ("tree", "factors", "groups", "matrices"),
}


def _uses_belief_graph(model: ModelArrays) -> bool:
    """Return whether different policies are likely to lead to equal beliefs."""
    if model.inference_algo == "MMP":
        return False
    controlled = [B for B in model.B if B.shape[-1] > 1] or list(model.B)
    counts = [(count_nonzero(B), B.size // len(B), len(B)) for B in controlled]
    if any(columns * size > MAX_DENSE_ENTRIES for _, columns, size in counts):
        return all(is_sparse_form(*each) for each in counts)  # a tree needs whole arrays
    return all(count <= MAX_GRAPH_COLUMN * columns for count, columns, _ in counts)


def _pack_factor(model: ModelArrays, factor: int) -> dict[str, Any]:
    B, num_states = model.B[factor], model.num_states[factor]
    counts = column_counts(B)
    num_controls, num_previous = counts.shape
    shape = (num_controls, num_previous, padded(num_states))
    packed: dict[str, Any] = {
        "num_states": num_states,
        "num_controls": num_controls,
        "dependencies": np.array(model.B_factor_list[factor], dtype=np.int32),
        "B": None,
        "sparse_B": None,
        "sparse_start": None,
        "sparse_state": None,
        "deterministic_next": None,
        "backward": None,
        "wB": None,
        "inductive_cost": None,
        "inductive_row": None,
    }
    is_sparse = np.array(
        [is_sparse_form(int(n), num_previous, num_states) for n in counts.sum(axis=1)]
    )
    packed["is_sparse"] = is_sparse.astype(np.uint8)
    if is_sparse.any():
        counts[~is_sparse] = 0
        entries = [column_entries(B, u) for u in np.flatnonzero(is_sparse).tolist()]
        start = np.append(0, np.cumsum(counts))
        packed["sparse_start"] = start.astype(np.int32)
        packed["sparse_state"] = np.concatenate([state for state, _ in entries]).astype(np.int32)
        packed["sparse_B"] = np.concatenate([value for _, value in entries])
        if model.B_factor_list[factor] == [factor]:
            single = np.flatnonzero(counts == 1)
            certain = single[packed["sparse_B"][start[single]] == 1.0]
            following = np.full(counts.size, -1, dtype=np.int32)
            following[certain] = packed["sparse_state"][start[certain]]
            packed["deterministic_next"] = following.reshape(counts.shape)
    if not is_sparse.all():
        packed["B"] = aligned_zeros(shape)
        for u in np.flatnonzero(~is_sparse).tolist():
            packed["B"][u, :, :num_states] = dense_columns(B, u)
    if model.inference_algo == "MMP" and len(model.B_factor_list[factor]) == 1:
        # pymdp's spm_norm(swapaxes(B, 0, 1)): over the previous state, given the next one
        array = whole(B, f"inference_algo 'MMP' with B[{factor}]")
        raised = array.transpose(2, 0, 1) + EPS_VAL
        packed["backward"] = aligned_zeros((num_controls, num_states, padded(num_previous)))
        packed["backward"][:, :, :num_previous] = raised / raised.sum(axis=2, keepdims=True)
    if model.pB is not None:
        weights = info_gain_weights(model.pB[factor]).reshape(num_states, -1, num_controls)
        packed["wB"] = aligned_zeros(shape)
        packed["wB"][:, :, :num_states] = weights.transpose(2, 1, 0)
    if model.I is not None and factor < len(model.I):
        reached = model.I[factor] == 1.0
        row = np.maximum(reached.argmax(axis=0) - 1, 0)
        packed["inductive_row"] = np.where(reached.any(axis=0), row, -1).astype(np.int32)
        packed["inductive_cost"] = np.ascontiguousarray(
            (1.0 - model.I[factor]) * np.log(INDUCTIVE_EPS)
        )
    return packed


def likelihoods_of(model: ModelArrays, uses_belief_graph: bool) -> list[FloatArray | SparseColumns]:
    """Return A of each modality, of shape (num_obs, joint states): as nonzero entries where it is
    large and nothing needs all of it."""
    can_be_sparse = uses_belief_graph and not model.joint_likelihood and model.pA is None
    found: list[FloatArray | SparseColumns] = []
    for m, A in enumerate(model.A):
        if can_be_sparse and is_large_and_sparse(A):
            found.append(A if isinstance(A, SparseColumns) else nonzeros_of(A.reshape(len(A), -1)))
        else:
            found.append(whole(A, f"A[{m}] of this model").reshape(len(A), -1))
    return found


def _pack_matrices(model: ModelArrays, uses_belief_graph: bool) -> dict[str, Any] | None:
    """Return policies as matrices of beliefs, or None where other ways serve the model better."""
    policies = model.policy_arrays
    if (
        model.num_factors > 1
        or len(group_factors(model)) > 1
        or not isinstance(policies, AllSequences)
        or len(policies) > MAX_STORED_POLICIES
        or model.inference_algo == "MMP"
        or model.sophisticated
    ):
        return None
    B, likelihoods = model.B[0], [A for A in model.A if not isinstance(A, SparseColumns)]
    if isinstance(B, SparseColumns) or len(likelihoods) < len(model.A):
        return None
    if B.size > MAX_ENTRIES or sum(A.size for A in likelihoods) > MAX_ENTRIES:
        return None
    for A in likelihoods:  # large and sparse: packed alike, however it was given
        if is_large_and_sparse(A):
            return None
    outcomes = (
        joint_outcomes(likelihoods) if model.joint_likelihood else np.concatenate(likelihoods)
    )
    return pack_matrices(B, outcomes, policies, uses_belief_graph)


def _pack_modality(
    model: ModelArrays, modality: int, A: FloatArray | SparseColumns
) -> dict[str, Any]:
    packed: dict[str, Any] = {
        "num_obs": len(A),
        "A": None,
        "log_A": None,
        "row_start": None,
        "row_state": None,
        "row_A": None,
        "row_log_A": None,
        "log_zero": float(primitives.log_eps(np.zeros(1))[0]),
        "log_C": log_preferences(model, modality),
    }
    if isinstance(A, SparseColumns):
        order = np.argsort(A.index, kind="stable")
        counts = np.bincount(A.index, minlength=len(A))
        packed["row_start"] = np.append(0, np.cumsum(counts)).astype(np.int32)
        packed["row_state"] = A.columns()[order].astype(np.int32)
        packed["row_A"] = A.value[order]
        packed["row_log_A"] = primitives.log_eps(packed["row_A"])
        return packed
    packed["A"] = aligned_zeros(A.shape)
    packed["A"][:] = A
    packed["log_A"] = aligned_zeros(A.shape)
    # by the kernels' own logarithm: an outcome and its one-hot vector give the same bits
    packed["log_A"][:] = primitives.log_eps(packed["A"].ravel()).reshape(A.shape)
    return packed


def _pack_prior(model: ModelArrays) -> FloatArray:
    parts = [np.zeros(padded(n)) for n in model.num_states]
    for part, D in zip(parts, model.D, strict=True):
        part[: len(D)] = D
    return np.concatenate(parts)


def _are_enumerated(model: ModelArrays) -> bool:
    """Return whether G and q_pi are stored as arrays over all sequences of actions.

    They need not be with a belief graph and a constant prior E: then the probability of an
    action is a soft value backup over the graph.
    """
    few = len(model.policy_arrays) <= MAX_STORED_POLICIES
    return few or model.sophisticated or not model.constant_E


def pack(
    model: ModelArrays,
    parts: dict[str, Any],
    changed: Iterable[str] = (),
    uses_belief_graph: bool | None = None,
) -> PackedModel:
    """Compute the packed form of `model`.

    Parameters
    ----------
    model : ModelArrays
        A `GenerativeModel`, or loose arrays.
    parts : dict
        Parts of the packed form of a model that differs in `changed` only, or none. They
        are taken over where they do not depend on that; the missing ones are added.
    changed : iterable of str
        Arguments of `GenerativeModel`.
    uses_belief_graph : bool, optional
        How to evaluate policies; by default as the transitions suggest.

    Returns
    -------
    packed : PackedModel
    """
    for name in changed:
        for part in PARTS.get(name, ()):
            parts.pop(part, None)
    groups = group_factors(model)
    if uses_belief_graph is None:
        uses_belief_graph = _uses_belief_graph(model)
    if (
        parts.setdefault("uses_belief_graph", uses_belief_graph) != uses_belief_graph
    ):  # the forms of A and of policies depend on it
        parts = {}
        parts["uses_belief_graph"] = uses_belief_graph
    if "factors" not in parts:
        parts["factors"] = [_pack_factor(model, f) for f in range(model.num_factors)]
    if "groups" not in parts:
        likelihoods = likelihoods_of(model, uses_belief_graph)
        parts["modalities"] = [_pack_modality(model, m, A) for m, A in enumerate(likelihoods)]
        parts["groups"] = [
            pack_group(model, factors, likelihoods, uses_belief_graph) for factors in groups
        ]
    policies = model.policy_arrays
    if uses_belief_graph and isinstance(policies, AllSequences):
        num_enumerated = len(policies) if _are_enumerated(model) else 0
        if "tree" not in parts or parts["tree"]["num_enumerated"] != num_enumerated:
            parts["tree"] = {
                "num_policies": len(policies),
                "num_enumerated": num_enumerated,
                "num_steps": policies.policy_len,
                "actions": policies.actions.astype(np.int32),
            }
    elif "tree" not in parts:
        parts["tree"] = build_policy_tree(
            list(policies.array() if isinstance(policies, AllSequences) else policies),
            model.B_factor_list,
            [(group["factors"], group["contraction_order"]) for group in parts["groups"]],
            [padded(n) for n in model.num_states],
            whole_policies=model.inference_algo == "MMP",
        )
    if "matrices" not in parts:
        parts["matrices"] = _pack_matrices(model, uses_belief_graph)
    if "D" not in parts:
        parts["D"] = _pack_prior(model)
    enumerated = not parts["tree"]["num_steps"] or parts["tree"]["num_enumerated"]
    if "log_E" not in parts:
        parts["log_E"] = spm_log_single(model.E) if enumerated else None
        parts["softmax_E"] = primitives.softmax(model.E) if enumerated else None
    return PackedModel(
        parts["factors"],
        parts["modalities"],
        parts["groups"],
        parts["tree"],
        parts["matrices"] if enumerated else None,
        parts["D"],
        parts["log_E"],
        parts["softmax_E"],
        uses_belief_graph,
    )
