import threading
from collections import deque
from collections.abc import Hashable
from typing import Any

from freeagent_core._kernels.agents.agent_core import AgentCore
from freeagent_core._kernels.agents.step_batch import StepBatch

KEPT_DURATIONS: int

class TaskResult:
    agent_id: Any
    success: bool
    result: Any
    error: BaseException | None
    execution_time: float
    def __init__(
        self,
        agent_id: Any,
        success: bool,
        result: Any = None,
        error: BaseException | None = None,
        execution_time: float = 0.0,
    ) -> None: ...

class Record:
    agent_id: Any
    agent: Any
    lock: threading.Lock
    count: int
    errors: int
    last: float
    last_error: BaseException | None
    durations: deque[float]
    def __init__(self, agent_id: Hashable, agent: Any) -> None: ...
    def note(self, seconds: float, error: BaseException | None = None) -> None: ...
    def statistics(self) -> dict[str, Any]: ...

def expected_seconds(records: list[Record]) -> tuple[float, float]: ...
def split_natively(
    records: list[Record], observations: list[Any], considerate: bool
) -> tuple[list[tuple[Record, Any]], list[tuple[Record, Any]]]: ...
def count_failures(results: dict[Any, TaskResult]) -> int: ...
def begin_steps(
    pairs: list[tuple[Record, Any]],
    deadline: float | None,
    considerate: bool,
    results: dict[Any, Any],
    ready: list[Record],
) -> tuple[list[AgentCore], list[Any]]: ...
def end_steps(
    batch: StepBatch, ready: list[Record], considerate: bool, results: dict[Any, Any]
) -> None: ...
def end_locks(ready: list[Record]) -> None: ...
