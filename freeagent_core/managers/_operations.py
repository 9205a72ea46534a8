"""Carrying out one operation of one agent, with its errors kept apart from the others'."""

from __future__ import annotations

import threading
import time
from typing import Any

from freeagent_core.managers._records import Record
from freeagent_core.managers.task_result import StepTimeoutError, TaskResult

NEVER = float("inf")


class _AtWork(threading.local):
    """The agents whose operations this thread is in, and those that wait for what it does."""

    records: tuple[Record, ...] = ()


_at_work = _AtWork()


def at_work() -> tuple[Record, ...]:
    """Return the agents that wait for the calling thread: they cannot step before it is done."""
    return _at_work.records


def check_operation(operation: Any, agent: Any) -> None:
    """Raise if `agent` has no such operation."""
    if callable(operation):
        return
    if not isinstance(operation, str):
        raise TypeError(
            f"operation must be the name of a method or a callable, got {operation!r:.80}"
        )
    if operation.startswith("_") or not callable(getattr(agent, operation, None)):
        raise ValueError(f"operation {operation!r} is not a method of {type(agent).__name__}")


def call(agent: Any, operation: Any, data: Any) -> Any:
    """Return what an operation returns: a method by its name, or ``operation(agent, data)``.

    A method is called with `data`; without arguments where `data` is None.
    """
    if callable(operation):
        return operation(agent, data)
    method = getattr(agent, operation)
    return method() if data is None else method(data)


def execute(
    record: Record,
    operation: Any,
    data: Any,
    deadline: float = NEVER,
    waiting: tuple[Record, ...] = (),
) -> TaskResult:
    """Run an operation while no other one of this agent runs, if it can begin in time.

    `waiting` are agents that wait for its result: one of them would wait for itself.
    """
    if record in waiting:
        error = RuntimeError("the agent waits for a step of its own: it is at work")
        return TaskResult(record.agent_id, False, None, error)
    if deadline == NEVER:
        with record.lock:  # Ctrl-C may come as soon as it is locked: not between two statements
            return _run(record, operation, data, waiting)
    wait = deadline - time.monotonic()
    if wait <= 0 or not record.lock.acquire(timeout=wait):
        return timed_out(record.agent_id)
    try:
        return _run(record, operation, data, waiting)
    finally:
        record.lock.release()


def _run(record: Record, operation: Any, data: Any, waiting: tuple[Record, ...]) -> TaskResult:
    """Run an operation of an agent that is locked."""
    before = _at_work.records
    try:
        _at_work.records = (*(waiting or before), record)
        begin = time.perf_counter()
        try:
            result = call(record.agent, operation, data)
        except BaseException as error:  # SystemExit too: it must not end others' work
            if isinstance(error, KeyboardInterrupt) and _is_main_thread():
                raise  # Ctrl-C
            seconds = time.perf_counter() - begin
            record.note(seconds, error)
            return TaskResult(record.agent_id, False, None, error, seconds)
        seconds = time.perf_counter() - begin
        record.note(seconds)
        return TaskResult(record.agent_id, True, result, None, seconds)
    finally:
        _at_work.records = before


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def step(
    record: Record,
    observation: Any,
    deadline: float = NEVER,
    waiting: tuple[Record, ...] = (),
) -> TaskResult:
    """Run the agent's step, also where the observation is None."""
    return execute(record, _step, observation, deadline, waiting)


def _step(agent: Any, observation: Any) -> Any:
    return agent.step(observation)


def timed_out(agent_id: Any) -> TaskResult:
    """Return the result of an agent that the time did not suffice for."""
    return TaskResult(agent_id, False, None, StepTimeoutError("the time was up"))
