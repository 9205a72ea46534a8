"""Kernels of action selection: marginals, precision, the best action, draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._functions.functional import pack_arrays
from freeagent_core._kernels.action import action_functions as kernels
from freeagent_core._kernels.action.action_selection import TIE_TOLERANCE
from freeagent_core._model import validation as check
from freeagent_core.kernels import _inputs as read
from freeagent_core.model import GenerativeModel

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]


def action_marginals(
    model: Any,
    q_pi: Any,
    out: ObjectArray | None = None,
    *,
    num_controls: Any = None,
    repeats: int = 1,
) -> ObjectArray:
    """Return the probabilities of the first actions, `out_f(u) ~ sum of q_pi(pi), pi_f[0] = u`.

    Parameters
    ----------
    model : GenerativeModel, or sequence of array_like of int, shape (policy_len, num_factors)
        A model, or policies.
    q_pi : array_like, shape (num_policies,)
        Need not sum to 1, but to more than 0.
    out : object array or sequence of ndarray of float64, shape (num_controls[f],), optional
        The results are copied into its arrays.
    num_controls : list of int, optional
        With policies; as many as these use by default.
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    out : object array of ndarray, shape (num_controls[f],)
        Each sums to 1.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.control.sample_action`, in its order of additions, so that sums that tie
    there tie here. Cost: an addition per policy and factor.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.action_marginals([[[0], [1]], [[1], [1]]], [0.25, 0.75])[0].tolist()
    [0.25, 0.75]
    """
    if isinstance(model, GenerativeModel):
        packed = read.packed(model, num_controls=num_controls)
    else:
        packed = _packed_policies(model, num_controls)
    p = read.weights(read.real(q_pi, "q_pi", 1), "q_pi")
    if not 0.0 < p.sum() < np.inf:
        raise ValueError(f"q_pi must have a positive sum, got {p.sum()}")
    return read.into(out, kernels.marginals(packed, p, read.count(repeats)))


def _packed_policies(policies: Any, num_controls: Any) -> Any:
    given = check.items(policies, "policies")
    if num_controls is None:
        shape: tuple[int, ...] = np.shape(given[0]) if given else ()
        width = shape[1] if len(shape) == 2 else 1
        policies = check.policy_list(given, [2**31] * width)
        num_controls = np.max([policy.max(axis=0) for policy in policies], axis=0) + 1
    controls = [
        check.integer(n, 1, 2**24, f"num_controls[{f}]")
        for f, n in enumerate(read.each_size(num_controls, "num_controls"))
    ]
    one = [1] * len(controls)  # states and outcomes play no part
    return pack_arrays(
        [np.ones((1, 1))], one, B=[np.ones((1, 1, n)) for n in controls], A_factor_list=[[0]],
        policies=check.policy_list(given, controls),
    )  # fmt: skip


def sharpen(
    p: Any, alpha: float = 16.0, out: FloatArray | None = None, *, repeats: int = 1
) -> FloatArray:
    """Return the probabilities of stochastic selection, `softmax(alpha ln(p + 1e-16))`.

    Parameters
    ----------
    p : array_like, shape (n,)
        Probabilities of actions or policies; those equal but for rounding (1e-11 relative) are
        made equal.
    alpha : float
        Precision.
    out : ndarray of float64 in C order, shape (n,), optional
    repeats : int
        Runs of the kernel, to time it.

    Returns
    -------
    out : ndarray of float64, shape (n,)

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.control.sample_action`. Cost: a logarithm and an exponential per entry,
    and n^2 / 2 comparisons up to 64 entries, 3 n operations above.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.sharpen([0.25, 0.75], alpha=2.0).round(3).tolist()
    [0.1, 0.9]
    """
    values = read.weights(read.real(p, "p", 1), "p")
    target = read.result(out, values.shape)
    kernels.sharpened(
        read.apart(values, target), check.number(alpha, "alpha"), target, read.count(repeats)
    )
    return target


def choose(
    p: Any, *, tolerance: float = TIE_TOLERANCE, first_of_ties: bool = False, repeats: int = 1
) -> int:
    """Return the index of the largest probability; among those as large, one by chance.

    Parameters
    ----------
    p : array_like, shape (n,)
    tolerance : float
        Entries this close to the largest are equal to it.
    first_of_ties : bool
        Take the first of these; else one is drawn as by ``np.random.choice``.
    repeats : int
        Runs of the kernel, to time it; each of them draws among ties, the last counts.

    Returns
    -------
    index : int

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.control.select_highest`. Cost: two comparisons per entry.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.choose([0.1, 0.7, 0.2])
    1
    """
    values = read.weights(read.real(p, "p", 1), "p")
    limit = check.number(tolerance, "tolerance")
    if limit < 0.0:
        raise ValueError(f"tolerance must not be negative, got {limit}")
    return kernels.best(
        values, limit, check.flag(first_of_ties, "first_of_ties"), read.count(repeats)
    )


def sample(p: Any, *, repeats: int = 1) -> int:
    """Return a random index with probabilities `p`, from NumPy's global generator.

    Parameters
    ----------
    p : array_like, shape (n,)
        Probabilities that sum to 1.
    repeats : int
        Draws, to time them; the last is returned.

    Returns
    -------
    index : int

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape; also for a sum that is not 1.

    Notes
    -----
    Source: `pymdp.legacy.utils.sample`, ``np.random.multinomial(1, p).argmax()``, by the same
    draws. Cost: a uniform number, a logarithm and an exponential per entry before the one drawn.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.sample([0.0, 1.0, 0.0])
    1
    """
    values = read.weights(read.real(p, "p", 1), "p")
    check.check_normalised(values, "p")
    return kernels.drawn(values, read.count(repeats))
