"""The host of a shard of a `RayPopulation`."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from freeagent_core.model import GenerativeModel
from freeagent_core.population import Population
from freeagent_core.ray._library import library


class PopulationHost:
    """A `Population` in an actor. Operations take and return arrays."""

    def __init__(
        self,
        model: GenerativeModel,
        size: int,
        first_agent: int,
        seed: np.random.SeedSequence,
        num_threads: int,
    ) -> None:
        self._population = Population(model, size, num_threads, seed, first_agent=first_agent)

    # --- operations ------------------------------------------------------------------------

    def step(self, observations: Any, mask: Any) -> Any:
        """See `Population.step`."""
        return self._population.step(observations, mask)

    def infer_states(self, observations: Any, mask: Any) -> tuple[Any, ...]:
        """See `Population.infer_states`."""
        return tuple(self._population.infer_states(observations, mask))

    def infer_policies(self, mask: Any) -> tuple[Any, Any] | None:
        """See `Population.infer_policies`."""
        return self._population.infer_policies(mask)

    def sample_action(self, mask: Any) -> Any:
        """See `Population.sample_action`."""
        return self._population.sample_action(mask)

    def reset(self, mask: Any) -> None:
        """See `Population.reset`."""
        self._population.reset(mask)

    def update_A(self, observations: Any, mask: Any) -> None:
        """See `Population.update_A`."""
        self._population.update_A(observations, mask)

    def update_B(self, mask: Any, *qs_prev: Any) -> None:
        """See `Population.update_B`."""
        self._population.update_B(qs_prev, mask)

    def update_D(self, mask: Any, *qs_t0: Any) -> None:
        """See `Population.update_D`."""
        self._population.update_D(qs_t0, mask)

    # --- what changes nothing --------------------------------------------------------------

    def attribute(self, name: str) -> Any:
        """Return one of the arrays that callers look at."""
        return getattr(self._population, name)

    def of_agent(self, method: str, index: int) -> Any:
        """Return what a method tells of one agent of this shard."""
        return getattr(self._population, method)(index)

    def process_id(self) -> int:
        """Return the actor's process."""
        return os.getpid()

    def node_id(self) -> str:
        """Return the node that the actor is on."""
        found: str = library().get_runtime_context().get_node_id()
        return found

    def snapshot(self) -> bytes:
        """Return all state of the agents."""
        file = io.BytesIO()
        self._population.save(file)
        return file.getvalue()

    def restore(self, contents: bytes) -> None:
        """Go back to a snapshot."""
        population = self._population
        self._population = Population.load(
            io.BytesIO(contents), population.model, population.num_threads
        )
