"""What runs in a worker process of `ProcessPoolManager`."""

from __future__ import annotations

import pickle
import random
import signal
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from freeagent_core.managers import _operations
from freeagent_core.managers._shared_rows import DONE, ELSEWHERE, FAILED, LATE, SharedRows


class _Worker:
    """The agents of one worker process, by row."""

    def __init__(self) -> None:
        self.agents: dict[int, Any] = {}
        self.rows: SharedRows | None = None

    def use_rows(self, capacity: int, name: str) -> None:
        if self.rows is not None:
            self.rows.close()
        self.rows = SharedRows(capacity, name)

    def add(self, row: int, agent: bytes) -> None:
        self.agents[row] = pickle.loads(agent)

    def remove(self, row: int) -> Any:
        return self.agents.pop(row)

    def step(
        self, rows: list[int], elsewhere: dict[int, bytes], seconds: float | None
    ) -> dict[int, Any]:
        """Step agents; return what does not fit the shared rows: actions and errors."""
        shared = self.rows
        assert shared is not None
        deadline = None if seconds is None else time.monotonic() + seconds
        returned: dict[int, Any] = {}
        for row in rows:
            if deadline is not None and time.monotonic() >= deadline:
                shared.status[row] = LATE
                continue
            begin = time.perf_counter()
            try:
                fits = shared.observation_len[row] != ELSEWHERE
                observed = shared.get_observation(row) if fits else pickle.loads(elsewhere[row])
                action = self.agents[row].step(observed)
                if not shared.put_action(row, action):
                    returned[row] = action
                shared.status[row] = DONE
            except Exception as error:
                shared.status[row] = FAILED
                returned[row] = _sendable(error)
            shared.seconds[row] = time.perf_counter() - begin
        return returned

    def call(self, row: int, operation: Any, data: Any) -> tuple[bool, Any, float]:
        begin = time.perf_counter()
        try:
            result = _operations.call(self.agents[row], operation, data)
            pickle.dumps(result)
            return True, result, time.perf_counter() - begin
        except Exception as error:
            return False, _sendable(error), time.perf_counter() - begin

    def seed(self, words: list[int]) -> None:
        np.random.seed(words)
        random.seed(words[0])

    def checkpoint(self) -> bytes:
        return pickle.dumps((self.agents, np.random.get_state(), random.getstate()), protocol=5)

    def restore(self, checkpoint: bytes) -> None:
        self.agents, numpy_state, python_state = pickle.loads(checkpoint)
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _sendable(error: Exception) -> Exception:
    """Return an error that arrives on the other side as it is, or one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def work(connection: Connection) -> None:
    """Carry out commands, (method of `_Worker`, arguments), until None comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    worker = _Worker()
    while True:
        try:
            command = connection.recv()
        except EOFError:  # the parent is gone
            break
        if command is None:
            break
        name, arguments = command
        try:
            reply = (True, getattr(worker, name)(*arguments))
        except Exception as error:
            reply = (False, _sendable(error))
        connection.send(reply)
    if worker.rows is not None:
        worker.rows.close()
