"""Rollouts without Python in the loop: `freeagent_core.pymdp_v1.envs.rollout` chooses them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from freeagent_core._kernels.agents.batched_rollout import run_rollout
from freeagent_core._kernels.agents.own_model import LearnedParts
from freeagent_core._kernels.agents.rollout_run import Rollout
from freeagent_core._kernels.agents.window_rollout import run_windows
from freeagent_core.pymdp_v1 import _tables, _windows, random
from freeagent_core.pymdp_v1._arrays import Array
from freeagent_core.pymdp_v1._compiled import forget, inference_of, planning_of
from freeagent_core.pymdp_v1._settings import SEQUENCE_METHODS, SMOOTHING_METHODS, each
from freeagent_core.pymdp_v1.envs.env import PymdpEnv

if TYPE_CHECKING:
    from freeagent_core.pymdp_v1.agent import Agent


AGENT_METHODS = (
    "infer_states",
    "infer_policies",
    "sample_action",
    "update_empirical_prior",
    "infer_parameters",
)


def _has_own(x: Any, base: type, methods: Sequence[str]) -> bool:
    """Whether an object, or its class, has other methods of these names than a class it is of."""
    return any(
        getattr(getattr(x, name), "__func__", None) is not getattr(base, name) for name in methods
    )


def can_run(agent: Agent, env: PymdpEnv, learns_online: bool) -> bool:
    """Whether `run_compiled` does what calling the methods of the two, step by step, does."""
    from freeagent_core.pymdp_v1.agent import Agent

    if (
        agent.preprocess_fn is not None
        or _has_own(agent, Agent, AGENT_METHODS)
        or _has_own(env, PymdpEnv, ("reset", "step"))
        or env.categorical_obs != agent.categorical_obs
    ):
        return False
    if not learns_online:
        return True
    if agent.learn_B and (agent.pB is None or (agent.use_inductive and agent.H is not None)):
        return False  # an error, or goals whose distances are found again at each step
    smooths = agent.inference_algo in SMOOTHING_METHODS
    several_parents = any(len(f) > 1 for f in agent.B_dependencies)
    return not (smooths and several_parents and agent.upstream_faults)  # an error


def run_compiled(
    agent: Agent,
    env: PymdpEnv,
    steps: int,
    key: random.Keys,
    env_params: Any,
    length: int,
    learns_online: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Do what `rollout` does; length is that of the windows, 0 without."""
    packed = env.pack(agent.batch_size, env_params)
    inference = planning_of(agent)
    if agent.inference_algo == "vmp":
        _windows.provide_log_B(agent)
    run = Rollout(
        inference,
        packed,
        agent.D,
        key,
        steps,
        agent.num_iter,
        agent.categorical_obs,
        agent.action_selection == "stochastic",
        agent.sampling_mode == "marginal",
        agent.upstream_faults,
        np.ascontiguousarray(agent.alpha),
    )
    learned = _learned_parts(agent, steps) if learns_online else None
    window: list[Array] | None = None
    prior: list[Array] | None = None
    if length or learned is not None:
        window, prior = run_windows(run, agent.inference_algo, length, learned)
    else:
        run_rollout(run)
    sizes = packed.num_obs if agent.categorical_obs else [None] * len(packed.num_obs)
    observations = [_outcomes(run.observations[:, :, m], n) for m, n in enumerate(sizes)]
    states = [run.states[:, :, f] for f in range(run.states.shape[-1])]
    info = {
        "qs": run.qs,
        "env_state": [s[:, :-1] for s in states],
        "observation": [o[:, :-1] for o in observations],
        "action": run.actions,
        "empirical_prior": run.prior,
        "qpi": run.q_pi,
        "neg_efe": run.neg_efe,
    }
    parts = _parts_of_steps(agent, steps, learned, 0 if length == 1 else 1)
    info |= parts
    last = {
        "action": run.actions[:, -1],
        "observation": [o[:, -1] for o in observations],
        "qs": window or [q[:, -1:] for q in run.qs],
        "env_state": [s[:, -1] for s in states],
        "agent": agent if learned is None else _updated(agent, parts),
        "rng_key": run.key,
    }
    if length:
        last |= {
            "observation_hist": [
                _window_of(o[:, :, 0], length, 0 if agent.categorical_obs else -1)
                for o in observations
            ],
            "action_hist": _window_of(run.actions, length - 1, -1),
            "valid_steps": min(steps + 1, length),
        }
    if agent.inference_algo in SEQUENCE_METHODS:
        last["empirical_prior"] = prior
    return last, info


def _outcomes(index: Array, size: int | None) -> Array:
    """Return indices (batch, steps) as (batch, steps, 1), or one-hot (batch, steps, 1, size)."""
    if size is None:
        return index[..., None]
    return np.asarray(index[..., None, None] == np.arange(size), dtype=np.float64)


def _window_of(steps: Array, length: int, missing: int) -> Array:
    """Return the last steps of (batch, steps, ...), with `missing` before them if too few."""
    window = np.full((len(steps), length, *steps.shape[2:]), missing, dtype=steps.dtype)
    known = min(steps.shape[1], length)
    if known:
        window[:, length - known :] = steps[:, steps.shape[1] - known :]
    return window


# --- learning ------------------------------------------------------------------------------------


def _learned_parts(agent: Agent, steps: int) -> LearnedParts:
    def counts_of(arrays: Sequence[Any], sizes: Sequence[int]) -> list[Any]:
        return [
            None
            if a is None
            else np.ascontiguousarray(a, dtype=np.float64).reshape(agent.batch_size, n, -1)
            for a, n in zip(arrays, sizes, strict=True)
        ]

    preferences = []
    for C in agent.C:
        own = _tables.shared(C)
        preferences.append(np.ascontiguousarray(own if own.ndim == 3 else own[:, None]))
    return LearnedParts(
        inference_of(agent).model,
        counts_of(agent.pA or (), agent.num_obs) if agent.learn_A else None,
        counts_of(agent.pB or (), agent.num_states) if agent.learn_B else None,
        preferences,
        agent.use_utility,
        steps,
    )


def _parts_of_steps(
    agent: Agent, steps: int, learned: LearnedParts | None, first_transition: int
) -> dict[str, Any]:
    """Return A, pA, B and pB as they are after each step, as far as the agent learns them.

    B is learned from the step `first_transition` on; if 0, never.
    """
    parts: dict[str, Any] = {}
    if agent.learn_A:
        for name in ("A", "pA"):
            every = None if learned is None else getattr(learned, name)
            parts[name] = _with_learned(getattr(agent, name), every, steps, 0)
    if agent.learn_B:
        for name in ("B", "pB"):
            every = None if learned is None or not first_transition else getattr(learned, name)
            parts[name] = _with_learned(getattr(agent, name), every, steps, first_transition)
    return parts


def _with_learned(before: Any, learned: list[Any] | None, steps: int, first: int) -> Any:
    """Return arrays (batch, steps, ...): `before` up to step `first`, then what was learned."""
    if before is None:
        return None
    every: list[Any] = []
    for x, after in zip(before, learned or [None] * len(before), strict=True):
        if x is None:
            every.append(None)
        elif after is None:
            every.append(np.broadcast_to(x[:, None], (len(x), steps, *x.shape[1:])))
        else:
            shaped = after.reshape(len(x), steps, *x.shape[1:])
            shaped[:, :first] = x[:, None]
            every.append(shaped)
    return every


def _updated(agent: Agent, parts: dict[str, Any]) -> Agent:
    updated = agent._copy()
    updated._set(**{name: each(_last_step, arrays) for name, arrays in parts.items()})
    forget(updated)
    return updated


def _last_step(every: Array) -> Array:
    last = np.array(every[:, -1], order="C")
    last.flags.writeable = False
    return last
