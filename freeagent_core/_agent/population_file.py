"""The file of a `Population`: its agents' state, without the model."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from freeagent_core._agent.atomic_file import write_atomically
from freeagent_core._agent.population_learning import begin_learning
from freeagent_core._model import validation as check
from freeagent_core._model.layout import belief_slices
from freeagent_core._model.sparse_columns import SparseColumns

if TYPE_CHECKING:
    from freeagent_core._kernels.agents.population_core import PopulationCore
    from freeagent_core.model import GenerativeModel

FORMAT = "freeagent_core population"
VERSION = 2


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
    elif isinstance(value, SparseColumns):
        _add(digest, [value.shape, value.start, value.index, value.value])
    elif isinstance(value, dict):
        _add(digest, sorted(value.items()))
    else:
        digest.update(repr(value).encode())


def write_population(path: Path | BinaryIO, model: GenerativeModel, core: PopulationCore) -> None:
    """Write a file beside `path`, then put it in its place; or write to an open file."""
    arrays: dict[str, Any] = {f"state/{name}": array for name, array in core.state.items()}
    for name in ("pA", "pB", "pD"):
        learners = core.learners(name)
        if learners:
            arrays[f"{name}/agents"] = np.array(learners)
            rows = [core.learned(i, name) for i in learners]
            for k in range(len(rows[0])):
                arrays[f"{name}/{k}"] = np.stack([row[k] for row in rows])
    header = {"format": FORMAT, "version": VERSION, "model": fingerprint(model)}
    arrays.update((name, np.array(value)) for name, value in header.items())
    try:
        if isinstance(path, Path):
            write_atomically(path, lambda file: np.savez(file, **arrays))
        else:
            np.savez(path, **arrays)
    except Exception as error:
        if cause := _first_cause(error):
            raise cause from None
        raise


class PopulationContents:
    """What a file has, checked."""

    def __init__(self, arrays: dict[str, npt.NDArray[Any]], model: GenerativeModel) -> None:
        self._arrays = arrays
        self._model = model
        self.size = len(arrays["state/random"])

    def check(self, core: PopulationCore) -> None:
        """Raise if the state does not fit; `core` is one of the same model, of any size."""
        for name, array in core.state.items():
            saved = self._arrays.get(f"state/{name}")
            shape = (self.size, *array.shape[1:])
            if saved is None or saved.shape != shape or saved.dtype != array.dtype:
                raise ValueError(f"the file's state/{name} must have shape {shape}")
            kept = core.state.get("past_actions", saved).shape[1] // self._model.num_factors
            check_state(name, saved, self._model, kept)
        if "infer_len" in core.state:
            self._check_windows(core)

    def _check_windows(self, core: PopulationCore) -> None:
        """Raise if message passing's sequences and priors are not those that its past makes."""
        expected = self._arrays["state/past_len"] + self._model.policy_len
        infer_len = self._arrays["state/infer_len"]
        if ((infer_len != 0) & (infer_len != expected)).any():
            raise ValueError("the file's state/infer_len must be that of state/past_len")
        width = core.state["latest_belief"].shape[1] // core.packed.qs_size
        if not np.isin(self._arrays["state/num_priors"], (1, width)).all():
            raise ValueError(f"the file's state/num_priors must be 1 or {width}")

    def restore(self, core: PopulationCore) -> None:
        """Give `core`, of the same model and size, this state."""
        learned = {name: self._learned(name) for name in ("pA", "pB", "pD")}
        for name, array in core.state.items():
            array[:] = self._arrays[f"state/{name}"]
        for name, (agents, values) in learned.items():
            for row, i in enumerate(agents):
                begin_learning(core, self._model)
                core.restore(i, name, [value[row] for value in values])

    def _learned(self, name: str) -> tuple[list[int], list[npt.NDArray[np.float64]]]:
        """Return the agents that have learned parameters `name`, and these."""
        agents = self._arrays.get(f"{name}/agents")
        if agents is None:
            return [], []
        given = getattr(self._model, name)
        if given is None:
            raise ValueError(f"the file has {name}, the model has none")
        if (
            agents.ndim != 1
            or agents.dtype != np.int64
            or (len(agents) and (agents.min() < 0 or agents.max() >= self.size))
            or (np.diff(agents) <= 0).any()
        ):
            raise ValueError(f"the file's {name}/agents must be ascending indices of its agents")
        values = []
        for k, array in enumerate(given):
            saved = self._arrays.get(f"{name}/{k}")
            shape = (len(agents), *array.shape)
            if saved is None or saved.shape != shape or saved.dtype != np.float64:
                raise ValueError(f"the file's {name}/{k} must be floats of shape {shape}")
            check.check_non_negative(saved, f"the file's {name}/{k}")
            values.append(saved)
        return agents.tolist(), values


def check_state(name: str, array: npt.NDArray[Any], model: GenerativeModel, kept: int) -> None:
    """Raise if `array` is not what the kernels can go on from: they check no index again. Of
    message passing `kept` actions are kept."""
    least, most = 0, np.iinfo(np.int64).max - 1
    bounds: Any = most
    if name in ("has_action", "has_policies"):
        bounds = 1
    elif name in ("action", "past_actions"):
        bounds = np.array(model.num_controls) - 1
    elif name == "past":
        bounds = np.array(model.num_obs) - 1
    elif name == "past_len":
        bounds = model.inference_horizon
    elif name == "num_actions":
        # those between the observed steps; the next one takes their place when there are as many
        bounds = kept if model.inference_horizon == 1 else model.inference_horizon - 1
    elif name == "random":
        if not array.any(axis=1).all():
            raise ValueError("the file's state/random must not be all zero for an agent")
        return
    elif array.dtype == np.float64:
        if not np.isfinite(array).all() or (name not in ("G", "F") and (array < 0).any()):
            raise ValueError(f"the file's state/{name} must be finite, and not negative")
        if name == "qs":
            _check_beliefs(array, model.num_states)
        return
    per_row = array.reshape(len(array), -1, np.size(bounds))
    if (per_row < least).any() or (per_row > bounds).any():
        raise ValueError(f"the file's state/{name} is out of bounds")


def _check_beliefs(qs: npt.NDArray[np.float64], num_states: list[int]) -> None:
    """Raise if a factor's beliefs, do not sum to 1."""
    for f, states in enumerate(belief_slices(num_states)):
        sums = qs[:, states].sum(axis=1)
        if (np.abs(sums - 1.0) > check.SUM_TOLERANCE).any():
            raise ValueError(f"the file's state/qs must sum to 1 in each factor, not so in {f}")


def read_population(path: Path | BinaryIO, model: GenerativeModel) -> PopulationContents:
    """Read and check a file of `write_population`.

    What the file says about sizes is held against its own size before memory is taken, and no
    objects are unpickled.
    """
    try:
        if isinstance(path, Path):
            with open(path, "rb") as file:
                arrays = _read_arrays(file)
        else:
            arrays = _read_arrays(path)
        header = [str(arrays.get("format")), int(arrays["version"]), str(arrays["model"])]
    except Exception as error:  # zipfile and NumPy raise what they come across
        if cause := _first_cause(error):
            raise cause from None
        raise ValueError(f"{path} is not a file of Population.save") from None
    if header[0] != FORMAT or arrays.get("state/random", np.empty(0)).ndim != 2:
        raise ValueError(f"{path} is not a file of Population.save")
    if header[1] != VERSION:
        raise ValueError(f"{path} has version {header[1]}; this freeagent_core reads {VERSION}")
    if header[2] != fingerprint(model):
        raise ValueError(f"{path} was saved with another model than the one given")
    if len(arrays["state/random"]) < 1:
        raise ValueError(f"{path} has no agents")
    return PopulationContents(arrays, model)


def _first_cause(error: Exception) -> BaseException | None:
    """Return what no file is to blame for: Ctrl-C, a lack of memory or what the system says of the
    file. zipfile raises other errors as it ends after it."""
    cause: BaseException | None = error
    while cause is not None:
        is_damage = isinstance(cause, OSError) and cause.errno in (None, errno.EINVAL)
        if not isinstance(cause, Exception) or isinstance(cause, MemoryError | OSError):
            return None if is_damage else cause
        cause = cause.__context__
    return None


def _read_arrays(file: BinaryIO) -> dict[str, npt.NDArray[Any]]:
    size = file.seek(0, os.SEEK_END)
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        # np.savez does not compress: a member is no larger than its part of the file
        if any(each.compress_type != zipfile.ZIP_STORED for each in members):
            raise ValueError("compressed")
        if sum(each.file_size for each in members) > size:
            raise ValueError("larger than the file")
        for each in members:
            with archive.open(each) as member:
                arrays[each.filename.removesuffix(".npy")] = _read_array(member, each.file_size)
    return arrays


def _read_array(file: Any, size: int) -> npt.NDArray[Any]:
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, in_columns, dtype = read_header(file)
    count = math.prod(shape)
    if dtype.hasobject or min(shape, default=0) < 0 or count * dtype.itemsize > size:
        raise ValueError("larger than the file")
    contents = file.read(count * dtype.itemsize)
    array = np.frombuffer(contents, dtype, count)  # raises where the contents are shorter
    return array.reshape(shape, order="F" if in_columns else "C")
