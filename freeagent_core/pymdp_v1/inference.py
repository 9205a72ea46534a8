"""State inference and smoothing: the functions of ``pymdp.inference``, for one agent.

`Agent.infer_states` does the same for a batch, in compiled code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np

from freeagent_core.pymdp_v1._arrays import Array, FloatArray, as_array
from freeagent_core.pymdp_v1._maths import MINVAL, _floats
from freeagent_core.pymdp_v1._vfe import calc_vfe, past_action_array
from freeagent_core.pymdp_v1.algos import (
    hmm_smoother_from_filtered_colstoch,
    run_factorized_fpi,
    run_mmp,
    run_vmp,
)
from freeagent_core.pymdp_v1.utils import resolve_a_dependencies, resolve_b_dependencies

eps = float(np.finfo(float).eps)  # pymdp's name
EXACT_METHOD = "exact"
ONE_STEP_METHODS = {"fpi", "ovf", EXACT_METHOD}
SEQUENCE_METHODS = {"mmp", "vmp"}
SMOOTHING_METHODS = {"ovf", EXACT_METHOD}

Dependencies = Sequence[Sequence[int]]


class VFEInfo(TypedDict):
    """What `update_posterior_states` tells of the variational free energy."""

    vfe_t: Array
    vfe: Array
    vfe_components: dict[str, Array]


def update_posterior_states(
    A: Sequence[Any],
    B: Sequence[Any] | None,
    obs: Sequence[Any],
    past_actions: Any,
    prior: Sequence[Any] | None = None,
    qs_hist: Sequence[Any] | None = None,
    A_dependencies: Dependencies | None = None,
    B_dependencies: Dependencies | None = None,
    num_iter: int = 16,
    method: str = "fpi",
    distr_obs: bool = True,
    inference_horizon: int | None = None,
    valid_steps: Any = None,
    return_info: bool = False,
    upstream_faults: bool = False,
) -> Any:
    """Infer the states of one agent from what it observed.

    Parameters
    ----------
    A, B : list of array
    obs : list of (num_obs,) or (T, num_obs) array
        With ``distr_obs=False`` of int or (T,) array of int. fpi, ovf and exact take the last
        step, mmp and vmp all.
    past_actions : (T - 1, num_factors) array of int, or None
        For mmp and vmp; below 0 where an action is not known.
    prior : list of (num_states,) array
        Of this step, for mmp and vmp of the first.
    qs_hist : list of (T, num_states) array, optional
        fpi, ovf and exact append to it.
    A_dependencies, B_dependencies : list of list of int, optional
    num_iter : int, default 16
    method : {"fpi", "ovf", "exact", "mmp", "vmp"}
    distr_obs : bool, default True
    inference_horizon : int, optional
        Only so many last steps count.
    valid_steps : int, optional
        For mmp and vmp: only so many last steps were observed.
    return_info : bool, default False
    upstream_faults : bool, default False
        vmp of one step without past actions ignores the prior, as in pymdp 1.0.4.

    Returns
    -------
    qs : list of (T, num_states) array
    info : VFEInfo
        With `return_info`.

    Raises
    ------
    ValueError
        If the method is unknown or arrays do not fit.

    Examples
    --------
    >>> A, prior = [np.array([[0.9, 0.2], [0.1, 0.8]])], [np.ones(2) / 2]
    >>> update_posterior_states(A, None, [np.array([1.0, 0.0])], None, prior)[0].round(4)
    array([[0.8182, 0.1818]])
    """
    if method not in ONE_STEP_METHODS | SEQUENCE_METHODS:
        raise ValueError(
            f"Unsupported inference method `{method}`. "
            "Expected one of {'fpi', 'ovf', 'mmp', 'vmp', 'exact'}."
        )
    if prior is None:
        raise ValueError(
            "`prior` must be provided" + (" when `return_info=True`" if return_info else "")
        )
    lists = resolve_a_dependencies(len(prior), len(A), A_dependencies)
    seen = [as_array(o) for o in obs]
    if method in ONE_STEP_METHODS:
        now = [o[-1] if o.ndim > int(distr_obs) else o for o in seen]
        iterations = 1 if method == EXACT_METHOD else num_iter
        qs = run_factorized_fpi(A, now, prior, lists, iterations, distr_obs)
        history = [q[None] for q in qs]
        if qs_hist is not None:
            history = [
                np.concatenate([as_array(before), q])
                for before, q in zip(qs_hist, history, strict=True)
            ]
            if inference_horizon is not None:
                history = [q[-inference_horizon:] for q in history]
        options: dict[str, Any] = {"obs": now, "A": A, "A_dependencies": lists}
    else:
        history, options = _infer_window(
            A, B, seen, past_actions, prior, lists, B_dependencies, num_iter, method, distr_obs,
            inference_horizon, valid_steps, upstream_faults,
        )  # fmt: skip
        qs = history
    if not return_info:
        return history
    vfe_t, vfe, parts = calc_vfe(  # type: ignore[misc]
        qs, prior, distr_obs=distr_obs, return_decomposition=True, **options
    )
    return history, VFEInfo(vfe_t=vfe_t, vfe=vfe, vfe_components=parts)


def _infer_window(
    A: Sequence[Any],
    B: Sequence[Any] | None,
    obs: list[Array],
    past_actions: Any,
    prior: Sequence[Any],
    A_dependencies: Dependencies,
    B_dependencies: Dependencies | None,
    num_iter: int,
    method: str,
    distr_obs: bool,
    horizon: int | None,
    valid_steps: Any,
    upstream_faults: bool,
) -> tuple[list[FloatArray], dict[str, Any]]:
    if B is None:
        raise ValueError(f"Sequence inference method `{method}` requires `B`.")
    if horizon is not None and horizon < 1:
        raise ValueError("`inference_horizon` must be >= 1 when provided")
    actions = past_action_array(past_actions, len(B))
    if horizon is not None:
        obs = [o[-horizon:] for o in obs]
        if actions is not None:
            actions = actions[max(len(actions) - horizon + 1, 0) :]
    T = len(obs[0])
    if actions is not None and len(actions) != T - 1:
        raise ValueError(
            f"`past_actions` has leading dimension {len(actions)}, expected {max(T - 1, 0)}"
        )
    steps = transitions = None
    if valid_steps is not None:
        steps = np.arange(T) >= T - np.clip(int(valid_steps), 1, T)
        transitions = steps[:-1] & steps[1:]
        if actions is not None:
            transitions = transitions & np.all(actions >= 0, axis=-1)
    mats: list[FloatArray] | None = None
    if actions is not None:
        mats = _of_actions(B, actions, identity=False)
    elif T > 1 or not upstream_faults:
        for b in B if T > 1 else ():
            if as_array(b).shape[-1] != 1:
                raise ValueError(
                    f"Sequence inference method `{method}` requires `past_actions` "
                    "when transition tensors have more than one control state"
                )
        mats = _of_actions(B, np.zeros((T - 1, len(B)), dtype=int), identity=False)
    parents = resolve_b_dependencies(len(B), B_dependencies)
    run = run_vmp if method == "vmp" else run_mmp
    qs = run(A, mats, obs, prior, A_dependencies, parents, num_iter, 1.0, distr_obs, steps,
             transitions)  # fmt: skip
    return qs, {
        "obs": obs,
        "A": A,
        "B": B,
        "past_actions": actions,
        "A_dependencies": A_dependencies,
        "B_dependencies": parents,
        "obs_valid_mask": steps,
        "transition_valid_mask": transitions,
    }


def _of_actions(B: Sequence[Any], actions: Array, identity: bool) -> list[FloatArray]:
    """Return each factor's transitions by what was done: (T - 1, next state, parents ...).

    Where an action is below 0: the identity, or all next states equally likely.
    """
    chosen = []
    for f, b in enumerate(B):
        array = _floats(b)
        if identity and (array.ndim != 3 or array.shape[0] != array.shape[1]):
            raise ValueError(
                "`invalid_action_mode='identity'` requires square 2D transitions "
                "after action selection"
            )
        taken = actions[:, f].astype(np.int64)
        if taken.size and taken.max() >= array.shape[-1]:
            raise ValueError(
                f"past_actions[:, {f}] must be below {array.shape[-1]}, got {taken.max()}"
            )
        mats = np.moveaxis(array[..., np.maximum(taken, 0)], -1, 0).copy()
        mats[taken < 0] = np.eye(len(array)) if identity else 1.0 / len(array)
        chosen.append(mats)
    return chosen


# --- smoothing -----------------------------------------------------------------------------------


def joint_dist_factor(
    b: Any, filtered_qs: Any, actions: Any = None
) -> tuple[FloatArray, FloatArray]:
    """Smooth one factor's filtered beliefs backwards.

    Parameters
    ----------
    b : (T - 1, num_states, num_states) array, with `actions` (num_states, num_states, num_controls)
        Transitions, the next state first.
    filtered_qs : (T, num_states) array
    actions : (T - 1,) array of int, optional

    Returns
    -------
    smoothed : (T, num_states) array
    joints : (T - 1, num_states, num_states) array
        Beliefs about pairs, the next state first.

    Examples
    --------
    >>> filtered = np.array([[0.5, 0.5], [0.9, 0.1]])
    >>> joint_dist_factor(np.eye(2)[None], filtered)[0]
    array([[0.9, 0.1],
           [0.9, 0.1]])
    """
    mats = _floats(b)
    if actions is not None:
        mats = np.moveaxis(mats[..., as_array(actions).astype(np.int64)], -1, 0)
    filtered = _floats(filtered_qs)
    if len(mats) != len(filtered) - 1:
        raise ValueError(f"b must have {len(filtered) - 1} transitions, got {len(mats)}")
    smoothed, joints = np.array(filtered), np.empty(mats.shape)
    for t in reversed(range(len(mats))):
        pairs = mats[t] * filtered[t]
        norm = pairs.sum(axis=-1, keepdims=True)
        joints[t] = pairs / np.where(norm == 0, MINVAL, norm) * smoothed[t + 1][:, None]
        smoothed[t] = joints[t].sum(axis=0)
    return smoothed, joints


def smoothing_ovf(
    filtered_post: Sequence[Any], B: Sequence[Any], past_actions: Any
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Smooth the filtered beliefs of factors that depend on themselves alone.

    Parameters
    ----------
    filtered_post : list of (T, num_states) array
    B : list of (num_states, num_states, num_controls) array
    past_actions : (T - 1, num_factors) array of int
        Below 0: nothing changed.

    Returns
    -------
    marginals : list of (T, num_states) array
    joints : list of (T - 1, num_states, num_states) array

    Raises
    ------
    ValueError
        If arrays do not fit, or a factor has several parents.

    Examples
    --------
    >>> filtered = [np.array([[0.5, 0.5], [0.9, 0.1]])]
    >>> smoothing_ovf(filtered, [np.eye(2)[:, :, None]], np.array([[0]]))[0]
    [array([[0.9, 0.1],
           [0.9, 0.1]])]
    """
    if len(filtered_post) != len(B):
        raise ValueError(
            f"filtered_post and B must have one entry per factor, got {len(filtered_post)} "
            f"and {len(B)}"
        )
    actions = past_action_array(past_actions, len(B))
    if actions is None:
        raise ValueError("`past_actions` must be provided")
    mats = _of_actions(B, actions, identity=True)
    pairs = [joint_dist_factor(b, q) for b, q in zip(mats, filtered_post, strict=True)]
    return [marginal for marginal, _ in pairs], [joint for _, joint in pairs]


def smoothing_exact(
    filtered_post: Sequence[Any], B: Sequence[Any], past_actions: Any
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Smooth the filtered beliefs of a model of one factor exactly.

    Parameters
    ----------
    filtered_post : list of one (T, num_states) array
    B : list of one (num_states, num_states, num_controls) array
    past_actions : (T - 1,) or (T - 1, 1) array of int
        Below 0: nothing changed.

    Returns
    -------
    marginals : list of one (T, num_states) array
    joints : list of one (T - 1, num_states, num_states) array

    Raises
    ------
    ValueError
        If there is more than one factor, or arrays do not fit.
    """
    if len(filtered_post) != 1 or len(B) != 1:
        raise ValueError("smoothing_exact currently supports only one hidden-state factor")
    actions = past_action_array(past_actions, 1)
    if actions is None:
        raise ValueError("`past_actions` must be provided")
    mats = _of_actions(B, actions, identity=True)[0]
    smoothed, joint, _ = hmm_smoother_from_filtered_colstoch(filtered_post[0], mats)
    return [smoothed], [joint]
