"""Managers: who is stepped when and where. One interface, several ways.

- `SequentialManager`: one after the other, on the caller's thread.
- `ThreadPoolManager`: a pool of threads; inference of this project's agents runs in parallel.
- `AsyncManager`: the same from an event loop, which is never blocked.
- `ProcessPoolManager`: agents that live in worker processes.

`freeagent_core.Population` is faster than any of them for agents of one model.
"""

from freeagent_core.managers.async_manager import AsyncManager
from freeagent_core.managers.compatibility import (
    OptimizedAgentManager,
    OptimizedThreadPoolManager,
)
from freeagent_core.managers.process_pool import ProcessPoolManager
from freeagent_core.managers.sequential import SequentialManager
from freeagent_core.managers.task_result import (
    AgentLostError,
    StepTimeoutError,
    TaskResult,
    WorkerDiedError,
)
from freeagent_core.managers.thread_pool import ThreadPoolManager

__all__ = [
    "AgentLostError",
    "AsyncManager",
    "OptimizedAgentManager",
    "OptimizedThreadPoolManager",
    "ProcessPoolManager",
    "SequentialManager",
    "StepTimeoutError",
    "TaskResult",
    "ThreadPoolManager",
    "WorkerDiedError",
]
