"""Names that existing callers use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from freeagent_core.managers.task_result import TaskResult
from freeagent_core.managers.thread_pool import ThreadPoolManager

OptimizedThreadPoolManager = ThreadPoolManager


class OptimizedAgentManager(ThreadPoolManager):
    """A `ThreadPoolManager` whose `step_all_agents` is given the agents themselves."""

    def step_all_agents(  # type: ignore[override]
        self,
        agents: Mapping[Any, Any] | Sequence[Any],
        observations: Mapping[Any, Any] | Sequence[Any],
        timeout: float | None = None,
    ) -> Any:
        """Step `agents`, registering those that are new.

        Parameters
        ----------
        agents : dict of agent_id to agent, or list of agents
        observations : dict of agent_id to observation, or list
            One for each agent.
        timeout : float, optional
            See `ThreadPoolManager.step_all_agents`.

        Returns
        -------
        results : dict of agent_id to TaskResult, or list of TaskResult
            As `agents` were given.
        """
        given = dict(agents) if isinstance(agents, Mapping) else {id(a): a for a in agents}
        if len(observations) != len(agents) or len(given) != len(agents):
            raise ValueError(
                f"observations must have one entry per agent ({len(agents)} different ones), "
                f"got {len(observations)}"
            )
        if isinstance(observations, Mapping):
            seen = {agent_id: observations[agent_id] for agent_id in given}
        else:
            seen = dict(zip(given, observations, strict=True))
        for agent_id, agent in given.items():
            if agent_id not in self._registry:
                self.register_agent(agent_id, agent)
            elif self._registry[agent_id].agent is not agent:
                raise ValueError(f"agent_id {agent_id!r} is registered with another agent")
        results: dict[Any, TaskResult] = super().step_all_agents(seen, timeout)
        return results if isinstance(agents, Mapping) else list(results.values())
