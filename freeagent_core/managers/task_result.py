"""What a manager returns for one agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class StepTimeoutError(TimeoutError):
    """The agent had not begun, or not finished, when the time was up."""


class WorkerDiedError(RuntimeError):
    """The agent's worker process died; the agent is as it was after the last completed tick."""


@dataclass(slots=True)
class TaskResult:
    """The outcome of one operation of one agent.

    Attributes
    ----------
    agent_id : hashable
    success : bool
    result : object
        What the operation returned: of a step, the action. None where it failed.
    error : Exception or None
        `StepTimeoutError` where the time was up: an agent that had not begun is unchanged.
    execution_time : float
        Seconds that the operation took, without waiting; 0 where it did not run.
    """

    agent_id: Any
    success: bool
    result: Any = None
    error: BaseException | None = None
    execution_time: float = 0.0
