"""JAX's random numbers by keys, without JAX: the functions of ``jax.random`` that pymdp 1.x uses.

One key gives the numbers that ``jax.random`` gives under that key, with its default generator
(Threefry-2x32, ``jax_threefry_partitionable``):

- `PRNGKey`, `split`, `fold_in`, `bits`, `uniform`, `randint`, `permutation`, `choice`: the same to
  the bit, in float32 and in float64;
- `gumbel`, `exponential`, `normal`, `gamma`, `loggamma`, `dirichlet`: to a few units in the last
  place, where XLA's logarithm and inverse error function round differently; `categorical`: the
  same index unless two are as close as that.

Without `dtype` the numbers are those of JAX with ``jax_enable_x64``, float64 and int64;
``dtype=np.float32`` (or `p` and `logits` of float32) gives those of JAX without it. A key from a
seed is the same in both for seeds in ``range(2**31)``.

Where a function takes a key, it takes

- an array of two uint32, from `PRNGKey` or from JAX (also ``jax.random.key``'s);
- an int, which stands for ``PRNGKey(int)``;
- a `numpy.random.Generator`, from which a key is drawn;
- instead of JAX's ``vmap``, an array of keys of shape ``(..., 2)``: results then have the leading
  axes of the keys, and each part is what its key gives by itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from freeagent_core._kernels.base import threefry
from freeagent_core.pymdp_v1._arrays import Array, as_array, as_floats, as_shape, as_size
from freeagent_core.pymdp_v1._keys import (
    Keys,
    PRNGKey,
    as_key,
    as_keys,
    fold_in,
    key,
    split,
    words_of,
)

__all__ = [
    "Keys",
    "PRNGKey",
    "as_key",
    "as_keys",
    "bits",
    "categorical",
    "choice",
    "dirichlet",
    "exponential",
    "fold_in",
    "gamma",
    "gumbel",
    "key",
    "loggamma",
    "normal",
    "permutation",
    "randint",
    "split",
    "uniform",
]

_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


# --- numbers -------------------------------------------------------------------------------------


def bits(key: Any, shape: Any = (), dtype: Any = np.uint64) -> Array:
    """Draw random bits, like ``jax.random.bits``.

    Parameters
    ----------
    key : key, or (..., 2) array of keys
    shape : tuple of int
    dtype : dtype of unsigned integers, default uint64

    Returns
    -------
    array of `dtype`, of the shape `shape` behind the leading axes of `key`

    Examples
    --------
    >>> bits(PRNGKey(0), (2,), np.uint32)
    array([4070199207, 4202968722], dtype=uint32)
    """
    kind = np.dtype(dtype)
    if not np.issubdtype(kind, np.unsignedinteger):
        raise ValueError(f"dtype must be one of unsigned integers, got {kind}")
    sizes = as_shape(shape)
    words = words_of(as_keys(key), math.prod(sizes), (*sizes, 2))
    if kind.itemsize == 8:
        wide = words.astype(np.uint64)
        return (wide[..., 0] << np.uint64(32)) | wide[..., 1]
    return np.asarray(words[..., 0] ^ words[..., 1]).astype(kind)


def _float_type(dtype: Any) -> np.dtype[Any]:
    kind: np.dtype[Any] = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, got {kind}")
    return kind


def uniform(
    key: Any, shape: Any = (), dtype: Any = np.float64, minval: Any = 0.0, maxval: Any = 1.0
) -> Array:
    """Draw numbers uniform in ``[minval, maxval)``, like ``jax.random.uniform``.

    Parameters
    ----------
    key : key, or (..., 2) array of keys
    shape : tuple of int
    dtype : float64 or float32
    minval, maxval : float, or array that broadcasts to `shape`

    Returns
    -------
    array of `dtype`, of the shape `shape` behind the leading axes of `key`

    Examples
    --------
    >>> round(float(uniform(PRNGKey(0))), 6)
    0.418457
    """
    kind = _float_type(dtype)
    if kind == np.float64:
        fractions = (bits(key, shape, np.uint64) >> np.uint64(12)) * kind.type(2.0**-52)
    else:
        fractions = (bits(key, shape, np.uint32) >> np.uint32(9)) * kind.type(2.0**-23)
    fractions = np.asarray(fractions, dtype=kind)
    lowest, highest = as_array(minval).astype(kind), as_array(maxval).astype(kind)
    if lowest.ndim == highest.ndim == 0 and lowest == 0 and highest == 1:
        return fractions
    rows = np.broadcast_arrays(fractions, highest - lowest, lowest)
    numbers = threefry.multiply_add(*(np.ascontiguousarray(row).ravel() for row in rows))
    return np.asarray(np.maximum(lowest, numbers.reshape(rows[0].shape)))


def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = np.int64) -> Array:
    """Draw integers of ``range(minval, maxval)``, like ``jax.random.randint``.

    Parameters
    ----------
    key : key, or (..., 2) array of keys
    shape : tuple of int
    minval, maxval : int, or array of int that broadcasts to `shape`
    dtype : dtype of integers, default int64

    Returns
    -------
    array of `dtype`, of the shape `shape` behind the leading axes of `key`

    Examples
    --------
    >>> randint(PRNGKey(0), (4,), 0, 10)
    array([5, 1, 5, 7])
    """
    kind = np.dtype(dtype)
    if not np.issubdtype(kind, np.integer):
        raise TypeError(f"dtype must be one of integers, got {kind}")
    if kind.itemsize < 4:  # JAX draws small integers with 32 bits
        limits = np.iinfo(kind)
        low = np.clip(as_array(minval), limits.min, limits.max)
        high = np.clip(as_array(maxval), limits.min, int(limits.max) + 1)
        return randint(key, shape, low, high, np.int32).astype(kind)
    largest = np.iinfo(kind).max
    unsigned = _BITS[kind.itemsize]
    above = as_array(maxval) > largest
    low = np.clip(as_array(minval), np.iinfo(kind).min, largest).astype(kind)
    high = np.clip(as_array(maxval), np.iinfo(kind).min, largest).astype(kind)
    with np.errstate(over="ignore"):
        span = np.where(high <= low, 1, (high - low).astype(unsigned)).astype(unsigned)
        span = span + (above & (high > low)).astype(unsigned)
        keys = split(key)
        upper = bits(keys[..., 0, :], shape, unsigned)
        lower = bits(keys[..., 1, :], shape, unsigned)
        # a number of twice the bits modulo span; a span that wrapped to 0 takes all of them
        divisor = np.where(span == 0, 1, span).astype(unsigned)
        factor = unsigned(1 << (4 * kind.itemsize)) % divisor
        factor = (factor * factor) % divisor
        offset = ((upper % divisor) * factor + lower % divisor) % divisor
        offset = np.where(span == 0, lower, offset)
        return np.asarray(low + offset.astype(kind))


def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Array:
    """Shuffle an array along an axis, like ``jax.random.permutation``.

    Parameters
    ----------
    key : key
    x : int or array
        An int stands for ``np.arange(x)``.
    axis : int
    independent : bool, default False
        Shuffle each vector along `axis` by itself.

    Returns
    -------
    array of the shape of `x`

    Examples
    --------
    >>> permutation(PRNGKey(0), 4)
    array([0, 1, 3, 2])
    """
    array = as_array(x)
    if array.ndim == 0:
        array = np.arange(as_size(x, "x"))
    if independent or array.ndim == 1:
        return _shuffled(key, array, axis)
    return np.take(array, _shuffled(key, np.arange(array.shape[axis]), 0), axis)


def _shuffled(key: Any, x: Array, axis: int) -> Array:
    keys = as_key(key)
    rounds = math.ceil(3 * math.log(max(1, x.size)) / math.log(2**32 - 1))
    for _ in range(rounds):
        keys, sort_key = split(keys)
        order = np.argsort(bits(sort_key, x.shape, np.uint32), axis=axis, kind="stable")
        x = np.take_along_axis(x, order, axis)
    return x


def choice(
    key: Any, a: Any, shape: Any = (), replace: bool = True, p: Any = None, axis: int = 0
) -> Array:
    """Draw entries of an array, like ``jax.random.choice``.

    Parameters
    ----------
    key : key; with `p` and `replace` also a (..., 2) array of keys
    a : int or array
        An int stands for ``np.arange(a)``.
    shape : tuple of int
    replace : bool, default True
    p : array of the length of `a`, optional
        Probabilities; uniform by default. For several keys also one such vector for each. Of
        float32, they take JAX's numbers of float32.
    axis : int
        The axis of `a` whose entries are drawn.

    Returns
    -------
    array
        The drawn entries: `shape` in the place of `axis`, behind the leading axes of `key`.

    Raises
    ------
    ValueError
        If there are fewer entries than draws without `replace`, or `p` has another length.

    Examples
    --------
    >>> choice(PRNGKey(0), 3, (5,), p=np.array([0.1, 0.1, 0.8]))
    array([2, 2, 0, 2, 2])
    """
    sizes = as_shape(shape)
    array = as_array(a)
    count = as_size(a, "a") if array.ndim == 0 else array.shape[axis]
    draws = math.prod(sizes)
    if draws and count <= 0:
        raise ValueError("a must have entries to draw from")
    if not replace and draws > count:
        raise ValueError(f"cannot draw {draws} of {count} entries without replace")
    if p is None:
        if replace:
            index = randint(key, sizes, 0, count)
        else:
            index = permutation(key, count)[:draws].reshape(sizes)
            if array.ndim > 0:
                index = None
    else:
        index = _weighted(key, as_floats(p), count, sizes, replace)
    if index is None:
        part = (slice(None),) * (axis % array.ndim) + (slice(draws),)
        drawn = permutation(key, array, axis)[part]
        at = axis % array.ndim
        return drawn.reshape(array.shape[:at] + sizes + array.shape[at + 1 :])
    return index if array.ndim == 0 else np.take(array, index, axis)


def _weighted(key: Any, p: Array, count: int, sizes: tuple[int, ...], replace: bool) -> Array:
    keys = as_keys(key)
    leading = keys.shape[:-1]
    if p.shape[-1:] != (count,) or p.shape[:-1] not in ((), leading):
        raise ValueError(
            f"p must have the shape ({count},), one number for each entry of a, got {p.shape}"
        )
    if not replace:
        noise = gumbel(as_key(keys), (count,), p.dtype)
        with np.errstate(divide="ignore"):
            scores = noise + np.log(p)
        return np.argsort(-scores, kind="stable")[: math.prod(sizes)].reshape(sizes)
    rows = np.ascontiguousarray(np.broadcast_to(p, (*leading, count)).reshape(-1, count))
    sums = threefry.cumulative_sums(rows)
    numbers = uniform(keys, sizes, p.dtype).reshape(len(rows), -1)
    levels = sums[:, -1:] * (1 - numbers)
    index = [np.searchsorted(row, level) for row, level in zip(sums, levels, strict=True)]
    return np.asarray(np.minimum(np.array(index).reshape(leading + sizes), count - 1))


def normal(key: Any, shape: Any = (), dtype: Any = np.float64) -> Array:
    """Draw standard normal numbers, like ``jax.random.normal``.

    Parameters
    ----------
    key : key, or (..., 2) array of keys
    shape : tuple of int
    dtype : float64 or float32

    Returns
    -------
    array of `dtype`, of the shape `shape` behind the leading axes of `key`

    Examples
    --------
    >>> round(float(normal(PRNGKey(0))), 6)
    -0.205842
    """
    kind = _float_type(dtype)
    lowest = np.nextafter(kind.type(-1), kind.type(0))
    numbers = uniform(key, shape, kind, lowest, 1.0)
    roots = threefry.inverse_erf(numbers.astype(np.float64).ravel()).reshape(numbers.shape)
    return np.asarray(roots * math.sqrt(2)).astype(kind)


def exponential(key: Any, shape: Any = (), dtype: Any = np.float64) -> Array:
    """Draw exponential numbers of mean 1, like ``jax.random.exponential``.

    Parameters
    ----------
    key : key, or (..., 2) array of keys
    shape : tuple of int
    dtype : float64 or float32

    Returns
    -------
    array of `dtype`, of the shape `shape` behind the leading axes of `key`

    Examples
    --------
    >>> round(float(exponential(PRNGKey(0))), 6)
    0.542071
    """
    return -np.log1p(-uniform(key, shape, dtype))


def gumbel(key: Any, shape: Any = (), dtype: Any = np.float64) -> Array:
    """Draw standard Gumbel numbers, like ``jax.random.gumbel``.

    Parameters
    ----------
    key : key, or (..., 2) array of keys
    shape : tuple of int
    dtype : float64 or float32

    Returns
    -------
    array of `dtype`, of the shape `shape` behind the leading axes of `key`

    Examples
    --------
    >>> round(float(gumbel(PRNGKey(0))), 6)
    0.137906
    """
    kind = _float_type(dtype)
    return -np.log(-np.log(uniform(key, shape, kind, np.finfo(kind).tiny, 1.0)))


def categorical(
    key: Any, logits: Any, axis: int = -1, shape: Any = None, replace: bool = True
) -> Array:
    """Draw indices with probability ``softmax(logits)``, like ``jax.random.categorical``.

    Parameters
    ----------
    key : key, or (..., 2) array of keys
    logits : array
        Logarithms of unnormalized probabilities; for several keys with their leading axes.
    axis : int
        The axis of `logits` that is drawn from.
    shape : tuple of int, optional
        The shape of the result, where that is more than one draw from each distribution.
    replace : bool, default True

    Returns
    -------
    array of int

    Examples
    --------
    >>> categorical(PRNGKey(0), np.log([[0.1, 0.9], [0.9, 0.1]]))
    array([1, 0])
    """
    keys = as_keys(key)
    values = as_floats(logits)
    if keys.ndim > 1:
        leading = keys.shape[:-1]
        if values.shape[: len(leading)] != leading:
            raise ValueError(
                f"logits must have the leading axes of the keys, {leading}, got {values.shape}"
            )
        own = values.reshape(-1, *values.shape[len(leading) :])
        drawn = [
            categorical(k, row, axis, shape, replace)
            for k, row in zip(keys.reshape(-1, 2), own, strict=True)
        ]
        return np.array(drawn).reshape(leading + np.shape(drawn[0]))
    if values.ndim == 0:
        raise ValueError("logits must have at least one axis")
    axis = axis % values.ndim - values.ndim
    batch = tuple(np.delete(values.shape, axis))
    sizes = batch if shape is None else as_shape(shape)
    extra = len(sizes) - len(batch)
    if extra < 0 or sizes[extra:] != batch:
        raise ValueError(f"shape must end in the shape of the distributions, {batch}, got {sizes}")
    prefix, own_shape = sizes[:extra], list(sizes[extra:])
    if replace:
        own_shape.insert(values.ndim + axis, values.shape[axis])
        noise = gumbel(keys, (*prefix, *own_shape), values.dtype)
        return np.asarray(np.argmax(noise + values, axis=axis))
    count = math.prod(prefix)
    if count > values.shape[axis]:
        raise ValueError(f"cannot draw {count} of {values.shape[axis]} without replace")
    scores = np.moveaxis(values + gumbel(keys, values.shape, values.dtype), axis, -1)
    index = np.argsort(-scores, axis=-1, kind="stable")[..., :count].astype(np.int32)
    return np.moveaxis(index, -1, 0).reshape(sizes)


def loggamma(key: Any, a: Any, shape: Any = None, dtype: Any = np.float64) -> Array:
    """Draw logarithms of gamma variables, like ``jax.random.loggamma``.

    Parameters
    ----------
    key : key
    a : float or array
        Shape parameters, at least 0.
    shape : tuple of int, optional
        By default that of `a`.
    dtype : float64 or float32

    Returns
    -------
    array of `dtype`

    Examples
    --------
    >>> loggamma(PRNGKey(0), np.array([0.5, 2.0])).round(4)
    array([-2.3222,  0.1172])
    """
    kind = _float_type(dtype)
    alpha = as_array(a).astype(kind)
    sizes = alpha.shape if shape is None else as_shape(shape)
    alpha = np.broadcast_to(alpha, sizes).astype(np.float64).ravel()
    if not np.all(alpha >= 0) or np.any(np.isinf(alpha)):
        raise ValueError("a must be finite and at least 0")
    keys = split(as_key(key), alpha.size)
    logs = threefry.log_gamma_variables(keys, alpha, kind == np.float32)
    return logs.reshape(sizes).astype(kind)


def gamma(key: Any, a: Any, shape: Any = None, dtype: Any = np.float64) -> Array:
    """Draw gamma variables of scale 1, like ``jax.random.gamma``.

    Parameters
    ----------
    key : key
    a : float or array
        Shape parameters, at least 0.
    shape : tuple of int, optional
        By default that of `a`.
    dtype : float64 or float32

    Returns
    -------
    array of `dtype`

    Examples
    --------
    >>> gamma(PRNGKey(0), np.array([0.5, 2.0])).round(4)
    array([0.0981, 1.1244])
    """
    return np.exp(loggamma(key, a, shape, dtype))


def dirichlet(key: Any, alpha: Any, shape: Any = None, dtype: Any = np.float64) -> Array:
    """Draw probability vectors of Dirichlet distributions, like ``jax.random.dirichlet``.

    Parameters
    ----------
    key : key
    alpha : array
        Concentrations along the last axis.
    shape : tuple of int, optional
        The shape of the result without its last axis; by default that of `alpha`.
    dtype : float64 or float32

    Returns
    -------
    array of `dtype`, of sum 1 along the last axis

    Examples
    --------
    >>> dirichlet(PRNGKey(0), np.ones(3)).round(4)
    array([0.1576, 0.1155, 0.727 ])
    """
    concentrations = as_array(alpha)
    if concentrations.ndim < 1:
        raise ValueError("alpha must have at least one axis")
    sizes = concentrations.shape[:-1] if shape is None else as_shape(shape)
    logs = loggamma(key, concentrations, (*sizes, concentrations.shape[-1]), dtype)
    powers = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
