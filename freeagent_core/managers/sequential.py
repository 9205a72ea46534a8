"""`SequentialManager`: agents one after the other on the caller's thread."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from freeagent_core.managers import _operations
from freeagent_core.managers.base import Manager, check_priority, check_timeout
from freeagent_core.managers.task_result import TaskResult


class SequentialManager(Manager):
    """Steps agents one after the other: the interface of all managers, without any threads.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import Agent
    >>> from freeagent_core.managers import SequentialManager
    >>> manager = SequentialManager()
    >>> manager.register_agent("ann", Agent(np.eye(2), np.eye(2)[:, :, None]))
    >>> results = manager.step_all_agents({"ann": [0]})
    >>> results["ann"].success, results["ann"].result
    (True, array([0.]))
    """

    def step_all_agents(
        self, observations: Mapping[Hashable, Any], timeout: float | None = None
    ) -> dict[Any, TaskResult]:
        """Step the agents that `observations` names.

        Parameters
        ----------
        observations : dict
            By agent_id. An unknown id is a KeyError before any agent steps.
        timeout : float, optional
            Seconds. Agents that have not begun by then stay as they are, and their result
            has a `StepTimeoutError`.

        Returns
        -------
        results : dict of agent_id to TaskResult
            In the order of `observations`. An agent that raises gives a failed result; the
            others step.

        Notes
        -----
        After Ctrl-C `last_results` has those of the agents that stepped before.
        """
        self._check_open()
        records = self._registry.select(observations)
        deadline = time.monotonic() + check_timeout(timeout)
        results: dict[Any, TaskResult] = {}
        self._last = results
        for record, observation in zip(records, observations.values(), strict=True):
            results[record.agent_id] = _operations.step(record, observation, deadline)
        return results

    def submit_task(
        self, agent_id: Hashable, operation: Any, data: Any = None, priority: int = 0
    ) -> Future[TaskResult]:
        """Run one operation of one agent.

        Parameters
        ----------
        agent_id : hashable
        operation : str or callable
            The name of a method, which is called with `data` (without arguments if that is
            None), or a function of the agent and `data`.
        data : object, optional
        priority : int
            Tasks of a higher one begin first.

        Returns
        -------
        future : concurrent.futures.Future of TaskResult
            An operation that raises gives a failed result, not an exception.
        """
        self._check_open()
        record = self._registry[agent_id]
        _operations.check_operation(operation, record.agent)
        check_priority(priority)
        future: Future[TaskResult] = Future()
        future.set_result(_operations.execute(record, operation, data))
        return future

    def batch_execute(self, tasks: Iterable[Any], timeout: float | None = None) -> list[TaskResult]:
        """Run tasks and return their results in the order of the tasks.

        Parameters
        ----------
        tasks : iterable of (agent_id, operation, data) or (agent_id, operation, data, priority)
        timeout : float, optional
            See `step_all_agents`.
        """
        self._check_open()
        checked = self._check_tasks(tasks)
        deadline = time.monotonic() + check_timeout(timeout)
        order = sorted(range(len(checked)), key=lambda i: -checked[i][3])
        results: list[Any] = [None] * len(checked)
        for i in order:
            record, operation, data, _ = checked[i]
            results[i] = _operations.execute(record, operation, data, deadline)
        return results

    def get_pool_status(self) -> dict[str, Any]:
        """Return the kind of the pool, its agents and workers."""
        return {
            "kind": "sequential",
            "agents": len(self._registry),
            "workers": 0,
            "is_shut_down": self._is_shut_down,
        }
