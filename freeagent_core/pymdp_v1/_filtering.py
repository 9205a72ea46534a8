"""Variational filtering of a sequence, of agents whose factors each depend on themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1._arrays import FloatArray
from freeagent_core.pymdp_v1._marginal_likelihoods import (
    Dependencies,
    all_marginal_log_likelihood,
)
from freeagent_core.pymdp_v1._maths import (
    _floats,
    compute_log_likelihood_per_modality,
    log_stable,
    softmax,
)

Filtered = tuple[list[FloatArray], list[FloatArray], list[FloatArray]]


def variational_filtering_step(
    prior: Sequence[Any], Bs: Sequence[Any], ln_As: Sequence[Any], A_dependencies: Dependencies
) -> Filtered:
    """Do one step of filtering: what was observed, then a transition.

        q(s) = softmax(E[log A | the other factors' prior] + log prior),  p(s') = B q(s)

    Parameters
    ----------
    prior : list of (num_states,) or (agents, num_states) array
    Bs : list of (num_states, num_states) or (agents, num_states, num_states) array
        Transitions of each factor by the action that was taken.
    ln_As : list of (*num_states) or (agents, *num_states) array
        Log likelihood of the states that each modality depends on.
    A_dependencies : list of list of int

    Returns
    -------
    post : list of the shapes of `prior`
        q(s)
    pred : list of the shapes of `prior`
        p(s')
    cond : list of the shapes of `Bs`
        q(s | s'); NaN for next states that cannot be.

    Examples
    --------
    >>> post, pred, _ = variational_filtering_step(
    ...     [np.array([0.5, 0.5])], [np.eye(2)[::-1]], [np.log([0.8, 0.2])], [[0]]
    ... )
    >>> post[0], pred[0]
    (array([0.8, 0.2]), array([0.2, 0.8]))

    Source: `pymdp.algos.variational_filtering_step`.
    """
    priors, transitions = [_floats(p) for p in prior], [_floats(B) for B in Bs]
    likelihoods = [_floats(ln_A) for ln_A in ln_As]
    if priors[0].ndim == 2:
        agents = [
            variational_filtering_step(
                [p[i] for p in priors],
                [B[i] for B in transitions],
                [ln_A[i] for ln_A in likelihoods],
                A_dependencies,
            )
            for i in range(len(priors[0]))
        ]
        post, pred, cond = (
            [np.stack(of_factor) for of_factor in zip(*part, strict=True)]
            for part in zip(*agents, strict=True)
        )
        return post, pred, cond
    evidence = all_marginal_log_likelihood(priors, likelihoods, A_dependencies)
    post = [softmax(e + log_stable(p)) for e, p in zip(evidence, priors, strict=True)]
    pred = [B @ q for B, q in zip(transitions, post, strict=True)]
    with np.errstate(invalid="ignore"):
        cond = [B * q / p[:, None] for B, q, p in zip(transitions, post, pred, strict=True)]
    return post, pred, cond


def update_variational_filtering(
    obs: Sequence[Any],
    A: Sequence[Any],
    B: Sequence[Any],
    prior: Sequence[Any],
    A_dependencies: Dependencies,
    **kwargs: Any,
) -> Filtered:
    """Filter a sequence of observations.

    Parameters
    ----------
    obs : list of (steps, agents, num_obs) array
        Distributions over outcomes.
    A : list of (agents, num_obs, *num_states) array
    B : list of (steps - 1, agents, num_states, num_states) array
        Transitions of each factor by the actions that were taken.
    prior : list of (agents, num_states) array
    A_dependencies : list of list of int
    **kwargs
        Ignored, as in pymdp.

    Returns
    -------
    qs : list of (agents, num_states) array
        Beliefs about the last step.
    ps : list of (agents, num_states) array
        As in pymdp all 1: no transition follows the last step.
    qss : list of (steps, agents, num_states, num_states) array
        Beliefs about each step given the next one's state; of the last step `qs`.

    Source: `pymdp.algos.update_variational_filtering`, which fails in pymdp 1.0.4: its log
    likelihoods keep the axis of agents.
    """
    observations, arrays = [_floats(o) for o in obs], [_floats(a) for a in A]
    steps, agents = observations[0].shape[:2]
    padded = [np.concatenate([b, np.ones((1, *b.shape[1:]))]) for b in map(_floats, B)]
    if any(len(b) != steps for b in padded):
        raise ValueError(
            f"B must have a transition for each of {steps - 1} steps, got "
            f"{[len(b) - 1 for b in padded]}"
        )
    pred = [_floats(p) for p in prior]
    history = []
    for t in range(steps):
        of_agents = [
            compute_log_likelihood_per_modality(
                [o[t, i] for o in observations], [a[i] for a in arrays]
            )
            for i in range(agents)
        ]
        ln_As = [np.stack(of_modality) for of_modality in zip(*of_agents, strict=True)]
        post, pred, cond = variational_filtering_step(
            pred, [b[t] for b in padded], ln_As, A_dependencies
        )
        history.append(cond)
    return post, pred, [np.stack(of_factor) for of_factor in zip(*history, strict=True)]
