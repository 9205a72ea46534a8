"""A worker process of `ProcessPoolManager`, as the manager sees it."""

from __future__ import annotations

import contextlib
import threading
import time
from multiprocessing.connection import wait as wait_for
from typing import Any

import numpy as np

from freeagent_core.managers._records import Record
from freeagent_core.managers._shared_rows import DONE, FAILED, SharedRows
from freeagent_core.managers._worker_process import work
from freeagent_core.managers.task_result import StepTimeoutError, WorkerDiedError

# Commands that are repeated at most when a worker has died. A checkpoint pickles all agents of
# a worker: some 30 us each, once in 64 ticks.
CHECKPOINT_INTERVAL = 64


class WorkerProcess:
    """One worker process, as the manager sees it. Hold `lock` from a command to its reply."""

    def __init__(self, context: Any, seed: np.random.SeedSequence) -> None:
        self._context = context
        self.lock = threading.Lock()
        self.records: dict[int, Record] = {}
        self.rows = SharedRows(64)
        self.restarts = 0
        self._free_rows: list[int] = []
        self._log: list[tuple[str, tuple[Any, ...]]] = []  # commands since the checkpoint
        self._step: tuple[Any, ...] | None = None  # the step at work
        self._owes_reply = False  # to a step that nobody waits for any more
        self._start()
        self._ask("seed", seed.generate_state(4).tolist())
        self._checkpoint: bytes = self._ask("checkpoint")

    def _start(self) -> None:
        self.connection, theirs = self._context.Pipe()
        self.process = self._context.Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self._ask("use_rows", self.rows.capacity, self.rows.name)

    # --- commands --------------------------------------------------------------------------

    def _send(self, name: str, *arguments: Any) -> None:
        try:
            self.connection.send((name, arguments))
        except (BrokenPipeError, ConnectionResetError):
            raise self._death() from None

    def _receive(self, deadline: float | None) -> Any:
        remaining = None if deadline is None else max(deadline - time.monotonic(), 0)
        if not wait_for([self.connection, self.process.sentinel], remaining):
            raise StepTimeoutError("the time was up")
        try:
            succeeded, reply = self.connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._death() from None
        if not succeeded:
            raise reply
        return reply

    def _death(self) -> WorkerDiedError:
        self.process.join(1.0)
        return WorkerDiedError(
            f"worker process {self.process.pid} died with exit code {self.process.exitcode}; "
            "its agents are as after the last completed tick"
        )

    def _ask(self, name: str, *arguments: Any) -> Any:
        self._send(name, *arguments)
        return self._receive(None)

    def ask(self, name: str, *arguments: Any) -> Any:
        """Send a command that changes agents and return its reply."""
        self.settle(None)
        reply = self._ask(name, *arguments)
        self._keep(name, arguments)
        return reply

    def start_step(
        self, rows: list[int], elsewhere: dict[int, bytes], seconds: float | None
    ) -> None:
        """Begin to step the agents of some rows, whose observations are written."""
        shared = self.rows
        self._step = rows, shared.observation_len[rows], shared.observation[rows], elsewhere
        self._send("step", rows, elsewhere, seconds)

    def finish_step(self, deadline: float | None) -> dict[int, Any]:
        """Return what the step returned beside the shared rows."""
        try:
            returned: dict[int, Any] = self._receive(deadline)
        except StepTimeoutError:
            self._owes_reply = True
            raise
        self._keep_step()
        return returned

    def settle(self, deadline: float | None) -> None:
        """Wait for a step that has been left behind."""
        if self._owes_reply:
            self._receive(deadline)
            self._owes_reply = False
            self._keep_step()

    # --- agents ----------------------------------------------------------------------------

    def add(self, record: Record, agent: bytes) -> int:
        """Give an agent to the worker; return its row."""
        self.settle(None)
        if not self._free_rows:
            used = len(self.records)
            if used == self.rows.capacity:
                before, self.rows = self.rows, SharedRows(2 * used)
                self._ask("use_rows", self.rows.capacity, self.rows.name)
                before.close()
            self._free_rows.append(used)
        row = self._free_rows[-1]
        self.ask("add", row, agent)
        self._free_rows.pop()
        self.records[row] = record
        return row

    def remove(self, row: int) -> Any:
        """Take an agent back."""
        agent = self.ask("remove", row)
        del self.records[row]
        self._free_rows.append(row)
        return agent

    # --- life and death --------------------------------------------------------------------

    def _keep_step(self) -> None:
        """Log the agents that stepped: those that came too late are as they were."""
        assert self._step is not None
        rows, lengths, observations, elsewhere = self._step
        self._step = None
        ran = np.isin(self.rows.status[rows], (DONE, FAILED))
        stepped = [row for row, each in zip(rows, ran, strict=True) if each]
        self._keep("step", (stepped, lengths[ran], observations[ran], elsewhere))

    def _keep(self, name: str, arguments: tuple[Any, ...]) -> None:
        self._log.append((name, arguments))
        if len(self._log) >= CHECKPOINT_INTERVAL:
            try:
                self._checkpoint = self._ask("checkpoint")
            except WorkerDiedError:  # after the command was carried out
                self.replace()
                return
            self._log.clear()

    def replace(self) -> None:
        """Start another process with the agents as they were after the last command that was
        carried out: those since the checkpoint are repeated."""
        self.connection.close()
        self.process.join()
        self._step, self._owes_reply = None, False
        self._start()
        self.restarts += 1
        self._ask("restore", self._checkpoint)
        for name, arguments in self._log:
            if name == "step":
                rows, lengths, observations, elsewhere = arguments
                self.rows.observation_len[rows] = lengths
                self.rows.observation[rows] = observations
                self._ask("step", rows, elsewhere, None)
            else:
                self._ask(name, *arguments)

    def end(self, wait: bool) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self.connection.send(None)
        if not wait:
            self.process.terminate()
        self.process.join()
        self.connection.close()
        self.rows.close()
