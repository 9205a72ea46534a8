"""The ways to step agents, behind one interface, so that they are timed alike.

A way is given observations as an array, prepares what its call takes, and is timed for that
call alone. All but processes step the same agent objects: they never run at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from freeagent_core import managers, pymdp_v0
from freeagent_core.agent import Agent
from freeagent_core.model import GenerativeModel
from freeagent_core.population import Population
from freeagent_core.report.environment import IntArray

MAX_COPIED_BYTES = 512 << 20  # copies of the model that worker processes may hold
REGISTRATIONS_TIMED = 16  # before the time of all is predicted

LABELS = {
    "loop": "loop over agent.step",
    "sequential": "SequentialManager",
    "asyncio": "AsyncManager",
    "threads": "ThreadPoolManager",
    "processes": "ProcessPoolManager",
    "population": "Population",
}
PARALLEL = ("asyncio", "threads", "processes", "population")
MANAGERS = ("sequential", "asyncio", "threads", "processes")


# Memory of agents, beyond which they are left out.
MAX_BYTES = 2 << 30
ENUMERATED = 8192  # policies whose q_pi and G an agent keeps, at most


def bytes_of_agent(model: GenerativeModel, rest: int) -> int:
    """Return about what an agent takes: beliefs, q_pi, G, and the rest."""
    policies = min(len(model.policy_arrays), ENUMERATED)
    return 8 * (sum(model.num_states) + 2 * policies) + rest


def _check_memory(model: GenerativeModel, size: int, rest: int) -> None:
    found = bytes_of_agent(model, rest) * size
    if found > MAX_BYTES:
        raise LeftOutError(f"{size:,} agents take about {found / 2**30:,.1f} GiB")


class LeftOutError(Exception):
    """A way cannot be measured with so many agents; the message says why."""


class Way(Protocol):
    """What all ways have."""

    def resize(self, size: int) -> None:
        """Have at least `size` agents."""

    def begin_episode(self, size: int) -> None:
        """Reset the first `size` agents."""

    def prepare(self, observations: IntArray) -> Any:
        """Return what `tick` takes; not timed."""

    def tick(self, prepared: Any) -> Any:
        """Step the agents: this is timed."""

    def actions(self, results: Any) -> npt.NDArray[Any]:
        """Return actions (size, num_factors) from what `tick` returned; not timed."""

    def close(self) -> None:
        """End threads and processes."""


def new_agent(model: GenerativeModel) -> Agent:
    """Return an agent of the class that has the model's numbers."""
    if model.pymdp_version == "legacy":
        return Agent.from_model(model)
    return pymdp_v0.Agent.from_model(model)


class Agents:
    """Agents of one model, made when they are needed."""

    def __init__(self, model: GenerativeModel) -> None:
        self.model = model
        self.made: list[Agent] = []

    def up_to(self, size: int) -> list[Agent]:
        """Return at least `size` agents."""
        _check_memory(self.model, size, rest=4096)
        self.made += [new_agent(self.model) for _ in range(size - len(self.made))]
        return self.made


def begin_episode(agent: Any) -> None:
    """Make an agent as it was when new: pymdp's `reset` keeps the last action and histories."""
    agent.reset()
    agent.action = None
    agent.prev_actions = None
    agent.prev_obs = []


class EpisodicAgent:
    """An agent in a worker process, which begins an episode when it observes None: one tick
    for all agents, where a task for each would take longer than what is measured."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def step(self, observation: Any) -> Any:
        """Step the agent."""
        if observation is None:
            return begin_episode(self.agent)
        return self.agent.step(observation)


class Loop:
    """A loop over agents, as a script without any manager has it."""

    def __init__(self, agents: Agents) -> None:
        self.agents = agents

    def resize(self, size: int) -> None:
        self.agents.up_to(size)

    def begin_episode(self, size: int) -> None:
        for agent in self.agents.made[:size]:
            begin_episode(agent)

    def prepare(self, observations: IntArray) -> list[tuple[Agent, list[int]]]:
        return list(zip(self.agents.made, observations.tolist(), strict=False))

    def tick(self, prepared: Any) -> Any:
        return [agent.step(observation) for agent, observation in prepared]

    def actions(self, results: Any) -> npt.NDArray[Any]:
        return np.array(results)

    def close(self) -> None:
        """Nothing is to be ended."""


class Managed:
    """Agents in a manager."""

    def __init__(self, manager: Any, agents: Agents) -> None:
        self.manager = manager
        self.agents = agents
        self.registered = 0

    def resize(self, size: int) -> None:
        agents = self.agents.up_to(size)
        for i in range(self.registered, size):
            self.manager.register_agent(i, agents[i])
            self.registered += 1

    def begin_episode(self, size: int) -> None:
        for agent in self.agents.made[:size]:
            begin_episode(agent)

    def prepare(self, observations: IntArray) -> dict[int, list[int]]:
        return dict(enumerate(observations.tolist()))

    def tick(self, prepared: Any) -> Any:
        return self.manager.step_all_agents(prepared)

    def actions(self, results: Any) -> npt.NDArray[Any]:
        return np.array([self.action(result) for result in results.values()])

    @staticmethod
    def action(result: Any) -> Any:
        """Return an agent's action; raise what the agent raised."""
        if not result.success:
            raise result.error
        return result.result

    def close(self) -> None:
        self.manager.shutdown(wait=False)


class AsyncManaged(Managed):
    """Agents in an `AsyncManager`, with an event loop that lives as long."""

    def __init__(self, manager: Any, agents: Agents) -> None:
        super().__init__(manager, agents)
        self.loop = asyncio.new_event_loop()

    def tick(self, prepared: Any) -> Any:
        return self.loop.run_until_complete(self.manager.step_all_agents(prepared))

    def close(self) -> None:
        self.loop.run_until_complete(self.manager.shutdown())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


class Processes(Managed):
    """Agents in worker processes, each with its own copy of the model.

    Parameters
    ----------
    manager : ProcessPoolManager
    agents : Agents
    max_seconds : float
        Registering agents may take at most so long.
    """

    def __init__(self, manager: Any, agents: Agents, max_seconds: float) -> None:
        super().__init__(manager, agents)
        self.agent = EpisodicAgent(new_agent(agents.model))
        self.bytes = len(pickle.dumps(self.agent, protocol=5))
        self.max_seconds = max_seconds
        self.seconds = 0.0

    def resize(self, size: int) -> None:
        if self.bytes * size > MAX_COPIED_BYTES:
            raise LeftOutError(
                f"{size:,} agents in processes are as many copies of the model, "
                f"{self.bytes * size / 2**30:,.1f} GiB"
            )
        begin, before = time.perf_counter(), self.seconds
        for i in range(self.registered, size):
            if i >= REGISTRATIONS_TIMED and self.seconds / i * size > self.max_seconds:
                raise LeftOutError(
                    f"registering {size:,} agents in processes takes more than "
                    f"{self.max_seconds:g} s ({i:,} in {self.seconds:.1f} s)"
                )
            self.manager.register_agent(i, self.agent)
            self.registered += 1
            self.seconds = before + time.perf_counter() - begin

    def begin_episode(self, size: int) -> None:
        self.actions(self.manager.step_all_agents(dict.fromkeys(range(size))))


class Populated:
    """A `Population`."""

    def __init__(self, model: GenerativeModel, num_threads: int | None = None) -> None:
        self.model = model
        self.num_threads = num_threads
        self.population: Population | None = None

    def resize(self, size: int) -> None:
        if self.population is None or len(self.population) != size:
            _check_memory(self.model, size, rest=512)
            self.population = None
            self.population = Population(self.model, size, self.num_threads, seed=0)

    def begin_episode(self, size: int) -> None:
        self.resize(size)
        assert self.population is not None
        self.population.reset()

    def prepare(self, observations: IntArray) -> IntArray:
        return observations

    def tick(self, prepared: Any) -> Any:
        assert self.population is not None
        return self.population.step(prepared)

    def actions(self, results: Any) -> npt.NDArray[Any]:
        return np.asarray(results)

    def close(self) -> None:
        self.population = None


class Ways:
    """All ways for one model. They live as long as the report, so that threads and
    processes start once; a context manager that ends them.

    Parameters
    ----------
    model : GenerativeModel
    max_registration_seconds : float
        Agents of worker processes that would take longer are left out.
    """

    def __init__(self, model: GenerativeModel, max_registration_seconds: float) -> None:
        agents = Agents(model)
        self._makers: dict[str, Callable[[], Way]] = {
            "loop": lambda: Loop(agents),
            "sequential": lambda: Managed(managers.SequentialManager(), agents),
            "asyncio": lambda: AsyncManaged(managers.AsyncManager(), agents),
            "threads": lambda: Managed(managers.ThreadPoolManager(), agents),
            "processes": lambda: Processes(
                managers.ProcessPoolManager(), agents, max_registration_seconds
            ),
            "population": lambda: Populated(model),
        }
        self._made: dict[str, Way] = {}
        self.model = model

    def of_size(self, size: int, names: tuple[str, ...]) -> tuple[Mapping[str, Way], list[str]]:
        """Return the ways that can step `size` agents, and why others cannot."""
        found: dict[str, Way] = {}
        reasons = []
        for name in names:
            try:
                found[name] = self.get(name, size)
            except (LeftOutError, MemoryError, NotImplementedError, ValueError) as error:
                reasons.append(f"{LABELS[name]}: {error}")
        return found, reasons

    def get(self, name: str, size: int) -> Way:
        """Return one way with at least `size` agents."""
        if name not in self._made:
            self._made[name] = self._makers[name]()
        self._made[name].resize(size)
        return self._made[name]

    def __enter__(self) -> Ways:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.ExitStack() as stack:  # all are closed, whatever happens to one
            for way in self._made.values():
                stack.callback(way.close)
            self._made.clear()
