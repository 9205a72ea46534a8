"""Kernels of learning: Dirichlet updates of one modality or factor."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.learning import array_updates as kernels
from freeagent_core._model import validation as check
from freeagent_core.kernels import _inputs as read
from freeagent_core.kernels._products import joint_belief

FloatArray = npt.NDArray[np.float64]


def _like(value: Any, array: FloatArray, name: str) -> FloatArray:
    return array if value is None else read.weights(value, name, array.shape)


def _joint(beliefs: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    """Return the joint belief of factors of these sizes, flat."""
    parts = read.each(beliefs, name)
    one = isinstance(beliefs, np.ndarray) and beliefs.dtype != object
    if len(shape) == 1 and not isinstance(parts[0], list | tuple | np.ndarray):
        one, parts = True, [beliefs]  # a sequence of numbers is one belief
    check.check_count(parts, len(shape), name, "factor")
    checked = [
        read.weights(part, name if one else f"{name}[{f}]", (n,))
        for f, (part, n) in enumerate(zip(parts, shape, strict=True))
    ]
    return joint_belief(checked).reshape(-1)


def update_A(
    pA: npt.ArrayLike,
    observation: Any,
    qs: Any,
    A: npt.ArrayLike | None = None,
    lr: float = 1.0,
    out: FloatArray | None = None,
    *,
    repeats: int = 1,
) -> FloatArray:
    """Return the Dirichlet parameters of A of one modality after an observation.

    `out[o, s] = pA[o, s] + lr p(o) q(s)` where `A[o, s] > 0`, else `pA[o, s]`.

    Parameters
    ----------
    pA : array_like, shape (num_obs, *num_states)
    observation : int or array_like, shape (num_obs,)
        The outcome, or a distribution over outcomes.
    qs : array_like, or sequence of array_like, shape (num_states[k],)
        Beliefs of the factors that the modality depends on, in the order of pA's axes.
    A : array_like, of pA's shape, optional
        Where it is 0 nothing is learned; `pA` itself by default.
    lr : float
        Learning rate.
    out : ndarray of float64 in C order, of pA's shape, optional
        May be `pA`.
    repeats : int
        Runs of the kernel, to time it; each copies pA.

    Returns
    -------
    out : ndarray of float64, of pA's shape

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.learning.update_obs_likelihood_dirichlet_factorized`.
    Cost: a multiply-add per joint state for each outcome of positive probability.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> kernels.update_A(np.ones((2, 2)), 0, [0.75, 0.25]).tolist()
    [[1.75, 1.25], [1.0, 1.0]]
    """
    counts = read.weights(pA, "pA")
    if counts.ndim < 2:
        raise ValueError(f"pA must have shape (num_obs, *num_states), got {counts.shape}")
    target = read.result(out, counts.shape)
    if not isinstance(observation, list | tuple) and np.ndim(observation) == 0:
        outcome = check.integer(observation, 0, len(counts), "observation")
        weights = np.zeros(len(counts))
        weights[outcome] = 1.0
    else:
        weights = read.weights(observation, "observation", (len(counts),))
    q = _joint(qs, counts.shape[1:], "qs")
    shape = (len(counts), -1)
    kernels.update_likelihood(
        read.apart(counts, target).reshape(shape),
        read.apart(_like(A, counts, "A"), target).reshape(shape),
        weights, q, check.number(lr, "lr"), target.reshape(shape), read.count(repeats),
    )  # fmt: skip
    return target


def update_B(
    pB: npt.ArrayLike,
    action: int,
    qs: npt.ArrayLike,
    qs_previous: Any,
    B: npt.ArrayLike | None = None,
    lr: float = 1.0,
    out: FloatArray | None = None,
    *,
    repeats: int = 1,
) -> FloatArray:
    """Return the Dirichlet parameters of B of one factor after an action.

    `out[s', s, u] = pB[s', s, u] + lr q(s') q_previous(s)` where `B[s', s, u] > 0`, for the action
    u; the other actions' stay.

    Parameters
    ----------
    pB : array_like, shape (num_states, *previous, num_controls)
    action : int
        Of this factor.
    qs : array_like, shape (num_states,)
        Beliefs after the action.
    qs_previous : array_like, or sequence of array_like, shape (previous[k],)
        Beliefs before it, of the factors that the transitions depend on, in the order of axes.
    B : array_like, of pB's shape, optional
        Where it is 0 nothing is learned; `pB` itself by default.
    lr : float
        Learning rate.
    out : ndarray of float64 in C order, of pB's shape, optional
        May be `pB`.
    repeats : int
        Runs of the kernel, to time it; each copies the action's part of pB.

    Returns
    -------
    out : ndarray of float64, of pB's shape

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.learning.update_state_likelihood_dirichlet_interactions`. The action's
    part is copied out of pB before the kernel and into `out` after it; a packed model has it in one
    piece. Cost: a multiply-add per previous state for each next state of positive probability.

    Examples
    --------
    >>> import numpy as np
    >>> from freeagent_core import kernels
    >>> kernels.update_B(np.ones((2, 2, 1)), 0, [1.0, 0.0], [0.0, 1.0])[:, :, 0].tolist()
    [[1.0, 2.0], [1.0, 1.0]]
    """
    counts = read.weights(pB, "pB")
    if counts.ndim < 3:
        raise ValueError(
            f"pB must have shape (num_states, *previous, num_controls), got {counts.shape}"
        )
    target = read.result(out, counts.shape)
    shape = (len(counts), -1, counts.shape[-1])
    kernels.update_transition(
        read.apart(counts, target).reshape(shape),
        read.apart(_like(B, counts, "B"), target).reshape(shape),
        check.integer(action, 0, counts.shape[-1], "action"),
        read.weights(qs, "qs", (len(counts),)), _joint(qs_previous, counts.shape[1:-1],
                                                       "qs_previous"),
        check.number(lr, "lr"), target.reshape(shape), read.count(repeats),
    )  # fmt: skip
    return target


def update_D(
    pD: npt.ArrayLike,
    qs: npt.ArrayLike,
    lr: float = 1.0,
    out: FloatArray | None = None,
    *,
    repeats: int = 1,
) -> FloatArray:
    """Return the Dirichlet parameters of D of one factor after the first beliefs of an episode.

    `out[s] = pD[s] + lr q(s)` where `pD[s] > 0`.

    Parameters
    ----------
    pD : array_like, shape (num_states,)
    qs : array_like, shape (num_states,)
    lr : float
        Learning rate.
    out : ndarray of float64 in C order, shape (num_states,), optional
        May be `pD`.
    repeats : int
        Runs of the kernel, to time it; each copies pD.

    Returns
    -------
    out : ndarray of float64, shape (num_states,)

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the index and the expected shape.

    Notes
    -----
    Source: `pymdp.legacy.learning.update_state_prior_dirichlet`. Cost: a multiply-add per state.

    Examples
    --------
    >>> from freeagent_core import kernels
    >>> kernels.update_D([1.0, 0.0], [0.5, 0.5]).tolist()
    [1.5, 0.0]
    """
    counts = read.weights(read.real(pD, "pD", 1), "pD")
    target = read.result(out, counts.shape)
    kernels.update_prior(
        read.apart(counts, target),
        read.apart(read.weights(qs, "qs", counts.shape), target),
        check.number(lr, "lr"), target, read.count(repeats),
    )  # fmt: skip
    return target
