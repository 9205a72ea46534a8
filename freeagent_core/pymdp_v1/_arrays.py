"""Arrays as callers have them: NumPy's, JAX's, those of other libraries, nested lists."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
Array = npt.NDArray[Any]


def as_array(x: Any) -> Array:
    """Return `x` as a NumPy array, without a copy where its memory can be read.

    JAX arrays and others that have ``__array__`` are asked for it, others that have only
    ``__dlpack__`` for that; sparse arrays are made dense. JAX is not imported.
    """
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "todense"):
        x = x.todense()
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
        return np.from_dlpack(x)
    return np.asarray(x)


def as_floats(x: Any) -> Array:
    """Return `x` as an array of float64, or of float32 if that is what it holds."""
    array = as_array(x)
    return array if array.dtype in (np.float64, np.float32) else array.astype(np.float64)


def as_size(x: Any, name: str, minimum: int = 0) -> int:
    """Return an integer argument as an int; raise an error with its name if it is none."""
    try:
        size = operator.index(x)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {type(x).__name__}") from None
    if size < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {size}")
    return size


def as_shape(shape: Any, name: str = "shape") -> tuple[int, ...]:
    """Return a shape, an int or a sequence of ints, as a tuple of ints."""
    if type(shape) is int:  # the usual case by itself
        return (as_size(shape, name),)
    sizes = shape if isinstance(shape, Sequence | np.ndarray) else (shape,)
    return tuple(as_size(size, name) for size in sizes)
