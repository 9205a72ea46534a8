"""Building models and indices: the functions of ``pymdp.utils``.

Same names, arguments and results; arrays are NumPy's, of float64. Left out: what pads arrays or
lays them out in blocks for XLA (docs/pymdp_v1_left_out.md).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core.pymdp_v1 import random
from freeagent_core.pymdp_v1._arrays import Array, FloatArray, as_array, as_floats

Dependencies = list[list[int]]


# --- shapes and dependencies ---------------------------------------------------------------------


def to_nested_tuple(x: Any) -> Any:
    """Return nested lists and tuples as nested tuples.

    Examples
    --------
    >>> to_nested_tuple([[0, 1], (2,)])
    ((0, 1), (2,))
    """
    return tuple(to_nested_tuple(v) for v in x) if isinstance(x, list | tuple) else x


def resolve_a_dependencies(
    num_factors: int,
    num_modalities: int,
    A_dependencies: Sequence[Sequence[int]] | None = None,
) -> Sequence[Sequence[int]]:
    """Return the factors that each modality depends on, by default all.

    Examples
    --------
    >>> resolve_a_dependencies(2, 1)
    [[0, 1]]
    """
    if A_dependencies is None:
        return [list(range(num_factors)) for _ in range(num_modalities)]
    return A_dependencies


def resolve_b_dependencies(
    num_factors: int, B_dependencies: Sequence[Sequence[int]] | None = None
) -> Sequence[Sequence[int]]:
    """Return the factors that each factor's next state depends on, by default itself.

    Examples
    --------
    >>> resolve_b_dependencies(2)
    [[0], [1]]
    """
    return [[f] for f in range(num_factors)] if B_dependencies is None else B_dependencies


def resolve_b_action_dependencies(
    num_factors: int, B_action_dependencies: Sequence[Sequence[int]] | None = None
) -> Sequence[Sequence[int]]:
    """Return the controls that each factor's next state depends on, by default its own.

    Examples
    --------
    >>> resolve_b_action_dependencies(2)
    [[0], [1]]
    """
    if B_action_dependencies is None:
        return [[f] for f in range(num_factors)]
    return B_action_dependencies


def get_combination_index(x: Any, dims: Sequence[int]) -> Array:
    """Return the index of a combination of categories, the last running fastest.

    Parameters
    ----------
    x : array of int, of shape (..., len(dims))
    dims : list of int
        The number of categories of each.

    Returns
    -------
    array of int, of shape (...)

    Examples
    --------
    >>> get_combination_index(np.array([[0, 1], [1, 2]]), [2, 3])
    array([1, 5])
    """
    combination = as_array(x)
    if combination.ndim == 0 or combination.shape[-1] != len(dims):
        raise ValueError(f"x must have a last axis of {len(dims)} entries, got {combination.shape}")
    index = np.zeros(combination.shape[:-1], dtype=combination.dtype)
    for i, size in enumerate(dims):
        index = index * size + combination[..., i]
    return index


def index_to_combination(index: Any, dims: Sequence[int]) -> Array:
    """Return the combination of categories that has an index, the last running fastest.

    Parameters
    ----------
    index : array of int
    dims : list of int
        The number of categories of each.

    Returns
    -------
    array of int, of shape (..., len(dims))

    Examples
    --------
    >>> index_to_combination(np.array([1, 5]), [2, 3])
    array([[0, 1],
           [1, 2]])
    """
    rest = as_array(index)
    digits = []
    for size in reversed(dims):
        digits.append(rest % size)
        rest = rest // size
    return np.stack(digits[::-1], axis=-1)


def validate_normalization(tensor: Any, axis: int = 1, tensor_name: str = "tensor") -> None:
    """Raise an error unless an array holds normalized distributions along an axis.

    Parameters
    ----------
    tensor : array
    axis : int, default 1
    tensor_name : str
        What the error calls the array.

    Raises
    ------
    ValueError
        If a sum along `axis` is 0, or is not 1.

    Examples
    --------
    >>> validate_normalization(np.full((1, 2, 3), 0.5))
    """
    sums = as_array(tensor).sum(axis=axis)
    if np.any(np.isclose(sums, 0.0)):
        raise ValueError(
            f"Please ensure that none of the distributions along {tensor_name}'s "
            f"{axis}-th axis sum to zero..."
        )
    if not np.all(np.isclose(sums, 1.0)):
        raise ValueError(
            f"Please ensure that all distributions along {tensor_name}'s {axis}-th "
            "axis are properly normalised and sum to 1..."
        )


# --- distributions -------------------------------------------------------------------------------


def norm_dist(dist: Any) -> FloatArray:
    """Divide an array by its sums along the first axis.

    Examples
    --------
    >>> norm_dist(np.array([1.0, 3.0]))
    array([0.25, 0.75])
    """
    array = as_floats(dist)
    return np.asarray(array / array.sum(0))


def list_array_norm_dist(dist_list: Sequence[Any]) -> list[FloatArray]:
    """Divide each array of a list by its sums along the first axis.

    Examples
    --------
    >>> list_array_norm_dist([np.array([1.0, 3.0])])
    [array([0.25, 0.75])]
    """
    return [norm_dist(dist) for dist in dist_list]


def list_array_uniform(shape_list: Sequence[Sequence[int]]) -> list[FloatArray]:
    """Make uniform distributions over the first axis, of the given shapes.

    Examples
    --------
    >>> list_array_uniform([[2], [4]])
    [array([0.5, 0.5]), array([0.25, 0.25, 0.25, 0.25])]
    """
    return [norm_dist(np.ones(shape)) for shape in shape_list]


def list_array_zeros(shape_list: Sequence[Sequence[int]]) -> list[FloatArray]:
    """Make arrays of zeros, of the given shapes.

    Examples
    --------
    >>> list_array_zeros([[2]])
    [array([0., 0.])]
    """
    return [np.zeros(shape) for shape in shape_list]


def list_array_scaled(shape_list: Sequence[Sequence[int]], scale: float = 1.0) -> list[FloatArray]:
    """Make arrays filled with one number, of the given shapes.

    Examples
    --------
    >>> list_array_scaled([[2]], 0.5)
    [array([0.5, 0.5])]
    """
    return [np.full(shape, scale, dtype=np.float64) for shape in shape_list]


def _sizes(x: int | Sequence[int]) -> list[int]:
    return [int(x)] if isinstance(x, int | np.integer) else [int(size) for size in x]


def random_factorized_categorical(key: Any, dims_per_var: Sequence[int]) -> list[FloatArray]:
    """Draw distributions, uniform over all of their size.

    Parameters
    ----------
    key : key, int or numpy.random.Generator
    dims_per_var : list of int

    Returns
    -------
    list of array

    Examples
    --------
    >>> [q.round(2) for q in random_factorized_categorical(0, [2, 3])]
    [array([0.34, 0.66]), array([0.78, 0.2 , 0.02])]
    """
    keys = random.split(key, len(dims_per_var))
    return [random.dirichlet(k, np.ones(n)) for k, n in zip(keys, dims_per_var, strict=True)]


def _random_conditional(key: Any, size: int, shape: Sequence[int]) -> FloatArray:
    drawn = random.dirichlet(key, np.ones(size), tuple(shape))
    return np.ascontiguousarray(np.moveaxis(drawn, -1, 0))


def random_A_array(
    key: Any,
    num_obs: int | Sequence[int],
    num_states: int | Sequence[int],
    A_dependencies: Sequence[Sequence[int]] | None = None,
) -> list[FloatArray]:
    """Draw a likelihood P(o | s) for each modality.

    Parameters
    ----------
    key : key, int or numpy.random.Generator
    num_obs, num_states : int or list of int
    A_dependencies : list of list of int, optional
        The factors of each modality; by default all.

    Returns
    -------
    list of array

    Examples
    --------
    >>> [a.shape for a in random_A_array(0, [2, 4], [3, 5], [[0], [0, 1]])]
    [(2, 3), (4, 3, 5)]
    """
    obs, states = _sizes(num_obs), _sizes(num_states)
    dependencies = resolve_a_dependencies(len(states), len(obs), A_dependencies)
    keys = random.split(key, len(obs))
    return [
        _random_conditional(keys[m], n, [states[f] for f in dependencies[m]])
        for m, n in enumerate(obs)
    ]


def random_B_array(
    key: Any,
    num_states: int | Sequence[int],
    num_controls: int | Sequence[int],
    B_dependencies: Sequence[Sequence[int]] | None = None,
    B_action_dependencies: Sequence[Sequence[int]] | None = None,
) -> list[FloatArray]:
    """Draw transitions P(s' | s, u) for each factor.

    Parameters
    ----------
    key : key, int or numpy.random.Generator
    num_states, num_controls : int or list of int
    B_dependencies, B_action_dependencies : list of list of int, optional
        The factors and the controls that each factor depends on; by default its own.

    Returns
    -------
    list of array

    Raises
    ------
    ValueError
        If the controls are not one for each factor, or not those of `B_action_dependencies`.

    Examples
    --------
    >>> [b.shape for b in random_B_array(0, [2, 3], [4, 1], [[0], [0, 1]])]
    [(2, 2, 4), (3, 2, 3, 1)]
    """
    states, controls = _sizes(num_states), _sizes(num_controls)
    if B_action_dependencies is None:
        if len(controls) != len(states):
            raise ValueError(
                f"num_controls must have an entry for each of {len(states)} factors, "
                f"got {len(controls)}"
            )
    elif {c for deps in B_action_dependencies for c in deps} != set(range(len(controls))):
        raise ValueError("B_action_dependencies must name each control of num_controls")
    parents = resolve_b_dependencies(len(states), B_dependencies)
    actions = resolve_b_action_dependencies(len(states), B_action_dependencies)
    keys = random.split(key, len(states))
    return [
        _random_conditional(
            keys[f], n, [states[d] for d in parents[f]] + [controls[d] for d in actions[f]]
        )
        for f, n in enumerate(states)
    ]


def create_controllable_B(
    num_states: int | Sequence[int], num_controls: int | Sequence[int]
) -> list[FloatArray]:
    """Make transitions in which action u leads to state u from everywhere.

    Parameters
    ----------
    num_states, num_controls : int or list of int

    Returns
    -------
    list of array

    Examples
    --------
    >>> create_controllable_B(2, 2)[0][:, :, 1]
    array([[0., 0.],
           [1., 1.]])
    """
    states, controls = _sizes(num_states), _sizes(num_controls)
    if len(states) != len(controls):
        raise ValueError("`num_states` and `num_controls` must have the same length")
    return [
        np.repeat(np.eye(n, u)[:, None, :], n, axis=1)
        for n, u in zip(states, controls, strict=True)
    ]


def make_A_full(
    A_reduced: Sequence[Any],
    A_dependencies: Sequence[Sequence[int]],
    num_obs: Sequence[int],
    num_states: Sequence[int],
) -> list[FloatArray]:
    """Repeat likelihoods over the factors that they do not depend on.

    Parameters
    ----------
    A_reduced : list of array
    A_dependencies : list of list of int
    num_obs, num_states : list of int

    Returns
    -------
    list of array, of shape (num_obs[m], *num_states)

    Examples
    --------
    >>> make_A_full([np.eye(2)], [[1]], [2], [3, 2])[0].shape
    (2, 3, 2)
    """
    full = []
    for m, n in enumerate(num_obs):
        own = [s if f in A_dependencies[m] else 1 for f, s in enumerate(num_states)]
        array = as_floats(A_reduced[m]).reshape([n, *own])
        full.append(np.broadcast_to(array, (n, *num_states)).copy())
    return full


def fig2img(fig: Any) -> npt.NDArray[np.uint8]:
    """Return a Matplotlib figure as an array of red, green and blue, and close it.

    Parameters
    ----------
    fig : matplotlib.figure.Figure

    Returns
    -------
    (height, width, 3) array of uint8
    """
    import matplotlib.pyplot as plt

    with io.BytesIO() as buffer:
        fig.savefig(buffer, facecolor="white", format="raw")
        data = np.frombuffer(buffer.getvalue(), dtype=np.uint8)
    width, height = fig.canvas.get_width_height()
    plt.close(fig)
    return data.reshape((int(height), int(width), -1))[:, :, :3]


def get_sample_obs(num_obs: Sequence[int], batch_size: int = 1) -> list[Array]:
    """Draw an outcome of each modality from NumPy's global generator.

    Parameters
    ----------
    num_obs : list of int
    batch_size : int, default 1

    Returns
    -------
    list of array of int, of shape (batch_size, 1)

    Examples
    --------
    >>> [o.shape for o in get_sample_obs([3, 2], batch_size=4)]
    [(4, 1), (4, 1)]
    """
    return [np.random.randint(0, n, (batch_size, 1)) for n in num_obs]
