"""The operations and bytes that kernels need, by the formulas that stand above them."""

from __future__ import annotations

import math

from freeagent_core.model import GenerativeModel

FUNCTION = 30  # operations of a logarithm or an exponential


def dense_evaluation(model: GenerativeModel) -> tuple[float, float]:
    """Return operations and bytes of `policy_tree` for all sequences of actions."""
    # all outcomes but the last of each modality, which is what they leave; and the ambiguity
    columns = sum(n - 1 for n in model.num_obs) + 1
    controls, sizes = model.num_controls, model.num_states
    operations = bytes_read = 0
    last = model.policy_len
    for step in range(1, last + 1):
        nodes = math.prod(controls) ** step
        operations += nodes * sum(model.num_obs) * (FUNCTION + 2)  # entropy and utility
        if model.num_factors == 1:
            if step < last:
                operations += 2 * nodes * sizes[0] * (sizes[0] + columns)
            else:  # B and the outcomes at once
                operations += 2 * nodes * sizes[0] * columns
            continue
        size, combinations = math.prod(sizes) * columns, 1
        for n, u in zip(sizes, controls, strict=True):  # one factor after the other
            combinations *= u**step
            operations += 2 * combinations * size
            size //= n
        operations += sum(2 * u**step * n * n for n, u in zip(sizes, controls, strict=True))
    bytes_read += 8 * math.prod(sizes) * columns
    if model.num_factors == 1:
        bytes_read += 8 * controls[0] * sizes[0] * (columns + (sizes[0] if last > 1 else 0))
    return operations, bytes_read
