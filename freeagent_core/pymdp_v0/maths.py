"""Arithmetic of pymdp 0.0.7.1: `freeagent_core.maths`, where its results are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core import maths, utils
from freeagent_core.maths import (
    calc_free_energy,
    compute_accuracy,
    dirichlet_log_evidence,
    dot_likelihood,
    get_joint_likelihood,
    get_joint_likelihood_seq,
    softmax,
    softmax_obj_arr,
    spm_betaln,
    spm_dot,
    spm_dot_classic,
    spm_dot_old,
    spm_log_obj_array,
    spm_log_single,
    spm_MDP_G,
    spm_norm,
    spm_wnorm,
)

__all__ = [
    "calc_free_energy",
    "compute_accuracy",
    "dirichlet_log_evidence",
    "dot_likelihood",
    "get_joint_likelihood",
    "get_joint_likelihood_seq",
    "softmax",
    "softmax_obj_arr",
    "spm_MDP_G",
    "spm_betaln",
    "spm_cross",
    "spm_dot",
    "spm_dot_classic",
    "spm_dot_old",
    "spm_log_obj_array",
    "spm_log_single",
    "spm_norm",
    "spm_wnorm",
]


def spm_cross(x: Any, y: Any = None, *args: Any) -> npt.NDArray[Any]:
    """Return the outer product of arrays, as in `freeagent_core.maths`, without axes of one entry.

    Examples
    --------
    >>> import numpy as np
    >>> spm_cross(np.ones(3), np.ones(1)).shape
    (3,)
    """
    if y is None and not args and not utils.is_obj_array(x):
        product: npt.NDArray[Any] = x
        return product
    return np.squeeze(maths.spm_cross(x, y, *args))
