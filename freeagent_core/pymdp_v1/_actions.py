"""Choice of actions from a posterior over policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from freeagent_core.pymdp_v1._arrays import as_real_array
from freeagent_core.pymdp_v1._compiled import planning_of
from freeagent_core.pymdp_v1._tables import log_stable

if TYPE_CHECKING:
    from freeagent_core.pymdp_v1.agent import Agent

Array = npt.NDArray[Any]


def checked_q_pi(q_pi: Any, num_policies: int, batch_size: int | None) -> Array:
    """Return q_pi as an array (num_policies,) or (agents, num_policies) of float64."""
    array = as_real_array(q_pi, "q_pi")
    wrong = array.shape[-1:] != (num_policies,) or array.ndim > 2
    if batch_size is not None:
        wrong = array.shape != (batch_size, num_policies)
    if wrong:
        agents = "..." if batch_size is None else batch_size
        raise ValueError(f"q_pi must have shape ({agents}, {num_policies}), got {array.shape}")
    if not np.isfinite(array).all():
        at = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
        raise ValueError(f"q_pi{at} must be finite, got {array[tuple(at)]}")
    return array if array.dtype == np.float64 else array.astype(np.float64)


def marginals(q_pi: Array, policies: Array, num_controls: Sequence[int]) -> list[Array]:
    """Sum q_pi over the policies that begin with each action of each factor.

    Returns (..., num_controls) arrays. Source: `pymdp.control.get_marginals`.
    """
    return [
        q_pi @ (policies[:, 0, f, None] == np.arange(n)).astype(np.float64)
        for f, n in enumerate(num_controls)
    ]


def likeliest(
    q_pi: Any, policies: Array, num_controls: Sequence[int], sampling_mode: str, batch_size: int
) -> Array:
    """The first action of the likeliest policy, or each factor's likeliest; the first of ties."""
    q_pi = checked_q_pi(q_pi, len(policies), batch_size)
    if sampling_mode == "full":
        return policies[q_pi.argmax(axis=1), 0]  # type: ignore[no-any-return]
    return np.stack([m.argmax(axis=-1) for m in marginals(q_pi, policies, num_controls)], axis=-1)


def agents_keys(rng_key: Any, batch_size: int) -> Array:
    """Return a key for each agent, from keys, one key, an int or a generator."""
    from freeagent_core.pymdp_v1 import random

    if isinstance(rng_key, np.random.Generator):
        return rng_key.integers(0, 2**32, size=(batch_size, 2), dtype=np.uint32)
    keys = random.as_keys(rng_key, "rng_key")
    if keys.shape == (2,):
        return keys[None] if batch_size == 1 else random.split(keys, batch_size)
    if keys.shape != (batch_size, 2):
        raise ValueError(
            f"rng_key must be one key or have a key for each of {batch_size} agents, shape "
            f"({batch_size}, 2), got {keys.shape}"
        )
    return keys


def drawn(
    q_pi: Any,
    policies: Array,
    num_controls: Sequence[int],
    sampling_mode: str,
    alpha: Array,
    rng_key: Any,
    one_key: bool,
) -> Array:
    """Draw from softmax(alpha log p), p over policies or over each factor's actions.

    Source: `pymdp.control.sample_policy` and `sample_action`, with the numbers of
    ``jax.random.categorical`` under the same keys; with `one_key` all factors under one key.
    """
    from freeagent_core.pymdp_v1 import random

    q_pi = checked_q_pi(q_pi, len(policies), len(alpha))
    keys = agents_keys(rng_key, len(alpha))
    sharpness = alpha[:, None]
    if sampling_mode == "full":
        noise = random.gumbel(keys, (len(policies),))
        return policies[(noise + log_stable(q_pi) * sharpness).argmax(axis=1), 0]  # type: ignore[no-any-return]
    actions = np.zeros((len(alpha), len(num_controls)), dtype=np.int64)
    first = True
    for f, marginal in enumerate(marginals(q_pi, policies, num_controls)):
        own = keys if one_key or first else random.fold_in(keys, f)
        first = first and num_controls[f] == 1
        noise = random.gumbel(own, (num_controls[f],))
        actions[:, f] = (noise + sharpness * log_stable(marginal)).argmax(axis=1)
    return actions


# --- functions of an agent, which `Agent` calls and documents ------------------------------------


def unique_multiactions(agent: Agent) -> Array:
    """Do what `Agent.unique_multiactions` does."""
    found = np.unique(agent.policies.policy_arr[:, 0], axis=0)
    rows = np.full((int(np.prod(agent.num_controls)), agent.num_factors), -1)
    rows[: len(found)] = found[: len(rows)]
    return rows


def multiaction_probabilities(agent: Agent, q_pi: Any) -> Array:
    """Do what `Agent.multiaction_probabilities` does."""
    q_pi = checked_q_pi(q_pi, agent.policies.num_policies, None)
    policies = agent.policies.policy_arr
    if agent.sampling_mode == "full":
        same = (policies[None, :, 0] == unique_multiactions(agent)[:, None]).all(axis=-1)
        return np.asarray(q_pi @ same.T.astype(np.float64))
    joint = np.ones((*q_pi.shape[:-1], 1))
    for marginal in marginals(q_pi, policies, agent.num_controls):
        joint = (joint[..., :, None] * marginal[..., None, :]).reshape(*q_pi.shape[:-1], -1)
    return joint


def chosen(agent: Agent, q_pi: Any, rng_key: Any) -> Array:
    """Do what `Agent.sample_action` does."""
    mode = agent.sampling_mode
    if agent.action_selection == "deterministic":
        actions: Array | None = planning_of(agent).likeliest_actions(q_pi, mode == "marginal")
        if actions is not None:
            return actions
        return likeliest(
            q_pi, agent.policies.policy_arr, agent.num_controls, mode, agent.batch_size
        )
    if rng_key is None:
        raise ValueError(
            "Please provide a random number generator key to sample actions stochastically: "
            "rng_key is None"
        )
    return drawn(
        q_pi, agent.policies.policy_arr, agent.num_controls, mode, agent.alpha, rng_key,
        agent.upstream_faults,
    )  # fmt: skip
