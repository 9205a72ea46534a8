"""What a manager returns for one agent."""

from __future__ import annotations

from freeagent_core.managers._records import TaskResult


class StepTimeoutError(TimeoutError):
    """The agent had not begun, or not finished, when the time was up."""


class WorkerDiedError(RuntimeError):
    """The agent's worker process died; the agent is as it was after the last completed tick."""


class AgentLostError(WorkerDiedError):
    """The agent's worker process died and the agent could not be made again; `unregister_agent`
    frees its id."""


__all__ = ["AgentLostError", "StepTimeoutError", "TaskResult", "WorkerDiedError"]
