"""Running agents in environments: ``pymdp.envs.rollout``.

`rollout` runs without Python in the loop where agents evaluate their own policies and the
environment is a `PymdpEnv` (`_compiled_rollout`). Otherwise each step calls the agent's methods,
for the whole batch at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from freeagent_core._kernels.agents.batched_trees import SearchTree
from freeagent_core.pymdp_v1 import random
from freeagent_core.pymdp_v1._arrays import Array, as_array, as_size
from freeagent_core.pymdp_v1._compiled import inference_of
from freeagent_core.pymdp_v1.envs._compiled_rollout import can_run, run_compiled
from freeagent_core.pymdp_v1.envs.env import Env, PymdpEnv
from freeagent_core.pymdp_v1.planning._python_search import PythonTree

if TYPE_CHECKING:
    from freeagent_core.pymdp_v1.agent import Agent

    PolicySearch = Callable[[Agent, list[Array], Any], tuple[Array, dict[str, Any]]]

MAX_WINDOWED_HISTORY_WITHOUT_HORIZON = 32

_SEQUENCE_METHODS = ("mmp", "vmp")
_SMOOTHING_METHODS = ("ovf", "exact")


def default_policy_search(
    agent: Agent, qs: list[Array], rng_key: Any
) -> tuple[Array, dict[str, Any]]:
    """Evaluate the agent's policies: ``agent.infer_policies``.

    Parameters
    ----------
    agent : Agent
    qs : list of (batch_size, steps, num_states) array
    rng_key : key
        Not used.

    Returns
    -------
    q_pi : (batch_size, num_policies) array
    info : dict
        ``neg_efe``
    """
    q_pi, neg_efe = agent.infer_policies(qs)
    return q_pi, {"neg_efe": neg_efe}


def infer_and_plan(
    agent: Agent,
    qs_prev: list[Array],
    observation: Sequence[Any],
    action_prev: Any = None,
    rng_key: Any = None,
    policy_search: PolicySearch | None = None,
    past_actions: Any = None,
    empirical_prior: Any = None,
    learning_observations: Any = None,
    learning_actions: Any = None,
    learning_beliefs: Any = None,
    valid_steps: Any = None,
) -> tuple[Agent, Array, list[Array], dict[str, Any]]:
    """Do one step of a batch of agents: infer states, evaluate policies, learn, choose an action.

    Parameters
    ----------
    agent : Agent
    qs_prev : list of (batch_size, steps, num_states) array
        Beliefs before.
    observation : list of array
    action_prev : (batch_size, num_factors) array of int, optional
        Below 0, or None: the prior is ``agent.D``, as there is no step before.
    rng_key : key
    policy_search : callable, optional
        Takes an agent, beliefs and a key, returns a posterior over policies and a dict of what else
        is to be kept; `default_policy_search` by default.
    past_actions : array, optional
        For mmp and vmp.
    empirical_prior : list of array, optional
        Instead of the prior that follows from `qs_prev` and `action_prev`.
    learning_observations, learning_actions, learning_beliefs : optional
        Windows to learn from, instead of this step.
    valid_steps : int or array of int, optional
        Of the windows.

    Returns
    -------
    agent : Agent
        Another one if it has learned.
    action : (batch_size, num_factors) array of int
    qs : list of (batch_size, steps, num_states) array
    info : dict
        ``empirical_prior``, ``qpi`` and what `policy_search` adds.

    Source: `pymdp.envs.rollout.infer_and_plan`.
    """
    search = default_policy_search if policy_search is None else policy_search
    if empirical_prior is None:
        if action_prev is None or np.any(as_array(action_prev) < 0):
            empirical_prior = list(agent.D)
        else:
            empirical_prior = agent.update_empirical_prior(action_prev, qs_prev)
    qs = agent.infer_states(
        observation, empirical_prior, past_actions=past_actions, valid_steps=valid_steps
    )
    step_key, search_key = random.split(rng_key)
    q_pi, extra = search(agent, qs, search_key)
    if (
        action_prev is not None
        and agent.learning_mode == "online"
        and (agent.learn_A or agent.learn_B)
    ):
        agent = update_parameters_online(
            agent,
            qs_prev,
            qs,
            observation,
            action_prev,
            learning_observations=learning_observations,
            learning_actions=learning_actions,
            learning_beliefs=learning_beliefs,
        )
    keys = random.split(step_key, agent.batch_size + 1)
    action = agent.sample_action(q_pi, rng_key=keys[1:])
    return agent, action, qs, {"empirical_prior": empirical_prior, "qpi": q_pi, **extra}


def update_parameters_online(
    agent: Agent,
    qs_prev: list[Array],
    qs: list[Array],
    observation: Any,
    action_prev: Any,
    *,
    learning_observations: Any = None,
    learning_actions: Any = None,
    learning_beliefs: Any = None,
) -> Agent:
    """Learn from one step, or from the windows that the method of inference keeps.

    Parameters
    ----------
    agent : Agent
    qs_prev, qs : list of (batch_size, steps, num_states) array
        Beliefs before and now.
    observation : list of array
    action_prev : (batch_size, num_factors) array of int
    learning_observations, learning_actions, learning_beliefs : optional

    Returns
    -------
    Agent
    """
    step = as_array(action_prev)[:, None]
    seen = observation if learning_observations is None else learning_observations
    beliefs_A: list[Array] = qs
    beliefs_B: list[Array] | None = None
    actions: Any = action_prev
    if agent.inference_algo in _SEQUENCE_METHODS:
        if agent.learn_B:
            actions = step if learning_actions is None else learning_actions
            beliefs_B = _joined(qs_prev, qs) if learning_actions is None else qs
    elif agent.inference_algo in _SMOOTHING_METHODS and learning_beliefs is not None:
        beliefs_A = [_shifted(w, q) for w, q in zip(learning_beliefs, qs, strict=True)]
        beliefs_B = beliefs_A if agent.learn_B else None
        if learning_actions is not None:
            actions = learning_actions
        elif agent.learn_B:
            actions = step
    else:
        seen = observation
        if agent.learn_B:
            actions, beliefs_B = step, _joined(qs_prev, qs)
    return agent.infer_parameters(beliefs_A, seen, actions, beliefs_B=beliefs_B)


def rollout(
    agent: Agent,
    env: Env,
    num_timesteps: int,
    rng_key: Any,
    initial_carry: Mapping[str, Any] | None = None,
    policy_search: PolicySearch | None = None,
    env_params: Any = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a batch of agents, each in an environment of its own.

    Parameters
    ----------
    agent : Agent
    env : Env
    num_timesteps : int
        One more step is made, as in pymdp.
    rng_key : key, int or numpy.random.Generator
    initial_carry : dict, optional
        Entries of what `last` is, to begin with instead of a first observation.
    policy_search : callable, optional
        See `infer_and_plan`.
    env_params : dict, optional
        Of the batch, see `PymdpEnv.generate_env_params`.

    Returns
    -------
    last : dict
        ``action``, ``observation``, ``qs``, ``env_state``, ``agent``, ``rng_key`` after the last
        step; with windows of the past ``observation_hist``, ``action_hist``, ``valid_steps`` and,
        for mmp and vmp, ``empirical_prior``.
    info : dict
        Of every step, with leading axes of the batch and of steps: ``qs``, ``env_state``,
        ``observation``, ``action``, ``empirical_prior``, ``qpi``, ``neg_efe`` (or what
        `policy_search` adds), and ``A``, ``pA``, ``B``, ``pB`` as far as they are learned. What is
        no array, such as search trees, is in lists: ``info["tree"][agent][step]``.

    Raises
    ------
    ValueError
        If the environment does not fit the agents.

    Examples
    --------
    >>> from freeagent_core.pymdp_v1 import Agent
    >>> from freeagent_core.pymdp_v1.envs import GridWorld
    >>> env = GridWorld((2, 2), initial_position=0, include_stay=False)
    >>> C = [np.array([0.0, 0.0, 0.0, 1.0])]
    >>> agent = Agent(env.A, env.B, C=C, D=env.D, policy_len=2)
    >>> last, info = rollout(agent, env, num_timesteps=3, rng_key=0)
    >>> info["observation"][0][0].ravel()
    array([0, 1, 3, 3])

    Source: `pymdp.envs.rollout.rollout`.
    """
    _check_parts(agent, env)
    steps = as_size(num_timesteps, "num_timesteps") + 1
    learns_online = agent.learning_mode == "online" and (agent.learn_A or agent.learn_B)
    length = 0
    if agent.inference_algo in _SEQUENCE_METHODS or (
        agent.inference_algo in _SMOOTHING_METHODS and learns_online
    ):
        length = _history_length(agent, steps)
    key = random.as_key(rng_key, "rng_key")
    if (
        policy_search in (None, default_policy_search)
        and initial_carry is None
        and isinstance(env, PymdpEnv)
        and can_run(agent, env, learns_online)
    ):
        last, info = run_compiled(agent, env, steps, key, env_params, length, learns_online)
    else:
        last, info = _run_steps(
            agent, env, steps, key, initial_carry, policy_search, env_params, length
        )
    if agent.learning_mode == "offline":
        last["agent"] = last["agent"].infer_parameters(
            info["qs"],
            [_without_unit_axis(o, agent.categorical_obs) for o in info["observation"]],
            info["action"],
        )
    return last, info


def _check_parts(agent: Any, env: Any) -> None:
    from freeagent_core.pymdp_v1.agent import Agent

    if not isinstance(agent, Agent):
        raise TypeError(f"agent must be a pymdp_v1.Agent, got {type(agent).__name__}")
    if not (callable(getattr(env, "reset", None)) and callable(getattr(env, "step", None))):
        raise TypeError(f"env must have methods reset and step, got {type(env).__name__}")


# --- step by step --------------------------------------------------------------------------------


def _run_steps(
    agent: Agent,
    env: Env,
    steps: int,
    key: random.Keys,
    initial_carry: Mapping[str, Any] | None,
    policy_search: PolicySearch | None,
    env_params: Any,
    length: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    keys = random.split(key, agent.batch_size + 1)
    observation, state = _each(env, "reset", keys[1:], env_params)
    carry = _first_carry(agent, observation, state, keys[0], length)
    carry |= initial_carry or {}
    records = []
    for _ in range(steps):
        carry, record = _step(carry, env, policy_search, env_params, length)
        records.append(record)
    return carry, {name: _stacked([record[name] for record in records]) for name in records[0]}


def _first_carry(
    agent: Agent,
    observation: list[Array],
    state: Any,
    rng_key: random.Keys,
    length: int,
) -> dict[str, Any]:
    batch, nf = agent.batch_size, agent.policies.policy_arr.shape[-1]
    carry: dict[str, Any] = {
        "action": np.full((batch, nf), -1),
        "observation": observation,
        "env_state": state,
        "agent": agent,
        "rng_key": rng_key,
    }
    if not length:
        return carry | {"qs": [d[:, None] for d in agent.D]}
    carry |= {
        "qs": [np.repeat(d[:, None], length, axis=1) for d in agent.D],
        "observation_hist": [_padded(o, length, agent.categorical_obs) for o in observation],
        "action_hist": np.full((batch, length - 1, nf), -1),
        "valid_steps": 1,
    }
    if agent.inference_algo in _SEQUENCE_METHODS:
        carry["empirical_prior"] = list(agent.D)
    return carry


def _history_length(agent: Agent, steps: int) -> int:
    if agent.inference_horizon is not None:
        return agent.inference_horizon
    if steps > MAX_WINDOWED_HISTORY_WITHOUT_HORIZON:
        warnings.warn(
            "No `inference_horizon` provided for a windowed inference mode; capping rollout "
            f"history to {MAX_WINDOWED_HISTORY_WITHOUT_HORIZON} steps. Set `inference_horizon` "
            "explicitly to override this cap.",
            UserWarning,
            stacklevel=3,
        )
    return min(steps, MAX_WINDOWED_HISTORY_WITHOUT_HORIZON)


def _padded(observation: Any, length: int, categorical: bool) -> Array:
    """Return a window that ends in an observation; what is before it is no evidence."""
    o = as_array(observation)
    o = o[:, None] if o.ndim == 1 else o
    window = np.full((len(o), length, *o.shape[2:]), 0 if categorical else -1, dtype=o.dtype)
    window[:, -1] = o[:, 0]
    return window


def _step(
    carry: dict[str, Any],
    env: Env,
    policy_search: PolicySearch | None,
    env_params: Any,
    length: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    agent, qs_prev = carry["agent"], carry["qs"]
    keys = random.split(carry["rng_key"], agent.batch_size + 2)
    arguments: dict[str, Any] = {}
    observation = carry["observation"]
    sequence = agent.inference_algo in _SEQUENCE_METHODS
    if length:
        seen, done = carry["observation_hist"], carry["action_hist"]
        arguments = {"learning_observations": seen, "learning_actions": done}
        if sequence:
            observation = seen
            arguments |= {
                "past_actions": done,
                "empirical_prior": carry["empirical_prior"],
                "valid_steps": carry["valid_steps"],
            }
        else:
            arguments["learning_beliefs"] = qs_prev
    updated, action, qs, extra = infer_and_plan(
        agent, qs_prev, observation, carry["action"], keys[1], policy_search, **arguments
    )
    new_observation, state = _each(
        env, "step", keys[2:], env_params, carry["env_state"], np.asarray(action)
    )
    if updated.learn_A:
        extra |= {"A": updated.A, "pA": updated.pA}
    if updated.learn_B:
        extra |= {"B": updated.B, "pB": updated.pB}
    record = {
        "qs": [q[:, -1] for q in qs],
        "env_state": carry["env_state"],
        "observation": carry["observation"],
        "action": action,
        **extra,
    }
    later = {
        "action": action,
        "observation": new_observation,
        "qs": [q[:, -1:] for q in qs],
        "env_state": state,
        "agent": updated,
        "rng_key": keys[0],
    }
    if length:
        later["qs"] = qs if sequence else [_shifted(w, q) for w, q in zip(qs_prev, qs, strict=True)]
        if sequence:
            later["empirical_prior"] = _next_prior(updated, qs, done, carry, length)
        later |= {
            "observation_hist": [
                _shifted(w, o) for w, o in zip(seen, new_observation, strict=True)
            ],
            "action_hist": _shifted(done, action),
            "valid_steps": min(carry["valid_steps"] + 1, length),
        }
    return later, record


def _next_prior(
    agent: Agent, qs: list[Array], actions: Array, carry: dict[str, Any], length: int
) -> list[Array]:
    """Return the prior of the window's first step once the window moves on."""
    if carry["valid_steps"] != length or length == 1:
        return carry["empirical_prior"]  # type: ignore[no-any-return]
    prior: list[Array] = inference_of(agent).predict_states(actions[:, 0], [q[:, :1] for q in qs])
    return prior


def _each(
    env: Env, method: str, keys: random.Keys, env_params: Any, *arguments: Any
) -> tuple[list[Array], Any]:
    """Call `reset` or `step` for the batch; one element at a time unless the env takes batches."""
    call = getattr(env, method)
    options = {} if env_params is None else {"env_params": env_params}
    if isinstance(env, PymdpEnv):
        result: tuple[list[Array], Any] = call(keys, *arguments, **options)
        return result
    results = [
        call(
            key,
            *(_element(argument, i) for argument in arguments),
            **{name: _element(value, i) for name, value in options.items()},
        )
        for i, key in enumerate(keys)
    ]
    return _stacked([o for o, _ in results], axis=0), _stacked([s for _, s in results], axis=0)


def _element(x: Any, i: int) -> Any:
    if isinstance(x, list | tuple):
        return [_element(part, i) for part in x]
    if isinstance(x, Mapping):
        return {name: _element(part, i) for name, part in x.items()}
    return x[i]


def _stacked(parts: Sequence[Any], axis: int = 1) -> Any:
    """Stack nested lists and dicts of arrays along a new axis; what is no array goes in a list."""
    first = parts[0]
    if isinstance(first, list | tuple):
        return [_stacked([part[i] for part in parts], axis) for i in range(len(first))]
    if isinstance(first, Mapping):
        return {name: _stacked([part[name] for part in parts], axis) for name in first}
    if first is None:
        return None
    if isinstance(
        first, SearchTree | PythonTree
    ):  # NumPy would take it for a sequence of its nodes
        return list(parts)
    arrays = [as_array(part) for part in parts]
    return list(parts) if arrays[0].dtype == object else np.stack(arrays, axis=axis)


def _joined(before: list[Array], now: list[Array]) -> list[Array]:
    return [np.concatenate([b, n], axis=1) for b, n in zip(before, now, strict=True)]


def _shifted(window: Array, value: Any) -> Array:
    """Return a window moved on by one step, which is the last of `value`."""
    if window.shape[1] == 0:
        return window
    new = as_array(value)
    if new.ndim == window.ndim - 1:
        new = new[:, None]
    return np.concatenate([window[:, 1:], new[:, -1:]], axis=1)


def _without_unit_axis(o: Array, categorical: bool) -> Array:
    if categorical:
        return o[:, :, 0] if o.ndim >= 4 and o.shape[2] == 1 else o
    return o[..., 0] if o.ndim >= 3 and o.shape[-1] == 1 else o
