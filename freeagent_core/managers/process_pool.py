"""`ProcessPoolManager`: agents that live in worker processes.

For agents that compute in Python and hold the GIL. Observations and actions cross through
shared memory. A worker that dies is replaced: the manager has a checkpoint of its agents and
the commands since, and the new worker repeats these.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import pickle
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from freeagent_core._agent import threads
from freeagent_core._model import validation as check
from freeagent_core.managers import _operations
from freeagent_core.managers._records import Record
from freeagent_core.managers._shared_rows import DONE, LATE, NONE
from freeagent_core.managers._worker_handle import Outcomes, Unreadable, WorkerProcess, load
from freeagent_core.managers._workers import Workers
from freeagent_core.managers.base import Manager, check_priority, check_timeout, collect
from freeagent_core.managers.task_result import (
    AgentLostError,
    StepTimeoutError,
    TaskResult,
    WorkerDiedError,
)

_all: weakref.WeakSet[ProcessPoolManager] = weakref.WeakSet()


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
    completed tick, and ``get_pool_status()["restarts"]`` counts it. Where no process can be
    made, the next call tries again. An agent is lost only if it cannot be made again in a new
    process (it cannot be pickled, or ends each process that it is made in): its results then
    have an `AgentLostError` that names it, and the others go on.
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
        self._pid = os.getpid()
        self._processes: list[WorkerProcess] = []
        try:
            for each in seeds.spawn(count):
                self._processes.append(WorkerProcess(context, each))
        except BaseException:
            for process in self._processes:
                process.end(False)
            raise
        self._places: dict[Hashable, tuple[WorkerProcess, int]] = {}
        self._last_tick = _Tick()
        self._callers = Workers(1, 1, count, 0.8, 1.0)
        _all.add(self)

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
            with process.lock:
                self._places[agent_id] = process, process.add(record, contents)
        except BaseException:
            self._registry.remove(agent_id)
            raise

    def unregister_agent(self, agent_id: Hashable) -> Any:
        """Remove an agent and return it as it is now.

        Raises
        ------
        KeyError
            If there is none of this id.
        AgentLostError
            If the agent was lost when its worker died; the id is free afterwards.
        """
        self._check_open()
        self._registry[agent_id]
        process, row = self._places[agent_id]
        agent, lost = None, None
        with process.lock:
            try:
                agent = pickle.loads(process.fetch(row))
            except AgentLostError as error:
                lost = error
            del self._places[agent_id]
            self._registry.remove(agent_id)
            process.drop(row)
        if lost is not None:
            raise lost
        return agent

    def step_all_agents(
        self, observations: Mapping[Hashable, Any], timeout: float | None = None
    ) -> dict[Any, TaskResult]:
        """Step the agents that `observations` names; see `SequentialManager.step_all_agents`.

        Notes
        -----
        When the time is up, an agent that is at work goes on in its worker, and later calls for
        that worker wait for it. The same holds after Ctrl-C, which ends this call at once:
        `last_results` waits for those agents and has what they returned. A process that died
        is replaced whatever the timeout.
        """
        self._check_open()
        records = self._registry.select(observations)
        deadline = None if timeout is None else time.monotonic() + check_timeout(timeout)
        tick = _Tick(dict.fromkeys(observations))
        for record, observation in zip(records, observations.values(), strict=True):
            process, row = self._places[record.agent_id]
            part = tick.parts.setdefault(self._processes.index(process), _Part(process))
            part.members.append((record, row, observation))
        self._last_tick = tick
        parts = [tick.parts[i] for i in sorted(tick.parts)]
        _holding([part.process.lock for part in parts], partial(_run, parts, deadline, tick))
        return tick.results

    def last_results(self) -> dict[Any, TaskResult]:
        """Return the results of the last `step_all_agents`, also of one that Ctrl-C
        interrupted: by agent_id, for the agents that stepped or failed.

        Notes
        -----
        Waits for those that are still at work. An agent that is missing is as it was before.
        """
        self._check_open()
        tick = self._last_tick
        for part in tick.parts.values():
            with part.process.lock:
                outcomes = part.process.outcomes_of(part.number) if part.number else None
            part.collect(outcomes, tick.results)
        return {agent_id: result for agent_id, result in tick.results.items() if result is not None}

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
        call = partial(self._execute, record, operation, data)
        return self._callers.submit(call, check_priority(priority))

    def _execute(self, record: Record, operation: Any, data: Any) -> TaskResult:
        agent_id = record.agent_id
        process, row = self._places[agent_id]
        try:
            task = pickle.dumps((operation, data), protocol=5)
            with process.lock:
                succeeded, contents, seconds = process.call(row, task)
        except Exception as error:  # the worker died, or the task cannot be sent
            record.note(0.0, error)
            return TaskResult(agent_id, False, None, error)
        reply = load(contents)
        if isinstance(reply, Unreadable):
            succeeded, reply = False, reply.error
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
            self._callers.submit(partial(self._execute, record, operation, data), priority)
            for record, operation, data, priority in checked
        ]
        return collect(checked, futures, None if timeout is None else seconds)

    def get_pool_status(self) -> dict[str, Any]:
        """Return agents, workers, their process ids, and how many were replaced."""
        return {
            "kind": "processes",
            "agents": len(self._registry),
            "workers": len(self._processes),
            "pids": [each.pid for each in self._processes],
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
        if self._pid != os.getpid():
            return
        if not self._is_shut_down:  # else what Ctrl-C kept from its end is ended now
            super().shutdown(wait)
        if not wait:
            for process in self._processes:
                process.stop()
        self._callers.shutdown(wait)
        for process in self._processes:
            process.end(wait)

    def _check_open(self) -> None:
        super()._check_open()
        if self._pid != os.getpid():
            raise RuntimeError(
                "the ProcessPoolManager belongs to the process that made it; one that was forked "
                "from it makes its own"
            )

    def __del__(self) -> None:
        if not getattr(self, "_is_shut_down", True) and hasattr(self, "_callers"):
            self.shutdown(wait=False)


@dataclass
class _Part:
    """A worker's part of a tick."""

    process: WorkerProcess
    members: list[tuple[Record, int, Any]] = field(default_factory=list)
    number: int = 0  # of the worker's step, once it has begun
    error: Exception | None = None  # what prevented it

    def start(self, deadline: float | None, results: dict[Any, Any]) -> None:
        """Begin the step."""
        process, rows = self.process, []
        elsewhere: dict[int, bytes] = {}
        try:
            process.prepare(deadline)
            for record, row, observation in self.members:
                if row in process.lost:
                    _fail(record, process.lost[row], 0.0, results)
                    continue
                process.rows.status[row] = NONE
                if not process.rows.put_observation(row, observation):
                    try:
                        elsewhere[row] = pickle.dumps(observation, protocol=5)
                    except Exception as error:
                        _fail(record, error, 0.0, results)
                        continue
                rows.append(row)
            seconds = None if deadline is None else deadline - time.monotonic()
            self.number = process.start_step(rows, elsewhere, seconds)
        except Exception as error:
            self.error = error

    def finish(self, deadline: float | None, results: dict[Any, Any]) -> None:
        """Wait for the step, whatever became of it."""
        if self.error is None:
            try:
                self.collect(self.process.finish_step(deadline), results)
            except Exception as error:
                self.error = error
        for record, _, _ in self.members:
            if results[record.agent_id] is not None or self.error is None:
                continue
            if isinstance(self.error, StepTimeoutError):
                results[record.agent_id] = _operations.timed_out(record.agent_id)
            else:
                _fail(record, self.error, 0.0, results)

    def collect(self, outcomes: Outcomes | None, results: dict[Any, Any]) -> None:
        """Make results of what the worker returned, once."""
        for record, row, _ in self.members:
            agent_id = record.agent_id
            if outcomes is None or row not in outcomes or results[agent_id] is not None:
                continue
            status, seconds, value = outcomes[row]
            if status == LATE:
                results[agent_id] = _operations.timed_out(agent_id)
            elif status == DONE:
                record.note(seconds)
                results[agent_id] = TaskResult(agent_id, True, value, None, seconds)
            else:
                _fail(record, value, seconds, results)


@dataclass
class _Tick:
    """A call of `step_all_agents`."""

    results: dict[Any, Any] = field(default_factory=dict)
    parts: dict[int, _Part] = field(default_factory=dict)  # by index of the worker


def _run(parts: list[_Part], deadline: float | None, tick: _Tick) -> None:
    for part in parts:
        part.start(deadline, tick.results)
    for part in parts:
        part.finish(deadline, tick.results)
    for part in parts:
        if isinstance(part.error, WorkerDiedError):
            with contextlib.suppress(WorkerDiedError, RuntimeError):  # the next call tries again
                part.process.rebuild()


def _fail(record: Record, error: Exception, seconds: float, results: dict[Any, Any]) -> None:
    record.note(seconds, error)
    results[record.agent_id] = TaskResult(record.agent_id, False, None, error, seconds)


def _holding(locks: list[Any], call: Callable[[], None]) -> None:
    """Call with all locks held. Only `with` gives a lock back for sure when Ctrl-C comes."""
    if not locks:
        call()
        return
    with locks[0]:
        _holding(locks[1:], call)


def _end_all() -> None:
    """End the workers of managers that were not shut down, before the threads are waited for."""
    for manager in list(_all):
        manager.shutdown(wait=False)


# Called before `_workers`'s: what is registered last is called first.
getattr(threading, "_register_atexit", atexit.register)(_end_all)
