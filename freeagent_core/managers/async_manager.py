"""`AsyncManager`: agents stepped from an event loop, which goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from freeagent_core._agent import threads
from freeagent_core._model import validation as check
from freeagent_core.managers.task_result import TaskResult
from freeagent_core.managers.thread_pool import ThreadPoolManager

T = TypeVar("T")


class AsyncManager:
    """A `ThreadPoolManager` whose calls are awaited.

    A tick runs on a thread of the manager, which directs the workers; the event loop is free.
    Our own agents' ticks give the GIL away every hundred agents, so that the loop waits
    for it less than a millisecond. (Agents that compute in Python hold it as Python lets
    them: up to `sys.getswitchinterval`, 5 ms, each.)

    Parameters
    ----------
    max_pending : int
        Calls that may be in the manager at once; further ones wait, in the event loop, for
        their turn.
    **pool_arguments
        Of `ThreadPoolManager`.

    Notes
    -----
    A call that is cancelled raises `asyncio.CancelledError` at once; of its agents those that
    have not begun stay as they are, the others finish their step in the background, and
    later calls for them wait for that.

    Examples
    --------
    >>> import asyncio
    >>> import numpy as np
    >>> from freeagent_core import Agent
    >>> from freeagent_core.managers import AsyncManager
    >>> async def tick():
    ...     async with AsyncManager() as manager:
    ...         manager.register_agent("ann", Agent(np.eye(2), np.eye(2)[:, :, None]))
    ...         return await manager.step_all_agents({"ann": [0]})
    >>> asyncio.run(tick())["ann"].result
    array([0.])
    """

    def __init__(self, max_pending: int = 16, **pool_arguments: Any) -> None:
        self._max_pending = check.integer(max_pending, 1, None, "max_pending")
        self._pool = ThreadPoolManager(**pool_arguments)
        self._start_directors()

    def _start_directors(self) -> None:
        self._generation = threads.generation()
        self._directors = ThreadPoolExecutor(self._max_pending, "freeagent-core-async")
        self._pending = 0
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}

    # --- agents ------------------------------------------------------------------------------

    def register_agent(self, agent_id: Hashable, agent: Any) -> None:
        """Add an agent; see `ThreadPoolManager.register_agent`."""
        self._pool.register_agent(agent_id, agent)

    async def unregister_agent(self, agent_id: Hashable) -> Any:
        """Remove an agent and return it, when its work in flight is done."""
        return await self._direct(partial(self._pool.unregister_agent, agent_id))

    # --- work --------------------------------------------------------------------------------

    async def step_all_agents(
        self, observations: Mapping[Hashable, Any], timeout: float | None = None
    ) -> dict[Any, TaskResult]:
        """Step agents; see `ThreadPoolManager.step_all_agents`."""
        cancelled = threading.Event()
        tick = partial(self._pool._step_all, observations, timeout, True, cancelled)
        return await self._direct(tick, cancelled)

    async def submit_task(
        self, agent_id: Hashable, operation: Any, data: Any = None, priority: int = 0
    ) -> TaskResult:
        """Run one operation of one agent; see `ThreadPoolManager.submit_task`. A task that is
        cancelled before it has begun does not run."""
        async with self._turn():
            future = self._pool.submit_task(agent_id, operation, data, priority)
            return await asyncio.wrap_future(future)

    async def batch_execute(
        self, tasks: Iterable[Any], timeout: float | None = None
    ) -> list[TaskResult]:
        """Run tasks; see `ThreadPoolManager.batch_execute`."""
        return await self._direct(partial(self._pool.batch_execute, tasks, timeout))

    def _turn(self) -> asyncio.Semaphore:
        """Return what bounds the calls of this event loop."""
        loop = asyncio.get_running_loop()
        return self._turns.setdefault(loop, asyncio.Semaphore(self._max_pending))

    async def _direct(self, call: Callable[[], T], cancelled: threading.Event | None = None) -> T:
        self._pool._check_open()
        if self._generation != threads.generation():  # the threads stayed in the parent process
            self._start_directors()
        async with self._turn():
            self._pending += 1
            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._directors, call)
            except asyncio.CancelledError:
                if cancelled is not None:
                    cancelled.set()
                raise
            finally:
                self._pending -= 1

    # --- state -------------------------------------------------------------------------------

    def get_performance_stats(self) -> dict[Hashable, dict[str, Any]]:
        """Return per agent: count, errors, last_error, and mean, p50 and p99 in seconds."""
        return self._pool.get_performance_stats()

    def get_pool_status(self) -> dict[str, Any]:
        """Return `ThreadPoolManager`'s, and the calls in the manager and their bound."""
        return {
            **self._pool.get_pool_status(),
            "kind": "asyncio",
            "pending_calls": self._pending,
            "max_pending": self._max_pending,
        }

    async def shutdown(self, wait: bool = True) -> None:
        """Take no more work and end the threads; with `wait`, when work in flight is done."""
        await asyncio.to_thread(self._pool.shutdown, wait)
        if self._generation == threads.generation():
            await asyncio.to_thread(self._directors.shutdown, wait)

    async def __aenter__(self) -> AsyncManager:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shutdown()
