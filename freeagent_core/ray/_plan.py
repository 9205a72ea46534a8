"""How the agents of a population are divided between shards, and from what they are made."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from freeagent_core._model import validation as check
from freeagent_core.model import GenerativeModel
from freeagent_core.ray._library import connected


class Plan(NamedTuple):
    """Which agents a shard has (from one bound to the next), and their seed."""

    bounds: list[int]
    seed: np.random.SeedSequence
    checkpoint_interval: int


def plan_of(
    model: GenerativeModel,
    size: int,
    num_shards: int | None,
    num_cpus: float,
    seed: Any,
    checkpoint_interval: int,
) -> Plan:
    """Check what a new population is made from, and divide its agents."""
    if not isinstance(model, GenerativeModel):
        raise TypeError(f"model must be a GenerativeModel, got {type(model).__name__}")
    size = check.integer(size, 1, None, "size")
    check_num_cpus(num_cpus)
    if num_shards is None:
        nodes = [each["Resources"] for each in connected().nodes() if each["Alive"]]
        num_shards = min(max(sum(each.get("CPU", 0) >= num_cpus for each in nodes), 1), size)
    num_shards = check.integer(num_shards, 1, size + 1, "num_shards")
    return Plan(
        [size * i // num_shards for i in range(num_shards + 1)],
        seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed),
        check.integer(checkpoint_interval, 1, None, "checkpoint_interval"),
    )


def check_num_cpus(num_cpus: float) -> None:
    """Raise what is wrong with the processors that are asked for."""
    if not num_cpus > 0:
        raise ValueError(f"num_cpus must be above 0, got {num_cpus!r}")
