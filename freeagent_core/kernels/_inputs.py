"""Checks of what the functions are given: each returns arrays that a kernel can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._functions.functional import pack_arrays
from freeagent_core._kernels.model.packed_model import PackedModel
from freeagent_core._model import validation as check
from freeagent_core.model import GenerativeModel

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]

MAX_REPEATS = 2**62


def count(repeats: Any) -> int:
    """Return how often to run a kernel."""
    return check.integer(repeats, 1, MAX_REPEATS, "repeats")


def real(value: Any, name: str, ndim: int | None = None) -> FloatArray:
    """Return float64 in C order, of `ndim` dimensions, without a copy where it is that already."""
    array = check.real_numbers(value, name)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(
            f"{name} must have {ndim} dimension{'s' if ndim > 1 else ''}, got shape {array.shape}"
        )
    return array


def vector(value: Any, name: str, size: int | None = None) -> FloatArray:
    """Return a vector of at least one entry, of a size if one is asked for."""
    array = real(value, name, 1)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if size is not None and len(array) != size:
        raise ValueError(f"{name} must have shape ({size},), got {array.shape}")
    return array


def finite(value: Any, name: str) -> FloatArray:
    """Return a vector of finite numbers, at least one."""
    array = vector(value, name)
    if not np.isfinite(array).all():
        place = int(np.argmin(np.isfinite(array)))
        raise ValueError(f"{name}[{place}] must be finite, got {array[place]}")
    return array


def weights(value: Any, name: str, shape: tuple[int, ...] | None = None) -> FloatArray:
    """Return finite numbers that are not negative, of a shape if one is asked for."""
    array = real(value, name)
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    if array.size == 0 or array.ndim == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    check.check_non_negative(array, name)
    return array


def each(value: Any, name: str) -> list[Any]:
    """Return the arrays of an object array or a sequence; a plain array counts as one."""
    if isinstance(value, np.ndarray):
        if value.dtype != object:
            return [value]
        if value.ndim != 1:
            raise ValueError(f"{name} must have 1 dimension, got shape {value.shape}")
    elif not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be an array or a sequence of arrays, got {value!r:.80}")
    if len(value) == 0:
        raise ValueError(f"{name} must not be empty")
    return list(value)


def each_size(value: Any, name: str) -> list[Any]:
    """Return the entries of a list, tuple or array of integers, at least one."""
    entries = check.items(value, name) if isinstance(value, list | tuple | np.ndarray) else []
    if not entries:
        raise TypeError(f"{name} must be a list of int, got {value!r:.80}")
    return entries


def all_weights(value: Any, name: str) -> list[FloatArray]:
    """Return `weights` of every array."""
    return [weights(array, f"{name}[{i}]") for i, array in enumerate(each(value, name))]


# --- models ----------------------------------------------------------------------------------


def packed_likelihoods(
    A: Any, num_states: Sequence[int], A_factor_list: Any, **others: Any
) -> PackedModel:
    """Return the packed form of A, over factors of these sizes, and of what else is given."""
    arrays = all_weights(A, "A")
    given = [range(len(num_states))] * len(arrays) if A_factor_list is None else A_factor_list
    lists = check.factor_lists(given, len(arrays), len(num_states), "A_factor_list")
    for m, (array, factors) in enumerate(zip(arrays, lists, strict=True)):
        expected = tuple(num_states[f] for f in factors)
        if array.shape[1:] != expected:
            shape = ", ".join(["num_obs", *map(str, expected)])
            raise ValueError(f"A[{m}] must have shape ({shape}), got {array.shape}")
    return pack_arrays(arrays, num_states, A_factor_list=lists, **others)


def transitions(B: Any, B_factor_list: Any, name: str = "B") -> tuple[list[FloatArray], Any]:
    """Return B and which factors it depends on."""
    arrays = all_weights(B, name)
    given = [[f] for f in range(len(arrays))] if B_factor_list is None else B_factor_list
    lists = check.factor_lists(given, len(arrays), len(arrays), "B_factor_list")
    sizes = [len(array) for array in arrays]
    for f, (array, factors) in enumerate(zip(arrays, lists, strict=True)):
        expected = (sizes[f], *(sizes[d] for d in factors))
        if array.shape[:-1] != expected:
            shape = ", ".join([*map(str, expected), "num_controls"])
            raise ValueError(f"{name}[{f}] must have shape ({shape}), got {array.shape}")
    return arrays, lists


def packed_transitions(B: Any, B_factor_list: Any, name: str = "B", **others: Any) -> PackedModel:
    """Return the packed form of B (nothing is observed), and of what else is given."""
    arrays, lists = transitions(B, B_factor_list, name)
    num_states = [len(array) for array in arrays]
    # one modality of one outcome, over the first factor alone
    return pack_arrays(
        [np.ones((1, num_states[0]))], num_states, B=arrays, A_factor_list=[[0]],
        B_factor_list=lists, **others,
    )  # fmt: skip


def packed(model: GenerativeModel, **refused: Any) -> PackedModel:
    """Return a model's packed form; arrays of its own kind must not be given beside it."""
    for name, value in refused.items():
        if value is not None:
            raise ValueError(f"{name} must not be given beside a model, which has its own")
    return model.packed


def sizes_of(qs: Any, name: str = "qs") -> list[int]:
    """Return the numbers of states that beliefs are about."""
    sizes = []
    for f, belief in enumerate(each(qs, name)):
        array = real(belief, f"{name}[{f}]")
        if array.ndim != 1 or array.size == 0:
            raise ValueError(f"{name}[{f}] must have shape (num_states,), got {array.shape}")
        sizes.append(len(array))
    return sizes


def beliefs(value: Any, num_states: Sequence[int], name: str) -> list[FloatArray]:
    """Return finite beliefs about factors of these sizes."""
    arrays = each(value, name)
    check.check_count(arrays, len(num_states), name, "factor")
    return [weights(array, f"{name}[{f}]", (num_states[f],)) for f, array in enumerate(arrays)]


# --- results ---------------------------------------------------------------------------------


def result(out: Any, shape: tuple[int, ...], name: str = "out") -> FloatArray:
    """Return the array that a kernel writes to: a new one, or `out`."""
    if out is None:
        return np.empty(shape)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name} must be an ndarray, got {type(out).__name__}")
    if out.shape != shape or out.dtype != np.float64:
        raise ValueError(
            f"{name} must be float64 of shape {shape}, got {out.dtype} of shape {out.shape}"
        )
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError(f"{name} must be writeable and in C order")
    return out


def apart(array: FloatArray, out: FloatArray) -> FloatArray:
    """Return `array`, or a copy where `out` shares its memory."""
    return array.copy() if np.may_share_memory(array, out) else array


def same_or_apart(array: FloatArray, out: FloatArray) -> FloatArray:
    """Return `array`, or a copy where `out` shares some of its memory but is not the same."""
    same = array.ctypes.data == out.ctypes.data and array.shape == out.shape
    return array if same else apart(array, out)


def into(out: Any, arrays: ObjectArray) -> ObjectArray:
    """Return arrays, or `out` after they were copied into its arrays."""
    if out is None:
        return arrays
    targets = each(out, "out")
    if len(targets) != len(arrays):
        raise ValueError(f"out must have {len(arrays)} arrays, got {len(targets)}")
    for i, (target, array) in enumerate(zip(targets, arrays, strict=True)):
        result(target, array.shape, f"out[{i}]")
    for target, array in zip(targets, arrays, strict=True):
        target[...] = array
    return out  # type: ignore[no-any-return]
