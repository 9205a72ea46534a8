"""`SequentialManager`: agents one after the other on the caller's thread."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any

from freeagent_core.managers import _operations
from freeagent_core.managers._registry import Registry
from freeagent_core.managers.task_result import StepTimeoutError, TaskResult


class SequentialManager:
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

    def __init__(self) -> None:
        self._registry = Registry()
        self._is_shut_down = False

    def register_agent(self, agent_id: Hashable, agent: Any) -> None:
        """Add an agent.

        Parameters
        ----------
        agent_id : hashable
        agent : object
            Anything with a method ``step(observation)``.

        Raises
        ------
        ValueError
            If the id is taken.
        TypeError
            If the object has no method ``step``.
        """
        self._check_open()
        self._registry.add(agent_id, agent)

    def unregister_agent(self, agent_id: Hashable) -> Any:
        """Remove an agent and return it; KeyError if there is none of this id."""
        self._check_open()
        record = self._registry.remove(agent_id)
        with record.lock:  # when its work in flight is done
            return record.agent

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
        """
        self._check_open()
        records = self._registry.select(observations)
        deadline = time.monotonic() + check_timeout(timeout)
        results = {}
        for record, observation in zip(records, observations.values(), strict=True):
            if time.monotonic() >= deadline:
                results[record.agent_id] = timed_out(record.agent_id)
            else:
                results[record.agent_id] = _operations.step(record, observation)
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
        future.set_result(_operations.carry_out(record, operation, data))
        return future

    def batch_execute(
        self, tasks: Iterable[Any], timeout: float | None = None
    ) -> list[TaskResult]:
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
            if time.monotonic() >= deadline:
                results[i] = timed_out(record.agent_id)
            else:
                results[i] = _operations.carry_out(record, operation, data)
        return results

    def get_performance_stats(self) -> dict[Hashable, dict[str, Any]]:
        """Return per agent: count, errors, last_error, and mean, p50 and p99 in seconds."""
        return self._registry.statistics()

    def get_pool_status(self) -> dict[str, Any]:
        """Return the kind of the pool, its agents and workers."""
        return {
            "kind": "sequential",
            "agents": len(self._registry),
            "workers": 0,
            "is_shut_down": self._is_shut_down,
        }

    def shutdown(self, wait: bool = True) -> None:
        """Take no more work. The agents stay as they are; a second call does nothing."""
        self._is_shut_down = True

    def __enter__(self) -> SequentialManager:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def _check_open(self) -> None:
        if self._is_shut_down:
            raise RuntimeError(f"the {type(self).__name__} is shut down")

    def _check_tasks(self, tasks: Iterable[Any]) -> list[tuple[Any, Any, Any, int]]:
        checked = []
        for i, task in enumerate(tasks):
            if not isinstance(task, tuple | list) or len(task) not in (3, 4):
                raise ValueError(
                    f"tasks[{i}] must be (agent_id, operation, data) or "
                    f"(agent_id, operation, data, priority), got {task!r:.80}"
                )
            record = self._registry[task[0]]
            _operations.check_operation(task[1], record.agent)
            checked.append((record, task[1], task[2], check_priority(*task[3:])))
        return checked


def check_timeout(timeout: float | None) -> float:
    """Return a timeout in seconds, infinite for None."""
    if timeout is None:
        return float("inf")
    if not isinstance(timeout, int | float) or not timeout >= 0:
        raise ValueError(f"timeout must be a number of seconds >= 0 or None, got {timeout!r}")
    return timeout


def check_priority(priority: Any = 0) -> int:
    """Return a priority."""
    if not isinstance(priority, int):
        raise TypeError(f"priority must be an int, got {priority!r:.80}")
    return priority


def timed_out(agent_id: Any) -> TaskResult:
    """Return the result of an agent that the time did not suffice for."""
    return TaskResult(agent_id, False, None, StepTimeoutError("the time was up"))
