"""Keys of JAX's random numbers, without JAX. Public as functions of `pymdp_v1.random`."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.base import threefry
from freeagent_core.pymdp_v1._arrays import as_array, as_shape

Keys = npt.NDArray[np.uint32]


def PRNGKey(seed: Any) -> Keys:
    """Make a key from a seed, like ``jax.random.PRNGKey``.

    Parameters
    ----------
    seed : int
        Of 64 bits, signed. NumPy's and JAX's integers of at most 32 bits are taken as of 32 bits
        without a sign.

    Returns
    -------
    (2,) array of uint32

    Raises
    ------
    TypeError
        If `seed` is not an integer.
    OverflowError
        If it does not fit into 64 bits.

    Examples
    --------
    >>> PRNGKey(42)
    array([ 0, 42], dtype=uint32)
    """
    if not isinstance(seed, int):
        array = as_array(seed, "seed")
        if array.ndim or array.dtype.kind not in "iub":
            raise TypeError(f"seed must be an integer, got {type(seed).__name__} {seed!r}")
        seed = int(array)
        if array.itemsize < 8:  # as JAX, which has no words beyond the integer's own
            seed %= 2**32
        elif array.dtype == np.uint64:
            seed -= 2**64 if seed >= 2**63 else 0
    if not -(2**63) <= seed < 2**63:
        raise OverflowError(f"seed must fit into 64 bits, got {seed}")
    word = seed % 2**64
    return np.array([word >> 32, word & 0xFFFFFFFF], dtype=np.uint32)


def key(seed: Any) -> Keys:
    """Make a key from a seed: `PRNGKey` under JAX's newer name."""
    return PRNGKey(seed)


def as_keys(key: Any, name: str = "key") -> Keys:
    """Return what stands for a key, or for several, as an array of keys.

    Parameters
    ----------
    key : array of uint32, JAX key, int or numpy.random.Generator

    Returns
    -------
    (..., 2) array of uint32

    Raises
    ------
    TypeError, ValueError
        If `key` is none of these.

    Examples
    --------
    >>> as_keys(7)
    array([0, 7], dtype=uint32)
    """
    if type(key) is np.ndarray and key.dtype == np.uint32 and key.shape[-1:] == (2,):
        return np.ascontiguousarray(key)  # the usual case by itself
    if isinstance(key, np.random.Generator):
        return key.integers(0, 2**32, size=2, dtype=np.uint32)
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        if not -(2**63) <= int(key) < 2**63:
            raise ValueError(f"{name} must fit into 64 bits, got {key}")
        return PRNGKey(int(key))
    if str(getattr(key, "dtype", "")).startswith("key<"):
        array = np.asarray(sys.modules["jax"].random.key_data(key))
    else:
        array = as_array(key, name)
    if array.dtype != np.uint32 and not (
        np.issubdtype(array.dtype, np.integer)
        and array.size
        and array.min() >= 0
        and array.max() < 2**32
    ):
        raise TypeError(
            f"{name} must be a key (an array of two uint32), an int or a numpy.random.Generator, "
            f"got {type(key).__name__} of dtype {array.dtype}"
        )
    if array.ndim == 0 or array.shape[-1] != 2:
        raise ValueError(f"{name} must have the shape (2,) or (..., 2), got {array.shape}")
    return np.ascontiguousarray(array, dtype=np.uint32)


def split(key: Any, num: Any = 2) -> Keys:
    """Make new keys from a key, like ``jax.random.split``.

    Parameters
    ----------
    key : key, or (..., 2) array of keys
    num : int or tuple of int, default 2

    Returns
    -------
    (..., num, 2) array of uint32

    Examples
    --------
    >>> split(PRNGKey(0))
    array([[1797259609, 2579123966],
           [ 928981903, 3453687069]], dtype=uint32)
    """
    shape = as_shape(num, "num")
    return words_of(as_keys(key), math.prod(shape), (*shape, 2))


def fold_in(key: Any, data: Any) -> Keys:
    """Make a new key from a key and an integer, like ``jax.random.fold_in``.

    Parameters
    ----------
    key : key, or (..., 2) array of keys
    data : int, or array of int with the leading axes of `key`
        Taken modulo 2**32.

    Returns
    -------
    (..., 2) array of uint32

    Examples
    --------
    >>> fold_in(PRNGKey(0), 3)
    array([2467461003, 3840466878], dtype=uint32)
    """
    keys = as_keys(key)
    numbers = as_array(data)
    if not np.issubdtype(numbers.dtype, np.integer):
        raise TypeError(f"data must be an integer, got dtype {numbers.dtype}")
    words = np.zeros(keys.shape, dtype=np.uint32)
    words[..., 1] = numbers.astype(np.uint32)
    return threefry.hash_words(keys.reshape(-1, 2), words.reshape(-1, 2)).reshape(keys.shape)


def words_of(keys: Keys, count: int, shape: tuple[int, ...]) -> Keys:
    words = threefry.hash_counters(keys.reshape(-1, 2), count)
    return words.reshape(keys.shape[:-1] + shape)


def as_key(key: Any, name: str = "key") -> Keys:
    keys = as_keys(key, name)
    if keys.ndim != 1:
        raise ValueError(f"{name} must be one key, of the shape (2,), got {keys.shape}")
    return keys
