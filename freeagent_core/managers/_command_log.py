"""What the agents of a worker process can be made from again: a checkpoint, and the commands
since. The log is the truth; the process holds a copy that it may take with it."""

from __future__ import annotations

from typing import Any

# Commands, and seconds of steps, that are repeated at most when a worker has died. A checkpoint
# pickles all agents of a worker: some 30 us each.
CHECKPOINT_INTERVAL = 64
REPLAY_SECONDS = 0.2
# With an agent that cannot be pickled the log grows, in the hope that it can be later; beyond
# this a checkpoint goes without it.
MAX_COMMANDS = 16 * CHECKPOINT_INTERVAL

Command = tuple[str, tuple[Any, ...]]


class CommandLog:
    """A checkpoint and the commands that were carried out since."""

    def __init__(self) -> None:
        self.agents: dict[int, bytes] = {}
        self.generators: bytes | None = None  # states of the random generators
        self.missing: dict[int, bytes] = {}  # errors of agents that the checkpoint is without
        self.commands: list[Command] = []
        self._seconds = 0.0
        self._due = CHECKPOINT_INTERVAL

    @property
    def is_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return len(self.commands) >= self._due or (
            self._seconds >= REPLAY_SECONDS and self._due == CHECKPOINT_INTERVAL
        )

    def add(self, name: str, arguments: tuple[Any, ...], seconds: float = 0.0) -> None:
        """Keep a command that was carried out and took so long."""
        self._seconds += seconds
        self.commands.append((name, arguments))

    def take_checkpoint(
        self, agents: dict[int, bytes], errors: dict[int, bytes], generators: bytes
    ) -> None:
        """Begin with these agents, unless some are missing that the commands still have."""
        is_new = not errors.keys() <= self.missing.keys()
        if is_new and len(self.commands) < MAX_COMMANDS:
            self._due = 2 * len(self.commands)
            return
        self.agents, self.missing, self.generators = agents, errors, generators
        self.commands = []
        self._seconds = 0.0
        self._due = CHECKPOINT_INTERVAL
