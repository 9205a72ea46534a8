"""Sophisticated inference: policies that take into account what will be observed.

`si_policy_search` returns a function that plans for a batch of agents; `SearchTree` is what it
finds. The cost follows the nodes in use, whatever `max_nodes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.batched_trees import SearchTree, new_trees, search_trees
from freeagent_core._model.validation import MAX_INT, integer
from freeagent_core.pymdp_v1._arrays import as_array, as_real
from freeagent_core.pymdp_v1._compiled import inference_of, search_plan_of
from freeagent_core.pymdp_v1._expected_free_energy import (
    compute_expected_obs,
    compute_expected_state,
    compute_expected_utility,
    compute_info_gain,
)
from freeagent_core.pymdp_v1._windows import histories_of
from freeagent_core.pymdp_v1.agent import Agent
from freeagent_core.pymdp_v1.planning._python_search import PythonTree, grow

__all__ = [
    "PythonTree",
    "SearchTree",
    "infer_fn",
    "predict_fn",
    "root_idx",
    "si_policy_search",
]

Array = npt.NDArray[np.float64]
PlanResult = tuple[Array, dict[str, Any]]


def predict_fn(agent: Agent, qs: Sequence[Any]) -> tuple[list[Array], list[Array], Array]:
    """Predict what each policy of one step leads to, and its value.

    Parameters
    ----------
    agent : Agent
        A batch of one.
    qs : list of (1, num_states) array

    Returns
    -------
    qs : list of (num_policies, 1, num_states) array
    qo : list of (num_policies, 1, num_obs) array
    neg_efe : (num_policies, 1) array
        Utility and information gain.

    Source: `pymdp.planning.si.predict_fn`.
    """
    if agent.batch_size != 1:
        raise ValueError(f"agent must be a batch of one, agent[i], got {agent.batch_size} agents")
    A, B, C = ([array[0] for array in arrays] for arrays in (agent.A, agent.B, agent.C))
    beliefs = [as_array(q, f"qs[{f}]")[0] for f, q in enumerate(qs)]
    after, outcomes, values = [], [], []
    for actions in agent.policies.policy_arr[:, 0]:
        after.append(compute_expected_state(beliefs, B, actions, agent.B_dependencies))
        outcomes.append(compute_expected_obs(after[-1], A, agent.A_dependencies))
        gain = compute_info_gain(after[-1], outcomes[-1], A, agent.A_dependencies)
        values.append(compute_expected_utility(outcomes[-1], C) + gain)
    return (
        [np.stack(of_factor)[:, None] for of_factor in zip(*after, strict=True)],
        [np.stack(of_modality)[:, None] for of_modality in zip(*outcomes, strict=True)],
        np.array(values)[:, None],
    )


def infer_fn(agent: Agent, obs: Sequence[Any], qs: Sequence[Any]) -> list[Array]:
    """Infer the states from what may be observed.

    Parameters
    ----------
    agent : Agent
        A batch of one.
    obs : list of (1, 1) array of int
    qs : list of (1, num_states) array
        The prior.

    Returns
    -------
    list of (1, num_states) array

    Source: `pymdp.planning.si.infer_fn`.
    """
    return [q[:, 0] for q in agent.infer_states(obs, qs)]


def si_policy_search(
    horizon: int = 5,
    max_nodes: int = 5000,
    max_branching: int = 10,
    policy_prune_threshold: float = 1 / 16,
    observation_prune_threshold: float = 1 / 16,
    entropy_stop_threshold: float = 0.5,
    neg_efe_stop_threshold: float = 1e10,
    kl_threshold: float = -1,
    prune_penalty: float = 512,
    gamma: float = 1,
    topk_obsspace: int = 10000,
    infer_fn: Callable[..., Any] = infer_fn,
    predict_fn: Callable[..., Any] = predict_fn,
) -> Callable[..., PlanResult]:
    """Make a function that searches for a policy.

    Parameters
    ----------
    horizon : int, default 5
        Steps to look ahead.
    max_nodes : int, default 5000
        A level that would need more is not entered.
    max_branching : int, default 10
        Observations that follow a policy, at most. More policies than that are no error, unless
        the agent has `upstream_faults` (issues 418, 436).
    policy_prune_threshold, observation_prune_threshold : float, default 1/16
        Policies and observations less likely than this are left out.
    entropy_stop_threshold : float, default 0.5
        Stop when the root's policies have less entropy, in nats.
    neg_efe_stop_threshold : float, default 1e10
        Stop when the root is worth at least this.
    kl_threshold : float, default -1
        An observation whose beliefs have at most this divergence from those of an earlier level
        gets no node; -1: all get one.
    prune_penalty : float, default 512
        A policy without observations is worth minus this.
    gamma : float, default 1
        Precision of policies within the tree.
    topk_obsspace : int, default 10000
        Outcomes of each modality to consider, the likeliest.
    infer_fn, predict_fn : callable, optional
        Instead of the functions of these names, with their arguments and results. The search then
        runs in Python.

    Returns
    -------
    callable
        ``search(agent, qs, rng_key=None, tree=None, reset=False)`` returns q_pi,
        (batch_size, num_policies), and ``{"tree": [SearchTree, ...]}``, a tree for each agent
        (of `PythonTree` with functions of the caller).
        The agent's policies have one step. `tree`, from an earlier call, goes on growing in place;
        with `reset` the trees only get their roots. After Ctrl-C they have whole levels, those of
        before or more.

    Examples
    --------
    >>> flip = np.stack([np.eye(2), np.eye(2)[::-1]], -1)
    >>> agent = Agent([np.eye(2)], [flip], C=[np.array([0.0, 4.0])])
    >>> search = si_policy_search(horizon=2)
    >>> q_pi, info = search(agent, agent.infer_states([np.array([0])], agent.D))
    >>> q_pi[0, :2].round(2)
    array([0., 1.])

    Source: `pymdp.planning.si.si_policy_search`.
    """
    settings: dict[str, Any] = {
        "horizon": integer(horizon, 1, MAX_INT, "horizon"),
        "max_nodes": integer(max_nodes, 1, MAX_INT, "max_nodes"),
        "max_branching": integer(max_branching, 1, MAX_INT, "max_branching"),
        "topk_obsspace": integer(topk_obsspace, 1, MAX_INT, "topk_obsspace"),
        "policy_prune_threshold": as_real(policy_prune_threshold, "policy_prune_threshold"),
        "observation_prune_threshold": as_real(
            observation_prune_threshold, "observation_prune_threshold"
        ),
        "entropy_stop_threshold": as_real(entropy_stop_threshold, "entropy_stop_threshold"),
        "neg_efe_stop_threshold": as_real(neg_efe_stop_threshold, "neg_efe_stop_threshold"),
        "kl_threshold": as_real(kl_threshold, "kl_threshold"),
        "prune_penalty": as_real(prune_penalty, "prune_penalty"),
        "gamma": as_real(gamma, "gamma"),
    }
    for name, function in (("infer_fn", infer_fn), ("predict_fn", predict_fn)):
        if not callable(function):
            raise TypeError(f"{name} must be callable, got {type(function).__name__}")
    kind: Any = SearchTree
    if (infer_fn, predict_fn) != OWN_FUNCTIONS:
        kind = PythonTree

    def search(
        agent: Agent,
        qs: Any = None,
        rng_key: Any = None,
        tree: list[SearchTree] | list[PythonTree] | None = None,
        reset: bool = False,
    ) -> PlanResult:
        if not isinstance(agent, Agent):
            raise TypeError(f"agent must be a pymdp_v1.Agent, got {type(agent).__name__}")
        if agent.policies.horizon != 1:
            raise ValueError(
                f"sophisticated inference needs policies of one step, got {agent.policies.horizon}"
            )
        if agent.upstream_faults and agent.policies.num_policies > max_branching:
            raise ValueError(
                f"max_branching={max_branching} is less than the number of policies, "
                f"{agent.policies.num_policies}"
            )
        trees: Any = tree
        if trees is None:
            trees = _roots(agent, qs) if kind is PythonTree else new_trees(inference_of(agent), qs)
        if not (isinstance(trees, list) and all(isinstance(t, kind) for t in trees)):
            raise TypeError(f"tree must be a list of {kind.__name__}, one for each agent")
        if len(trees) != agent.batch_size:
            raise ValueError(
                f"tree must have {agent.batch_size} trees, one for each agent, got {len(trees)}"
            )
        if reset:
            return np.zeros((agent.batch_size, agent.policies.num_policies)), {"tree": trees}
        if kind is PythonTree:
            grown = [grow(t, agent[i], settings, predict_fn, infer_fn) for i, t in enumerate(trees)]
            return np.stack(grown), {"tree": trees}
        inference, plan = search_plan_of(agent)
        q_pi = search_trees(inference, plan, trees, num_iter=agent.num_iter, **settings)
        return q_pi, {"tree": trees}

    return search


OWN_FUNCTIONS = (infer_fn, predict_fn)


def _roots(agent: Agent, qs: Any) -> list[PythonTree]:
    histories = histories_of(agent, qs, "qs")
    return [
        PythonTree([q[i, -1].astype(np.float64) for q in histories], agent.num_modalities)
        for i in range(agent.batch_size)
    ]


def root_idx(tree: SearchTree | PythonTree) -> int:
    """Return the index of a tree's root."""
    return 0 if len(tree) else -1
