"""Beliefs of message passing as pymdp nests them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model.layout import belief_slices

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]


def average_over_policies(qs_pi: Any, q_pi: Any) -> ObjectArray:
    """Return beliefs averaged over policies, factor by factor.

    Source: ``pymdp.legacy.inference.average_states_over_policies``.
    """
    average = np.empty(len(qs_pi[0]), dtype=object)
    for f in range(len(average)):
        average[f] = np.zeros(len(qs_pi[0][f]))
        for beliefs, weight in zip(qs_pi, q_pi, strict=False):
            average[f] += beliefs[f] * weight
    return average


def split_traces(traces: FloatArray, num_states: Sequence[int]) -> list[list[ObjectArray]]:
    """Return traces as pymdp nests them: [policy][iteration][factor], (num_states, steps)."""
    nested = []
    for policy in traces:
        iterations = []
        for beliefs in policy:
            factors = np.empty(len(num_states), dtype=object)
            for f, states in enumerate(belief_slices(num_states)):
                factors[f] = beliefs[:, states].T.copy()
            iterations.append(factors)
        nested.append(iterations)
    return nested


def unfilled_sequences(num_policies: int, length: int, first: ObjectArray) -> ObjectArray:
    """Return pymdp's sequences before the first observation: [policy][step], of which only the
    first step has beliefs."""
    qs = np.empty(num_policies, dtype=object)
    for p in range(num_policies):
        qs[p] = np.empty(length, dtype=object)
        qs[p][0] = np.empty(len(first), dtype=object)
        for f, belief in enumerate(first):
            qs[p][0][f] = belief.copy()
    return qs
