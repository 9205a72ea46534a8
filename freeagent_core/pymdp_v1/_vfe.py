"""Variational free energy of beliefs about one time step or a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1._arrays import Array, FloatArray, as_array
from freeagent_core.pymdp_v1._maths import (
    compute_accuracy,
    dirichlet_kl_divergence,
    factor_dot,
    log_stable,
    stable_cross_entropy,
    stable_entropy,
    stable_xlogx,
)
from freeagent_core.pymdp_v1.utils import resolve_a_dependencies, resolve_b_dependencies

Dependencies = Sequence[Sequence[int]]


def calc_vfe(
    qs: Sequence[Any],
    prior: Sequence[Any],
    *,
    obs: Sequence[Any] | None = None,
    A: Sequence[Any] | None = None,
    B: Sequence[Any] | None = None,
    past_actions: Any = None,
    A_dependencies: Dependencies | None = None,
    B_dependencies: Dependencies | None = None,
    joint_qs: Sequence[Any] | None = None,
    qA: Sequence[Any] | None = None,
    pA: Sequence[Any] | None = None,
    qB: Sequence[Any] | None = None,
    pB: Sequence[Any] | None = None,
    obs_valid_mask: Any = None,
    transition_valid_mask: Any = None,
    distr_obs: bool = True,
    return_decomposition: bool = False,
) -> tuple[Array, Array] | tuple[Array, Array, dict[str, Array]]:
    """Return the variational free energy of beliefs about states, and of parameters.

    F = E_q[log q(s)] - E_q[log p(s)] - E_q[log p(o | s)] (+ KL[q(A, B) || p(A, B)]). In a sequence
    the term of a transition belongs to the step that it leads to.

    Parameters
    ----------
    qs : list of array
        Beliefs for each factor, of shape (num_states[f],) or (T, num_states[f]).
    prior : list of array
        Prior of each factor's first state.
    obs : list of array, optional
        Distributions over outcomes, with ``distr_obs=False`` indices; a sequence has a leading
        axis T. Needs `A`, and the other way round.
    A, B : list of array, optional
    past_actions : (T - 1, num_factors) array of int, optional
        Below 0: no action is known, and there is no transition.
    A_dependencies, B_dependencies : list of list of int, optional
    joint_qs : list of array, optional
        Beliefs about pairs, of shape (T - 1, num_states[f], *states of its parents), as
        `inference.smoothing_ovf` and `smoothing_exact` return; without them neighbours in time are
        independent.
    qA, pA, qB, pB : list of array, optional
        Dirichlet parameters after and before learning, whose divergence is added.
    obs_valid_mask : (T,) array of bool, optional
    transition_valid_mask : (T - 1,) array of bool, optional
    distr_obs : bool, default True
    return_decomposition : bool, default False

    Returns
    -------
    vfe_t : float64, or (T,) array
    vfe : float64
        The sum, with the divergence of the parameters.
    decomposition : dict
        With `return_decomposition`: ``neg_entropy_t``, ``prior_cross_entropy_t``,
        ``transition_cross_entropy_t``, ``accuracy_t``, ``state_vfe``, ``parameter_kl_A``,
        ``parameter_kl_B``, ``parameter_kl``.

    Raises
    ------
    ValueError
        If arrays do not fit together.

    Examples
    --------
    >>> vfe_t, vfe = calc_vfe([np.array([0.9, 0.1])], [np.array([0.5, 0.5])])
    >>> round(float(vfe), 4)
    0.3681
    """
    beliefs = [as_array(q) for q in qs]
    if len(prior) != len(beliefs):
        raise ValueError("`prior` must have one entry per hidden-state factor")
    if A is not None and obs is None:
        raise ValueError("`obs` must be provided when `A` is provided")
    if obs is not None and A is None:
        raise ValueError("`A` must be provided when `obs` is provided")

    observed = _Observed(obs, A, A_dependencies, len(beliefs), distr_obs)
    if beliefs[0].ndim <= 1:
        if joint_qs is not None:
            raise ValueError("`joint_qs` is only valid when `qs` is a sequence posterior")
        terms = _one_step_terms(beliefs, prior, observed)
    else:
        chain = _Chain(B, past_actions, B_dependencies, joint_qs, len(beliefs))
        terms = _sequence_terms(
            beliefs, prior, observed, chain, obs_valid_mask, transition_valid_mask
        )
    neg_entropy, prior_term, transition, accuracy = terms
    vfe_t = neg_entropy + prior_term + transition - accuracy
    kl_A, kl_B = _parameter_divergence(qA, pA), _parameter_divergence(qB, pB)
    vfe = np.asarray(vfe_t.sum() + kl_A + kl_B)
    if not return_decomposition:
        return vfe_t, vfe
    return (
        vfe_t,
        vfe,
        {
            "neg_entropy_t": neg_entropy,
            "prior_cross_entropy_t": prior_term,
            "transition_cross_entropy_t": transition,
            "accuracy_t": accuracy,
            "state_vfe": np.asarray(vfe_t.sum()),
            "parameter_kl_A": kl_A,
            "parameter_kl_B": kl_B,
            "parameter_kl": np.asarray(kl_A + kl_B),
        },
    )


@dataclass
class _Observed:
    """What was observed, and how likely the states make it."""

    obs: Sequence[Any] | None
    A: Sequence[Any] | None
    A_dependencies: Dependencies | None
    num_factors: int
    distr_obs: bool

    def __post_init__(self) -> None:
        if self.A is not None and self.obs is not None:
            self.obs = [as_array(o) for o in self.obs]
            self.A_dependencies = resolve_a_dependencies(
                self.num_factors, len(self.A), self.A_dependencies
            )

    def accuracy(self, qs: Sequence[Array], t: int | None = None) -> Any:
        if self.A is None or self.obs is None:
            return 0.0
        obs = self.obs if t is None else [o[t] for o in self.obs]
        return compute_accuracy(qs, obs, self.A, self.A_dependencies, self.distr_obs)


def _one_step_terms(
    qs: list[Array], prior: Sequence[Any], observed: _Observed
) -> tuple[Array, Array, Array, Array]:
    return (
        np.asarray(-sum(stable_entropy(q) for q in qs)),
        np.asarray(sum(stable_cross_entropy(q, p) for q, p in zip(qs, prior, strict=True))),
        np.asarray(0.0),
        np.asarray(observed.accuracy(qs)),
    )


class _Chain:
    """The transitions of a sequence: expected log probabilities from one step to the next."""

    def __init__(
        self,
        B: Sequence[Any] | None,
        past_actions: Any,
        B_dependencies: Dependencies | None,
        joint_qs: Sequence[Any] | None,
        num_factors: int,
    ) -> None:
        self.B = None if B is None else [log_stable(b) for b in B]
        self.parents = resolve_b_dependencies(num_factors, B_dependencies)
        self.actions = past_action_array(past_actions, num_factors)
        self.joint = None if joint_qs is None else [as_array(j) for j in joint_qs]
        if self.joint is not None and len(self.joint) != num_factors:
            raise ValueError("`joint_qs` must have one entry per hidden-state factor")

    def check(self, steps: int) -> None:
        """Raise an error unless actions and joint beliefs are for this number of transitions."""
        if self.B is not None and self.actions is not None and len(self.actions) != steps:
            raise ValueError(
                f"`past_actions` has leading dimension {len(self.actions)}, expected {steps}"
            )
        for f, joint in enumerate(self.joint or ()):
            if len(joint) != steps:
                raise ValueError(
                    f"`joint_qs[{f}]` has leading dimension {len(joint)}, expected {steps}"
                )
            if self.B is not None and joint.shape[1:] != self.B[f].shape[:-1]:
                raise ValueError(
                    f"`joint_qs[{f}]` has per-timestep shape {joint.shape[1:]}, expected "
                    f"{self.B[f].shape[:-1]} to match the conditioned transition tensor"
                )
        if self.B is not None and self.actions is None and steps > 0:
            for b in self.B:
                if b.shape[-1] != 1:
                    raise ValueError(
                        "`past_actions` is required to compute sequence VFE "
                        "when transition tensors have more than one control state"
                    )

    def cross_entropy(self, qs: list[Array], t: int) -> float:
        """Return -E_q[log B] of the transition from step t to step t + 1."""
        total = 0.0
        for f, log_b in enumerate(self.B or ()):
            action = 0 if self.actions is None else max(int(self.actions[t, f]), 0)
            log_p = log_b[..., action]
            if self.joint is not None:
                total -= float(np.sum(log_p * self.joint[f][t]))
            else:
                previous = [qs[d][t] for d in self.parents[f]]
                total -= float(factor_dot(log_p, [qs[f][t + 1], *previous]))
        return total

    def conditional_neg_entropy(self, t: int) -> float:
        """Return E_q[log q(s_t+1, parents)] - E_q[log q(parents)] of the joint beliefs."""
        total = 0.0
        for joint in self.joint or ():
            pair = joint[t]
            total += float(np.sum(stable_xlogx(pair)) - np.sum(stable_xlogx(pair.sum(axis=0))))
        return total


def past_action_array(past_actions: Any, num_factors: int) -> Array | None:
    """Return past actions as an array of shape (T - 1, num_factors), or None.

    Raises
    ------
    ValueError
        If they have another shape; one axis will do for one factor.
    """
    if past_actions is None:
        return None
    actions = as_array(past_actions)
    if actions.ndim == 1:
        if num_factors != 1:
            raise ValueError(
                "1D `past_actions` is only supported for single-factor action histories; "
                "multi-factor action histories must have shape (T-1, num_factors). For a single "
                "timestep across factors, use `past_actions[None, :]`."
            )
        actions = actions[:, None]
    if actions.ndim != 2:
        raise ValueError("`past_actions` must have shape (T-1, num_factors)")
    if actions.shape[1] != num_factors:
        raise ValueError(
            f"`past_actions` has second dimension {actions.shape[1]}, expected {num_factors}"
        )
    return actions


def _sequence_terms(
    qs: list[Array],
    prior: Sequence[Any],
    observed: _Observed,
    chain: _Chain,
    obs_valid_mask: Any,
    transition_valid_mask: Any,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    T = len(qs[0])
    chain.check(max(T - 1, 0))
    valid = np.ones(T, dtype=bool) if obs_valid_mask is None else as_array(obs_valid_mask) != 0
    if transition_valid_mask is None:
        linked = valid[:-1] & valid[1:]
        if chain.actions is not None:
            linked = linked & np.all(chain.actions >= 0, axis=-1)
    else:
        linked = as_array(transition_valid_mask) != 0
    starts = valid
    if chain.B is not None:
        starts = valid & np.concatenate([[True], ~linked])

    neg_entropy, prior_term, transition, accuracy = np.zeros((4, T))
    for t in range(T):
        qs_t = [q[t] for q in qs]
        if valid[t]:
            accuracy[t] = observed.accuracy(qs_t, t)
            if starts[t]:
                prior_term[t] = sum(
                    stable_cross_entropy(q, p) for q, p in zip(qs_t, prior, strict=True)
                )
            if chain.joint is None or starts[t]:
                neg_entropy[t] = -sum(stable_entropy(q) for q in qs_t)
            else:
                neg_entropy[t] = chain.conditional_neg_entropy(t - 1)
        if t > 0 and linked[t - 1] and not starts[t]:
            transition[t] = chain.cross_entropy(qs, t - 1)
    return neg_entropy, prior_term, transition, accuracy


def _parameter_divergence(q_dir: Sequence[Any] | None, p_dir: Sequence[Any] | None) -> Array:
    if q_dir is None and p_dir is None:
        return np.asarray(0.0)
    if q_dir is None or p_dir is None:
        raise ValueError("Dirichlet KL terms require both posterior and prior parameters")
    if len(q_dir) != len(p_dir):
        raise ValueError("Dirichlet posterior/prior lists must have the same length")
    pairs = zip(q_dir, p_dir, strict=True)
    return np.asarray(
        sum(dirichlet_kl_divergence(q, p) for q, p in pairs if q is not None and p is not None)
    )
