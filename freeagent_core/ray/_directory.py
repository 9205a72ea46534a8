"""The directory that a `RayPopulation` keeps its checkpoints and logs in.

``manifest.json`` has what is fixed, ``shard-0000`` and so on a shard's checkpoints and log,
``lock`` is held by the driver that uses it. The manifest is written last, when all agents are in
place: without it there is no population, whatever a driver that died left there.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

if sys.platform != "win32":
    import fcntl

from freeagent_core._agent.atomic_file import write_atomically
from freeagent_core._agent.population_file import fingerprint
from freeagent_core.model import GenerativeModel
from freeagent_core.ray import _checkpoints
from freeagent_core.ray._log import Entry, cut_log, read_log
from freeagent_core.ray._plan import Plan

FORMAT = "freeagent_core sharded population"
VERSION = 1
MANIFEST = "manifest.json"


class Storage:
    """The directory while a driver has it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if sys.platform != "win32":
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise BlockingIOError(f"another driver is using {directory}") from None
        self.shards: list[Path] = []

    def use(self, directory: Path, count: int) -> None:
        """Set the shards' directories."""
        self.shards = [directory / f"shard-{i:04d}" for i in range(count)]

    def release(self) -> None:
        """Let another driver use the directory."""
        os.close(self._lock)


def create(path: str | Path | None, plan: Plan) -> Storage | None:
    """Make the directory, if there is to be one, of a population that is about to be made."""
    if path is None:
        return None
    directory = Path(path).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    storage = Storage(directory)
    try:
        if (directory / MANIFEST).exists():
            raise FileExistsError(
                f"{directory} has a population already; RayPopulation.resume goes on with it"
            )
        storage.use(directory, len(plan.bounds) - 1)
        for shard in storage.shards:
            shard.mkdir(exist_ok=True)
            for path in [*shard.glob("checkpoint-*"), *shard.glob("log-*")]:
                path.unlink()
    except BaseException:
        storage.release()
        raise
    return storage


def complete(storage: Storage, model: GenerativeModel, plan: Plan) -> None:
    """Make the directory one that `open_existing` opens: all agents are in place."""
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "model": fingerprint(model),
        "bounds": plan.bounds,
        "entropy": _plain(plan.seed.entropy),
        "spawn_key": _plain(plan.seed.spawn_key),
        "pool_size": plan.seed.pool_size,
        "checkpoint_interval": plan.checkpoint_interval,
    }
    contents = json.dumps(manifest, indent=1).encode()
    write_atomically(storage.directory / MANIFEST, lambda file: file.write(contents))


def open_existing(directory: Path, model: GenerativeModel) -> tuple[Storage, Plan]:
    """Return what `create` made."""
    directory = directory.resolve()
    path = directory / MANIFEST
    if not path.exists():
        raise FileNotFoundError(f"{directory} has no population: there is no {path.name}")
    storage = Storage(directory)
    try:
        try:
            manifest = json.loads(path.read_bytes())
            known = manifest["format"] == FORMAT and manifest["version"] == VERSION
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise ValueError(f"{path} is not one of RayPopulation, or of another version")
        if manifest["model"] != fingerprint(model):
            raise ValueError(f"{directory} was made with another model than the one given")
        seed = np.random.SeedSequence(
            manifest["entropy"],
            spawn_key=tuple(manifest["spawn_key"]),
            pool_size=manifest["pool_size"],
        )
        storage.use(directory, len(manifest["bounds"]) - 1)
        return storage, Plan(manifest["bounds"], seed, manifest["checkpoint_interval"])
    except BaseException:
        storage.release()
        raise


def read_logs(storage: Storage) -> tuple[list[list[Entry]], int]:
    """Return the shards' logs and the number of the last operation that all of them have.

    An operation is sent when all shards have logged it: one that only some have was not, unless
    the driver's machine lost what it had not yet written. Checkpoints after that operation belong
    to a history that nobody goes on with: a shard must never come back to one.
    """
    logs = [read_log(shard) for shard in storage.shards]
    last = []
    for shard, log in zip(storage.shards, logs, strict=True):
        last.append(log[-1].number if log else max(_checkpoints.numbers(shard), default=0))
    number = min(last)
    for shard in storage.shards:
        cut_log(shard, number)
        for each in _checkpoints.numbers(shard):
            if each > number:
                _checkpoints.path_of(shard, each).unlink()
    return [[entry for entry in log if entry.number <= number] for log in logs], number


def _plain(value: Any) -> Any:
    """Return integers that JSON can have."""
    return int(value) if np.ndim(value) == 0 else [int(each) for each in value]
