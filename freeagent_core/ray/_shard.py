"""One actor as the driver sees it: its log, its checkpoints, its death and replacement."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from freeagent_core._agent.atomic_file import write_atomically
from freeagent_core.ray import _checkpoints
from freeagent_core.ray._actor import Reply, ShardActor
from freeagent_core.ray._library import library
from freeagent_core.ray._log import Entry, OperationLog

logger = logging.getLogger("freeagent_core.ray")

ATTEMPTS = 3  # to replace an actor or to have a reply again, for one operation
IN_OBJECT_STORE = 100_000  # bytes; Ray sends smaller arguments with the call
REPLAYED_AT_ONCE = 8
WRITING_TIMEOUT = 60.0  # seconds
STARTING_TIMEOUT = 60.0  # for an actor that waits for no processors


class ShardLostError(RuntimeError):
    """An actor was lost and could not be restored; what it had is in checkpoint and log."""


@dataclass(frozen=True)
class Recovery:
    """What was lost and how it was restored.

    Attributes
    ----------
    shard : int
    agents : str
        Which agents were lost with it.
    cause : str
        Ray's account of it.
    operation : int
        Number of the last operation that was restored.
    checkpoint : int
        Number of the operation whose checkpoint it began from.
    replayed : int
        Operations repeated from the log.
    seconds : float
    reserved : bool
        False where no node had processors left, so that the actor shares them with others.
    """

    shard: int
    agents: str
    cause: str
    operation: int
    checkpoint: int
    replayed: int
    seconds: float
    reserved: bool


@dataclass
class Placement:
    """Where an actor goes, and how its host is made."""

    make_host: Callable[..., Any]
    arguments: tuple[Any, ...]
    num_cpus: float
    group: Any
    bundle: int
    kept_replies: int
    checkpoint_interval: int
    recovery_timeout: float
    agents: str
    directory: Path | None = None
    recoveries: list[Recovery] = field(default_factory=list)


class Shard:
    """One actor and what it takes to make it again."""

    def __init__(self, placement: Placement, log: OperationLog, number: int = 0) -> None:
        self.number = number  # of the last operation that was sent
        self._placement = placement
        self._log = log
        self._pending: dict[int, Any] = {}  # references to replies
        self._checkpoint: tuple[int, bytes | None] = (0, None)
        self._snapshot: tuple[int, Any] | None = None  # a checkpoint under way
        self._noted_failure: str | None = None
        self._actor: Any = None

    # --- life ------------------------------------------------------------------------------

    def create(self) -> None:
        """Ask Ray for the actor, without waiting for it."""
        placement = self._placement
        ray = library()
        strategy = ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy(
            placement.group, placement_group_bundle_index=placement.bundle
        )
        self._actor = self._new_actor(num_cpus=placement.num_cpus, scheduling_strategy=strategy)

    def _new_actor(self, **options: Any) -> Any:
        placement = self._placement
        remote = library().remote(ShardActor).options(max_restarts=0, max_task_retries=0, **options)
        directory = None if placement.directory is None else str(placement.directory)
        return remote.remote(
            placement.make_host, directory, placement.kept_replies, *placement.arguments
        )

    def wait_until_ready(self, timeout: float) -> None:
        """Wait for the actor; GetTimeoutError if it does not come."""
        library().get(self._actor.ready.remote(), timeout=timeout)

    def begin_from(self, contents: bytes) -> None:
        """Give a new actor its first checkpoint."""
        if self._placement.directory is not None:
            path = _checkpoints.path_of(self._placement.directory, self.number)
            write_atomically(path, lambda file: file.write(contents))
        else:
            self._checkpoint = 0, contents
        self.catch_up()

    def end(self, wait: bool = True) -> None:
        """End the actor; with `wait` when the checkpoint that it may be writing is complete."""
        if wait:
            with contextlib.suppress(Exception):
                library().get(self._actor.finish.remote(), timeout=WRITING_TIMEOUT)
        self._kill()
        self._log.close()

    def _kill(self) -> None:
        with contextlib.suppress(Exception):
            library().kill(self._actor, no_restart=True)

    # --- operations ------------------------------------------------------------------------

    def prepare(self, operation: str, arguments: tuple[Any, ...]) -> list[Any]:
        """Log the next operation; return its arguments, large ones in the object store."""
        sent = [_stored(argument) for argument in arguments]
        self._log.append(Entry(self.number + 1, operation, arguments))
        return sent

    def withdraw(self) -> None:
        """Take back what `prepare` logged, if it has."""
        self._log.withdraw(self.number)

    def send(self, operation: str, arguments: list[Any]) -> KeyboardInterrupt | None:
        """Send the operation that `prepare` logged; `number` is its number from then on.

        Ctrl-C meanwhile is returned, for the caller to raise: what is logged is sent.
        """
        interrupt = None
        number = self.number + 1
        received = self._received if self._pending else number
        while self.number < number:
            try:  # again after Ctrl-C: the actor carries it out once
                self._pending[number] = self._actor.run.remote(
                    number, received, operation, *arguments
                )
                self.number = number
            except KeyboardInterrupt as error:
                interrupt = error
        try:
            if number % self._placement.checkpoint_interval == 0:
                self._begin_checkpoint()
        except KeyboardInterrupt as error:
            interrupt = error
        return interrupt

    def waits_for(self, number: int) -> bool:
        """Return whether the reply to operation `number` has not been received."""
        return number in self._pending

    def receive(self, number: int, deadline: float | None = None) -> tuple[bool, Any]:
        """Return what operation `number` returned, restoring the actor where it is lost.

        Raises
        ------
        ray.exceptions.GetTimeoutError
            At the deadline (`time.monotonic`); the operation goes on.
        ShardLostError
        """
        ray = library()
        for attempt in range(ATTEMPTS + 1):
            timeout = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            try:
                reply: Reply = ray.get(self._pending[number], timeout=timeout)
            except ray.exceptions.GetTimeoutError:
                raise
            except ray.exceptions.RayError as error:
                self._mend(error, attempt)
                continue
            reference = self._pending.pop(number)
            try:
                self._note_checkpoints(reply)
            except BaseException:  # Ctrl-C: the reply has not been handed on
                self._pending[number] = reference
                raise
            return reply.succeeded, reply.result
        raise AssertionError("unreachable: _mend raises at the last attempt")

    def read(self, name: str, *arguments: Any) -> Any:
        """Return what a method of the host returns that changes nothing, after all operations
        that were sent."""
        ray = library()
        for attempt in range(ATTEMPTS + 1):
            try:
                return ray.get(self._actor.read.remote(name, *arguments))
            except ray.exceptions.RayTaskError as error:
                if not _is_of_storage(error):
                    raise error.cause if error.cause is not None else error from None
                self._mend(error, attempt)
            except ray.exceptions.RayError as error:
                self._mend(error, attempt)
        raise AssertionError("unreachable: _mend raises at the last attempt")

    # --- checkpoints -----------------------------------------------------------------------

    def _begin_checkpoint(self) -> None:
        """Have the actor make a checkpoint, beside the operations that follow."""
        if self._placement.directory is not None:
            try:
                self._log.begin_segment(self.number + 1)
            except OSError as error:  # the operation is sent already, and its segment goes on
                logger.warning("shard %d: log: %s", self._placement.bundle, error)
            self._actor.checkpoint.remote()
        elif self._snapshot is None:
            self._snapshot = self.number, self._actor.checkpoint.remote()

    @property
    def _received(self) -> int:
        """The last operation up to which all replies have been received."""
        return min(self._pending, default=self.number + 1) - 1

    def _note_checkpoints(self, reply: Reply) -> None:
        ray = library()
        if reply.failure is not None and reply.failure != self._noted_failure:
            logger.warning("shard %d: %s", self._placement.bundle, reply.failure)
        self._noted_failure = reply.failure
        if len(reply.kept) >= _checkpoints.KEPT:
            self._forget(reply.kept[0])
        if self._snapshot is None or self._received < self._snapshot[0]:
            return  # it could not give the replies that are still waited for
        reference = self._snapshot[1]
        if not ray.wait([reference], timeout=0)[0]:
            return
        self._snapshot = None
        try:
            self._checkpoint = ray.get(reference)
        except ray.exceptions.RayError as error:
            logger.warning("shard %d: checkpoint lost: %s", self._placement.bundle, error)
        else:
            self._forget(self._checkpoint[0])

    def _forget(self, number: int) -> None:
        try:
            self._log.forget(number)
        except OSError as error:  # a file too many is no reason to lose a reply
            logger.warning("shard %d: log: %s", self._placement.bundle, error)

    # --- death and replacement -------------------------------------------------------------

    def _mend(self, error: Exception, attempt: int) -> None:
        """Get the lost replies again, from the actor or from another in its place."""
        if attempt == ATTEMPTS:
            raise ShardLostError(
                f"shard {self._placement.bundle} ({self._placement.agents}) was lost "
                f"{ATTEMPTS} times at operation {self.number}: {error}"
            ) from error
        if _is_of_storage(error) and attempt < ATTEMPTS - 1:
            # The actor lives, and has its last replies; the store may have room by then.
            logger.warning("shard %d: reply lost: %s", self._placement.bundle, error)
            time.sleep(0.2 * 4**attempt)
            for number in self._pending:
                self._pending[number] = self._actor.reply.remote(number)
        else:
            self.recover(_first_line(error))

    def recover(self, cause: str) -> None:
        """Put another actor in the place of this one, with the agents as they were."""
        ray = library()
        placement = self._placement
        begin = time.monotonic()
        self._kill()  # it may live on a node that cannot be reached
        self._snapshot = None
        for attempt in range(ATTEMPTS):
            try:
                reserved = self._replace()
                reached, replayed = self._restore()
                break
            except ShardLostError:
                self._kill()  # it has other agents than those that were lost
                raise
            except ray.exceptions.RayError as error:
                self._kill()
                if attempt == ATTEMPTS - 1:
                    raise ShardLostError(
                        f"shard {placement.bundle} ({placement.agents}) could not be restored: "
                        f"{_first_line(error)}"
                    ) from error
        recovery = Recovery(
            shard=placement.bundle,
            agents=placement.agents,
            cause=cause,
            operation=self.number,
            checkpoint=reached,
            replayed=replayed,
            seconds=time.monotonic() - begin,
            reserved=reserved,
        )
        placement.recoveries.append(recovery)
        logger.warning("restored: %s", recovery)

    def catch_up(self) -> None:
        """Bring a new actor to the last operation that is logged."""
        try:
            self._restore()
        except library().exceptions.RayError as error:
            self.recover(_first_line(error))

    def _restore(self) -> tuple[int, int]:
        """Return the checkpoint that the actor began from, and the number of operations since."""
        number, contents = self._checkpoint
        if self._placement.directory is not None:
            number, contents = self._received, None
        reached = library().get(self._actor.restore.remote(number, contents))
        entries = self._log.since(reached)
        if [entry.number for entry in entries] != list(range(reached + 1, self.number + 1)):
            first = entries[0].number if entries else self.number + 1
            raise ShardLostError(
                f"shard {self._placement.bundle} ({self._placement.agents}) cannot be restored: no "
                f"checkpoint in {self._placement.directory} can be read after operation {reached}, "
                f"and the log begins at {first}"
            )
        self._replay(entries)
        return reached, len(entries)

    def _replace(self) -> bool:
        """Create the actor where its processors are reserved, or where there are any."""
        ray = library()
        self.create()
        try:
            self.wait_until_ready(self._placement.recovery_timeout)
            return True
        except ray.exceptions.GetTimeoutError:
            self._kill()
        self._actor = self._new_actor(num_cpus=0, scheduling_strategy="SPREAD")
        self.wait_until_ready(STARTING_TIMEOUT)
        return False

    def _replay(self, entries: list[Entry]) -> None:
        """Repeat operations; the replies that are still waited for are asked for again."""
        ray = library()
        running: list[Any] = []
        for entry in entries:
            arguments = [_stored(argument) for argument in entry.arguments]
            reference = self._actor.run.remote(
                entry.number, self._received, entry.operation, *arguments
            )
            if entry.number in self._pending:
                self._pending[entry.number] = reference
            running.append(reference)
            if len(running) == REPLAYED_AT_ONCE:
                ray.wait(running, num_returns=len(running))
                running = []
        # Errors of operations are in their replies; what is raised here is the actor's death.
        ray.get(self._actor.ready.remote())

    def amend(self, number: int, operation: str, arguments: tuple[Any, ...]) -> None:
        """Have another operation repeated in the place of `number`, which has the same effect."""
        self._log.replace(number, operation, arguments)

    def skip(self, number: int) -> None:
        """Take an operation that cannot be carried out off the log, and restore."""
        self._log.replace(number, "skip", ())
        self._pending.pop(number, None)
        self.recover(f"operation {number} left out")


def _stored(argument: Any) -> Any:
    size = argument.nbytes if isinstance(argument, np.ndarray) else 0
    if isinstance(argument, bytes):
        size = len(argument)
    return library().put(argument) if size > IN_OBJECT_STORE else argument


def _is_of_storage(error: Exception) -> bool:
    exceptions = library().exceptions
    kinds = (
        exceptions.ObjectStoreFullError,
        exceptions.OutOfDiskError,
        exceptions.ObjectLostError,
        exceptions.ObjectFetchTimedOutError,
    )
    return isinstance(error, kinds) or isinstance(getattr(error, "cause", None), kinds)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
