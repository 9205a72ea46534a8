"""The file of a `Population`: its agents' state, without the model."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from freeagent_core._agent.atomic_file import write_atomically

if TYPE_CHECKING:
    from freeagent_core._kernels.agents.population_core import PopulationCore
    from freeagent_core.model import GenerativeModel

FORMAT = "freeagent_core population"
VERSION = 1


def fingerprint(model: GenerativeModel) -> str:
    """Return a digest of all arguments of a model."""
    digest = hashlib.sha256()
    for name, value in sorted(model._arguments().items()):
        digest.update(name.encode())
        _add(digest, value)
    return digest.hexdigest()


def _add(digest: Any, value: Any) -> None:
    if isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, np.ndarray | list | tuple):
        digest.update(f"[{len(value)}".encode())
        for item in value:
            _add(digest, item)
    elif isinstance(value, dict):
        _add(digest, sorted(value.items()))
    else:
        digest.update(repr(value).encode())


def write_population(path: Path | BinaryIO, model: GenerativeModel, core: PopulationCore) -> None:
    """Write a file beside `path`, then put it in its place; or write to an open file."""
    arrays: dict[str, Any] = {f"state/{name}": array for name, array in core.state.items()}
    for name in ("pA", "pB", "pD"):
        rows = [] if core.learned is None else core.learned
        learners = [i for i, each in enumerate(rows) if each and getattr(each, name) is not None]
        if learners:
            arrays[f"{name}/agents"] = np.array(learners)
            for k in range(len(getattr(rows[learners[0]], name))):
                arrays[f"{name}/{k}"] = np.stack([getattr(rows[i], name)[k] for i in learners])
    header = {"format": FORMAT, "version": VERSION, "model": fingerprint(model)}
    arrays.update((name, np.array(value)) for name, value in header.items())
    if not isinstance(path, Path):
        np.savez(path, **arrays)
        return
    write_atomically(path, lambda file: np.savez(file, **arrays))


class PopulationContents:
    """What a file has, checked."""

    def __init__(self, arrays: dict[str, npt.NDArray[Any]], model: GenerativeModel) -> None:
        self._arrays = arrays
        self._model = model
        self.size = len(arrays["state/random"])

    def restore(self, core: PopulationCore) -> None:
        """Give `core`, of the same model and size, this state."""
        for name, array in core.state.items():
            saved = self._arrays.get(f"state/{name}")
            if saved is None or saved.shape != array.shape or saved.dtype != array.dtype:
                raise ValueError(f"the file's state/{name} must have shape {array.shape}")
        for name, array in core.state.items():
            array[:] = self._arrays[f"state/{name}"]
        for name in ("pA", "pB", "pD"):
            if f"{name}/agents" not in self._arrays:
                continue
            core.begin_learning(self._model.pA, self._model.pB, self._model.pD)
            count = sum(key.startswith(f"{name}/") for key in self._arrays) - 1
            for row, i in enumerate(self._arrays[f"{name}/agents"].tolist()):
                values = [self._arrays[f"{name}/{k}"][row] for k in range(count)]
                core.learned_model(i).restore(name, values)


def read_population(path: Path | BinaryIO, model: GenerativeModel) -> PopulationContents:
    """Read and check a file of `write_population`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, EOFError, ValueError, KeyError):
        raise ValueError(f"{path} is not a file of Population.save") from None
    if str(arrays.get("format")) != FORMAT or not {"version", "model", "state/random"} <= set(
        arrays
    ):
        raise ValueError(f"{path} is not a file of Population.save")
    if int(arrays["version"]) != VERSION:
        raise ValueError(
            f"{path} has version {int(arrays['version'])}; this freeagent_core reads {VERSION}"
        )
    if str(arrays["model"]) != fingerprint(model):
        raise ValueError(f"{path} was saved with another model than the one given")
    return PopulationContents(arrays, model)
