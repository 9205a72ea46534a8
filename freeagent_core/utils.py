"""Arrays of models and observations: the functions of ``pymdp.legacy.utils``.

Same names, arguments and results. Random arrays come from NumPy's global generator
(``np.random.seed``), drawn as pymdp draws them.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._functions.plots import plot_beliefs as plot_beliefs
from freeagent_core._functions.plots import plot_likelihood as plot_likelihood

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]

EPS_VAL = 1e-16


class Dimensions:
    """Sizes of a model, as `get_model_dimensions_from_labels` returns them."""

    def __init__(
        self,
        num_observations: Any = None,
        num_observation_modalities: int = 0,
        num_states: Any = None,
        num_state_factors: int = 0,
        num_controls: Any = None,
        num_control_factors: int = 0,
    ) -> None:
        self.num_observations = num_observations
        self.num_observation_modalities = num_observation_modalities
        self.num_states = num_states
        self.num_state_factors = num_state_factors
        self.num_controls = num_controls
        self.num_control_factors = num_control_factors


# --- object arrays ---------------------------------------------------------------------------


def obj_array(num_arr: Any) -> ObjectArray:
    """Return an empty object array."""
    return np.empty(num_arr, dtype=object)


def obj_array_from_list(list_input: Sequence[Any]) -> ObjectArray:
    """Return an object array of the items.

    Examples
    --------
    >>> obj_array_from_list([np.zeros(2), np.zeros(3)]).shape
    (2,)
    """
    out = obj_array(len(list_input))
    for i, item in enumerate(list_input):
        out[i] = item
    return out


def obj_array_zeros(shape_list: Sequence[Any]) -> ObjectArray:
    """Return an object array of zeros of the given shapes."""
    return obj_array_from_list([np.zeros(shape) for shape in shape_list])


def obj_array_ones(shape_list: Sequence[Any], scale: float = 1.0) -> ObjectArray:
    """Return an object array of arrays full of `scale`."""
    return obj_array_from_list([np.full(shape, 1.0) * scale for shape in shape_list])


def obj_array_uniform(shape_list: Sequence[Any]) -> ObjectArray:
    """Return an object array of uniform distributions over the first axis."""
    return obj_array_from_list([norm_dist(np.ones(shape)) for shape in shape_list])


def is_obj_array(arr: npt.NDArray[Any]) -> bool:
    """Return whether an array is one of objects."""
    return arr.dtype == object


def to_obj_array(arr: npt.NDArray[Any]) -> ObjectArray:
    """Return `arr` if it is an object array, else one that holds it, squeezed."""
    return arr if is_obj_array(arr) else obj_array_from_list([arr.squeeze()])


# --- probabilities ---------------------------------------------------------------------------


def norm_dist(dist: FloatArray) -> FloatArray:
    """Return `dist` divided by its sums over the first axis."""
    normed: FloatArray = dist / dist.sum(axis=0)
    return normed


def norm_dist_obj_arr(obj_arr: ObjectArray) -> ObjectArray:
    """Return `norm_dist` of each array."""
    return obj_array_from_list([norm_dist(arr) for arr in obj_arr])


def is_normalized(dist: npt.NDArray[Any]) -> bool:
    """Return whether all columns, of one or of several arrays, sum to 1."""
    arrays = dist if is_obj_array(dist) else [dist]
    return all(bool(np.allclose(arr.sum(axis=0), 1.0)) for arr in arrays)


def onehot(value: int, num_values: int) -> FloatArray:
    """Return a vector of zeros with a 1 at `value`."""
    arr = np.zeros(num_values)
    arr[value] = 1.0
    return arr


def sample(probabilities: FloatArray) -> int:
    """Return an index drawn from a distribution."""
    if len(probabilities) > 1:
        probabilities = probabilities.squeeze()
    return np.random.multinomial(1, probabilities).argmax()  # type: ignore[return-value]


def sample_obj_array(arr: ObjectArray) -> list[int]:
    """Return an index drawn from each distribution."""
    return [sample(probabilities) for probabilities in arr]


def dirichlet_like(template_categorical: npt.NDArray[Any], scale: float = 1.0) -> ObjectArray:
    """Return Dirichlet parameters in proportion to probabilities."""
    if not is_obj_array(template_categorical):
        warnings.warn("the template is not an object array: it is taken as one", stacklevel=2)
    return obj_array_from_list([scale * arr for arr in to_obj_array(template_categorical)])


# --- arrays of models ------------------------------------------------------------------------


def initialize_empty_A(num_obs: Sequence[int], num_states: Sequence[int]) -> ObjectArray:
    """Return zeros of the shapes of A."""
    return obj_array_zeros([[n, *num_states] for n in num_obs])


def initialize_empty_B(num_states: Sequence[int], num_controls: Sequence[int]) -> ObjectArray:
    """Return zeros of the shapes of B."""
    return obj_array_zeros([[n, n, num_controls[f]] for f, n in enumerate(num_states)])


def _as_list(sizes: Any) -> list[int]:
    return [sizes] if isinstance(sizes, int) else list(sizes)


def random_A_matrix(num_obs: Any, num_states: Any, A_factor_list: Any = None) -> ObjectArray:
    """Return random likelihoods of each modality."""
    num_obs, num_states = _as_list(num_obs), _as_list(num_states)
    if A_factor_list is None:
        A_factor_list = [range(len(num_states))] * len(num_obs)
    shapes = [
        [n, *(num_states[f] for f in factors)]
        for n, factors in zip(num_obs, A_factor_list, strict=False)
    ]
    return obj_array_from_list([norm_dist(np.random.rand(*shape)) for shape in shapes])


def random_B_matrix(
    num_states: Any,
    num_controls: Any,
    B_factor_list: Any = None,
    B_factor_control_list: Any = None,
) -> ObjectArray:
    """Return random transitions of each factor.

    Parameters
    ----------
    num_states, num_controls : int or list of int
    B_factor_list : list of list of int, optional
        Factors that each factor's transitions depend on; themselves by default.
    B_factor_control_list : list of list of int, optional
        Controls that they depend on, likewise.
    """
    num_states, num_controls = _as_list(num_states), _as_list(num_controls)
    own = [[f] for f in range(len(num_states))]
    factor_list = own if B_factor_list is None else B_factor_list
    if B_factor_control_list is None:
        if len(num_controls) != len(num_states):
            raise ValueError(
                f"num_controls must have one entry per factor ({len(num_states)}), "
                f"got {len(num_controls)}"
            )
        control_list = own
    else:
        control_list = B_factor_control_list
        named = sorted(set(itertools.chain(*control_list)))
        if named != list(range(len(num_controls))):
            raise ValueError(
                f"B_factor_control_list must name the controls 0 to {len(num_controls) - 1}, "
                f"got {named}"
            )
    out = obj_array(len(num_states))
    for f, n in enumerate(num_states):
        # in ascending order whatever the order of the lists, as in pymdp
        previous = [size for i, size in enumerate(num_states) if i in factor_list[f]]
        controls = [size for i, size in enumerate(num_controls) if i in control_list[f]]
        out[f] = norm_dist(np.random.rand(n, *previous, *controls))
    return out


def random_single_categorical(shape_list: Sequence[int]) -> ObjectArray:
    """Return a random distribution of each size."""
    return obj_array_from_list([norm_dist(np.random.rand(size)) for size in shape_list])


def construct_controllable_B(num_states: Sequence[int], num_controls: Sequence[int]) -> ObjectArray:
    """Return transitions in which action u leads to state u from anywhere."""
    out = obj_array(len(num_states))
    for f, n in enumerate(num_controls):
        out[f] = np.repeat(np.eye(n)[:, np.newaxis, :], n, axis=1)
    return out


def get_model_dimensions(
    A: Any = None, B: Any = None, factorized: bool = False
) -> tuple[list[int] | None, list[int] | None, int | None, int | None]:
    """Return ``num_obs, num_states, num_modalities, num_factors`` of a model.

    Raises
    ------
    ValueError
        Without A and B, or where a factorized A leaves the states unknown.
    """
    if A is None and B is None:
        raise ValueError("get_model_dimensions needs A or B")
    num_obs = num_states = None
    if A is not None:
        num_obs = [len(a) for a in A] if is_obj_array(A) else [len(A)]
    if B is not None:
        num_states = [len(b) for b in B] if is_obj_array(B) else [len(B)]
    elif factorized:
        raise ValueError("a factorized A does not tell num_states: give B")
    else:
        num_states = list((A[0] if is_obj_array(A) else A).shape[1:])
    return (
        num_obs,
        num_states,
        None if num_obs is None else len(num_obs),
        len(num_states),
    )


def get_model_dimensions_from_labels(model_labels: dict[str, Any]) -> Dimensions:
    """Return the sizes of a model from the labels of its outcomes, states and actions."""
    modalities, factors = model_labels["observations"], model_labels["states"]
    out = Dimensions(
        num_observations=[len(labels) for labels in modalities.values()],
        num_observation_modalities=len(modalities),
        num_states=[len(labels) for labels in factors.values()],
        num_state_factors=len(factors),
    )
    if "actions" in model_labels:
        controls = model_labels["actions"]
        out.num_controls = [len(labels) for labels in controls.values()]
        out.num_control_factors = len(controls)
    return out


def reduce_a_matrix(A: FloatArray) -> tuple[FloatArray, list[int]]:
    """Return a likelihood without the factors that it does not depend on.

    Parameters
    ----------
    A : ndarray, shape (num_obs, *num_states)

    Returns
    -------
    A_reduced : ndarray
    original_factor_idx : list of int
        The factors that are kept.
    """
    kept: list[int] = []
    dropped: list[int] = []
    for factor in range(A.ndim - 1):
        mean = A.mean(axis=factor + 1, keepdims=True)
        (dropped if np.isclose(mean, A).all() else kept).append(factor)
    return A.mean(axis=tuple(f + 1 for f in dropped)).squeeze(), kept


def construct_full_a(
    A_reduced: FloatArray, original_factor_idx: Sequence[int], num_states: Sequence[int]
) -> FloatArray:
    """Return a likelihood over all factors from one over some: undo `reduce_a_matrix`."""
    shape = [1] * len(num_states)
    for factor in original_factor_idx:
        shape[factor] = num_states[factor]
    full = np.broadcast_to(A_reduced.reshape(len(A_reduced), *shape), (len(A_reduced), *num_states))
    return full.copy()


# --- indices and observations ----------------------------------------------------------------


def get_combination_index(x: Sequence[int], dims: Sequence[int]) -> int:
    """Return the flat index of a combination; the last entry varies fastest.

    Examples
    --------
    >>> get_combination_index([1, 2], [2, 3]), index_to_combination(5, [2, 3])
    (5, [1, 2])
    """
    if len(x) != len(dims):
        raise ValueError(f"x must have {len(dims)} entries, got {len(x)}")
    index = 0
    for value, size in zip(x, dims, strict=True):
        index = index * size + value
    return index


def index_to_combination(index: int, dims: Sequence[int]) -> list[int]:
    """Return the combination of a flat index: undo `get_combination_index`."""
    out = []
    for size in reversed(dims):
        index, digit = divmod(index, size)
        out.append(digit)
    return out[::-1]


def insert_multiple(s: list[Any], indices: Sequence[int], items: Sequence[Any]) -> list[Any]:
    """Insert each item before its index, one after the other, into the list `s`."""
    for index, item in zip(indices, items, strict=False):
        s.insert(index, item)
    return s


def process_observation(obs: Any, num_modalities: int, num_observations: Sequence[int]) -> Any:
    """Return an observation as one-hot vectors.

    Parameters
    ----------
    obs : int, list, tuple or ndarray
        An index, an index per modality, a one-hot vector, or an object array of vectors,
        which is returned as it is.
    num_modalities : int
    num_observations : list of int

    Returns
    -------
    obs : ndarray
        One vector, or an object array of one per modality.

    Raises
    ------
    ValueError
        If a plain vector is not one-hot, or there are several modalities.
    """
    if isinstance(obs, np.ndarray) and not is_obj_array(obs):
        if num_modalities != 1:
            raise ValueError(f"obs must have a vector per modality ({num_modalities})")
        if np.count_nonzero(obs) != 1:
            raise ValueError("obs must be a one-hot vector")
        return obs
    if isinstance(obs, int | np.integer):
        return onehot(int(obs), num_observations[0])
    if isinstance(obs, tuple | list):
        return obj_array_from_list(
            [onehot(obs[m], num_observations[m]) for m in range(num_modalities)]
        )
    return obs


def process_observation_seq(
    obs_seq: Sequence[Any], n_modalities: int, n_observations: Sequence[int]
) -> ObjectArray:
    """Return `process_observation` of each observation."""
    return obj_array_from_list(
        [process_observation(obs, n_modalities, n_observations) for obs in obs_seq]
    )


def convert_observation_array(obs: npt.NDArray[Any], num_obs: Sequence[int]) -> list[Any]:
    """Return SPM's observations, which count from 1, as one-hot vectors.

    Parameters
    ----------
    obs : ndarray of int, shape (num_modalities, num_steps)
    num_obs : list of int

    Returns
    -------
    obs_t : list
        Per step a vector, or an object array of one per modality if there are several.
    """
    steps = []
    for column in obs.T:
        vectors = [onehot(int(o) - 1, n) for o, n in zip(column, num_obs, strict=True)]
        steps.append(vectors[0] if len(vectors) == 1 else obj_array_from_list(vectors))
    return steps


def build_xn_vn_array(xn: Sequence[Any]) -> Any:
    """Return traces of message passing as arrays (``Agent._infer_states_test``).

    Parameters
    ----------
    xn : list
        ``[policy][iteration][factor]`` of arrays of shape (num_states, num_steps).

    Returns
    -------
    xn_array : ndarray, shape (num_iter, num_states, num_steps, num_policies)
        With several factors, an object array of one per factor.
    """
    arrays = [
        np.stack([np.stack([factors[f] for factors in policy]) for policy in xn], axis=-1)
        for f in range(len(xn[0][0]))
    ]
    return arrays[0] if len(arrays) == 1 else obj_array_from_list(arrays)
