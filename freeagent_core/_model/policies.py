"""What a model plans with: all policies, and the states from which a goal is in reach."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from freeagent_core._model.sparse_columns import SparseColumns

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MAX_POLICIES = 2**24  # that are enumerated
MAX_SEQUENCES = 2**56  # their arrays' bytes could be counted, if not held
MAX_POLICY_LEN = 2**16
MAX_GOAL_ENTRIES = 2**27  # of I, which backwards induction fills


def exceeds(base: int, exponent: int, limit: int) -> bool:
    """Return whether ``base**exponent > limit``, without the power of large numbers."""
    return base > 1 and (exponent >= limit.bit_length() or base**exponent > limit)


class AllSequences(Sequence[IntArray]):
    """All sequences of actions, in pymdp's order: the last action varies fastest.

    Made one by one on demand, since there may be too many to enumerate.

    Parameters
    ----------
    num_controls : sequence of int
    policy_len : int
    """

    def __init__(self, num_controls: Sequence[int], policy_len: int) -> None:
        self.num_controls = list(num_controls)
        self.policy_len = policy_len
        joint = math.prod(self.num_controls)
        if policy_len > MAX_POLICY_LEN:
            raise ValueError(f"policy_len must be at most {MAX_POLICY_LEN}, got {policy_len}")
        if joint > MAX_POLICIES or exceeds(joint, policy_len, MAX_SEQUENCES):
            raise ValueError(
                f"policy_len {policy_len} with num_controls {list(num_controls)} gives "
                f"{joint}**{policy_len} policies; at most 2**56 are supported, 2**24 of one step"
            )
        self._count: int = joint**policy_len
        digits = np.unravel_index(np.arange(joint), self.num_controls)
        self.actions: IntArray = np.stack(digits, axis=1)
        self.actions.flags.writeable = False

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num_controls}, {self.policy_len})"

    @overload
    def __getitem__(self, index: int) -> IntArray: ...
    @overload
    def __getitem__(self, index: slice) -> list[IntArray]: ...
    def __getitem__(self, index: int | slice) -> IntArray | list[IntArray]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        number = range(self._count)[index]
        chosen = np.empty(self.policy_len, dtype=np.intp)
        for step in range(self.policy_len - 1, -1, -1):
            number, chosen[step] = divmod(number, len(self.actions))
        policy: IntArray = self.actions[chosen]
        policy.flags.writeable = False
        return policy

    def array(self) -> IntArray:
        """Return all of them, shape (num_policies, policy_len, num_factors).

        Raises
        ------
        ValueError
            If there are more than `MAX_POLICIES`.
        """
        if self._count > MAX_POLICIES:
            raise ValueError(
                f"policy_len {self.policy_len} with num_controls {self.num_controls} gives "
                f"{self._count} policies, too many to enumerate: at most {MAX_POLICIES} are"
            )
        chosen = np.unravel_index(np.arange(self._count), [len(self.actions)] * self.policy_len)
        policies: IntArray = self.actions[np.stack(chosen, axis=1)]
        policies.flags.writeable = False
        return policies


def construct_policies(num_controls: Sequence[int], policy_len: int) -> npt.NDArray[np.int64]:
    """Return all sequences of actions, shape (num_policies, policy_len, num_factors).

    In the order of pymdp's ``control.construct_policies``: the last action varies fastest.

    Examples
    --------
    >>> construct_policies([2, 1], 1).tolist()
    [[[0, 0]], [[1, 0]]]
    """
    return AllSequences(num_controls, policy_len).array()


def _leads(B: FloatArray | SparseColumns, threshold: float) -> Callable[[FloatArray], FloatArray]:
    """Return what sums, for each state, over the states from which some action leads to it."""
    if not isinstance(B, SparseColumns):
        matrix = np.asarray(np.any(threshold < B, axis=-1), dtype=np.float64)
        return lambda reached: matrix @ reached
    n = len(B)
    if threshold < 0.0:  # zeros count too
        return lambda reached: np.full(n, float(reached.sum()))
    counts = B.value > threshold
    pairs = np.unique(B.index[counts] * np.int64(n) + B.columns()[counts] % n)
    after, before = pairs // n, pairs % n
    return lambda reached: np.bincount(after, reached[before], n).astype(np.float64)


def backwards_induction(
    H: Sequence[FloatArray],
    B: Sequence[FloatArray | SparseColumns],
    B_factor_list: Sequence[Sequence[int]] | None,
    threshold: float,
    depth: int,
) -> list[FloatArray]:
    """Return I, from which states a goal is in reach after how many steps.

    Source: ``pymdp.legacy.control.backwards_induction``, including its direction (a state
    is reached if an action leads to it from a state that was reached before).

    Parameters
    ----------
    H : sequence of ndarray, shape (num_states,)
        1 at the goal states of each factor.
    B : sequence of ndarray or SparseColumns
    B_factor_list : sequence of sequence of int, optional
    threshold : float
        Transitions at most this probable do not count.
    depth : int

    Returns
    -------
    I : list of ndarray, shape (depth, num_states)

    Raises
    ------
    ValueError
        If a factor's transitions depend on more than one factor.
    """
    largest = max(len(goal) for goal in H)
    if depth * largest > MAX_GOAL_ENTRIES:
        raise ValueError(
            f"ii_depth must be at most {MAX_GOAL_ENTRIES // largest} with {largest} states, "
            f"got {depth}"
        )
    result = []
    for factor, goal in enumerate(H):
        source = factor
        if B_factor_list is not None:
            if len(B_factor_list[factor]) > 1:
                raise ValueError(
                    f"H needs factors whose transitions depend on one factor; "
                    f"B_factor_list[{factor}] is {list(B_factor_list[factor])}"
                )
            source = B_factor_list[factor][0]
        between, expected = B[source].shape[:-1], (len(goal), len(goal))
        if between != expected:
            raise ValueError(f"B[{source}] over states must have shape {expected}, got {between}")
        leads = _leads(B[source], threshold)
        reached = np.zeros((depth, len(goal)))
        reached[0] = goal
        for step in range(1, depth):
            reached[step] = leads(reached[step - 1]) > 0.1
        reached.flags.writeable = False
        result.append(reached)
    return result
