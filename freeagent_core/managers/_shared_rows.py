"""Observations and actions of a worker process's agents in shared memory, a row each.

What fits a row (a short list of ints, a short vector of floats) crosses without pickling.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
import numpy.typing as npt

WIDTH = 16  # numbers in a row
ELSEWHERE = -1  # what does not fit is sent through the pipe
SCALAR = -2  # an int by itself
NONE, DONE, FAILED, LATE = 0, 1, 2, 3
NOBODY = -1  # no agent is at work


class SharedRows:
    """Rows for `capacity` agents: ``observation_len, observation, status, seconds,
    action_len, action``; and ``at_work``, the row that the worker is at."""

    def __init__(self, capacity: int, name: str | None = None) -> None:
        sizes = [8, 8 * WIDTH, 8, 8, 8, 8 * WIDTH]
        self.capacity = capacity
        # noted before the memory is made: Ctrl-C may come meanwhile, and `close` gives it back then
        self.name = name or f"freeagent_{secrets.token_hex(6)}"  # another process opens it by that
        self._owner = os.getpid() if name is None else None
        try:
            size = sum(sizes) * capacity + 8
            self._memory = SharedMemory(self.name, create=name is None, size=size)
        except FileExistsError:
            self._owner = None
            raise
        starts = np.cumsum([0, *sizes]) * capacity
        shapes: list[tuple[int, ...]] = [(capacity,), (capacity, WIDTH)]
        shapes = [shapes[0], shapes[1], shapes[0], shapes[0], shapes[0], shapes[1]]
        kinds = [np.int64, np.int64, np.int64, np.float64, np.int64, np.float64]
        arrays: list[npt.NDArray[Any]] = [
            np.ndarray(shape, kind, self._memory.buf, int(start))
            for shape, kind, start in zip(shapes, kinds, starts[:-1], strict=True)
        ]
        (
            self.observation_len,
            self.observation,
            self.status,
            self.seconds,
            self.action_len,
            self.action,
        ) = arrays
        self.at_work = np.ndarray((1,), np.int64, self._memory.buf, int(starts[-1]))

    def put_observation(self, row: int, value: Any) -> bool:
        """Write an observation; False if it does not fit."""
        if type(value) is int:
            self.observation_len[row] = SCALAR
            self.observation[row, 0] = value
        elif (
            type(value) is list
            and len(value) <= WIDTH
            and all(type(item) is int and abs(item) < 2**62 for item in value)
        ):
            self.observation_len[row] = len(value)
            self.observation[row, : len(value)] = value
        else:
            self.observation_len[row] = ELSEWHERE
            return False
        return True

    def get_observation(self, row: int) -> Any:
        """Return an observation that fitted."""
        length = int(self.observation_len[row])
        if length == SCALAR:
            return int(self.observation[row, 0])
        return self.observation[row, :length].tolist()

    def put_action(self, row: int, value: Any) -> bool:
        """Write an action; False if it does not fit."""
        if (
            type(value) is np.ndarray
            and value.dtype == np.float64
            and value.ndim == 1
            and len(value) <= WIDTH
        ):
            self.action_len[row] = len(value)
            self.action[row, : len(value)] = value
            return True
        self.action_len[row] = ELSEWHERE
        return False

    def get_action(self, row: int) -> npt.NDArray[np.float64]:
        """Return an action that fitted."""
        action: npt.NDArray[np.float64] = self.action[row, : int(self.action_len[row])].copy()
        return action

    def close(self) -> None:
        """Give the memory back; also again, where Ctrl-C came before the end."""
        for name in ("observation_len", "observation", "status", "seconds"):
            self.__dict__.pop(name, None)
        for name in ("action_len", "action", "at_work"):
            self.__dict__.pop(name, None)
        memory: SharedMemory | None = self.__dict__.get("_memory")
        if memory is not None:
            memory.close()
        if self._owner == os.getpid():  # a fork of the owner leaves it in place
            with contextlib.suppress(FileNotFoundError):
                if memory is None:
                    _unlink_unfinished(self.name)
                else:
                    memory.unlink()
            self._owner = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # not even begun
            self.close()


def _unlink_unfinished(name: str) -> None:
    """Give memory back whose making was interrupted."""
    try:
        memory = SharedMemory(name)
    except ValueError:  # it has no size yet, and cannot be opened
        import _posixshmem  # type: ignore[import-not-found]

        _posixshmem.shm_unlink(f"/{name}")
        return
    memory.close()
    memory.unlink()
