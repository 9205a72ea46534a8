"""Inference from windows of the past, masked observations, free energy and learning.

Functions of an agent's model; `freeagent_core.pymdp_v1.agent.Agent` calls them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents import batched_windows
from freeagent_core._kernels.agents.batched_inference import Observations
from freeagent_core.pymdp_v1 import _tables
from freeagent_core.pymdp_v1._arguments import (
    as_list,
    floats,
    parts,
    per_agent,
    taken_apart,
    whole_numbers,
)
from freeagent_core.pymdp_v1._arrays import as_array, as_real_array
from freeagent_core.pymdp_v1._compiled import inference_of
from freeagent_core.pymdp_v1._settings import EXACT_METHOD, SMOOTHING_METHODS, reachability

if TYPE_CHECKING:
    from freeagent_core.pymdp_v1.agent import Agent

Array = npt.NDArray[Any]


# --- windows --------------------------------------------------------------------------------------


def history_of(
    past_actions: Any, batch_size: int, num_factors: int, name: str = "past_actions"
) -> Array | None:
    """Return past actions as an array (batch_size, steps, num_factors), or None."""
    if past_actions is None:
        return None
    actions = whole_numbers(past_actions, name)
    if actions.ndim == 2 and num_factors == 1 and actions.shape[0] == batch_size:
        actions = actions[:, :, None]
    elif actions.ndim == 2 and batch_size == 1 and actions.shape[1] == num_factors:
        actions = actions[None]
    if actions.ndim != 3 or actions.shape[::2] != (batch_size, num_factors):
        raise ValueError(
            f"{name} must have shape ({batch_size}, steps - 1, {num_factors}), got {actions.shape}"
        )
    return actions


def histories_of(agent: Agent, beliefs: Any, name: str) -> list[Array]:
    """Return beliefs as arrays (batch_size, steps, num_states), one for each factor."""
    histories = []
    for f, value in enumerate(parts(beliefs, agent.num_factors, name, "hidden state factor")):
        array = as_real_array(value, f"{name}[{f}]")
        if array.ndim != 3 or array.shape[::2] != (agent.batch_size, agent.num_states[f]):
            raise ValueError(
                f"{name}[{f}] must have shape ({agent.batch_size}, steps, {agent.num_states[f]}), "
                f"got {array.shape}"
            )
        histories.append(array)
    return histories


def _last_steps(observations: Sequence[Any], distributions: bool, horizon: int) -> list[Array]:
    arrays = [as_array(o, f"observations[{m}]") for m, o in enumerate(observations)]
    return [o[:, -horizon:] if o.ndim > 1 + distributions else o for o in arrays]


def checked_valid_steps(valid_steps: Any, batch_size: int) -> Array:
    """Return an integer, or one for each agent, as an array."""
    valid = as_array(valid_steps, "valid_steps")
    if valid.dtype.kind not in "iu":
        raise TypeError(f"valid_steps must hold integers, got {valid.dtype}")
    if valid.shape not in ((), (batch_size,)):
        raise ValueError(
            "`valid_steps` must be a scalar or have shape `(batch_size,)`, got "
            f"{valid.shape} for batch_size {batch_size}"
        )
    return valid


def _are_known(actions: Array) -> Array:
    """Which combined actions (..., num_factors) have no part below 0."""
    known: Array = np.greater_equal(actions[..., 0], 0)
    for factor in range(1, actions.shape[-1]):  # faster than a reduction over a short axis
        known &= actions[..., factor] >= 0
    return known


def validity(
    batch_size: int, steps: int, valid_steps: Any, actions: Array | None
) -> tuple[Array, Array]:
    """Which steps, and transitions, of each agent's window count.

    Returns (batch_size, steps) and (batch_size, steps - 1) arrays of bool.
    """
    valid = checked_valid_steps(valid_steps, batch_size)
    count = np.broadcast_to(np.clip(valid, 1, steps), (batch_size,))
    step_valid: Array = np.greater_equal(np.arange(steps), steps - count[:, None])
    transition_valid: Array = step_valid[:, :-1] & step_valid[:, 1:]
    if actions is not None:
        transition_valid &= _are_known(actions)
    return step_valid, transition_valid


def provide_log_B(agent: Agent) -> None:
    """Give the agent's model the logarithms of B, which vmp reads, unless it has them."""
    model = inference_of(agent).model
    if not model.has_log_B:
        model.set_log_B([_tables.log_stable(_tables.next_state_last(B)) for B in agent.B])


def infer_window(
    agent: Agent,
    observations: Any,
    distributions: bool,
    prior: Any,
    past_actions: Any,
    valid_steps: Any,
    return_info: bool,
) -> Any:
    """`Agent.infer_states` by message passing over the window."""
    variational = agent.inference_algo == "vmp"
    actions = history_of(past_actions, agent.batch_size, agent.num_factors)
    if agent.inference_horizon is not None:
        horizon = agent.inference_horizon
        observations = _last_steps(observations, distributions, horizon)
        if actions is not None:
            actions = actions[:, max(actions.shape[1] - horizon + 1, 0) :]
    inference = inference_of(agent)
    if variational:
        provide_log_B(agent)
    observed = Observations(inference.model, observations, distributions)
    steps = observed.num_steps
    if actions is not None and actions.shape[1] != steps - 1:
        raise ValueError(
            f"`past_actions` has leading dimension {actions.shape[1]}, expected {steps - 1}"
        )
    if actions is None and steps > 1 and max(agent.num_controls) > 1:
        raise ValueError(
            f"Sequence inference method `{agent.inference_algo}` requires `past_actions` when "
            "transition tensors have more than one control state"
        )
    step_valid = np.ones((agent.batch_size, steps), dtype=bool)
    transition_valid = step_valid[:, 1:]
    if valid_steps is not None:
        step_valid, transition_valid = validity(agent.batch_size, steps, valid_steps, actions)
    qs = batched_windows.infer_windows(
        inference, observed, actions, step_valid, transition_valid, prior, agent.num_iter,
        variational, agent.upstream_faults and variational and steps == 1 and actions is None,
    )  # fmt: skip
    if not return_info:
        return qs
    if valid_steps is None and actions is not None:
        transition_valid = _are_known(actions)
    terms = batched_windows.free_energies(
        inference, observed, True, actions, step_valid, transition_valid, prior, qs
    )
    return qs, _info(terms)


def one_step_info(
    agent: Agent, observations: Any, distributions: bool, prior: Any, qs: list[Array]
) -> dict[str, Any]:
    """The free energy of one-step inference: its arrays have no axis of steps."""
    observed = Observations(inference_of(agent).model, observations, distributions)
    valid = np.ones((agent.batch_size, 1), dtype=bool)
    terms = batched_windows.free_energies(
        inference_of(agent), observed, False, None, valid, valid[:, 1:], prior, qs
    )
    return _info([term[:, 0] for term in terms])


def _info(terms: Sequence[Array]) -> dict[str, Any]:
    neg_entropy, prior, transition, accuracy = terms
    vfe_t = neg_entropy + prior + transition - accuracy
    vfe = vfe_t.sum(axis=1) if vfe_t.ndim > 1 else vfe_t
    zero = np.zeros(len(vfe))
    return {
        "vfe_t": vfe_t,
        "vfe": vfe,
        "vfe_components": {
            "neg_entropy_t": neg_entropy,
            "prior_cross_entropy_t": prior,
            "transition_cross_entropy_t": transition,
            "accuracy_t": accuracy,
            "state_vfe": vfe,
            "parameter_kl_A": zero,
            "parameter_kl_B": zero,
            "parameter_kl": zero,
        },
    }


# --- masked observations --------------------------------------------------------------------------


def masked(
    agent: Agent, observations: Any, distributions: bool, mask: Any
) -> tuple[list[Array], list[Array]]:
    """Mix observations and likelihoods with uniform ones where the mask is below 1.

    Returns distributions over outcomes, and A.
    """
    shares = as_list(mask, "mask", "numbers in [0, 1], one for each modality")
    if len(shares) != agent.num_modalities:
        raise ValueError(
            f"mask must have {agent.num_modalities} entries, one for each modality, got "
            f"{len(shares)}"
        )
    if not distributions:
        observations = agent.make_categorical(observations)
    soft = parts(observations, agent.num_modalities, "observations", "modality")
    likelihoods = []
    for m, (share, n) in enumerate(zip(shares, agent.num_obs, strict=True)):
        weight = per_agent(share, agent.batch_size, f"mask[{m}]")
        if not ((weight >= 0.0) & (weight <= 1.0)).all():
            raise ValueError(f"mask[{m}] must be in [0, 1], got {share}")
        o, A = floats(soft[m], f"observations[{m}]"), agent.A[m]
        w = weight.reshape(-1, *[1] * (o.ndim - 1))
        soft[m] = w * o + (1 - w) / n
        w = weight.reshape(-1, *[1] * (A.ndim - 1))
        A = w * A + (1 - w) / n
        A.flags.writeable = False
        likelihoods.append(A)
    return soft, likelihoods


# --- learning -------------------------------------------------------------------------------------


def learned(
    agent: Agent,
    beliefs_A: Any,
    observations: Any,
    actions: Any,
    beliefs_B: Any,
    lr_pA: Any,
    lr_pB: Any,
) -> dict[str, Any]:
    """Return the parts of the model that `Agent.infer_parameters` changes."""
    model = inference_of(agent).model
    beliefs_A = histories_of(agent, beliefs_A, "beliefs_A")
    sequence = beliefs_A if beliefs_B is None else histories_of(agent, beliefs_B, "beliefs_B")
    steps = sequence[0].shape[1]
    smoothed = agent.inference_algo in SMOOTHING_METHODS
    if not (agent.learn_B or smoothed):
        actions = None  # not needed, whatever they are
    if actions is not None:
        actions = as_array(actions, "actions")
        if actions.ndim == 2:
            actions = actions[:, None]
        actions = history_of(actions, agent.batch_size, agent.num_factors, "actions")
        actions = as_array(actions)[:, : max(steps - 1, 0)]
    transitions = (
        actions is not None
        and steps > 1
        and actions.shape[1] == steps - 1
        and bool((actions >= 0).all(axis=-1).any())
    )
    marginal, joints = beliefs_A, None
    if smoothed:
        marginal = sequence
        if transitions:
            if agent.upstream_faults and any(len(f) > 1 for f in agent.B_dependencies):
                raise ValueError(
                    "`invalid_action_mode='identity'` requires square 2D transitions after action "
                    "selection"
                )
            exact = agent.inference_algo == EXACT_METHOD
            marginal, joints = batched_windows.smooth(model, sequence, actions, exact)
    changes: dict[str, Any] = {}
    if agent.learn_A:
        changes |= _learned_A(agent, marginal, observations, lr_pA)
    if agent.learn_B and transitions:
        changes |= _learned_B(agent, sequence, actions, joints, lr_pB)
        if agent.use_inductive and agent.H is not None:
            threshold, depth = agent.inductive_threshold, agent.inductive_depth
            changes["I"] = reachability(agent.H, changes["B"], threshold, depth)
    return changes


def _learned_A(agent: Agent, beliefs: Any, observations: Any, rate: Any) -> dict[str, Any]:
    model = inference_of(agent).model
    observations = taken_apart(observations, agent.num_modalities)
    observed = Observations(model, observations, agent.categorical_obs)
    rates = np.array(per_agent(rate, agent.batch_size, "lr_pA"), order="C")
    counts: list[Any] = []
    A = []
    for m, before in enumerate(agent.pA or ()):
        if before is None:
            counts.append(None)
            A.append(agent.A[m])
            continue
        after = np.array(before, order="C").reshape(agent.batch_size, agent.num_obs[m], -1)
        mean = batched_windows.learn_A(model, m, observed, beliefs, rates, after)
        counts.append(_frozen(after.reshape(before.shape)))
        A.append(_frozen(mean.reshape(before.shape)))
    return {"pA": counts, "A": A}


def _learned_B(agent: Agent, beliefs: Any, actions: Any, joints: Any, rate: Any) -> dict[str, Any]:
    if agent.pB is None:
        raise ValueError("pB is required for B learning")
    model = inference_of(agent).model
    rates = np.array(per_agent(rate, agent.batch_size, "lr_pB"), order="C")
    counts, B = [], []
    for f, before in enumerate(agent.pB):
        after = np.array(before, order="C").reshape(agent.batch_size, agent.num_states[f], -1)
        mean = batched_windows.learn_B(
            model, f, beliefs, actions, None if joints is None else joints[f], rates, after
        )
        counts.append(_frozen(after.reshape(before.shape)))
        B.append(_frozen(mean.reshape(before.shape)))
    return {"pB": counts, "B": B}


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array
