"""`ThreadPoolManager`: agents stepped by a pool of threads.

Our own agents of VANILLA and sophisticated inference go into one `StepBatch`: their inference
runs without the GIL, in chunks sized by measured step times, on the caller's thread and the
process's helpers (`freeagent_core._agent.threads`). Everything else with a ``step`` (MMP agents,
wrapped pymdp agents, a user's class) is a task each. Whether threads help those, nobody can know
beforehand: NumPy code that holds the GIL is slower on two threads (measured with pymdp.legacy, 30
agents: 400 to 480 agents/s against 476), code that waits or releases the GIL is faster. So both
ways are measured, kind by kind, and the faster one is used (`_choice.py`).
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

from freeagent_core._agent import threads
from freeagent_core._kernels.agents.step_batch import StepBatch
from freeagent_core._kernels.base.state_lock import StateLock
from freeagent_core._model import validation as check
from freeagent_core.managers import _operations
from freeagent_core.managers._choice import Choice
from freeagent_core.managers._records import (
    Record,
    begin_steps,
    count_failures,
    end_locks,
    end_steps,
    expected_seconds,
    split_natively,
)
from freeagent_core.managers._workers import Workers
from freeagent_core.managers.base import Manager, check_priority, check_timeout, collect
from freeagent_core.managers.task_result import TaskResult

# Seconds of work that a task of several agents should have, against 30 us for a task.
CHUNK_SECONDS = 1e-3
# Ticks of less work and fewer agents than this are stepped one agent after the other. Measured
# (benchmarks/coordination.py, agents of 1 us): with 100 a batch is slower than that by a tenth,
# with 300 faster by a quarter, for it also does the bookkeeping of many at once.
MIN_PARALLEL_SECONDS = 300e-6
MANY = 200
_NEVER_CANCELLED = threading.Event()


class ThreadPoolManager(Manager):
    """Steps agents on a pool of threads.

    Parameters
    ----------
    initial_workers : int, optional
        Threads to begin with, beside the callers'; by default one less than there are
        processors, within the bounds.
    max_workers : int
        Threads to have at most.
    min_workers : int
        Threads to keep when there is nothing to do.
    scaling_threshold : float
        Share of the threads that are busy, from which on a waiting task adds one.
    monitoring_interval : float
        Seconds of idleness after which a thread above `min_workers` ends.

    Notes
    -----
    All methods may be called from several threads at once. An agent does one thing at a time:
    calls for it wait for each other.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import Agent, GenerativeModel
    >>> from freeagent_core.managers import ThreadPoolManager
    >>> model = GenerativeModel(np.eye(2), np.stack([np.eye(2), 1 - np.eye(2)], axis=-1),
    ...                         C=np.array([0.0, 2.0]))
    >>> with ThreadPoolManager() as manager:
    ...     for name in ("ann", "bob"):
    ...         manager.register_agent(name, Agent.from_model(model))
    ...     results = manager.step_all_agents({"ann": [0], "bob": [1]})
    >>> results["ann"].result, results["bob"].result
    (array([1.]), array([0.]))
    """

    def __init__(
        self,
        initial_workers: int | None = None,
        max_workers: int = 32,
        min_workers: int = 1,
        scaling_threshold: float = 0.8,
        monitoring_interval: float = 1.0,
    ) -> None:
        super().__init__()
        most = check.integer(max_workers, 1, None, "max_workers")
        least = check.integer(min_workers, 0, most + 1, "min_workers")
        if initial_workers is None:
            initial_workers = min(max(threads.num_cpus() - 1, least), most)
        initial = check.integer(initial_workers, least, most + 1, "initial_workers")
        threshold = check.number(scaling_threshold, "scaling_threshold")
        interval = check.number(monitoring_interval, "monitoring_interval")
        if not 0 <= threshold <= 1:
            raise ValueError(f"scaling_threshold must be in 0 to 1, got {threshold}")
        if interval <= 0:
            raise ValueError(f"monitoring_interval must be positive, got {interval}")
        self._scaling = (initial, least, most, threshold, interval)
        self._start_workers()
        self._choices: dict[type, Choice] = {}
        self._completed = self._failed = 0

    def _start_workers(self) -> None:
        self._generation = threads.generation()
        self._workers = Workers(*self._scaling)
        weakref.finalize(self, self._workers.shutdown, False)
        self._batch = StepBatch()
        self._batch_lock = StateLock()

    def _check_open(self) -> None:
        super()._check_open()
        if self._generation != threads.generation():  # the threads stayed in the parent process
            self._start_workers()

    # --- all agents --------------------------------------------------------------------------

    def step_all_agents(
        self, observations: Mapping[Hashable, Any], timeout: float | None = None
    ) -> dict[Any, TaskResult]:
        """Step the agents that `observations` names.

        Parameters
        ----------
        observations : dict
            By agent_id. An unknown id is a KeyError before any agent steps.
        timeout : float, optional
            Seconds. Agents that have not begun by then stay as they are; one that is at work
            goes on in the background. The result of both has a `StepTimeoutError`.

        Returns
        -------
        results : dict of agent_id to TaskResult
            In the order of `observations`. An agent that raises gives a failed result; the
            others step.

        Notes
        -----
        After Ctrl-C an agent has stepped or is as it was; `last_results` has the results of
        those that stepped.
        """
        self._check_open()
        records = self._registry.select(observations)
        if timeout is None and _is_for_one_thread(records):
            found = self._last = {}
            for record, observation in zip(records, observations.values(), strict=True):
                found[record.agent_id] = _operations.step(record, observation)
            return self._count(found)
        return self._step_records(records, observations, timeout, False, _NEVER_CANCELLED)

    def _step_all(
        self,
        observations: Mapping[Hashable, Any],
        timeout: float | None,
        considerate: bool,
        cancelled: threading.Event,
    ) -> dict[Any, TaskResult]:
        self._check_open()
        records = self._registry.select(observations)
        return self._step_records(records, observations, timeout, considerate, cancelled)

    def _step_records(
        self,
        records: list[Record],
        observations: Mapping[Hashable, Any],
        timeout: float | None,
        considerate: bool,
        cancelled: threading.Event,
    ) -> dict[Any, TaskResult]:
        deadline = time.monotonic() + check_timeout(timeout)
        native, others = split_natively(records, list(observations.values()), considerate)
        results = _Results(observations)
        self._last = results.found
        waiting = _operations.at_work()
        run = partial(
            _run_chunk, deadline=deadline, cancelled=cancelled, results=results, waiting=waiting
        )
        kinds: dict[type, list[tuple[Record, Any]]] = {}
        for pair in others:
            kinds.setdefault(type(pair[0].agent), []).append(pair)
        futures: list[Future[Any]] = []
        inline = []
        for kind, members in kinds.items():
            choice = self._choices.setdefault(kind, Choice())
            # Only a worker can be left behind when the time is up; and where an agent calls,
            # on a worker, all workers may be waiting already.
            use_threads = not waiting and len(members) > 1 and choice.use_threads()
            if timeout is not None or use_threads:
                futures += [self._workers.submit(partial(run, c)) for c in _chunks(members)]
            else:
                inline.append((members, choice))
        begin = time.perf_counter()
        try:
            if native:
                with self._batch_lock:
                    arguments = deadline, considerate, cancelled, results.found
                    # who is at work elsewhere keeps nobody waiting
                    for pair in self._step_natively(native, time.monotonic(), *arguments):
                        self._step_natively([pair], deadline, *arguments)
            for members, choice in inline:
                start = time.perf_counter()
                run(members)
                choice.note(False, len(members), time.perf_counter() - start)
            if futures:
                wait(futures, None if timeout is None else max(deadline - time.monotonic(), 0))
        except BaseException:  # Ctrl-C: what has begun goes on
            self._at_work = futures
            raise
        finally:
            for future in futures:
                future.cancel()
        if futures and len(kinds) == 1 and not native and timeout is None:
            choice.note(True, len(others), time.perf_counter() - begin)
        return self._count(results.close())

    def _count(self, found: dict[Any, TaskResult]) -> dict[Any, TaskResult]:
        failed = count_failures(found)
        self._failed += failed
        self._completed += len(found) - failed
        return found

    def _step_natively(
        self,
        pairs: list[tuple[Record, Any]],
        waits_until: float,
        deadline: float,
        considerate: bool,
        cancelled: threading.Event,
        results: dict[Any, Any],
    ) -> list[tuple[Record, Any]]:
        """Step our own agents as one batch, on the caller's thread and those that help; return
        those that were at work elsewhere until `waits_until`."""
        limit = None if deadline == _operations.NEVER else deadline
        waits = None if waits_until == _operations.NEVER else waits_until
        ready: list[Record] = []
        try:
            cores, seen = begin_steps(pairs, waits, considerate, results, ready)
            if len(ready) < len(pairs):
                locked = set(map(id, ready))
                busy = [
                    pair
                    for pair in pairs
                    if id(pair[0]) not in locked and results[pair[0].agent_id] is None
                ]
            else:
                busy = []
            if cancelled.is_set() or not ready:
                return busy
            num_threads = min(threads.num_cpus(), self._workers.most + 1)
            if considerate:  # a processor stays free for the one who must not wait
                num_threads = max(num_threads - 1, 1)
            total, most = expected_seconds(ready)  # infinite where one has not stepped yet
            item_ns = 1e9 * max(total / len(ready), most / 4)
            try:
                self._batch.load(
                    cores,
                    seen,
                    None if limit is None else max(limit - time.monotonic(), 0.0),
                    threads.chunk_size(len(ready), num_threads, item_ns),
                    num_threads,
                    considerate,
                )
                threads.finish(self._batch, num_threads, total * 1e9)
            finally:  # also after Ctrl-C: who stepped has an action
                end_steps(self._batch, ready, considerate, results)
            return busy
        finally:
            end_locks(ready)

    # --- single tasks --------------------------------------------------------------------------

    def submit_task(
        self, agent_id: Hashable, operation: Any, data: Any = None, priority: int = 0
    ) -> Future[TaskResult]:
        """Run one operation of one agent on a worker.

        Parameters
        ----------
        agent_id : hashable
        operation : str or callable
            The name of a method, which is called with `data` (without arguments if that is
            None), or a function of the agent and `data`.
        data : object, optional
        priority : int
            Tasks of a higher one begin first; those of the same in the order they came.

        Returns
        -------
        future : concurrent.futures.Future of TaskResult
            An operation that raises gives a failed result, not an exception. A task that has
            not begun can be cancelled, and is when the manager is shut down.
        """
        self._check_open()
        record = self._registry[agent_id]
        _operations.check_operation(operation, record.agent)
        call = partial(self._execute, record, operation, data)
        return self._workers.submit(call, check_priority(priority))

    def _execute(
        self, record: Record, operation: Any, data: Any, waiting: tuple[Record, ...] = ()
    ) -> TaskResult:
        result = _operations.execute(record, operation, data, waiting=waiting)
        self._completed += result.success
        self._failed += not result.success
        return result

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
        seconds = check_timeout(timeout)
        waiting = _operations.at_work()
        if waiting and timeout is None:  # an agent calls: all workers may be waiting already
            return [self._execute(*task[:3], waiting) for task in checked]
        futures = [
            self._workers.submit(partial(self._execute, record, operation, data, waiting), priority)
            for record, operation, data, priority in checked
        ]
        return collect(checked, futures, None if timeout is None else seconds)

    # --- state ---------------------------------------------------------------------------------

    def get_pool_status(self) -> dict[str, Any]:
        """Return agents, workers (now, busy, least and most), waiting tasks, and how many
        results there were, with and without success."""
        workers = self._workers
        return {
            "kind": "threads",
            "agents": len(self._registry),
            "workers": workers.count,
            "busy_workers": workers.busy,
            "min_workers": workers.least,
            "max_workers": workers.most,
            "waiting_tasks": workers.waiting,
            "completed": self._completed,
            "failed": self._failed,
            "is_shut_down": self._is_shut_down,
        }

    def shutdown(self, wait: bool = True) -> None:
        """Take no more work, cancel what has not begun, and end the threads.

        Parameters
        ----------
        wait : bool
            Return when the work in flight is done.
        """
        super().shutdown(wait)
        if self._generation == threads.generation():
            self._workers.shutdown(wait)


def _is_for_one_thread(records: list[Record]) -> bool:
    """Return whether other threads could not take enough of the work to pay for a batch."""
    if len(records) < 2:
        return True
    if len(records) >= MANY:
        return False
    total, most = expected_seconds(records)
    return total < MIN_PARALLEL_SECONDS or total - most < MIN_PARALLEL_SECONDS / 2


def _chunks(members: list[tuple[Record, Any]]) -> list[list[tuple[Record, Any]]]:
    """Cut agents into chunks of about `CHUNK_SECONDS`, by their last durations; an agent that
    is unknown or slow is one of its own."""
    chunks: list[list[tuple[Record, Any]]] = []
    filled = float("inf")
    for pair in members:
        seconds = pair[0].last or CHUNK_SECONDS
        if filled + seconds > CHUNK_SECONDS:
            chunks.append([])
            filled = 0.0
        chunks[-1].append(pair)
        filled += seconds
    return chunks


class _Results:
    """Results as they come in; none is added after `close`."""

    def __init__(self, agent_ids: Iterable[Hashable]) -> None:
        self.found: dict[Any, Any] = dict.fromkeys(agent_ids)
        self._lock = threading.Lock()
        self._is_closed = False

    def add(self, result: TaskResult) -> None:
        with self._lock:
            if not self._is_closed:
                self.found[result.agent_id] = result

    def close(self) -> dict[Any, TaskResult]:
        """Return the results; those that are missing came too late."""
        with self._lock:
            self._is_closed = True
            found = self.found
            if None in found.values():
                for agent_id, result in found.items():
                    if result is None:
                        found[agent_id] = _operations.timed_out(agent_id)
            return found


def _run_chunk(
    pairs: list[tuple[Record, Any]],
    deadline: float,
    cancelled: threading.Event,
    results: _Results,
    waiting: tuple[Record, ...],
) -> None:
    for record, observation in pairs:
        if not cancelled.is_set():
            results.add(_operations.step(record, observation, deadline, waiting))
