"""`ProcessPoolManager`: agents that live in worker processes.

For agents that compute in Python and hold the GIL. Observations and actions cross through
shared memory. A worker that dies is replaced: the manager has a checkpoint of its agents and
the commands since, and the new worker repeats these.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np

from freeagent_core._agent import threads
from freeagent_core._model import validation as check
from freeagent_core.managers import _operations
from freeagent_core.managers._records import Record
from freeagent_core.managers._shared_rows import DONE, LATE, NONE
from freeagent_core.managers._worker_handle import WorkerProcess
from freeagent_core.managers._workers import Workers
from freeagent_core.managers.base import Manager, check_priority, check_timeout, collect
from freeagent_core.managers.task_result import StepTimeoutError, TaskResult, WorkerDiedError


class ProcessPoolManager(Manager):
    """Steps agents in worker processes.

    Parameters
    ----------
    num_workers : int, optional
        By default one per processor.
    seed : int, sequence of int or numpy.random.SeedSequence, optional
        Of the global random generators of the workers, on which agents draw.
    start_method : {"spawn", "forkserver", "fork"}
        See `multiprocessing`. With "spawn" a script needs the usual
        ``if __name__ == "__main__":``.

    Notes
    -----
    Agents must be picklable; they live in a worker from `register_agent` to
    `unregister_agent`, which returns them. A worker that dies is replaced at once: results of
    the tick have a `WorkerDiedError` for its agents, which are as they were after the last
    completed tick, and ``get_pool_status()["restarts"]`` counts it.
    """

    def __init__(
        self, num_workers: int | None = None, seed: Any = None, start_method: str = "spawn"
    ) -> None:
        super().__init__()
        if num_workers is None:
            num_workers = threads.num_cpus()
        count = check.integer(num_workers, 1, None, "num_workers")
        methods = multiprocessing.get_all_start_methods()
        if start_method not in methods:
            raise ValueError(f"start_method must be one of {methods}, got {start_method!r}")
        context = multiprocessing.get_context(start_method)
        seeds = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        self._processes = [WorkerProcess(context, each) for each in seeds.spawn(count)]
        self._places: dict[Hashable, tuple[WorkerProcess, int]] = {}
        self._callers = Workers(1, 1, count, 0.8, 1.0)

    def register_agent(self, agent_id: Hashable, agent: Any) -> None:
        """Add an agent, which is copied to the worker that has the fewest.

        Parameters
        ----------
        agent_id : hashable
        agent : object
            Picklable, with a method ``step(observation)``.
        """
        self._check_open()
        record = self._registry.add(agent_id, agent)
        record.agent = type(agent)  # the agent itself lives elsewhere
        process = min(self._processes, key=lambda each: len(each.records))
        try:
            contents = pickle.dumps(agent, protocol=5)
            with process.lock, _replaced_if_dead(process):
                self._places[agent_id] = process, process.add(record, contents)
        except BaseException:
            self._registry.remove(agent_id)
            raise

    def unregister_agent(self, agent_id: Hashable) -> Any:
        """Remove an agent and return it as it is now."""
        self._check_open()
        self._registry[agent_id]
        process, row = self._places[agent_id]
        with process.lock, _replaced_if_dead(process):
            agent = process.remove(row)
        del self._places[agent_id]
        self._registry.remove(agent_id)
        return agent

    def step_all_agents(
        self, observations: Mapping[Hashable, Any], timeout: float | None = None
    ) -> dict[Any, TaskResult]:
        """Step the agents that `observations` names; see `SequentialManager.step_all_agents`.

        Notes
        -----
        When the time is up, an agent that is at work goes on in its worker, and later calls for
        that worker wait for it.
        """
        self._check_open()
        records = self._registry.select(observations)
        deadline = time.monotonic() + check_timeout(timeout)
        results: dict[Any, Any] = dict.fromkeys(observations)
        parts: dict[int, list[tuple[Record, int, Any]]] = {}
        for record, observation in zip(records, observations.values(), strict=True):
            process, row = self._places[record.agent_id]
            index = self._processes.index(process)
            parts.setdefault(index, []).append((record, row, observation))
        involved = [(self._processes[i], parts[i]) for i in sorted(parts)]
        limit = None if timeout is None else deadline
        for process, _ in involved:
            process.lock.acquire()
        try:
            started = [self._start_step(each, part, limit, results) for each, part in involved]
            for (process, part), error in zip(involved, started, strict=True):
                self._finish_step(process, part, limit, error, results)
        finally:
            for process, _ in involved:
                process.lock.release()
        return results

    def _start_step(
        self,
        process: WorkerProcess,
        part: list[tuple[Record, int, Any]],
        deadline: float | None,
        results: dict[Any, Any],
    ) -> Exception | None:
        """Begin a worker's part of a tick; return what prevents it."""
        elsewhere, rows = {}, []
        try:
            process.settle(deadline)
            for record, row, observation in part:
                process.rows.status[row] = NONE
                if not process.rows.put_observation(row, observation):
                    try:
                        elsewhere[row] = pickle.dumps(observation, protocol=5)
                    except Exception as error:
                        record.note(0.0, error)
                        results[record.agent_id] = TaskResult(record.agent_id, False, None, error)
                        continue
                rows.append(row)
            seconds = None if deadline is None else deadline - time.monotonic()
            process.start_step(rows, elsewhere, seconds)
        except (WorkerDiedError, StepTimeoutError) as error:
            return error
        return None

    def _finish_step(
        self,
        process: WorkerProcess,
        part: list[tuple[Record, int, Any]],
        deadline: float | None,
        error: Exception | None,
        results: dict[Any, Any],
    ) -> None:
        rows = process.rows
        returned: dict[int, Any] = {}
        if error is None:
            try:
                returned = process.finish_step(deadline)
            except (WorkerDiedError, StepTimeoutError) as problem:
                error = problem
        for record, row, _ in part:
            status, seconds = rows.status[row], float(rows.seconds[row])
            agent_id = record.agent_id
            if results[agent_id] is not None:
                continue
            if isinstance(error, WorkerDiedError):
                record.note(0.0, error)
                results[agent_id] = TaskResult(agent_id, False, None, error)
            elif error is not None or status == LATE:
                results[agent_id] = _operations.timed_out(agent_id)
            elif status == DONE:
                action = returned[row] if row in returned else rows.get_action(row)
                record.note(seconds)
                results[agent_id] = TaskResult(agent_id, True, action, None, seconds)
            else:
                record.note(seconds, returned[row])
                results[agent_id] = TaskResult(agent_id, False, None, returned[row], seconds)
        if isinstance(error, WorkerDiedError):
            process.replace()

    def submit_task(
        self, agent_id: Hashable, operation: Any, data: Any = None, priority: int = 0
    ) -> Future[TaskResult]:
        """Run one operation of one agent in its worker; see `ThreadPoolManager.submit_task`.

        Notes
        -----
        A callable, `data` and what the operation returns must be picklable.
        """
        self._check_open()
        record = self._registry[agent_id]
        _operations.check_operation(operation, record.agent)
        call = partial(self._carry_out, record, operation, data)
        return self._callers.submit(call, check_priority(priority))

    def _carry_out(self, record: Record, operation: Any, data: Any) -> TaskResult:
        agent_id = record.agent_id
        process, row = self._places[agent_id]
        try:
            with process.lock, _replaced_if_dead(process):
                succeeded, reply, seconds = process.ask("call", row, operation, data)
        except Exception as error:  # the worker died, or the task cannot be sent
            record.note(0.0, error)
            return TaskResult(agent_id, False, None, error)
        record.note(seconds, None if succeeded else reply)
        if succeeded:
            return TaskResult(agent_id, True, reply, None, seconds)
        return TaskResult(agent_id, False, None, reply, seconds)

    def batch_execute(self, tasks: Iterable[Any], timeout: float | None = None) -> list[TaskResult]:
        """Run tasks and return their results in their order; see `SequentialManager`."""
        self._check_open()
        checked = self._check_tasks(tasks)
        seconds = check_timeout(timeout)
        futures = [
            self._callers.submit(partial(self._carry_out, record, operation, data), priority)
            for record, operation, data, priority in checked
        ]
        return collect(checked, futures, None if timeout is None else seconds)

    def get_pool_status(self) -> dict[str, Any]:
        """Return agents, workers, their process ids, and how many were replaced."""
        return {
            "kind": "processes",
            "agents": len(self._registry),
            "workers": len(self._processes),
            "pids": [each.process.pid for each in self._processes],
            "waiting_tasks": self._callers.waiting,
            "restarts": sum(each.restarts for each in self._processes),
            "is_shut_down": self._is_shut_down,
        }

    def shutdown(self, wait: bool = True) -> None:
        """End the workers, and the agents in them with them; `unregister_agent` before for
        those that are still needed.

        Parameters
        ----------
        wait : bool
            Let work in flight finish; else the processes are terminated.
        """
        if self._is_shut_down:
            return
        super().shutdown(wait)
        self._callers.shutdown(wait)
        for process in self._processes:
            process.end(wait)

    def __del__(self) -> None:
        if not getattr(self, "_is_shut_down", True) and hasattr(self, "_callers"):
            self.shutdown(wait=False)


@contextlib.contextmanager
def _replaced_if_dead(process: WorkerProcess) -> Iterator[None]:
    try:
        yield
    except WorkerDiedError:
        process.replace()
        raise
