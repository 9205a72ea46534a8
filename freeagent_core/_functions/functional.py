"""Packed models for the function modules: from loose arrays, without an Agent.

Nothing is normalised or compared with anything here, as in pymdp; the packed model checks
shapes and indices, so that no input gets past its arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.model.packed_model import PackedModel
from freeagent_core._model.packing import pack

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _LooseArrays:
    """`ModelArrays` of a function's arguments."""

    A: list[FloatArray]
    B: list[FloatArray]
    C: list[FloatArray]
    D: list[FloatArray]
    E: FloatArray
    I: list[FloatArray] | None  # noqa: E741
    pA: list[FloatArray] | None
    pB: list[FloatArray] | None
    num_states: list[int]
    A_factor_list: Sequence[Sequence[int]]
    B_factor_list: Sequence[Sequence[int]]
    policy_arrays: list[npt.NDArray[np.int64]]
    joint_likelihood: bool
    inference_algo: str
    preference_steps: int
    constant_E: bool = False
    sophisticated: bool = False

    @property
    def num_obs(self) -> list[int]:
        return [len(a) for a in self.A]

    @property
    def num_factors(self) -> int:
        return len(self.num_states)


def _arrays(value: Any) -> list[FloatArray]:
    items = [value] if isinstance(value, np.ndarray) and value.dtype != object else list(value)
    return [np.ascontiguousarray(item, dtype=np.float64) for item in items]


def pack_arrays(
    A: Any,
    num_states: Sequence[int],
    *,
    B: Any = None,
    C: Any = None,
    D: Any = None,
    E: Any = None,
    I: Any = None,  # noqa: E741
    pA: Any = None,
    pB: Any = None,
    policies: Any = None,
    A_factor_list: Any = None,
    B_factor_list: Any = None,
    joint_likelihood: bool = False,
    inference_algo: str = "VANILLA",
    preference_steps: int | None = None,
) -> PackedModel:
    """Return the packed form of these arrays; what is not given is uniform or idle."""
    likelihoods = _arrays(A)
    num_factors = len(num_states)
    every = list(range(num_factors))
    transitions = [np.eye(n)[:, :, np.newaxis] for n in num_states] if B is None else _arrays(B)
    if policies is None:
        policies = [np.zeros((1, num_factors), dtype=np.int64)]
    policies = [np.asarray(policy).astype(np.int64) for policy in policies]
    model = _LooseArrays(
        A=likelihoods,
        B=transitions,
        C=[np.zeros(len(a)) for a in likelihoods] if C is None else _arrays(C),
        D=[np.full(n, 1.0 / n) for n in num_states] if D is None else _arrays(D),
        E=np.full(len(policies), 1.0 / len(policies)) if E is None else _arrays(E)[0],
        I=None if I is None else _arrays(I),
        pA=None if pA is None else _arrays(pA),
        pB=None if pB is None else _arrays(pB),
        num_states=list(num_states),
        A_factor_list=[every] * len(likelihoods) if A_factor_list is None else A_factor_list,
        B_factor_list=[[f] for f in every] if B_factor_list is None else B_factor_list,
        policy_arrays=policies,
        joint_likelihood=joint_likelihood,
        inference_algo=inference_algo,
        preference_steps=preference_steps or max(len(policy) for policy in policies),
    )
    return pack(model, {})
