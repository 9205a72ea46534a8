"""Agents that fail in ways of their own; worker processes import them from here."""

import os
import threading
import time

from manager_agents import Counter


class Unmakeable(Counter):
    """Cannot be unpickled a second time, or ends each process that it is made in."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.steps > 0:
            if self.how == "raises":
                raise ValueError("no second time")
            os._exit(5)


class Unpicklable(Counter):
    """Has what cannot be pickled from its first step on."""

    def step(self, observation):
        self.lock = threading.Lock()
        return super().step(observation)


class Returns:
    """Returns or raises what it is told to."""

    def step(self, observation):
        if observation == "lambda":
            return lambda: None
        if observation == "generator":
            return (i for i in range(3))
        if observation == "breaks here":
            return BreaksHere()
        if observation in ("SystemExit", "KeyboardInterrupt", "MemoryError"):
            raise {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt}.get(
                observation, MemoryError
            )(observation)
        return observation


class BreaksHere:
    """Cannot be unpickled."""

    def __reduce__(self):
        return _breaks, ()


class Slow(Counter):
    """Steps slowly."""

    def step(self, observation):
        time.sleep(observation)
        return super().step(observation)


def _breaks():
    raise ValueError("cannot be made")
