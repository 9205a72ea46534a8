"""A worker process of `ProcessPoolManager`, as the manager sees it.

The truth about its agents is the `CommandLog`; the process is a copy that may be lost. So each
command goes: not sound, send, receive, log, sound. Whatever comes between (a death, Ctrl-C in
the middle of a message), a process that is not sound is ended and made again from the log
before the next command, which then finds the agents as the log says. Only a step may be left
at work when a call ends: its reply is read later, and known by its number.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from freeagent_core.managers._command_log import CommandLog
from freeagent_core.managers._records import Record
from freeagent_core.managers._shared_rows import DONE, FAILED, NOBODY, SharedRows
from freeagent_core.managers._worker_process import work
from freeagent_core.managers.task_result import AgentLostError, StepTimeoutError, WorkerDiedError

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS = 5  # to make a process before a call fails; the next call tries again
# Where all of them were killed at the same agent it may still be another's doing, which comes again
# and again in the time that an agent takes: so often, and it is the agent's.
KILLS = 20
KILLED = -9  # the exit code


@dataclass
class _Step:
    """A step at work, and what it takes to repeat it."""

    number: int
    rows: list[int]
    lengths: npt.NDArray[np.int64]
    observations: npt.NDArray[np.float64]
    elsewhere: dict[int, bytes]


def _is_of_one(died_at: list[tuple[int, int]]) -> bool:
    """Whether a process has died at one command and agent each time."""
    return len(set(died_at)) == 1 and died_at[0][1] != NOBODY


Outcomes = dict[int, tuple[int, float, Any]]  # by row: status, seconds, action or error


@dataclass
class Unreadable:
    """What came from a worker and cannot be unpickled here."""

    error: Exception


def load(contents: bytes) -> Any:
    """Unpickle what an agent returned."""
    try:
        return pickle.loads(contents)
    except Exception as error:
        return Unreadable(TypeError(f"what the agent returned cannot be unpickled: {error!r}"))


class WorkerProcess:
    """One worker process. Hold `lock` in all calls but `end` and `stop`."""

    def __init__(self, context: Any, seed: np.random.SeedSequence) -> None:
        self._context = context
        self.lock = threading.Lock()
        self.records: dict[int, Record] = {}
        self.lost: dict[int, AgentLostError] = {}
        self.rows = SharedRows(64)
        self.restarts = 0
        self.process: Any = None
        self.pid: int | None = None
        self._connection: Any = None
        self._free_rows: list[int] = []
        self._log = CommandLog()
        self._log.add("seed", (seed.generate_state(4).tolist(),))
        self._number = 0  # of the last command
        self._step: _Step | None = None
        self._outcomes: tuple[int, Outcomes] = (0, {})  # of the last step, by its number
        self._is_sound = False
        self._is_stopped = False
        self._owner = os.getpid()
        try:
            self.rebuild()
        except BaseException:
            self.end(False)
            raise

    # --- messages ----------------------------------------------------------------------------

    def _send(self, name: str, *arguments: Any) -> None:
        self._number += 1
        command = (self._number, name, arguments)
        try:
            self._connection.send_bytes(pickle.dumps(command, protocol=5))
        except OSError:
            raise self._death() from None

    def _wait(self, deadline: float | None) -> None:
        remaining = None if deadline is None else max(deadline - time.monotonic(), 0)
        if not wait_for([self._connection, self.process.sentinel], remaining):
            raise StepTimeoutError("the time was up")

    def _read(self) -> Any:
        number = None
        while number != self._number:  # replies to commands that were given up
            try:
                number, succeeded, reply = pickle.loads(self._connection.recv_bytes())
            except (EOFError, OSError):
                raise self._death() from None
        if not succeeded:
            self._is_sound = True  # the command did nothing
            raise load(reply)
        return reply

    def _death(self) -> Exception:
        if self._is_stopped:
            return RuntimeError("the ProcessPoolManager was shut down meanwhile")
        self.process.join(1.0)
        return WorkerDiedError(
            f"worker process {self.pid} died with exit code {self.process.exitcode}; "
            "its agents are as after the last completed tick"
        )

    def _ask(self, name: str, *arguments: Any) -> Any:
        self._send(name, *arguments)
        self._wait(None)
        return self._read()

    # --- commands ----------------------------------------------------------------------------

    def prepare(self, deadline: float | None) -> None:
        """Have a process whose agents are as the log says, and nothing left to be read."""
        self._check_open()
        if self._step is not None and self._is_sound:
            with contextlib.suppress(WorkerDiedError):  # its agents are as before that step
                self.finish_step(deadline)
        if not self._is_sound:
            self.rebuild()
        if self._log.is_due:
            try:
                self._take_checkpoint()
            except WorkerDiedError:
                self.rebuild()

    def _check_open(self) -> None:
        if self._is_stopped:
            raise RuntimeError("the ProcessPoolManager is shut down")

    def _command(self, name: str, *arguments: Any) -> Any:
        """Carry out and log a command that changes agents."""
        self._is_sound = False
        reply = self._ask(name, *arguments)
        self._log.add(name, arguments)
        self._is_sound = True
        return reply

    def _take_checkpoint(self) -> None:
        self._is_sound = False
        self._log.take_checkpoint(*self._ask("checkpoint"))
        self._is_sound = True

    def start_step(
        self, rows: list[int], elsewhere: dict[int, bytes], seconds: float | None
    ) -> int:
        """Begin to step the agents of some rows, whose observations are written; return the
        step's number."""
        shared = self.rows
        lengths, observations = shared.observation_len[rows], shared.observation[rows]
        self._is_sound = False
        self._send("step", rows, elsewhere, seconds)
        self._step = _Step(self._number, rows, lengths, observations, elsewhere)
        self._is_sound = True
        return self._number

    def finish_step(self, deadline: float | None) -> Outcomes:
        """Return what became of the step at work; a StepTimeoutError leaves it there."""
        step = self._step
        assert step is not None
        self._wait(deadline)
        self._is_sound = False
        self._step = None
        returned = self._read()
        shared = self.rows
        status, seconds = shared.status[step.rows], shared.seconds[step.rows]
        outcomes: Outcomes = {}
        for i, row in enumerate(step.rows):
            code, value = int(status[i]), None
            if row in returned:
                value = load(returned[row])
            elif code == DONE:
                value = shared.get_action(row)
            if isinstance(value, Unreadable):
                code, value = FAILED, value.error
            outcomes[row] = code, float(seconds[i]), value
        self._outcomes = step.number, outcomes
        # those that came too late are as they were
        ran = np.isin(status, (DONE, FAILED))
        rows = [row for row, each in zip(step.rows, ran, strict=True) if each]
        arguments = (rows, step.lengths[ran], step.observations[ran], step.elsewhere)
        self._log.add("step", arguments, float(seconds[ran].sum()))
        self._is_sound = True
        return outcomes

    def outcomes_of(self, number: int) -> Outcomes | None:
        """Return what became of a step that a call was interrupted in; None if it was undone."""
        if self._step is not None and self._step.number == number and self._is_sound:
            with contextlib.suppress(WorkerDiedError):
                self.finish_step(None)
        return self._outcomes[1] if self._outcomes[0] == number else None

    # --- agents ------------------------------------------------------------------------------

    def add(self, record: Record, agent: bytes) -> int:
        """Give an agent to the worker; return its row."""
        row = self._twice(self._add, agent)
        self._free_rows.pop()
        self.records[row] = record
        return row

    def _add(self, agent: bytes) -> int:
        if not self._free_rows:
            used = len(self.records)
            if used == self.rows.capacity:
                before, self.rows = self.rows, SharedRows(2 * used)
                self._is_sound = False
                self._ask("use_rows", self.rows.capacity, self.rows.name)
                self._is_sound = True
                before.close()
            self._free_rows.append(used)
        row = self._free_rows[-1]
        self._command("add", row, agent)
        return row

    def fetch(self, row: int) -> bytes:
        """Return an agent as it is now; it stays here."""
        return self._twice(self._fetch, row)

    def _fetch(self, row: int) -> bytes:
        if row in self.lost:
            raise self.lost[row]
        self._is_sound = False
        agent: bytes = self._ask("fetch", row)
        self._is_sound = True
        return agent

    def _twice(self, call: Callable[[T], R], argument: T) -> R:
        """Call again with a new process if the first dies: what is undone by that."""
        self.prepare(None)
        try:
            return call(argument)
        except AgentLostError:
            raise
        except WorkerDiedError:
            self.prepare(None)
            return call(argument)

    def drop(self, row: int) -> None:
        """Forget an agent, also where the process is gone."""
        self._is_sound = False
        self.lost.pop(row, None)
        self.records.pop(row, None)
        self._log.missing.pop(row, None)
        self._log.add("drop", (row,))
        self._free_rows.append(row)
        with contextlib.suppress(WorkerDiedError):
            self._ask("drop", row)
            self._is_sound = True

    def call(self, row: int, task: bytes) -> tuple[bool, bytes, float]:
        """Carry out a pickled operation of an agent."""
        self.prepare(None)
        if row in self.lost:
            raise self.lost[row]
        reply: tuple[bool, bytes, float] = self._command("call", row, task)
        return reply

    # --- life and death ----------------------------------------------------------------------

    def rebuild(self) -> None:
        """Make a process with the agents as the log says; several attempts.

        An agent that fails in it, or at which the process dies at the same command in each of
        `ATTEMPTS`, of `KILLS` if it is killed, is lost; the others go on.
        """
        if self.process is not None:
            self.restarts += 1
        while True:
            died_at: list[tuple[int, int]] = []
            was_killed = True
            while len(died_at) < (KILLS if was_killed and _is_of_one(died_at) else ATTEMPTS):
                self._check_open()
                self._position = -2
                try:
                    self._start()
                    self._replay()
                    return
                except (WorkerDiedError, OSError) as error:
                    problem = error
                    died_at.append((self._position, int(self.rows.at_work[0])))
                    was_killed &= self.process is not None and self.process.exitcode == KILLED
            row = died_at[0][1]
            if not _is_of_one(died_at) or row in self.lost:
                raise WorkerDiedError(f"no worker process could be made: {problem}")
            self._lose(row, "its process dies whenever it is made again")

    def _start(self) -> None:
        self._discard()
        self.rows.at_work[0] = NOBODY
        self._connection, theirs = self._context.Pipe()
        # What a fork inherits it closes: the process ends when this end, the only one, is closed,
        # also by the death of this process.
        inherited = self._connection if self._context.get_start_method() == "fork" else None
        arguments = (theirs, inherited)
        try:
            # noted before it starts: Ctrl-C may come meanwhile, and `_discard` ends it then
            self.process = self._context.Process(target=work, args=arguments, daemon=True)
            self.process.start()
        finally:
            theirs.close()
        self.pid = self.process.pid
        self._ask("use_rows", self.rows.capacity, self.rows.name)

    def _replay(self) -> None:
        log = self._log
        for row, contents in log.missing.items():
            self._lose(row, f"it cannot be pickled: {load(contents)!r}")
        self._position = -1
        agents = {row: agent for row, agent in log.agents.items() if row not in self.lost}
        for row, contents in self._ask("restore", agents, log.generators).items():
            self._lose(row, f"it cannot be unpickled: {load(contents)!r}")
        for position, (name, arguments) in enumerate(log.commands):
            self._position = position
            if name == "step":
                self._repeat_step(*arguments)
            elif name == "seed" or arguments[0] not in self.lost:
                self._repeat(name, arguments)
        if self.lost:  # what they did is not repeated again
            self._position = len(log.commands)
            log.take_checkpoint(*self._ask("checkpoint"))
            self.lost = {row: error for row, error in self.lost.items() if row in self.records}
        self._is_sound = True

    def _repeat(self, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            self._ask(name, *arguments)
        except WorkerDiedError:
            raise
        except Exception as error:
            self._lose(arguments[0], f"{name} failed: {error!r}")
        finally:
            self._is_sound = False

    def _repeat_step(
        self,
        rows: list[int],
        lengths: npt.NDArray[np.int64],
        observations: npt.NDArray[np.float64],
        elsewhere: dict[int, bytes],
    ) -> None:
        self.rows.observation_len[rows] = lengths
        self.rows.observation[rows] = observations
        self._ask("step", [row for row in rows if row not in self.lost], elsewhere, None)

    def _lose(self, row: int, reason: str) -> None:
        agent_id = self.records[row].agent_id if row in self.records else "unregistered"
        self.lost.setdefault(row, AgentLostError(f"agent {agent_id!r} is lost: {reason}"))

    def _discard(self) -> None:
        """End the process at once and close what belongs to it."""
        self._is_sound, self._step = False, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self.process is not None and self.process.pid is not None:
            self.process.kill()
            self.process.join()

    def stop(self) -> None:
        """Let calls that are at work fail at once. Needs no lock."""
        self._is_stopped = True
        process = self.process
        if process is not None:
            # another thread has just closed it, or not started it
            with contextlib.suppress(ValueError, AttributeError):
                process.kill()

    def end(self, wait: bool) -> None:
        """End the process, with `wait` when its work is done."""
        if not wait:
            self.stop()
        with self.lock:
            self._is_stopped = True
            if wait and self._connection is not None:
                with contextlib.suppress(OSError, EOFError):
                    self._connection.send_bytes(pickle.dumps(None))
                    while True:  # a reply that nobody read may fill the pipe
                        self._connection.recv_bytes()
                self.process.join()
            self._discard()
            process, self.process = self.process, None
            if process is not None:
                process.close()  # its descriptors
            self.rows.close()

    # Of a manager that Ctrl-C came to while it was made or shut down.
    def __del__(self) -> None:
        if getattr(self, "_owner", None) == os.getpid():
            with contextlib.suppress(Exception):
                self.end(False)
