"""What the modalities that depend on the same factors have in common, laid out for the kernels:
expected outcomes, utility and ambiguity by joint state."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model.layout import aligned_zeros, padded, rows_by_state
from freeagent_core._model.model_arrays import ModelArrays
from freeagent_core._model.sparse_columns import (
    SparseColumns,
    column_sums,
    count_nonzero,
    expected_of_rows,
    is_sparse_form,
    stacked,
    sum_p_log_p,
    whole,
)
from freeagent_core.maths import MASK, softmax, spm_log_single, spm_wnorm
from freeagent_core.utils import EPS_VAL

FloatArray = npt.NDArray[np.float64]

# Doubles that a model may spend on the outcomes expected after one more action.
MAX_NEXT_OUTCOMES = 2**22
# Sums of A and B this close to 1 differ from it by rounding.
NORMALISED = 1e-12
# pymdp 0.0.7.1's information gain runs over the joint of all modalities.
MAX_JOINT_OUTCOMES = 2**27


def info_gain_weights(dirichlet: FloatArray) -> FloatArray:
    """Return pymdp's ``spm_wnorm(p) * (p > 0)``: the weights of the parameter information gain."""
    weights: FloatArray = spm_wnorm(dirichlet) * (dirichlet > 0)
    return weights


def log_preferences(model: ModelArrays, modality: int) -> FloatArray:
    """Return ``log(softmax(C) + 1e-16)``, a row per step; one if C is the same at all steps."""
    C = model.C[modality]
    columns = C[:, np.newaxis]
    if C.ndim == 2:  # the last column again where MMP never reads the one that is missing
        columns = C[:, np.minimum(np.arange(model.preference_steps), C.shape[1] - 1)]
    return np.ascontiguousarray(spm_log_single(softmax(columns)).T)


def group_factors(model: ModelArrays) -> list[tuple[int, ...]]:
    """Return the distinct entries of ``A_factor_list``, in order of appearance."""
    return list(dict.fromkeys(tuple(factors) for factors in model.A_factor_list))


def joint_outcomes(likelihoods: Sequence[FloatArray]) -> FloatArray:
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
    next_outcomes = aligned_zeros((B.shape[-1], len(B), stride))
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


def pack_group(
    model: ModelArrays,
    factors: tuple[int, ...],
    every_likelihood: Sequence[FloatArray | SparseColumns],
    uses_belief_graph: bool,
) -> dict[str, Any]:
    modalities = [m for m, list_m in enumerate(model.A_factor_list) if tuple(list_m) == factors]
    likelihoods = [every_likelihood[m] for m in modalities]
    outcomes = [joint_outcomes(_whole(likelihoods))] if model.joint_likelihood else likelihoods
    num_joint = likelihoods[0].shape[1]
    neg_ambiguity = sum_p_log_p(outcomes, MASK)
    point_mass_gain = neg_ambiguity - sum_p_log_p(outcomes, EPS_VAL)

    log_C = [log_preferences(model, m) for m in modalities]
    steps = max(len(rows) for rows in log_C)
    utility = aligned_zeros((steps, num_joint))
    for A, rows in zip(likelihoods, log_C, strict=True):
        utility += expected_of_rows(rows, A)

    sparse = [
        A
        for A in likelihoods
        if uses_belief_graph and is_sparse_form(count_nonzero(A), num_joint, len(A))
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
    by_state = rows_by_state(np.concatenate([columns, neg_ambiguity[np.newaxis]]), stride)
    order = _contraction_order(model, factors, stride)
    contraction_row = _contraction_rows(order, [model.num_states[f] for f in factors])
    contraction = by_state
    if order != sorted(order):
        contraction = aligned_zeros(by_state.shape)
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
        weights = [info_gain_weights(model.pA[m]).reshape(model.num_obs[m], -1) for m in modalities]
        packed["A_by_state"] = rows_by_state(np.concatenate(_whole(likelihoods)), wA_stride)
        packed["wA_by_state"] = rows_by_state(np.concatenate(weights), wA_stride)
    return packed
