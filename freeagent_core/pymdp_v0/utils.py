"""Helpers of pymdp 0.0.7.1: `freeagent_core.utils`, where its results are the same.

Left out: the stubs of models in spreadsheets, which need pandas.
"""

from __future__ import annotations

from typing import Any

from freeagent_core.utils import (
    build_xn_vn_array,
    construct_controllable_B,
    construct_full_a,
    convert_observation_array,
    dirichlet_like,
    get_model_dimensions,
    initialize_empty_A,
    initialize_empty_B,
    insert_multiple,
    is_normalized,
    is_obj_array,
    norm_dist,
    norm_dist_obj_arr,
    obj_array,
    obj_array_from_list,
    obj_array_ones,
    obj_array_uniform,
    obj_array_zeros,
    onehot,
    plot_beliefs,
    plot_likelihood,
    process_observation,
    process_observation_seq,
    random_A_matrix,
    random_B_matrix,
    random_single_categorical,
    reduce_a_matrix,
    sample,
    sample_obj_array,
    to_obj_array,
)

__all__ = [
    "build_xn_vn_array",
    "construct_controllable_B",
    "construct_full_a",
    "convert_observation_array",
    "dirichlet_like",
    "get_model_dimensions",
    "get_model_dimensions_from_labels",
    "initialize_empty_A",
    "initialize_empty_B",
    "insert_multiple",
    "is_normalized",
    "is_obj_array",
    "norm_dist",
    "norm_dist_obj_arr",
    "obj_array",
    "obj_array_from_list",
    "obj_array_ones",
    "obj_array_uniform",
    "obj_array_zeros",
    "onehot",
    "plot_beliefs",
    "plot_likelihood",
    "process_observation",
    "process_observation_seq",
    "random_A_matrix",
    "random_B_matrix",
    "random_single_categorical",
    "reduce_a_matrix",
    "sample",
    "sample_obj_array",
    "to_obj_array",
]


def get_model_dimensions_from_labels(model_labels: dict[str, Any]) -> tuple[Any, ...]:
    """Return the sizes that a dict of labels describes.

    Parameters
    ----------
    model_labels : dict
        ``observations``, ``states`` and, if wanted, ``actions``: dicts of lists of names.

    Returns
    -------
    sizes : tuple
        num_obs, num_modalities, num_states, num_factors and, with actions, num_controls and
        the number of controlled factors.

    Examples
    --------
    >>> get_model_dimensions_from_labels(
    ...     {"observations": {"colour": ["red", "blue"]}, "states": {"place": ["a", "b", "c"]}})
    ([2], 1, [3], 1)
    """
    sizes: list[Any] = []
    for kind in ("observations", "states", "actions"):
        if kind in model_labels:
            counts = [len(names) for names in model_labels[kind].values()]
            sizes += [counts, len(counts)]
    return tuple(sizes)
