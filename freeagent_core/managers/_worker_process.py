"""What runs in a worker process of `ProcessPoolManager`.

A command is ``(number, method of _Worker, arguments)``, its reply ``(number, succeeded,
value)``. What agents return is pickled one by one: what cannot be sent fails alone.
"""

from __future__ import annotations

import os
import pickle
import random
import signal
import struct
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from freeagent_core.managers import _operations
from freeagent_core.managers._fault_points import is_armed, reach, switch_on
from freeagent_core.managers._shared_rows import DONE, ELSEWHERE, FAILED, LATE, NOBODY, SharedRows


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
        self._begin(row)
        self.agents[row] = pickle.loads(agent)
        self._begin(NOBODY)

    def fetch(self, row: int) -> bytes:
        self._begin(row)
        agent = pickle.dumps(self.agents[row], protocol=5)
        self._begin(NOBODY)
        return agent

    def drop(self, row: int) -> None:
        self.agents.pop(row, None)

    def _begin(self, row: int) -> None:
        """Say which agent is at work: if the process dies, the manager knows by which."""
        assert self.rows is not None
        self.rows.at_work[0] = row
        if row != NOBODY:
            reach(f"agent.{row}")

    def step(
        self, rows: list[int], elsewhere: dict[int, bytes], seconds: float | None
    ) -> dict[int, bytes]:
        """Step agents; return what does not fit the shared rows, pickled: actions and errors."""
        shared = self.rows
        assert shared is not None
        deadline = None if seconds is None else time.monotonic() + seconds
        returned: dict[int, bytes] = {}
        for row in rows:
            if deadline is not None and time.monotonic() >= deadline:
                shared.status[row] = LATE
                continue
            self._begin(row)
            begin = time.perf_counter()
            try:
                fits = shared.observation_len[row] != ELSEWHERE
                observed = shared.get_observation(row) if fits else pickle.loads(elsewhere[row])
                action = self.agents[row].step(observed)
                if not shared.put_action(row, action):
                    returned[row] = _dump(action)
                shared.status[row] = DONE
            except BaseException as error:  # also SystemExit: the others go on
                shared.status[row] = FAILED
                returned[row] = _dump_error(error)
            shared.seconds[row] = time.perf_counter() - begin
            reach(f"stepped.{row}")
        self._begin(NOBODY)
        return returned

    def call(self, row: int, task: bytes) -> tuple[bool, bytes, float]:
        self._begin(row)
        begin = time.perf_counter()
        try:
            operation, data = pickle.loads(task)
            result = _operations.call(self.agents[row], operation, data)
            seconds = time.perf_counter() - begin
            return True, _dump(result), seconds
        except BaseException as error:
            return False, _dump_error(error), time.perf_counter() - begin
        finally:
            self._begin(NOBODY)

    def seed(self, words: list[int]) -> None:
        np.random.seed(words)
        random.seed(words[0])

    def checkpoint(self) -> tuple[dict[int, bytes], dict[int, bytes], bytes]:
        """Return the agents, the errors of those that cannot be pickled, and the states of the
        random generators."""
        agents, errors = {}, {}
        for row, agent in self.agents.items():
            try:
                agents[row] = pickle.dumps(agent, protocol=5)
            except BaseException as error:
                errors[row] = _dump_error(error)
        return agents, errors, pickle.dumps((np.random.get_state(), random.getstate()))

    def restore(self, agents: dict[int, bytes], generators: bytes | None) -> dict[int, bytes]:
        """Take the agents of a checkpoint; return the errors of those that cannot be made."""
        errors = {}
        for row, agent in agents.items():
            self._begin(row)
            try:
                self.agents[row] = pickle.loads(agent)
            except BaseException as error:
                errors[row] = _dump_error(error)
        self._begin(NOBODY)
        if generators is not None:
            numpy_state, python_state = pickle.loads(generators)
            np.random.set_state(numpy_state)
            random.setstate(python_state)
        return errors


def _dump(value: Any) -> bytes:
    """Pickle what an agent returned."""
    try:
        return pickle.dumps(value, protocol=5)
    except Exception as error:
        raise TypeError(
            f"the agent returned a {type(value).__name__}, which cannot be sent from its "
            f"process: {error}"
        ) from None


def _dump_error(error: BaseException) -> bytes:
    """Pickle an error that arrives on the other side as it is, or one that says the same."""
    try:
        contents = pickle.dumps(error, protocol=5)
        if type(pickle.loads(contents)) is type(error):
            return contents
    except Exception:
        pass
    return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"), protocol=5)


def work(connection: Connection, inherited: Connection | None) -> None:
    """Carry out commands until None comes or the parent, or its end of the pipe, is gone.
    `inherited` is that end, of which a fork has a copy."""
    if inherited is not None:
        inherited.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    switch_on()
    reach("started")
    worker = _Worker()
    while True:
        try:
            command = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError):  # the parent is gone
            break
        if command is None:
            break
        number, name, arguments = command
        reach(f"received.{name}")
        try:
            reply = (number, True, getattr(worker, name)(*arguments))
        except BaseException as error:
            reply = (number, False, _dump_error(error))
        reach(f"done.{name}")
        contents = pickle.dumps(reply, protocol=5)
        if is_armed(f"replying.{name}"):  # dies with half of the reply in the pipe
            half = struct.pack("!i", len(contents)) + contents[: len(contents) // 2]
            os.write(connection.fileno(), half)
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            connection.send_bytes(contents)
        except OSError:
            break
        reach(f"replied.{name}")
    if worker.rows is not None:
        worker.rows.close()
