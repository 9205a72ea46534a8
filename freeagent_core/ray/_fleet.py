"""All actors of a population or a manager: where they are placed, and what is in flight."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from freeagent_core.ray._library import library
from freeagent_core.ray._log import Entry, OperationLog
from freeagent_core.ray._shard import Placement, Recovery, Shard, ShardLostError

__all__ = ["Fleet", "Operation", "Recovery", "ShardLostError"]

PLACEMENT_TIMEOUT = 60.0  # seconds until a cluster without room is an error


class Operation:
    """One operation in flight on all shards."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers
        self.outcomes: list[tuple[bool, Any]] = []


class Fleet:
    """Shards that carry out the same operations, each on its own agents.

    Parameters
    ----------
    make_host : callable
        Makes a shard's host from its arguments, in its actor.
    arguments : sequence of tuple
        A shard's; references to objects are resolved.
    agents : sequence of str
        What the shards have, for reports.
    num_cpus : float
        Reserved for each.
    max_in_flight : int
        Operations that are sent and not received at most.
    checkpoint_interval : int
        Operations from a checkpoint to the next.
    recovery_timeout : float
        Seconds to wait for processors to be free, when an actor is lost.
    directories : sequence of Path, optional
        A shard's checkpoints and log.
    logs : sequence of list of Entry, optional
        What `directories` have already.
    """

    def __init__(
        self,
        make_host: Callable[..., Any],
        arguments: Sequence[tuple[Any, ...]],
        agents: Sequence[str],
        num_cpus: float,
        max_in_flight: int,
        checkpoint_interval: int,
        recovery_timeout: float,
        directories: Sequence[Path] | None = None,
        logs: Sequence[list[Entry]] | None = None,
        number: int = 0,
    ) -> None:
        self._max_in_flight = max_in_flight
        self._in_flight: deque[Operation] = deque()
        self._group = _reserve(len(arguments), num_cpus)
        self.recoveries: list[Recovery] = []
        self.lock = threading.RLock()
        self.shards = []
        try:
            for i, each in enumerate(arguments):
                directory = None if directories is None else directories[i]
                placement = Placement(
                    make_host,
                    each,
                    num_cpus,
                    self._group,
                    i,
                    max_in_flight + 1,
                    checkpoint_interval,
                    recovery_timeout,
                    agents[i],
                    directory,
                    self.recoveries,
                )
                log = OperationLog(directory, None if logs is None else logs[i])
                shard = Shard(placement, log, number)
                shard.create()
                self.shards.append(shard)
            for shard in self.shards:
                shard.wait_until_ready(PLACEMENT_TIMEOUT)
        except BaseException:
            self.end(wait=False)
            raise

    def submit(self, operation: str, arguments: Sequence[tuple[Any, ...]]) -> Operation:
        """Log and send an operation; wait first while too many are in flight.

        An error leaves the agents and the logs as they were. Once all shards have logged the
        operation, all of them carry it out: Ctrl-C is raised when it has been sent.
        """
        with self.lock:
            while len(self._in_flight) >= self._max_in_flight:
                self.complete(self._in_flight[0])
            try:
                sent = [
                    shard.prepare(operation, each)
                    for shard, each in zip(self.shards, arguments, strict=True)
                ]
            except BaseException:
                for shard in self.shards:
                    shard.withdraw()
                raise
            interrupts = [
                shard.send(operation, each) for shard, each in zip(self.shards, sent, strict=True)
            ]
            submitted = Operation([shard.number for shard in self.shards])
            self._in_flight.append(submitted)
            for interrupt in interrupts:
                if interrupt is not None:
                    raise interrupt
            return submitted

    def complete(
        self, operation: Operation, timeout: float | None = None
    ) -> list[tuple[bool, Any]]:
        """Wait for an operation and return each shard's outcome: success, result or error."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.lock:
            while self._in_flight and not _is_complete(operation):
                oldest = self._in_flight[0]
                for i in range(len(oldest.outcomes), len(self.shards)):
                    number = oldest.numbers[i]
                    oldest.outcomes.append(self.shards[i].receive(number, deadline))
                self._in_flight.popleft()
            return operation.outcomes

    def read(self, name: str, *arguments: Any) -> list[Any]:
        """Return what a method returns that changes nothing, of every shard."""
        with self.lock:
            self.complete_all()
            return [shard.read(name, *arguments) for shard in self.shards]

    def complete_all(self) -> None:
        """Wait for everything that is in flight."""
        with self.lock:
            while self._in_flight:
                self.complete(self._in_flight[0])

    def end(self, wait: bool = True) -> None:
        """End the actors and give their processors back; see `Shard.end`."""
        for shard in self.shards:
            shard.end(wait)
        library().util.remove_placement_group(self._group)


def _is_complete(operation: Operation) -> bool:
    return len(operation.outcomes) == len(operation.numbers)


def _reserve(count: int, num_cpus: float) -> Any:
    """Reserve processors, on as many nodes as there are."""
    ray = library()
    group = ray.util.placement_group([{"CPU": num_cpus}] * count, strategy="SPREAD")
    if not group.wait(PLACEMENT_TIMEOUT):
        ray.util.remove_placement_group(group)
        have = ray.available_resources().get("CPU", 0.0)
        raise RuntimeError(
            f"no room for {count} shards of {num_cpus:g} processors each: the cluster has "
            f"{have:g} free"
        )
    return group
