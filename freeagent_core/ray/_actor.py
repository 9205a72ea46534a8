"""What runs in an actor: a host that has the agents, its last replies and its checkpoints."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from freeagent_core.ray import _checkpoints


class Host(Protocol):
    """The agents of an actor. Operations are its methods; they depend on nothing else."""

    def snapshot(self) -> bytes:
        """Return all state of the agents."""

    def restore(self, contents: bytes) -> None:
        """Go back to a snapshot."""


class Reply(NamedTuple):
    """What an operation returned, or its error, and the checkpoint files by then."""

    succeeded: bool
    result: Any
    kept: list[int]
    failure: str | None  # of the last checkpoint


class ShardActor:
    """Carries out numbered operations in order, each once.

    Parameters
    ----------
    make_host : callable
        Returns the host from `arguments`.
    directory : str, optional
        Of the checkpoint files; without one `checkpoint` returns the contents.
    kept_replies : int
        Replies to keep for a caller that lost them.
    *arguments
    """

    def __init__(
        self,
        make_host: Callable[..., Host],
        directory: str | None,
        kept_replies: int,
        *arguments: Any,
    ) -> None:
        self._host = make_host(*arguments)
        self._directory = None if directory is None else Path(directory)
        self._number = 0
        self._received = 0
        self._replies: dict[int, tuple[bool, Any]] = {}
        self._kept_replies = kept_replies
        self._writer: threading.Thread | None = None
        self._kept: list[int] = []
        self._failure: str | None = None

    def ready(self) -> bool:
        """Return when the host is made."""
        return True

    def run(self, number: int, received: int, operation: str, *arguments: Any) -> Reply:
        """Carry out operation `number`, the one after the last; the last is not repeated.

        The driver has the replies up to `received`.
        """
        self._received = received
        if number == self._number and number in self._replies:
            return self.reply(number)
        if number != self._number + 1:
            raise RuntimeError(f"operation {number} came after {self._number}")
        outcome: tuple[bool, Any]
        try:
            outcome = True, getattr(self._host, operation)(*arguments)
        except Exception as error:
            outcome = False, sendable(error)
        self._number = number
        self._replies[number] = outcome
        self._replies.pop(number - self._kept_replies, None)
        return self.reply(number)

    def reply(self, number: int) -> Reply:
        """Return the reply to one of the last operations again."""
        return Reply(*self._replies[number], self._kept, self._failure)

    def read(self, name: str, *arguments: Any) -> Any:
        """Return what a method of the host returns that changes nothing."""
        return getattr(self._host, name)(*arguments)

    def checkpoint(self) -> tuple[int, bytes] | None:
        """Copy the state of the agents and return it, or have a thread write it.

        A checkpoint that is due while the last one is still being written is left out.
        """
        if self._directory is None:
            return self._number, self._host.snapshot()
        if self._writer is None or not self._writer.is_alive():
            try:
                contents = self._host.snapshot()
            except Exception as error:  # there is nobody who waits for it
                self._note_failure(self._number, error)
                return None
            self._writer = threading.Thread(target=self._write, args=(self._number, contents))
            self._writer.start()
        return None

    def _write(self, number: int, contents: bytes) -> None:
        assert self._directory is not None
        try:
            self._kept = _checkpoints.write(self._directory, number, contents, self._received)
            self._failure = None
        except Exception as error:
            self._note_failure(number, error)

    def _note_failure(self, number: int, error: Exception) -> None:
        self._failure = f"checkpoint {number}: {type(error).__name__}: {error}"

    def restore(self, number: int, contents: bytes | None) -> int:
        """Go back to a checkpoint that is given, or to the newest file that can be read.

        Parameters
        ----------
        number : int
            The last operation that the checkpoint may have; the one that `contents` have.
        contents : bytes, optional
            Not needed with a directory.

        Returns
        -------
        number : int
            Of the last operation that the checkpoint has; 0 for a new host.
        """
        if self._directory is not None:
            there = [each for each in _checkpoints.numbers(self._directory) if each <= number]
            for number in reversed(there):
                try:
                    contents = _checkpoints.path_of(self._directory, number).read_bytes()
                    self._host.restore(contents)
                except (ValueError, OSError):  # damaged: the one before
                    continue
                self._number = number
                return number
            return 0
        if contents is not None:
            self._host.restore(contents)
            self._number = number
        return self._number

    def finish(self) -> None:
        """Wait for a checkpoint that is being written."""
        if self._writer is not None:
            self._writer.join()


def sendable(error: Exception) -> Exception:
    """Return an error that arrives on the other side as it is, or one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
