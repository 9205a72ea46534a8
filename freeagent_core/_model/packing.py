"""Everything that depends on the model alone, computed once and laid out for the kernels.

Arrays of states come first in memory and are padded to eight doubles, so that a kernel
adds whole rows for the states of positive weight, and skips the others.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.base import primitives
from freeagent_core._kernels.model.packed_model import PackedModel
from freeagent_core._model.belief_matrices import MAX_ENTRIES, pack_matrices
from freeagent_core._model.layout import padded
from freeagent_core._model.model_arrays import ModelArrays
from freeagent_core._model.policies import AllSequences
from freeagent_core._model.policy_tree import build_policy_tree
from freeagent_core._model.sparse_columns import (
    MAX_WHOLE,
    SparseColumns,
    column_counts,
    column_entries,
    column_sums,
    count_nonzero,
    dense_columns,
    expected_of_rows,
    nonzeros_of,
    stacked,
    sum_p_log_p,
    whole,
)
from freeagent_core.maths import MASK, softmax, spm_log_single, spm_wnorm
from freeagent_core.utils import EPS_VAL

FloatArray = npt.NDArray[np.float64]

INDUCTIVE_EPS = 1e-3  # pymdp.legacy.control.calc_inductive_cost
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
# A belief graph is used where the transitions of all factors that can be controlled have
# at most this many nonzero entries a column. Measured there: with 4 entries and policy_len 3,
# 19 against 25 us (25 states) and 33 against 151 us (100 states); with 6 entries anywhere in 25
# states hardly any two paths meet, and matrix products win, 25 against 11 us.
MAX_GRAPH_COLUMN = 4.0
# More policies than this are not enumerated unless they must be: 16 bytes each and agent.
MAX_STORED_POLICIES = 2**13
# Doubles that a model may spend on the outcomes expected after one more action.
MAX_NEXT_OUTCOMES = 2**22
# Sums of A and B this close to 1 differ from it by rounding.
NORMALISED = 1e-12
# pymdp 0.0.7.1's information gain runs over the joint of all modalities.
MAX_JOINT_OUTCOMES = 2**27

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


def _aligned_zeros(shape: tuple[int, ...]) -> FloatArray:
    """Return zeros that start on a cache line (64 bytes)."""
    size = int(np.prod(shape))
    block = np.zeros(size + 8)
    start = -(block.ctypes.data // 8) % 8
    return block[start : start + size].reshape(shape)


def _rows_by_state(columns: FloatArray, stride: int) -> FloatArray:
    """Return `columns`, of shape (rows, states), as padded rows of shape (states, stride)."""
    out = _aligned_zeros((columns.shape[1], stride))
    out[:, : columns.shape[0]] = columns.T
    return out


def _weights(dirichlet: FloatArray) -> FloatArray:
    """Return pymdp's ``spm_wnorm(p) * (p > 0)``: the weights of the parameter information gain."""
    weights: FloatArray = spm_wnorm(dirichlet) * (dirichlet > 0)
    return weights


def _log_preferences(model: ModelArrays, modality: int) -> FloatArray:
    """Return ``log(softmax(C) + 1e-16)``, a row per step; one if C is the same at all steps."""
    C = model.C[modality]
    columns = C[:, np.newaxis]
    if C.ndim == 2:  # the last column again where MMP never reads the one that is missing
        columns = C[:, np.minimum(np.arange(model.preference_steps), C.shape[1] - 1)]
    return np.ascontiguousarray(spm_log_single(softmax(columns)).T)


def _is_sparse(num_nonzero: int, columns: int, size: int) -> bool:
    """Return whether the nonzero entries of columns of a size are better kept one by one."""
    share = MAX_LARGE_SHARE if columns * size > MAX_DENSE_ENTRIES else SPARSE_SHARE
    return bool(num_nonzero <= columns * max(SPARSE_COLUMN, size * share))


def _is_large_and_sparse(A: FloatArray | SparseColumns) -> bool:
    """Return whether a likelihood is kept as its nonzero entries where nothing needs all of it."""
    return A.size > MAX_WHOLE and _is_sparse(count_nonzero(A), A.size // len(A), len(A))


def _uses_belief_graph(model: ModelArrays) -> bool:
    """Return whether different policies are likely to lead to equal beliefs."""
    if model.inference_algo == "MMP":
        return False
    controlled = [B for B in model.B if B.shape[-1] > 1] or list(model.B)
    counts = [(count_nonzero(B), B.size // len(B), len(B)) for B in controlled]
    if any(columns * size > MAX_DENSE_ENTRIES for _, columns, size in counts):
        return all(_is_sparse(*each) for each in counts)  # a tree needs whole arrays
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
    is_sparse = np.array([_is_sparse(int(n), num_previous, num_states) for n in counts.sum(axis=1)])
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
        packed["B"] = _aligned_zeros(shape)
        for u in np.flatnonzero(~is_sparse).tolist():
            packed["B"][u, :, :num_states] = dense_columns(B, u)
    if model.inference_algo == "MMP" and len(model.B_factor_list[factor]) == 1:
        # pymdp's spm_norm(swapaxes(B, 0, 1)): over the previous state, given the next one
        array = whole(B, f"inference_algo 'MMP' with B[{factor}]")
        raised = array.transpose(2, 0, 1) + EPS_VAL
        packed["backward"] = _aligned_zeros((num_controls, num_states, padded(num_previous)))
        packed["backward"][:, :, :num_previous] = raised / raised.sum(axis=2, keepdims=True)
    if model.pB is not None:
        weights = _weights(model.pB[factor]).reshape(num_states, -1, num_controls)
        packed["wB"] = _aligned_zeros(shape)
        packed["wB"][:, :, :num_states] = weights.transpose(2, 1, 0)
    if model.I is not None and factor < len(model.I):
        reached = model.I[factor] == 1.0
        row = np.maximum(reached.argmax(axis=0) - 1, 0)
        packed["inductive_row"] = np.where(reached.any(axis=0), row, -1).astype(np.int32)
        packed["inductive_cost"] = np.ascontiguousarray(
            (1.0 - model.I[factor]) * np.log(INDUCTIVE_EPS)
        )
    return packed


def group_factors(model: ModelArrays) -> list[tuple[int, ...]]:
    """Return the distinct entries of ``A_factor_list``, in order of appearance."""
    return list(dict.fromkeys(tuple(factors) for factors in model.A_factor_list))


def _joint_outcomes(likelihoods: Sequence[FloatArray]) -> FloatArray:
    """Return the joint likelihood of all modalities' outcomes, shape (outcomes, states)."""
    size = np.prod([A.shape[0] for A in likelihoods], dtype=object) * likelihoods[0].shape[1]
    if size > MAX_JOINT_OUTCOMES:
        raise ValueError(
            f"A has {size} joint probabilities of outcomes and states; the information gain of "
            f"pymdp 0.0.7.1 needs them all, and at most {MAX_JOINT_OUTCOMES} are supported"
        )
    joint = np.ones((1, likelihoods[0].shape[1]))
    for A in likelihoods:
        joint = (joint[:, np.newaxis] * A[np.newaxis]).reshape(-1, A.shape[1])
    return joint


def _complement_start(
    distributions: Sequence[tuple[FloatArray | SparseColumns, FloatArray]],
) -> npt.NDArray[np.int32] | None:
    """Return where the columns of each distribution begin and end, without its last outcome, which
    is the complement of the others; None if some do not sum to 1."""
    if any(np.abs(column_sums(A) - 1.0).max() > NORMALISED for A, _ in distributions):
        return None
    return np.append(0, np.cumsum([len(A) - 1 for A, _ in distributions])).astype(np.int32)


def _outcome_columns(
    distributions: Sequence[tuple[FloatArray, FloatArray]], complements: bool, num_joint: int
) -> tuple[FloatArray, FloatArray, float]:
    """Return the outcomes that are columns, and what their expected utility comes from.

    Parameters
    ----------
    distributions : sequence of (A, log_C)
        Of shapes (outcomes, num_joint) and (outcomes,).
    complements : bool
        Leave out the last outcome of each.
    num_joint : int

    Returns
    -------
    columns : ndarray, shape (outcomes, num_joint)
    column_utility : ndarray, shape (outcomes,)
    complement_utility : float
        Expected utility is ``expected @ column_utility + complement_utility``.
    """
    columns, utility, complement_utility = [np.empty((0, num_joint))], [np.empty(0)], 0.0
    for A, log_C in distributions:
        columns.append(A[:-1] if complements else A)
        utility.append(log_C[:-1] - log_C[-1] if complements else log_C)
        complement_utility += float(log_C[-1]) if complements else 0.0
    return np.concatenate(columns), np.concatenate(utility), complement_utility


def _next_outcomes(model: ModelArrays, factor: int, by_state: FloatArray) -> dict[str, Any]:
    """Return the outcomes expected from each state after each action, and the smallest sum of a row
    of B: no weight of the next belief is below this times the smallest weight of the present."""
    B, stride = model.B[factor], by_state.shape[1]
    size = B.shape[-1] * len(B) * stride
    if model.B_factor_list[factor] != [factor] or size > MAX_NEXT_OUTCOMES:
        return {}
    B = whole(B, f"a policy tree with B[{factor}]")
    if np.abs(B.sum(axis=0) - 1.0).max() > NORMALISED:  # the sum of a belief stays the same
        return {}
    next_outcomes = _aligned_zeros((B.shape[-1], len(B), stride))
    np.matmul(B.transpose(2, 1, 0), by_state, out=next_outcomes)
    return {
        "next_outcomes": next_outcomes,
        "min_row_sum": np.ascontiguousarray(B.sum(axis=1).min(axis=0)),
    }


def _contraction_order(model: ModelArrays, factors: Sequence[int], columns: int) -> list[int]:
    """Return the cheapest order in which to sum out factors, as positions in `factors`.

    A factor that has many states and few beliefs (one per sequence of its actions) comes
    first. The cost is that of ``policy_tree._contract`` at the last step of the policies.
    """
    sizes = [model.num_states[f] for f in factors]
    beliefs = [model.B[f].shape[-1] ** model.preference_steps for f in factors]

    def cost(order: Iterable[int]) -> float:
        size, combinations, total = float(np.prod(sizes)) * columns, 1.0, 0.0
        for position in order:
            combinations *= beliefs[position]
            total += combinations * size
            size /= sizes[position]
        return total

    every = range(len(factors))
    if len(factors) > 6:
        return sorted(every, key=lambda position: beliefs[position] / sizes[position])
    return list(min(itertools.permutations(every), key=cost))


def _contraction_rows(order: Sequence[int], sizes: Sequence[int]) -> npt.NDArray[np.int32]:
    """Return where each joint state stands when the axes are in another order."""
    shape = [sizes[position] for position in order]
    places = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
    return np.ascontiguousarray(places.transpose(np.argsort(order)).ravel())


def _whole(likelihoods: Sequence[FloatArray | SparseColumns]) -> list[FloatArray]:
    return [whole(A, "A") for A in likelihoods]


def likelihoods_of(model: ModelArrays, uses_belief_graph: bool) -> list[FloatArray | SparseColumns]:
    """Return A of each modality, of shape (num_obs, joint states): as nonzero entries where it is
    large and nothing needs all of it."""
    can_be_sparse = uses_belief_graph and not model.joint_likelihood and model.pA is None
    found: list[FloatArray | SparseColumns] = []
    for m, A in enumerate(model.A):
        if can_be_sparse and _is_large_and_sparse(A):
            found.append(A if isinstance(A, SparseColumns) else nonzeros_of(A.reshape(len(A), -1)))
        else:
            found.append(whole(A, f"A[{m}] of this model").reshape(len(A), -1))
    return found


def _pack_group(
    model: ModelArrays,
    factors: tuple[int, ...],
    every_likelihood: Sequence[FloatArray | SparseColumns],
    uses_belief_graph: bool,
) -> dict[str, Any]:
    modalities = [m for m, list_m in enumerate(model.A_factor_list) if tuple(list_m) == factors]
    likelihoods = [every_likelihood[m] for m in modalities]
    outcomes = [_joint_outcomes(_whole(likelihoods))] if model.joint_likelihood else likelihoods
    num_joint = likelihoods[0].shape[1]
    neg_ambiguity = sum_p_log_p(outcomes, MASK)
    point_mass_gain = neg_ambiguity - sum_p_log_p(outcomes, EPS_VAL)

    log_C = [_log_preferences(model, m) for m in modalities]
    steps = max(len(rows) for rows in log_C)
    utility = _aligned_zeros((steps, num_joint))
    for A, rows in zip(likelihoods, log_C, strict=True):
        utility += expected_of_rows(rows, A)

    sparse = [
        A
        for A in likelihoods
        if uses_belief_graph and _is_sparse(count_nonzero(A), num_joint, len(A))
    ]
    distributions = [(A, rows[0]) for A, rows in zip(likelihoods, log_C, strict=True)]
    if model.joint_likelihood:
        sparse = []
        joint_log_C = functools.reduce(np.add.outer, [rows[0] for rows in log_C]).ravel()
        distributions = [(outcomes[0], joint_log_C)]
    dense = [
        (whole(A, "a group of modalities"), log_C_m)
        for A, log_C_m in distributions
        if all(A is not other for other in sparse)
    ]
    learned_complement_start = _complement_start(distributions)
    complement_start = _complement_start(dense) if sparse else learned_complement_start
    columns, column_utility, complement_utility = _outcome_columns(
        dense, complement_start is not None, num_joint
    )
    stride = padded(len(columns) + 1)
    by_state = _rows_by_state(np.concatenate([columns, neg_ambiguity[np.newaxis]]), stride)
    order = _contraction_order(model, factors, stride)
    contraction_row = _contraction_rows(order, [model.num_states[f] for f in factors])
    contraction = by_state
    if order != sorted(order):
        contraction = _aligned_zeros(by_state.shape)
        contraction[contraction_row] = by_state

    num_rows = sum(len(A) for A in likelihoods)
    wA_stride = padded(num_rows)
    packed = {
        "factors": np.array(factors, dtype=np.int32),
        "modalities": np.array(modalities, dtype=np.int32),
        "num_utility_steps": steps,
        "utility": utility,
        "joint_outcomes": model.joint_likelihood,
        "num_outcomes": len(columns),
        "outcomes": by_state,
        "outcome_utility": np.pad(column_utility, (0, stride - len(column_utility))),
        "complement_utility": complement_utility,
        "complement_start": complement_start,
        # a model that learns keeps all modalities dense
        "learned_complement_start": learned_complement_start,
        "learned_stride": padded(num_rows + 1),
        "contraction": contraction,
        "contraction_order": np.array(order, dtype=np.int32),
        "contraction_row": contraction_row,
        "point_mass_gain": np.ascontiguousarray(point_mass_gain),
        "num_sparse_outcomes": 0,
        "sparse_start": None,
        "sparse_outcome": None,
        "sparse_A": None,
        "wA_stride": wA_stride,
        "A_by_state": None,
        "wA_by_state": None,
        "next_outcomes": None,
        "min_row_sum": None,
    }
    if not uses_belief_graph and len(factors) == 1:
        packed.update(_next_outcomes(model, factors[0], by_state))
    if sparse:
        every = stacked(sparse)
        packed["num_sparse_outcomes"] = len(every)
        packed["sparse_start"] = every.start
        packed["sparse_outcome"] = every.index
        packed["sparse_A"] = every.value
    if model.pA is not None:
        weights = [_weights(model.pA[m]).reshape(model.num_obs[m], -1) for m in modalities]
        packed["A_by_state"] = _rows_by_state(np.concatenate(_whole(likelihoods)), wA_stride)
        packed["wA_by_state"] = _rows_by_state(np.concatenate(weights), wA_stride)
    return packed


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
        if _is_large_and_sparse(A):
            return None
    outcomes = (
        _joint_outcomes(likelihoods) if model.joint_likelihood else np.concatenate(likelihoods)
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
        "log_C": _log_preferences(model, modality),
    }
    if isinstance(A, SparseColumns):
        order = np.argsort(A.index, kind="stable")
        counts = np.bincount(A.index, minlength=len(A))
        packed["row_start"] = np.append(0, np.cumsum(counts)).astype(np.int32)
        packed["row_state"] = A.columns()[order].astype(np.int32)
        packed["row_A"] = A.value[order]
        packed["row_log_A"] = primitives.log_eps(packed["row_A"])
        return packed
    packed["A"] = _aligned_zeros(A.shape)
    packed["A"][:] = A
    packed["log_A"] = _aligned_zeros(A.shape)
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
            _pack_group(model, factors, likelihoods, uses_belief_graph) for factors in groups
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
