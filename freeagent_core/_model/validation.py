"""Checks of the arguments that describe a model; each returns a clean, read-only copy.

Errors name the argument, the index within it and the expected shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import index as as_index
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]

MAX_FACTORS = 64  # of the kernels' structs
MAX_INT = 2**31  # sizes and horizons are below this


class HasShape(Protocol):
    """An array, or what is held in its place."""

    @property
    def shape(self) -> tuple[int, ...]: ...


# As numpy.allclose, with which pymdp.legacy.utils.is_normalized compares sums to 1.
SUM_TOLERANCE = 1e-5 + 1e-8


def object_array(arrays: Iterable[Any]) -> ObjectArray:
    """Return a read-only object array of `arrays`."""
    items = list(arrays)
    out = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        out[i] = item
    out.flags.writeable = False
    return out


def real_numbers(value: Any, name: str) -> FloatArray:
    """Return `value` as float64 in C order, without a copy where it is that already."""
    if np.ma.is_masked(value):
        raise ValueError(f"{name} must not have masked entries")
    try:
        array = np.asarray(value)
    except ValueError:
        raise TypeError(f"{name} must be an array of real numbers, got ragged rows") from None
    if array.dtype == object:  # numbers in an object array are numbers
        try:
            array = np.array(array.tolist())
            if array.dtype == object and not any(entry is None for entry in array.flat):
                array = array.astype(np.float64)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"{name} must be an array of real numbers") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
    return np.asarray(array, dtype=np.float64, order="C")


def real_array(value: Any, name: str) -> FloatArray:
    """Return `value` as a new read-only float64 array in C order."""
    array = np.array(real_numbers(value, name), order="C")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    array.flags.writeable = False
    return array


def split(value: Any, name: str, read: Callable[[Any, str], Any] = real_array) -> list[Any]:
    """Return the arrays of an object array or list; a plain numeric array counts as one.
    `read` takes an item and its name to an array."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return [read(value, f"{name}[0]")]
    if isinstance(value, np.ndarray) and value.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got shape {value.shape}")
    if not isinstance(value, np.ndarray | list | tuple):
        raise TypeError(
            f"{name} must be a NumPy array or an object array of arrays, got {type(value).__name__}"
        )
    if len(value) == 0:
        raise ValueError(f"{name} must not be empty")
    return [read(item, f"{name}[{i}]") for i, item in enumerate(value)]


def check_count(arrays: Sequence[Any], expected: int, name: str, of_what: str) -> None:
    """Check that there is one array per modality or factor."""
    if len(arrays) != expected:
        raise ValueError(
            f"{name} must have one array per {of_what} ({expected}), got {len(arrays)}"
        )


def check_shape(array: HasShape, expected: tuple[int, ...], name: str) -> None:
    """Check a shape."""
    if array.shape != expected:
        raise ValueError(f"{name} must have shape {expected}, got {array.shape}")


def _first(bad: npt.NDArray[np.bool_]) -> str:
    return ", ".join(str(int(i)) for i in np.argwhere(bad)[0])


def check_non_negative(array: FloatArray, name: str) -> None:
    """Check that all entries are finite and none is negative."""
    if array.size and array.min() >= 0.0 and array.max() < np.inf:  # no NaN either
        return
    for bad, what in ((~np.isfinite(array), "finite"), (array < 0.0, "non-negative")):
        if bad.any():
            raise ValueError(f"{name}[{_first(bad)}] must be {what}, got {array[bad][0]}")


def check_normalised(array: FloatArray, name: str) -> None:
    """Check that every column (over the first axis) is a probability distribution."""
    check_non_negative(array, name)
    sums = array.sum(axis=0)
    bad = np.abs(sums - 1.0) > SUM_TOLERANCE
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        place = ", ".join([":", *map(str, where)])
        raise ValueError(
            f"{name} is not normalized: {name}[{place}] must sum to 1, got {sums[where]}"
        )


def check_dirichlet(array: FloatArray, shape: tuple[int, ...], name: str) -> None:
    """Check Dirichlet parameters: of this shape, non-negative, no column all zero."""
    check_shape(array, shape, name)
    check_non_negative(array, name)
    zero = array.sum(axis=0) <= 0.0
    if zero.any():
        place = ", ".join([":", *(str(int(i)) for i in np.argwhere(zero)[0])])
        raise ValueError(f"{name}[{place}] must have a positive sum")


def check_preferences(array: FloatArray, num_obs: int, num_steps: int, name: str) -> None:
    """Check C of one modality: of shape (num_obs,) or (num_obs, steps), -inf allowed."""
    if array.ndim not in (1, 2) or array.shape[0] != num_obs:
        raise ValueError(
            f"{name} must have shape ({num_obs},) or ({num_obs}, steps), got {array.shape}"
        )
    if array.ndim == 2 and array.shape[1] < num_steps:
        raise ValueError(
            f"{name} must have a column for each of the {num_steps} steps of the longest policy, "
            f"got shape {array.shape}"
        )
    bad = np.isnan(array) | (array == np.inf)
    if bad.any():
        raise ValueError(f"{name}[{_first(bad)}] must not be NaN or +inf")
    if not (array.max(axis=0) > -np.inf).all():
        raise ValueError(f"{name} must have a finite entry in every column")


def integer(value: Any, low: int, high: int | None, name: str) -> int:
    """Return `value` as an int in [low, high)."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    try:
        number = as_index(value)
    except (TypeError, np.ma.MAError):
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if number < low or (high is not None and number >= high):
        bounds = f"at least {low}" if high is None else f"in {low} to {high - 1}"
        raise ValueError(f"{name} must be {bounds}, got {number}")
    return number


def number(value: Any, name: str) -> float:
    """Return `value` as a finite float."""
    try:
        out = float("nan") if np.ma.is_masked(value) else float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r:.80}") from None
    except OverflowError:
        raise ValueError(f"{name} must be a number that a float can hold") from None
    if not np.isfinite(out):
        raise ValueError(f"{name} must be finite, got {out}")
    return out


def flag(value: Any, name: str) -> bool:
    """Return the truth of `value`."""
    try:
        return bool(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be True or False, got {value!r:.80}") from None


def choice(value: Any, choices: Sequence[str], name: str) -> str:
    """Return `value`, one of some words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {tuple(choices)}, got {value!r:.80}")
    return value


def items(value: Any, name: str) -> list[Any]:
    """Return the items of a list, tuple or array."""
    try:
        return list(value)
    except TypeError:
        raise TypeError(f"{name} must be a list, got {value!r:.80}") from None


def factor_lists(value: Any, count: int, num_factors: int, name: str) -> list[list[int]]:
    """Return A_factor_list or B_factor_list: `count` lists of distinct factors."""
    lists = items(value, name)
    for i, item in enumerate(lists):
        if isinstance(item, str | bytes | set | frozenset | dict):  # these have no order or no int
            raise TypeError(f"{name}[{i}] must be a list of int, got {item!r:.80}")
        lists[i] = items(item, f"{name}[{i}]")
    if len(lists) != count:
        raise ValueError(f"{name} must have {count} lists, got {len(lists)}")
    for i, item in enumerate(lists):
        if not item:
            raise ValueError(f"{name}[{i}] must not be empty")
        lists[i] = [integer(f, 0, num_factors, f"{name}[{i}][{k}]") for k, f in enumerate(item)]
        if len(set(lists[i])) != len(item):
            raise ValueError(f"{name}[{i}] must not name a factor twice, got {item}")
    return lists


def index_subset(value: Any, count: int, name: str) -> str | list[int]:
    """Return modalities_to_learn or factors_to_learn: "all" or a list of indices."""
    if isinstance(value, str):
        if value != "all":
            raise ValueError(f"{name} must be 'all' or a list of int, got {value!r}")
        return value
    entries = items(value, name)
    return [integer(item, 0, count, f"{name}[{i}]") for i, item in enumerate(entries)]


def policy_list(value: Any, num_controls: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    """Return policies as read-only int arrays of shape (policy_len, num_factors)."""
    given = items(value, "policies")
    if not given:
        raise ValueError("policies must not be empty")
    policies = []
    limits = np.asarray(num_controls)
    for i, item in enumerate(given):
        if np.ma.is_masked(item):
            raise ValueError(f"policies[{i}] must not have masked entries")
        try:
            policy = np.asarray(item)
            if policy.dtype == object:  # numbers in an object array are numbers
                policy = np.asarray(policy.tolist())
        except ValueError:
            raise TypeError(f"policies[{i}] must be an array of integers") from None
        if policy.dtype.kind not in "iuf":
            raise TypeError(f"policies[{i}] must be an array of integers")
        bad = policy != np.floor(policy)
        if bad.any():
            raise TypeError(
                f"policies[{i}][{_first(bad)}] must be an integer, got {policy[bad][0]}"
            )
        if policy.ndim != 2 or len(policy) == 0 or policy.shape[1] != len(num_controls):
            raise ValueError(
                f"policies[{i}] must have shape (policy_len, {len(num_controls)}), "
                f"got {policy.shape}"
            )
        bad = (policy < 0) | (policy >= limits)
        if bad.any():
            step, factor = (int(k) for k in np.argwhere(bad)[0])
            raise ValueError(
                f"policies[{i}][{step}, {factor}] must be in 0 to {limits[factor] - 1} "
                f"(num_controls[{factor}] is {limits[factor]}), got {policy[step, factor]}"
            )
        policy = policy.astype(np.int64)
        policy.flags.writeable = False
        policies.append(policy)
    return policies
