"""Policies as sequences of actions: construction, and what many of them share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model.policies import MAX_POLICIES, exceeds
from freeagent_core.pymdp_v1._arrays import as_array, as_size

IntArray = npt.NDArray[np.int64]

MAX_STEPS = 2**28  # of all policies that are enumerated


class Policies:
    """An array of policies.

    Parameters
    ----------
    policy_arr : (num_policies, policy_len, num_factors) array of int, or nested sequence
        An action for each factor at each step of each policy.

    Attributes
    ----------
    policy_arr : ndarray of int64, read-only
    horizon : int
        Steps of a policy.
    num_policies : int

    Examples
    --------
    >>> policies = Policies([[[0], [0]], [[1], [0]]])
    >>> policies.num_policies, policies.horizon, len(policies)
    (2, 2, 2)
    >>> policies[1]
    array([[1],
           [0]])
    """

    __slots__ = ("horizon", "num_policies", "policy_arr")

    policy_arr: IntArray
    horizon: int
    num_policies: int

    def __init__(self, policy_arr: Any) -> None:
        array = as_array(policy_arr, "policies")
        if array.ndim != 3 or 0 in array.shape or array.dtype.kind not in "iub":
            raise ValueError(
                "policies must be integers of shape (num_policies, policy_len, num_factors), "
                f"got {array.dtype} {array.shape}"
            )
        self.policy_arr = array.astype(np.int64)
        self.policy_arr.flags.writeable = False
        self.num_policies, self.horizon = array.shape[:2]

    def __getitem__(self, index: Any) -> Any:
        return self.policy_arr[index]

    def __len__(self) -> int:
        return self.num_policies

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policies) and np.array_equal(self.policy_arr, other.policy_arr)

    def __hash__(self) -> int:
        return hash((self.policy_arr.shape, self.policy_arr.tobytes()))

    def __reduce__(self) -> tuple[Any, ...]:
        return Policies, (self.policy_arr,)

    def __repr__(self) -> str:
        return f"Policies(num_policies={self.num_policies}, horizon={self.horizon})"


def all_policies(
    num_states: Sequence[int],
    num_controls: Sequence[int] | None = None,
    policy_len: int = 1,
    control_fac_idx: Sequence[int] | None = None,
) -> IntArray:
    """Enumerate all sequences of actions, the last factor of the last step fastest.

    Parameters
    ----------
    num_states : sequence of int
    num_controls : sequence of int, optional
        By default as many as states for the factors in `control_fac_idx`, 1 for others.
    policy_len : int
    control_fac_idx : sequence of int, optional
        Only used without `num_controls`; by default all factors.

    Returns
    -------
    (num_policies, policy_len, num_factors) array of int64

    Raises
    ------
    ValueError
        If there are more than 2**24, or more than 2**28 steps of all policies.

    Source: `pymdp.control.construct_policies`.
    """
    num_factors = len(num_states)
    if num_controls is None:
        controlled = range(num_factors) if control_fac_idx is None else control_fac_idx
        num_controls = [n if f in controlled else 1 for f, n in enumerate(num_states)]
    policy_len = as_size(policy_len, "policy_len", 1)
    joint = math.prod(num_controls)
    if exceeds(joint, policy_len, MAX_POLICIES) or joint**policy_len * policy_len > MAX_STEPS:
        raise ValueError(
            f"policy_len={policy_len} with num_controls={list(num_controls)} gives {joint}**"
            f"{policy_len} policies; at most {MAX_POLICIES}, of {MAX_STEPS} steps in all, are "
            "enumerated: choose some as `policies`"
        )
    flat = np.empty((joint**policy_len, policy_len * num_factors), dtype=np.int64)
    repeats, numbers = 1, np.arange(len(flat))
    for column, n in reversed(list(enumerate([*num_controls] * policy_len))):
        flat[:, column] = numbers // repeats % n
        repeats *= n
    return flat.reshape(-1, policy_len, num_factors)


# --- what policies share --------------------------------------------------------------------------


def _distinct(columns: Sequence[npt.NDArray[Any]]) -> tuple[IntArray, IntArray]:
    """Number the distinct rows of some columns of small integers.

    Returns the number of each row, and a row for each number.
    """
    ids = np.zeros(len(columns[0]), dtype=np.int64)
    first = np.zeros(1, dtype=np.int64)
    for column in columns:
        # below num_policies * (num_policies + num_controls): no overflow
        key = ids * (int(column.max()) + 1) + column
        _, first, ids = np.unique(key, return_index=True, return_inverse=True)
    return ids, first


def shared_parts(
    policies: npt.NDArray[Any],
    groups: Sequence[Sequence[int]],
    B_dependencies: Sequence[Sequence[int]],
) -> dict[str, Any]:
    """Find the distinct beliefs, joint beliefs and beginnings of policies, step by step.

    Parameters
    ----------
    policies : (num_policies, policy_len, num_factors) array of int
    groups : sequence of sequence of int
        Distinct sets of factors that modalities depend on.
    B_dependencies : sequence of sequence of int
        Factors that each factor's next state depends on.

    Returns
    -------
    dict
        The plan that `freeagent_core._kernels.planning.policy_plan.PolicyPlan` takes.
    """
    num_policies, num_steps, num_factors = policies.shape
    plan: dict[str, Any] = {
        "num_policies": num_policies,
        "num_steps": num_steps,
        "belief_counts": [],
        "belief_actions": [],
        "belief_parents": [],
        "joint_counts": [],
        "joint_parents": [],
        "prefix_counts": [],
        "prefix_before": [],
        "prefix_joints": [],
        "prefix_beliefs": [],
    }
    beliefs = [np.zeros(num_policies, dtype=np.int64) for _ in range(num_factors)]
    prefix = np.zeros(num_policies, dtype=np.int64)
    for step in range(num_steps):
        actions = policies[:, step]
        found = [
            _distinct([actions[:, f], *(beliefs[parent] for parent in B_dependencies[f])])
            for f in range(num_factors)
        ]
        plan["belief_counts"].append([len(first) for _, first in found])
        plan["belief_actions"].append(
            [_int32(actions[first, f]) for f, (_, first) in enumerate(found)]
        )
        plan["belief_parents"].append(
            [
                _int32(np.stack([beliefs[parent][first] for parent in B_dependencies[f]], axis=1))
                for f, (_, first) in enumerate(found)
            ]
        )
        beliefs = [ids for ids, _ in found]
        joints = [_distinct([beliefs[parent] for parent in parents]) for parents in groups]
        plan["joint_counts"].append([len(first) for _, first in joints])
        plan["joint_parents"].append(
            [
                _int32(np.stack([beliefs[parent][first] for parent in parents], axis=1))
                for parents, (_, first) in zip(groups, joints, strict=True)
            ]
        )
        ids, first = _distinct([prefix, *actions.T])
        plan["prefix_counts"].append(len(first))
        plan["prefix_before"].append(_int32(prefix[first]))
        plan["prefix_joints"].append(_int32(np.stack([j[first] for j, _ in joints], axis=1)))
        plan["prefix_beliefs"].append(_int32(np.stack([b[first] for b in beliefs], axis=1)))
        prefix = ids
    plan["last"] = _int32(prefix)
    plan["first_action"] = _int32(policies[:, 0])
    return plan


def _int32(array: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    return np.ascontiguousarray(array, dtype=np.int32)
