"""`Manager`: what all managers share, registration, counts, checks and their end."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from concurrent.futures import Future, wait
from types import TracebackType
from typing import Any, TypeVar

from freeagent_core.managers import _operations
from freeagent_core.managers._registry import Registry
from freeagent_core.managers.task_result import TaskResult

ManagerT = TypeVar("ManagerT", bound="Manager")


class Manager:
    """Base of the managers."""

    def __init__(self) -> None:
        self._registry = Registry()
        self._is_shut_down = False
        self._last: dict[Any, Any] = {}  # results of the last step_all_agents, as they come in
        self._at_work: list[Future[Any]] = []  # that it had begun when it was interrupted

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
        try:
            with record.lock:  # when its work in flight is done
                return record.agent
        except BaseException:  # Ctrl-C meanwhile
            self._registry.put_back(record)
            raise

    def last_results(self) -> dict[Any, TaskResult]:
        """Return the results of the last `step_all_agents`, also of one that Ctrl-C
        interrupted: by agent_id, for the agents that stepped or failed.

        Notes
        -----
        Waits for those that are still at work. An agent that is missing was not stepped.
        """
        wait(self._at_work)
        return {agent_id: result for agent_id, result in self._last.items() if result is not None}

    def get_performance_stats(self) -> dict[Hashable, dict[str, Any]]:
        """Return per agent: count, errors, last_error, and mean, p50 and p99 in seconds."""
        return self._registry.statistics()

    def shutdown(self, wait: bool = True) -> None:
        """Take no more work. The agents stay as they are; a second call does nothing.

        Parameters
        ----------
        wait : bool
            Return when the work in flight is done; else at once. Work that has not begun is
            cancelled either way.
        """
        self._is_shut_down = True

    def __enter__(self: ManagerT) -> ManagerT:
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


def collect(
    tasks: list[tuple[Any, Any, Any, int]],
    futures: list[Future[TaskResult]],
    timeout: float | None,
) -> list[TaskResult]:
    """Return the results of checked tasks; those that are late are cancelled if they can be."""
    wait(futures, timeout)
    return [
        _operations.timed_out(record.agent_id)
        if future.cancel() or not future.done() or future.cancelled()
        else future.result()
        for (record, *_), future in zip(tasks, futures, strict=True)
    ]
