"""Checks of a model's arrays, which give each a leading axis of agents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model.validation import MAX_INT, integer
from freeagent_core.pymdp_v1._arrays import as_array, as_real_array

Array = npt.NDArray[Any]


class ModelError(ValueError, AssertionError):
    """Parts of a model do not fit together (pymdp raises AssertionError for some of them)."""


def floats(value: Any, name: str) -> Array:
    """Return a read-only float64 copy of an array, or of a Distribution's data."""
    data = getattr(value, "data", value) if hasattr(value, "event") else value
    array = as_real_array(data, name)
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ModelError(f"{name}{list(at) if at else ''} must be finite, got {array[at]}")
    array.flags.writeable = False
    return array


def with_agents(
    array: Array, shapes: Sequence[tuple[int, ...]], batch_size: int, name: str
) -> Array:
    """Return an array of one of some shapes with a leading axis of agents, read-only.

    Without that axis, or with one of size 1, all agents share it: its stride is 0.
    """
    for shape in shapes:
        if array.shape == shape:
            return np.broadcast_to(array, (batch_size, *shape))
    for shape in shapes:
        if array.shape[1:] == shape and array.shape[0] == batch_size:
            return array
        if array.shape == (1, *shape):
            return np.broadcast_to(array, (batch_size, *shape))
    expected = " or ".join(str(s) for shape in shapes for s in (shape, (batch_size, *shape)))
    raise ModelError(
        f"{name} must have shape {expected} for batch_size {batch_size}, got {array.shape}"
    )


def as_list(values: Any, name: str, of: str) -> list[Any]:
    """Return a list, tuple or array as a list; `of` says what it should hold.

    A `DistributionIndexer`, which is a dict by name, counts as the list of its distributions.
    """
    values = getattr(values, "distributions", values)
    if not isinstance(values, str | bytes | Mapping | Set):
        try:
            return list(values)
        except TypeError:
            pass
    raise TypeError(f"{name} must be a list of {of}, got {type(values).__name__} {values!r:.80}")


def integers(values: Any, name: str, low: int = 0, high: int = MAX_INT) -> list[int]:
    """Return a list of integers in range(low, high)."""
    result = []
    for i, value in enumerate(as_list(values, name, "int")):
        try:
            result.append(integer(value, low, high, f"{name}[{i}]"))
        except ValueError as error:
            raise ModelError(str(error)) from None
    return result


def dependencies(lists: Any, count: int, num_factors: int, name: str) -> list[list[int]]:
    """Return lists of factors, one for each modality or factor, as lists of ints."""
    lists = as_list(lists, name, "lists of int")
    if len(lists) != count:
        raise ModelError(f"{name} must have {count} lists, got {len(lists)}")
    result = []
    for i, factors in enumerate(lists):
        factors = integers(factors, f"{name}[{i}]", 0, num_factors)
        if not factors or len(set(factors)) != len(factors):
            raise ModelError(f"{name}[{i}] must be distinct factors, at least one, got {factors}")
        result.append(factors)
    return result


def whole_numbers(value: Any, name: str) -> Array:
    """Return an array of integers, which may be held as floats."""
    array = as_array(value, name)
    if array.dtype.kind not in "iubf" or not (array == np.floor(array)).all():
        raise TypeError(f"{name} must hold integers, got {array.dtype}")
    return array


def outcomes(value: Any, num_obs: int, name: str) -> Array:
    """Return indices of outcomes, -1 for no evidence, as an array of integers."""
    array = whole_numbers(value, name)
    wrong = (array < -1) | (array >= num_obs)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"{name}{list(at)} must be in range(-1, {num_obs}), got {array[at]}")
    return array


def checked_actions(value: Any, name: str, count: int) -> Array:
    """Return actions (..., count) as an array of numbers."""
    array = whole_numbers(value, name)
    if array.shape[-1:] != (count,):
        raise ValueError(f"{name} must have shape (..., {count}), got {array.shape}")
    return array


def check_normalised(array: Array, name: str) -> None:
    """Raise an error unless the distributions along axis 1 are ones."""
    values = array[:1] if array.strides[0] == 0 else array
    if (values < 0.0).any():
        at = tuple(int(i) for i in np.argwhere(values < 0.0)[0])
        raise ModelError(f"{name}{list(at[1:])} must not be negative, got {values[at]}")
    sums = values.sum(axis=1)
    if np.isclose(sums, 0.0).any():
        raise ModelError(
            f"Please ensure that none of the distributions along {name}'s 1-th axis sum to zero..."
        )
    if not np.isclose(sums, 1.0).all():
        raise ModelError(
            f"Please ensure that all distributions along {name}'s 1-th axis are properly "
            "normalised and sum to 1..."
        )


def per_agent(value: Any, batch_size: int, name: str) -> Array:
    """Return a number, or one for each agent, as an array (batch_size,)."""
    array = floats(value, name)
    if array.shape not in ((), (1,), (batch_size,)):
        raise ModelError(
            f"{name} must be a number or have shape ({batch_size},), got {array.shape}"
        )
    return np.broadcast_to(array, (batch_size,))


def parts(values: Any, count: int, name: str, of: str) -> list[Any]:
    """Return the arrays of a part of the model as a list of the right length."""
    if isinstance(values, np.ndarray) and values.dtype != object and values.ndim > 0:
        values = [values]
    if not hasattr(values, "__len__"):
        raise ModelError(f"{name} must be a list with an array for each {of}")
    if len(values) != count:
        raise ModelError(f"{name} must have {count} arrays, one for each {of}, got {len(values)}")
    return list(values)


def taken_apart(observations: Any, num_modalities: int) -> Any:
    """Return an array whose first axis is that of the modalities as a list, as pymdp takes it."""
    if getattr(observations, "ndim", 0) > 1 and len(observations) == num_modalities:
        return list(as_array(observations, "observations"))
    return observations


def num_states_of(B: Sequence[Array], B_dependencies: Sequence[Sequence[int]]) -> list[int]:
    """Read each factor's number of states from its transitions."""
    sizes = []
    for f, factors in enumerate(B_dependencies):
        if f not in factors:
            raise ModelError(
                f"num_states cannot be inferred from B, B_dependencies if the dynamics of hidden "
                f"state {f} is not conditioned on itself"
            )
        if B[f].ndim < len(factors) + 2:
            raise ModelError(
                f"B[{f}] must have an axis for the next state, one for each of {factors} and one "
                f"for the action, got shape {B[f].shape}"
            )
        if 0 in B[f].shape:
            raise ModelError(f"B[{f}] must have no axis of length 0, got shape {B[f].shape}")
        sizes.append(B[f].shape[factors.index(f) - len(factors) - 1])
    return sizes


def flatten_actions(
    arrays: Sequence[Any],
    action_dependencies: Sequence[Sequence[int]],
    num_controls: Sequence[int],
    name: str,
) -> list[Any]:
    """Give each factor's transitions one axis of actions instead of one for each dependency."""
    flat = []
    for f, (array, controls) in enumerate(zip(arrays, action_dependencies, strict=True)):
        kept = array.ndim - len(controls)
        actions = tuple(num_controls[c] for c in controls)
        if kept < 0 or (len(controls) and array.shape[kept:] != actions):
            raise ModelError(
                f"{name}[{f}] must end in axes of {actions} actions, those of the controls "
                f"{list(controls)}, got shape {array.shape}"
            )
        flat.append(array.reshape(*array.shape[:kept], math.prod(actions)))
    return flat


def action_maps(
    action_dependencies: Sequence[Sequence[int]], num_controls: Sequence[int]
) -> list[dict[str, list[int]]]:
    """Describe, for each factor, how several actions become one and back."""
    maps = []
    for f, controls in enumerate(action_dependencies):
        dims = [num_controls[c] for c in controls]
        maps.append(
            {
                "multi_dependency": list(controls),
                "multi_dims": dims,
                "flat_dependency": [f],
                "flat_dims": [math.prod(dims)],
            }
        )
    return maps


def encode(multi: Array, maps: Sequence[dict[str, list[int]]]) -> Array:
    """Combine actions (..., controls) into one per factor, the last dependency fastest."""
    flat = np.zeros((*multi.shape[:-1], len(maps)), dtype=multi.dtype)
    for f, action_map in enumerate(maps):
        for control, size in zip(
            action_map["multi_dependency"], action_map["multi_dims"], strict=True
        ):
            flat[..., f] = flat[..., f] * size + multi[..., control]
    return flat


def decode(flat: Array, maps: Sequence[dict[str, list[int]]], num_controls: int) -> Array:
    """Take apart actions (..., factors) into (..., controls): the inverse of `encode`."""
    multi = np.zeros((*flat.shape[:-1], num_controls), dtype=flat.dtype)
    for f, action_map in enumerate(maps):
        rest = flat[..., f]
        for control, size in reversed(
            list(zip(action_map["multi_dependency"], action_map["multi_dims"], strict=True))
        ):
            multi[..., control] = rest % size
            rest = rest // size
    return multi


def backward_reachability(H: Array, B: Array, threshold: Array, depth: int) -> Array:
    """The states from which a goal is within reach, step by step backwards.

    Parameters
    ----------
    H : (agents, num_states) array
        1 at goals.
    B : (agents, num_states, num_states, num_controls) array
    threshold : (agents,) array
        Transitions must be likelier than this.
    depth : int

    Returns
    -------
    (agents, depth, num_states) array

    Source: `pymdp.control.generate_I_matrix`.
    """
    if depth < 1:
        raise ValueError("`depth` must be >= 1")
    likely: Array = np.greater(B, threshold[:, None, None, None])
    predecessors = np.swapaxes(likely.any(axis=-1), 1, 2)
    rows = [np.asarray(H, dtype=np.float64)]
    for _ in range(depth - 1):
        reached = np.matmul(predecessors.astype(np.float64), rows[-1][..., None])[..., 0]
        rows.append(np.where(reached > 0.0, 1.0, 0.0))
    return np.stack(rows, axis=1)
