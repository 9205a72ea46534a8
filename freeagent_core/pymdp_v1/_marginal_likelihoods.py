"""Log likelihoods of one factor's states, as beliefs about the other factors expect them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1._arrays import FloatArray
from freeagent_core.pymdp_v1._maths import factor_dot

Dependencies = Sequence[Sequence[int]]


def marginal_log_likelihood(qs: Sequence[Any], log_likelihood: Any, i: int) -> FloatArray:
    """Return the log likelihood of factor i's states that beliefs about the others expect.

    Parameters
    ----------
    qs : list of (num_states,) array
    log_likelihood : (*num_states) array
    i : int

    Returns
    -------
    (num_states,) array

    Examples
    --------
    >>> marginal_log_likelihood([np.ones(2) / 2, np.array([1.0, 0.0])], np.eye(2), 0)
    array([1., 0.])
    """
    return factor_dot(log_likelihood, [q for j, q in enumerate(qs) if j != i], keep_dims=(i,))


def mll_factors(qs: Sequence[Any], ll_m: Any, factor_list_m: Sequence[int]) -> list[FloatArray]:
    """Return `marginal_log_likelihood` of each factor that a modality depends on.

    Parameters
    ----------
    qs : list of (num_states,) array
        Of all factors.
    ll_m : array
        Over the states of the modality's factors.
    factor_list_m : list of int

    Returns
    -------
    list of array
    """
    own = [qs[f] for f in factor_list_m]
    return [marginal_log_likelihood(own, ll_m, i) for i in range(len(own))]


def all_marginal_log_likelihood(
    qs: Sequence[Any], log_likelihoods: Sequence[Any], all_factor_lists: Dependencies
) -> list[FloatArray]:
    """Return for each factor the sum of `marginal_log_likelihood` over the modalities.

    Parameters
    ----------
    qs : list of (num_states,) array
    log_likelihoods : list of array
    all_factor_lists : list of list of int

    Returns
    -------
    list of array
        Of one zero where no modality depends on the factor.
    """
    totals = [np.zeros(1) for _ in qs]
    for ll_m, factors in zip(log_likelihoods, all_factor_lists, strict=True):
        for f, message in zip(factors, mll_factors(qs, ll_m, factors), strict=True):
            totals[f] = totals[f] + message
    return totals
