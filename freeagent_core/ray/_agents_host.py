"""The host of agents of any class, for `RayManager`."""

from __future__ import annotations

import os
import random
import time
from typing import Any, NamedTuple

import numpy as np

from freeagent_core.managers import _operations
from freeagent_core.ray._actor import sendable
from freeagent_core.ray._library import library


class Outcome(NamedTuple):
    """What one agent returned, or its error; `ran` is False where the time was up before."""

    ran: bool
    succeeded: bool
    result: Any
    seconds: float


LATE = Outcome(False, False, None, 0.0)


class AgentsHost:
    """Agents by slot. What comes and goes is pickled, so that it can be repeated from a log."""

    def __init__(self, seed: np.random.SeedSequence) -> None:
        words = seed.generate_state(4).tolist()
        np.random.seed(words)
        random.seed(words[0])
        self._agents: dict[int, Any] = {}
        self._pickle = library().cloudpickle  # also for classes of a script

    # --- operations ------------------------------------------------------------------------

    def add(self, slot: int, agent: bytes) -> None:
        """Take an agent in."""
        self._agents[slot] = self._pickle.loads(agent)

    def remove(self, slot: int) -> bytes:
        """Give an agent back."""
        contents: bytes = self._pickle.dumps(self._agents[slot])
        del self._agents[slot]
        return contents

    def step(self, slots: list[int], observations: bytes, seconds: float | None) -> bytes:
        """Step agents, as many as can begin in time; return the pickled outcomes."""
        deadline = None if seconds is None else time.monotonic() + seconds
        outcomes = []
        for slot, observation in zip(slots, self._pickle.loads(observations), strict=True):
            if deadline is not None and time.monotonic() >= deadline:
                outcomes.append(LATE)
            else:
                outcomes.append(self._outcome(slot, _step, observation))
        return self._pickled(outcomes)

    def call(self, slot: int, task: bytes) -> bytes:
        """Run one operation of one agent; return the pickled outcome in a list."""
        operation, data = self._pickle.loads(task)
        return self._pickled([self._outcome(slot, operation, data)])

    def skip(self) -> None:
        """Do nothing, in the place of an operation that ends the process."""

    def _outcome(self, slot: int, operation: Any, data: Any) -> Outcome:
        begin = time.perf_counter()
        try:
            result = _operations.call(self._agents[slot], operation, data)
        except Exception as error:
            return Outcome(True, False, sendable(error), time.perf_counter() - begin)
        return Outcome(True, True, result, time.perf_counter() - begin)

    def _pickled(self, outcomes: list[Outcome]) -> bytes:
        try:
            contents: bytes = self._pickle.dumps(outcomes)
            return contents
        except Exception:
            pass
        checked = []
        for outcome in outcomes:
            try:
                self._pickle.dumps(outcome)
            except Exception as error:
                outcome = outcome._replace(succeeded=False, result=sendable(error))
            checked.append(outcome)
        contents = self._pickle.dumps(checked)
        return contents

    # --- checkpoints -----------------------------------------------------------------------

    def process_id(self) -> int:
        """Return the actor's process."""
        return os.getpid()

    def snapshot(self) -> bytes:
        """Return all state of the agents, and of the generators that they draw from."""
        state = self._agents, np.random.get_state(), random.getstate()
        contents: bytes = self._pickle.dumps(state)
        return contents

    def restore(self, contents: bytes) -> None:
        """Go back to a snapshot."""
        self._agents, numpy_state, python_state = self._pickle.loads(contents)
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _step(agent: Any, observation: Any) -> Any:
    return agent.step(observation)
