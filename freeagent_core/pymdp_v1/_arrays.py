"""Arrays as callers have them: NumPy's, JAX's, those of other libraries, nested lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model.validation import integer

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
Array = npt.NDArray[Any]

MAX_SIZE = 2**62  # sizes are below this


def as_array(x: Any, name: str = "an array") -> Array:
    """Return `x` as a NumPy array, without a copy where its memory can be read.

    JAX arrays and others that have ``__array__`` are asked for it, others that have only
    ``__dlpack__`` for that; sparse arrays are made dense. JAX is not imported. An error about what
    is no array begins with `name`.
    """
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "todense"):
        x = x.todense()
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
        return np.from_dlpack(x)
    try:
        return np.asarray(x)
    except ValueError:
        raise ValueError(f"{name} must be an array or nested lists of equal lengths") from None


def as_real_array(x: Any, name: str) -> Array:
    """Return `x` as a NumPy array of real numbers; an error begins with `name`."""
    array = as_array(x, name)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
    return array


def as_floats(x: Any) -> Array:
    """Return `x` as an array of float64, or of float32 if that is what it holds."""
    array = as_array(x)
    return array if array.dtype in (np.float64, np.float32) else array.astype(np.float64)


def as_size(x: Any, name: str, minimum: int = 0) -> int:
    """Return an integer argument as an int; raise an error with its name if it is none."""
    size = integer(x, minimum, None, name)
    if size >= MAX_SIZE:
        raise ValueError(f"{name} must be less than 2**62, got {size}")
    return size


def as_real(x: Any, name: str) -> float:
    """Return a number, which may be infinite, as a float; raise an error with its name if not."""
    try:
        value = float(x)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be a number, got {x!r:.80}") from None
    if value != value:
        raise ValueError(f"{name} must not be NaN")
    return value


def as_shape(shape: Any, name: str = "shape") -> tuple[int, ...]:
    """Return a shape, an int or a sequence of ints, as a tuple of ints."""
    if type(shape) is int:  # the usual case by itself
        return (as_size(shape, name),)
    sizes = shape if isinstance(shape, Sequence | np.ndarray) else (shape,)
    return tuple(as_size(size, name) for size in sizes)
