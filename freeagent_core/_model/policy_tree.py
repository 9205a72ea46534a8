"""The tree of policies, laid out once per model: equal beginnings are evaluated once.

Three kinds of things are numbered, step by step from the roots:

- *prefixes*: distinct beginnings of policies. G of a policy is the sum of the values of
  its prefixes.
- *factor nodes*: distinct beliefs of one factor by structure, that is by its own actions
  and by the nodes of the factors its transitions depend on. A factor without controls
  has one node a step however many policies there are.
- *group nodes*: distinct combinations of factor nodes among the factors that a group of
  modalities depends on.

Equality is by structure, so it holds for any beliefs and needs no comparison later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def _distinct(columns: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """Return the first row of each distinct row of `columns`, and each row's number among them."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    first = np.zeros(1, dtype=np.int64)
    for column in columns:
        # codes stay below the number of rows, so the product cannot overflow
        code = code * (int(column.max()) + 1) + column
        _, first, code = np.unique(code, return_index=True, return_inverse=True)
    return first, code


def build_policy_tree(
    policies: Sequence[npt.NDArray[Any]],
    dependencies: Sequence[Sequence[int]],
    groups: Sequence[tuple[Sequence[int], Sequence[int]]],
    strides: Sequence[int],
    whole_policies: bool = False,
) -> dict[str, Any]:
    """Number prefixes, factor nodes and group nodes of `policies`.

    Parameters
    ----------
    policies : sequence of ndarray of int, shape (policy_len, num_factors)
        The lengths may differ.
    dependencies : sequence of sequence of int
        ``B_factor_list``.
    groups : sequence of tuple
        Factors that each group of modalities depends on, and the order in which they are
        summed out (positions in these). Nodes of a group are sorted in that order.
    strides : sequence of int
        Doubles that one belief of each factor takes.
    whole_policies : bool
        Keep all actions and the families of policies that agree in all but the last
        (for MMP; the policies are then of one length).

    Returns
    -------
    tree : dict
        The fields of ``PolicyTree`` in ``_kernels/packed_model.pxd``.
    """
    num_factors = len(dependencies)
    lengths = np.array([len(policy) for policy in policies])
    actions = np.zeros((len(policies), lengths.max(), num_factors), dtype=np.int64)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        actions[rows, :length] = np.stack([policies[int(row)] for row in rows])

    node_factor: list[IntArray] = [np.arange(num_factors)]
    node_action: list[IntArray] = [np.zeros(num_factors, dtype=np.int64)]
    node_parents: list[IntArray] = []
    parent_counts: list[IntArray] = [np.zeros(num_factors, dtype=np.int64)]
    group_of: list[IntArray] = []
    group_step: list[IntArray] = []
    group_members: list[IntArray] = []
    prefix_parent: list[IntArray] = []
    prefix_factor_nodes: list[IntArray] = []
    prefix_group_nodes: list[IntArray] = []
    num_nodes, num_group_nodes, num_prefixes = num_factors, 0, 0

    alive = np.arange(len(policies))
    prefix_of = np.full(len(policies), -1)
    before = np.arange(num_factors)[np.newaxis, :]  # factor nodes of the prefixes one step before
    first_leaf = 0
    base = -1  # number of the first of these prefixes (the root stands for all before step 0)
    for step in range(lengths.max()):
        alive = alive[lengths[alive] > step]
        here = actions[alive, step]
        first, number = _distinct([prefix_of[alive] - base, *here.T])
        parents, taken = prefix_of[alive][first], here[first]
        previous = before[parents - base]

        first_leaf = num_nodes
        nodes = np.empty((len(first), num_factors), dtype=np.int64)
        for factor in range(num_factors):
            sources = previous[:, dependencies[factor]]
            # nodes of one action stand together: their beliefs are one matrix product
            first_of, number_of = _distinct([taken[:, factor], *sources.T])
            nodes[:, factor] = num_nodes + number_of
            num_nodes += len(first_of)
            node_factor.append(np.full(len(first_of), factor))
            node_action.append(taken[first_of, factor])
            node_parents.append(sources[first_of].ravel())
            parent_counts.append(np.full(len(first_of), sources.shape[1]))

        group_nodes = np.empty((len(first), len(groups)), dtype=np.int64)
        for group, (group_factors, order) in enumerate(groups):
            first_of, number_of = _distinct(list(nodes[:, group_factors][:, order].T))
            group_nodes[:, group] = num_group_nodes + number_of
            num_group_nodes += len(first_of)
            group_of.append(np.full(len(first_of), group))
            group_step.append(np.full(len(first_of), step))
            group_members.append(nodes[first_of][:, group_factors].ravel())

        prefix_parent.append(parents)
        prefix_factor_nodes.append(nodes)
        prefix_group_nodes.append(group_nodes)
        prefix_of[alive] = num_prefixes + number
        before, base = nodes, num_prefixes
        num_prefixes += len(first)

    factors = np.concatenate(node_factor)
    sizes = np.asarray(strides, dtype=np.int64)[factors]
    group_numbers = np.concatenate(group_of)
    member_counts = np.array([len(members) for members, _ in groups])[group_numbers]

    def int32(parts: Any) -> npt.NDArray[np.int32]:
        return np.ascontiguousarray(parts, dtype=np.int32)

    families: dict[str, Any] = dict.fromkeys(("policy_actions", "family_start", "family_members"))
    if whole_policies:
        beginning = np.concatenate(prefix_parent)[prefix_of]
        by_beginning = np.argsort(beginning, kind="stable")
        starts = np.flatnonzero(np.diff(beginning[by_beginning], prepend=-2))
        families["policy_actions"] = int32(actions)
        families["family_members"] = by_beginning.astype(np.intp)
        families["family_start"] = np.append(starts, len(by_beginning)).astype(np.intp)

    return {
        **families,
        "num_steps": 0,
        "node_factor": int32(factors),
        "node_action": int32(np.concatenate(node_action)),
        "node_parent_start": int32(np.append(0, np.cumsum(np.concatenate(parent_counts)))),
        "node_parents": int32(np.concatenate(node_parents)),
        "node_offset": np.ascontiguousarray(np.cumsum(sizes) - sizes, dtype=np.intp),
        "beliefs_size": int(sizes.sum()),
        "first_leaf": first_leaf,
        "group_of": int32(group_numbers),
        "group_step": int32(np.concatenate(group_step)),
        "group_start": int32(np.append(0, np.cumsum(member_counts))),
        "group_factor_nodes": int32(np.concatenate(group_members)),
        "prefix_parent": int32(np.concatenate(prefix_parent)),
        "prefix_factor_nodes": int32(np.concatenate(prefix_factor_nodes)),
        "prefix_group_nodes": int32(np.concatenate(prefix_group_nodes)),
        "policy_prefix": int32(prefix_of),
        "first_action": int32(actions[:, 0]),
    }
