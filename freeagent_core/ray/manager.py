"""`RayManager`: the managers' interface for agents of any class, in actors of Ray."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from freeagent_core._model import validation as check
from freeagent_core.managers import _operations
from freeagent_core.managers._records import Record
from freeagent_core.managers._workers import Workers
from freeagent_core.managers.base import Manager, check_priority, check_timeout, collect
from freeagent_core.managers.task_result import TaskResult, WorkerDiedError
from freeagent_core.ray._agents_host import AgentsHost, Outcome
from freeagent_core.ray._fleet import Fleet, Recovery, ShardLostError
from freeagent_core.ray._library import connected
from freeagent_core.ray._shard import Shard


class RayManager(Manager):
    """Steps agents of any class in actors of Ray.

    An actor or a node that is lost is replaced, and its agents restored to the last
    operation, from a checkpoint and the operations since. An operation that ends its process
    again and again is left out: its agents' results have a `WorkerDiedError`.

    Parameters
    ----------
    num_actors : int, optional
        By default one per node of the cluster.
    num_cpus : float
        Processors reserved for each actor.
    seed : int, sequence of int or numpy.random.SeedSequence, optional
        Of the global random generators of the actors, on which agents draw.
    checkpoint_interval : int
        Operations of an actor from a checkpoint to the next.
    recovery_timeout : float
        See `RayPopulation`.

    Notes
    -----
    Agents must be picklable; they live in an actor from `register_agent` to
    `unregister_agent`, which returns them. Agents of one model are faster in a
    `RayPopulation`.
    """

    def __init__(
        self,
        num_actors: int | None = None,
        num_cpus: float = 1,
        seed: Any = None,
        *,
        checkpoint_interval: int = 64,
        recovery_timeout: float = 30.0,
    ) -> None:
        super().__init__()
        self._ray = connected()
        if num_actors is None:
            alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            num_actors = max(sum(each.get("CPU", 0) >= num_cpus for each in alive), 1)
        count = check.integer(num_actors, 1, None, "num_actors")
        seeds = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        self._fleet = Fleet(
            AgentsHost,
            [(each,) for each in seeds.spawn(count)],
            [f"the agents of actor {i}" for i in range(count)],
            num_cpus,
            1,
            check.integer(checkpoint_interval, 1, None, "checkpoint_interval"),
            recovery_timeout,
        )
        self._actors = [_Actor(shard, self._ray.cloudpickle) for shard in self._fleet.shards]
        self._places: dict[Hashable, tuple[_Actor, int]] = {}
        self._callers = Workers(1, 1, count, 0.8, 1.0)

    @property
    def recoveries(self) -> list[Recovery]:
        """What was lost and restored."""
        return list(self._fleet.recoveries)

    def register_agent(self, agent_id: Hashable, agent: Any) -> None:
        """Add an agent, which is copied to the actor that has the fewest.

        Parameters
        ----------
        agent_id : hashable
        agent : object
            Picklable, with a method ``step(observation)``.
        """
        self._check_open()
        record = self._registry.add(agent_id, agent)
        record.agent = type(agent)  # the agent itself lives elsewhere
        actor = min(self._actors, key=lambda each: len(each.used))
        try:
            contents = self._ray.cloudpickle.dumps(agent)
            with actor.lock:
                self._places[agent_id] = actor, actor.add(contents)
        except BaseException:
            self._registry.remove(agent_id)
            raise

    def unregister_agent(self, agent_id: Hashable) -> Any:
        """Remove an agent and return it as it is now."""
        self._check_open()
        self._registry[agent_id]
        actor, slot = self._places[agent_id]
        with actor.lock:
            contents = actor.execute("remove", slot)
            actor.used.remove(slot)
        del self._places[agent_id]
        self._registry.remove(agent_id)
        return self._ray.cloudpickle.loads(contents)

    def step_all_agents(
        self, observations: Mapping[Hashable, Any], timeout: float | None = None
    ) -> dict[Any, TaskResult]:
        """Step the agents that `observations` names; see `SequentialManager.step_all_agents`.

        Notes
        -----
        When the time is up, an agent that is at work goes on in its actor, and later calls for
        that actor wait for it.
        """
        self._check_open()
        records = self._registry.select(observations)
        deadline = None if timeout is None else time.monotonic() + check_timeout(timeout)
        results: dict[Any, Any] = dict.fromkeys(observations)
        parts: dict[int, list[tuple[Record, int, bytes]]] = {}
        for record, observation in zip(records, observations.values(), strict=True):
            actor, slot = self._places[record.agent_id]
            try:
                contents = self._ray.cloudpickle.dumps(observation)
            except Exception as error:
                results[record.agent_id] = _failed(record, error)
                continue
            parts.setdefault(self._actors.index(actor), []).append((record, slot, contents))
        with ExitStack() as locks:
            involved = sorted(parts)
            for i in involved:
                locks.enter_context(self._actors[i].lock)
            begun: dict[int, Exception | int] = {}
            try:
                for i in involved:
                    begun[i] = self._actors[i].begin_step(parts[i], deadline)
                for i in involved:
                    results.update(self._actors[i].finish_step(parts[i], deadline, begun[i]))
                    del begun[i]
            except BaseException:  # Ctrl-C: the agents have stepped, or will
                for i, number in begun.items():
                    self._actors[i].leave_behind(number, parts[i])
                raise
        return results

    def submit_task(
        self, agent_id: Hashable, operation: Any, data: Any = None, priority: int = 0
    ) -> Future[TaskResult]:
        """Run one operation of one agent in its actor; see `ThreadPoolManager.submit_task`.

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
        actor, slot = self._places[record.agent_id]
        try:
            task = self._ray.cloudpickle.dumps((operation, data))
            with actor.lock:
                contents = actor.execute("call", slot, task)
            (outcome,) = self._ray.cloudpickle.loads(contents)
        except Exception as error:  # the actor died, or the task cannot be sent
            return _failed(record, error)
        return _result(record, outcome)

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
        """Return agents, actors, and how many were replaced."""
        return {
            "kind": "ray",
            "agents": len(self._registry),
            "workers": len(self._actors),
            "waiting_tasks": self._callers.waiting,
            "restarts": len(self._fleet.recoveries),
            "is_shut_down": self._is_shut_down,
        }

    def shutdown(self, wait: bool = True) -> None:
        """End the actors, and the agents in them with them; `unregister_agent` before for
        those that are still needed.

        Parameters
        ----------
        wait : bool
            Let work in flight finish.
        """
        if self._is_shut_down:
            return
        super().shutdown(wait)
        self._callers.shutdown(wait)
        self._fleet.end(wait)


class _Actor:
    """A shard and the slots of its agents. Hold `lock` from an operation to its reply."""

    def __init__(self, shard: Shard, pickle: Any) -> None:
        self.lock = threading.RLock()
        self.used: set[int] = set()
        self._shard = shard
        self._pickle = pickle
        self._late: tuple[int, Any] | None = None  # what nobody waits for any more

    def add(self, agent: bytes) -> int:
        """Take an agent in and return its slot."""
        slot = next(i for i in range(len(self.used) + 1) if i not in self.used)
        self.execute("add", slot, agent)
        self.used.add(slot)
        return slot

    def execute(self, operation: str, *arguments: Any) -> Any:
        """Return what an operation returns, or raise its error.

        Raises
        ------
        WorkerDiedError
            If it ends the actor's process; the agents are as they were before.
        """
        self._settle(None)
        number = self._send(operation, arguments)
        try:
            succeeded, result = self._shard.receive(number)
        except ShardLostError as error:
            raise self._leave_out(number, error) from error
        except BaseException:  # Ctrl-C
            self._late = number, None
            raise
        if not succeeded:
            raise result
        return result

    def begin_step(
        self, part: list[tuple[Record, int, bytes]], deadline: float | None
    ) -> Exception | int:
        """Send a step and return its number, or the error that prevents it."""
        try:
            self._settle(deadline)
            slots = [slot for _, slot, _ in part]
            # one pickle of what is pickled: an actor reads all of it, or none
            observations = self._pickle.dumps([self._pickle.loads(each) for _, _, each in part])
            seconds = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            return self._send("step", (slots, observations, seconds), part)
        except Exception as error:
            return error

    def leave_behind(self, begun: Exception | int, part: list[tuple[Record, int, bytes]]) -> None:
        """Note that nobody waits for a step any more."""
        if not isinstance(begun, Exception) and self._shard.waits_for(begun):
            self._late = begun, part

    def finish_step(
        self,
        part: list[tuple[Record, int, bytes]],
        deadline: float | None,
        begun: Exception | int,
    ) -> dict[Any, TaskResult]:
        """Return the agents' results."""
        error = begun if isinstance(begun, Exception) else None
        outcomes: list[Outcome] = []
        if not isinstance(begun, Exception):
            try:
                outcomes = self._outcomes(begun, part, deadline)
            except Exception as problem:
                error = problem
        timeout = connected().exceptions.GetTimeoutError
        if isinstance(error, timeout):
            return {record.agent_id: _operations.timed_out(record.agent_id) for record, *_ in part}
        if error is not None:
            return {record.agent_id: _failed(record, error) for record, *_ in part}
        return {
            record.agent_id: _result(record, outcome)
            for (record, *_), outcome in zip(part, outcomes, strict=True)
        }

    def _outcomes(
        self, number: int, part: list[tuple[Record, int, bytes]], deadline: float | None
    ) -> list[Outcome]:
        try:
            _, contents = self._shard.receive(number, deadline)
        except connected().exceptions.GetTimeoutError:
            self._late = number, part
            raise
        except ShardLostError as error:
            raise self._leave_out(number, error) from error
        outcomes: list[Outcome] = self._pickle.loads(contents)
        ran = [each for each, outcome in zip(part, outcomes, strict=True) if outcome.ran]
        if len(ran) < len(part):  # when it is repeated, the same ones must run
            observations = self._pickle.dumps([self._pickle.loads(each) for _, _, each in ran])
            slots = [slot for _, slot, _ in ran]
            self._shard.amend(number, "step", (slots, observations, None))
        return outcomes

    def _settle(self, deadline: float | None) -> None:
        """Wait for a step that has been left behind."""
        if self._late is not None:
            number, part = self._late
            try:
                if not self._shard.waits_for(number):  # Ctrl-C came after it
                    pass
                elif part is None:
                    self._shard.receive(number, deadline)
                else:
                    self._outcomes(number, part, deadline)
            except ShardLostError as error:
                self._late = None
                raise self._leave_out(number, error) from error
            except WorkerDiedError:
                self._late = None
                raise
            self._late = None

    def _send(
        self,
        operation: str,
        arguments: tuple[Any, ...],
        part: list[tuple[Record, int, bytes]] | None = None,
    ) -> int:
        try:
            sent = self._shard.prepare(operation, arguments)
        except BaseException:
            self._shard.withdraw()
            raise
        interrupt = self._shard.send(operation, sent)
        number = self._shard.number
        if interrupt is not None:
            self._late = number, part
            raise interrupt
        return number

    def _leave_out(self, number: int, error: ShardLostError) -> WorkerDiedError:
        self._shard.skip(number)
        return WorkerDiedError(f"{error}; its agents are as they were before")


def _result(record: Record, outcome: Outcome) -> TaskResult:
    if not outcome.ran:
        return _operations.timed_out(record.agent_id)
    if not outcome.succeeded:
        return _failed(record, outcome.result, outcome.seconds)
    record.note(outcome.seconds)
    return TaskResult(record.agent_id, True, outcome.result, None, outcome.seconds)


def _failed(record: Record, error: Exception, seconds: float = 0.0) -> TaskResult:
    record.note(seconds, error)
    return TaskResult(record.agent_id, False, None, error, seconds)
