"""The model of a report: by name, from a Python file, an .npz file or a gymnasium id."""

from __future__ import annotations

import importlib
import inspect
import re
import runpy
import traceback
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from freeagent_core.model import GenerativeModel
from freeagent_core.report.worlds import WORLDS
from freeagent_core.utils import obj_array_from_list

PARAMETERS = tuple(inspect.signature(GenerativeModel.__init__).parameters)[1:]
ARRAYS = ("A", "B", "C", "D", "H", "pA", "pB", "pD")  # one array per modality or factor
NOT_ATTRIBUTES = ("num_controls", "ii_depth", "ii_threshold", "policies", "E")
GYMNASIUM_ID = re.compile(r"(?:[\w.-]+/)?[\w.-]+-v\d+")
REWARD_RANGE = 4.0  # nats between the best and the worst reward of a gymnasium environment


class ModelError(ValueError):
    """The model cannot be loaded; the message says why and what would be right."""


@dataclass(frozen=True)
class LoadedModel:
    """A model and where it came from.

    Parameters
    ----------
    name : str
        As given on the command line.
    description : str
    arguments : dict
        Of `GenerativeModel`, and so of the peers' agents.
    model : GenerativeModel
    """

    name: str
    description: str
    arguments: dict[str, Any]
    model: GenerativeModel


def load(name: str) -> LoadedModel:
    """Return the model of a name, a ``FILE.py[:NAME]``, a ``FILE.npz`` or a gymnasium id.

    Raises
    ------
    ModelError
    """
    if name in WORLDS:
        world = WORLDS[name]
        return _loaded(name, world.description, world.make())
    path, _, member = name.partition(":")
    if path.endswith(".py"):
        return _from_python(name, Path(path), member)
    if name.endswith(".npz"):
        return _loaded(name, "from an .npz file", _from_npz(Path(name)))
    if GYMNASIUM_ID.fullmatch(name):
        return _loaded(name, "the transition table of a gymnasium environment", _from_gym(name))
    raise ModelError(
        f"--model {name!r} is neither a name ({', '.join(WORLDS)}), nor a file ending in .py or "
        ".npz, nor a gymnasium id such as FrozenLake-v1"
    )


def _loaded(name: str, description: str, arguments: Mapping[str, Any]) -> LoadedModel:
    unknown = sorted(set(arguments) - set(PARAMETERS))
    if unknown:
        raise ModelError(
            f"{name}: {unknown[0]!r} is not an argument of GenerativeModel; these are: "
            f"{', '.join(PARAMETERS)}"
        )
    for required in ("A", "B"):
        if required not in arguments:
            raise ModelError(f"{name}: {required} is missing")
    try:
        model = GenerativeModel(**arguments)
    except (ValueError, TypeError, NotImplementedError, MemoryError) as error:
        raise ModelError(f"{name}: {error}") from error
    return LoadedModel(name, description, dict(arguments), model)


# --- a Python file -------------------------------------------------------------------------------


def _from_python(name: str, path: Path, member: str) -> LoadedModel:
    if not path.is_file():
        raise ModelError(f"--model {name!r}: there is no file {path}")
    try:
        variables = runpy.run_path(str(path), run_name="freeagent_core_report_model")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ModelError(f"{path}{_line_in(error, path)}: {_text(error)}") from error
    if member and member not in variables:
        raise ModelError(f"{path}: there is no {member!r} in it")
    if member or "model" in variables:
        found = variables[member or "model"]
        return _from_object(name, path, member or "model", found)
    given = {key: variables[key] for key in PARAMETERS if key in variables}
    if not {"A", "B"} <= set(given):
        raise ModelError(
            f"{path}: neither `model` (a function without arguments, a dict or a GenerativeModel) "
            "nor the variables A and B are in it; FILE.py:NAME takes another name"
        )
    return _loaded(name, "the variables of a Python file", given)


def _from_object(name: str, path: Path, member: str, found: Any) -> LoadedModel:
    if callable(found):
        try:
            inspect.signature(found).bind()
        except TypeError as error:
            raise ModelError(
                f"{path}: {member} must be callable without arguments: {error}"
            ) from None
        try:
            found = found()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise ModelError(
                f"{path}{_line_in(error, path)}: {member}() raised {_text(error)}"
            ) from error
    if isinstance(found, GenerativeModel):
        return LoadedModel(name, f"{member} of a Python file", arguments_of(found), found)
    if isinstance(found, Mapping):
        return _loaded(name, f"{member} of a Python file", found)
    raise ModelError(
        f"{path}: {member} must be, or return, a GenerativeModel or a dict of its arguments, got "
        f"{type(found).__name__}"
    )


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _line_in(error: BaseException, path: Path) -> str:
    """Return the line of the user's file in which an error arose, as ``:12``."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    return f":{lines[-1]}" if lines else ""


def arguments_of(model: GenerativeModel) -> dict[str, Any]:
    """Return the arguments that make an agent like those of `model`, for peers too."""
    arguments = {
        name: getattr(model, name)
        for name in PARAMETERS
        if name not in NOT_ATTRIBUTES and getattr(model, name, None) is not None
    }
    if not model.factorized:
        del arguments["A_factor_list"], arguments["B_factor_list"]
    joint_actions = int(np.prod([float(n) for n in model.num_controls]))
    if len(model.policy_arrays) != joint_actions**model.policy_len:
        arguments["policies"] = list(model.policies)
    if not model.constant_E:
        arguments["E"] = model.E
    return arguments


# --- an .npz file --------------------------------------------------------------------------------


def _from_npz(path: Path) -> dict[str, Any]:
    """Read arrays named A or A_0, A_1, ..., and single values (policy_len, gamma, ...)."""
    if not path.is_file():
        raise ModelError(f"--model {str(path)!r}: there is no such file")
    if not zipfile.is_zipfile(path):  # NumPy would propose to unpickle it
        raise ModelError(f"{path} is not a readable .npz file: it is no zip archive")
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: _stored_array(path, file, name) for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path} is not a readable .npz file: {error}") from error
    arguments: dict[str, Any] = {}
    for name in ARRAYS:
        numbered = {
            int(key[len(name) + 1 :]): key
            for key in stored
            if re.fullmatch(rf"{re.escape(name)}_\d+", key)
        }
        if numbered and name in stored:
            raise ModelError(f"{path} has both {name} and {numbered[min(numbered)]}")
        if numbered:
            if sorted(numbered) != list(range(len(numbered))):
                expected = ", ".join(f"{name}_{i}" for i in range(len(numbered)))
                raise ModelError(
                    f"{path}: {name} must be numbered from 0 without gaps ({expected}), got "
                    f"{', '.join(numbered[i] for i in sorted(numbered))}"
                )
            arrays = [stored.pop(numbered[i]) for i in sorted(numbered)]
            arguments[name] = obj_array_from_list(arrays)
    for name, array in stored.items():
        arguments[name] = array.item() if array.ndim == 0 else array
    return arguments


def _stored_array(path: Path, file: Any, name: str) -> Any:
    try:
        return file[name]
    except ValueError as error:
        raise ModelError(
            f"{path}: {name} is an array of objects, which only a pickle holds, and a pickle can "
            f"run code. Save its arrays as {name}_0, {name}_1, ...: "
            f'np.savez(path, **{{f"{name}_{{i}}": x for i, x in enumerate({name})}})'
        ) from error


# --- gymnasium -----------------------------------------------------------------------------------


def _from_gym(name: str) -> dict[str, Any]:
    """Make a model of an environment that has a transition table (FrozenLake, Taxi, ...).

    The state is observed; so is the class of the reward that entering it gives, which is
    preferred in proportion to the reward. States that end an episode are absorbing.
    """
    try:
        gymnasium = importlib.import_module("gymnasium")
    except ImportError:
        raise ModelError(
            f"--model {name!r} needs gymnasium: pip install 'freeagent-core[gymnasium]'"
        ) from None
    try:
        environment = gymnasium.make(name).unwrapped
    except Exception as error:
        raise ModelError(f"gymnasium cannot make {name!r}: {_text(error)}") from error
    table = getattr(environment, "P", None)
    if not isinstance(table, Mapping):
        raise ModelError(
            f"{name} has no transition table P, as gymnasium's toy-text environments have: "
            "it is not a discrete model that an agent could be given"
        )
    num_states, num_actions = len(table), len(table[0])
    B = np.zeros((num_states, num_states, num_actions))
    reward, weight = np.zeros(num_states), np.zeros(num_states)
    ends = np.zeros(num_states, dtype=bool)
    for state, actions in table.items():
        for action, outcomes in actions.items():
            for probability, following, gain, terminated in outcomes:
                B[following, state, action] += probability
                reward[following] += probability * gain
                weight[following] += probability
                ends[following] |= terminated
    B[:, ends] = np.eye(num_states)[:, ends, None]
    mean_reward = np.divide(reward, weight, out=np.zeros(num_states), where=weight > 0)
    levels, level_of = np.unique(mean_reward.round(9), return_inverse=True)
    spread = np.ptp(levels) or 1.0
    start = getattr(environment, "initial_state_distrib", None)
    if start is None or np.shape(start) != (num_states,):
        start = np.full(num_states, 1.0 / num_states)
    return {
        "A": obj_array_from_list([np.eye(num_states), np.eye(len(levels))[:, level_of]]),
        "B": obj_array_from_list([B]),
        "C": obj_array_from_list([np.zeros(num_states), REWARD_RANGE * levels / spread]),
        "D": obj_array_from_list([np.asarray(start, dtype=float) / np.sum(start)]),
        "policy_len": 2,
    }
