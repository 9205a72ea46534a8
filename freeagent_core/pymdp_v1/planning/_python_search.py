"""Sophisticated inference by functions of the caller: the search of `si`, in Python.

Does what `freeagent_core._kernels.planning.observation_tree` does; calls `predict_fn` for each
belief that is expanded and `infer_fn` for each observation that is likely enough.

Source: `pymdp.planning.si.optimized_tree_search`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core.pymdp_v1._arrays import as_real_array
from freeagent_core.pymdp_v1._tables import log_stable

Array = npt.NDArray[np.float64]

MIN_PROBABILITY = 1e-10  # in divergences


@dataclass
class _Node:
    qs: list[Array]  # (num_states,) for each factor
    horizon: int
    neg_efe: float = 0.0
    policy: Any = None  # of what an action led to, or
    observation: Any = None  # of what was then observed
    used: bool = True
    children: list[int] = field(default_factory=list)  # -1 where there is none
    child_probs: list[float] = field(default_factory=list)

    def copy(self) -> _Node:
        return replace(self, children=list(self.children), child_probs=list(self.child_probs))


class PythonTree:
    """A tree that was searched by functions of the caller; read like a `SearchTree`."""

    def __init__(self, qs: Sequence[Array], num_modalities: int) -> None:
        observation = np.zeros(num_modalities, dtype=np.int64)
        self._nodes = [_Node(list(qs), 0, observation=observation)]

    def __len__(self) -> int:
        return len(self._nodes)

    def node(self, index: int) -> dict[str, Any]:
        """Return a node as a dict: beliefs, value, level, children and what led to it."""
        if not 0 <= index < len(self._nodes):
            raise IndexError(f"node {index} of {len(self._nodes)}")
        node = self._nodes[index]
        pairs = [(c, p) for c, p in zip(node.children, node.child_probs, strict=True) if c >= 0]
        led = "observation" if node.policy is None else "policy"
        return {
            "idx": index,
            "qs": [q.copy() for q in node.qs],
            "neg_efe": node.neg_efe,
            "horizon": node.horizon,
            "children": np.array([child for child, _ in pairs], dtype=np.int64),
            "children_probs": np.array([p for _, p in pairs], dtype=np.float64),
            led: np.array(getattr(node, led), dtype=np.int64),
        }

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `node` with axes of one before its beliefs and its observation, as in pymdp."""
        node = self.node(index)
        node["qs"] = [q[None, None] for q in node["qs"]]
        if "observation" in node:
            node["observation"] = node["observation"][None]
        return node

    def root(self) -> dict[str, Any]:
        """Return the node that all others follow from, as ``tree[0]``."""
        return self[0]

    @property
    def used(self) -> npt.NDArray[np.int64]:
        """Indices of the nodes that are part of the tree."""
        return np.array([k for k, node in enumerate(self._nodes) if node.used], dtype=np.int64)


class _Full(Exception):
    """The next level would need more than `max_nodes`."""


def grow(
    tree: PythonTree,
    agent: Any,
    settings: Mapping[str, Any],
    predict_fn: Callable[..., Any],
    infer_fn: Callable[..., Any],
) -> Array:
    """Grow the tree of one agent, in place and by whole levels; return q_pi of its root.

    `agent` is a batch of one. What a function raises leaves a tree of whole levels.
    """
    level = max(node.horizon for node in tree._nodes if node.used)
    for _ in range(settings["horizon"]):
        search = _Search(tree, agent, settings, predict_fn, infer_fn)
        try:
            search.expand_level(level)
        except _Full:  # as pymdp: the tree of the level before
            break
        search.back_up(level)
        tree._nodes = search.nodes
        level += 1
        if not _goes_on(tree._nodes[0], level, settings):
            break
    q_pi = np.zeros(agent.policies.num_policies)
    probs = tree._nodes[0].child_probs[: len(q_pi)]
    q_pi[: len(probs)] = probs
    return q_pi


def _goes_on(root: _Node, level: int, settings: Mapping[str, Any]) -> bool:
    probs = np.array(root.child_probs)
    entropy = -float((probs * log_stable(probs)).sum())
    undecided = not probs.any() or entropy > settings["entropy_stop_threshold"]
    stop = root.neg_efe >= settings["neg_efe_stop_threshold"]
    return bool(level < settings["horizon"] and undecided and not stop)


class _Search:
    """One level of a search, in a copy of the tree's nodes."""

    def __init__(
        self,
        tree: PythonTree,
        agent: Any,
        settings: Mapping[str, Any],
        predict_fn: Callable[..., Any],
        infer_fn: Callable[..., Any],
    ) -> None:
        self.nodes = [node.copy() for node in tree._nodes]
        self.num_used = sum(node.used for node in self.nodes)
        self.agent, self.settings = agent, settings
        self.predict_fn, self.infer_fn = predict_fn, infer_fn
        self.branches = max(settings["max_branching"], agent.policies.num_policies)

    def _count(self) -> None:
        self.num_used += 1
        if self.num_used >= self.settings["max_nodes"] - 1:
            raise _Full

    def _observations_of(self, level: int) -> Iterator[_Node]:
        for node in list(self.nodes):
            if node.used and node.horizon == level and node.policy is None:
                yield node

    def expand_level(self, level: int) -> None:
        for node in self._observations_of(level):
            self._expand(node)

    def _expand(self, node: _Node) -> None:
        """Add the policies that are likely enough, and what may be observed after them."""
        agent, threshold = self.agent, self.settings["policy_prune_threshold"]
        policies = agent.policies.policy_arr[:, 0]
        qs_next, qo, neg_efe = self._predicted(node, len(policies))
        q_pi = _softmax(neg_efe * self.settings["gamma"])
        node.children = [-1] * self.branches
        node.child_probs = [*q_pi.tolist(), *[0.0] * (self.branches - len(q_pi))]
        for number, policy in enumerate(policies):
            if not q_pi[number] > threshold:
                continue
            self._count()
            child = _Node(
                [q[number] for q in qs_next],
                node.horizon + 1,
                neg_efe=float(neg_efe[number]),
                policy=policy,
            )
            node.children[number] = len(self.nodes)
            self.nodes.append(child)
            likeliest = [_likeliest(o[number], self.settings["topk_obsspace"]) for o in qo]
            self._observe(child, likeliest, (), 1.0)

    def _predicted(self, node: _Node, num_policies: int) -> tuple[list[Array], list[Array], Array]:
        result = self.predict_fn(self.agent, [q[None] for q in node.qs])
        if not isinstance(result, tuple) or len(result) != 3:
            raise ValueError("predict_fn must return (qs, qo, neg_efe)")
        agent = self.agent
        states = _read(result[0], "predict_fn's qs", (num_policies, 1), agent.num_states)
        outcomes = _read(result[1], "predict_fn's qo", (num_policies, 1), agent.num_obs)
        values = as_real_array(result[2], "predict_fn's neg_efe")
        if values.shape not in ((num_policies,), (num_policies, 1)):
            raise ValueError(
                f"predict_fn's neg_efe must have shape ({num_policies}, 1), got {values.shape}"
            )
        return states, outcomes, values.reshape(-1).astype(np.float64)

    def _observe(
        self,
        parent: _Node,
        likeliest: Sequence[tuple[npt.NDArray[np.int64], Array]],
        outcomes: tuple[int, ...],
        probability: float,
    ) -> None:
        """Add the observations that begin with some outcomes, the last modality fastest."""
        if not probability > self.settings["observation_prune_threshold"]:
            return
        if len(outcomes) < len(likeliest):
            for outcome, p in zip(*likeliest[len(outcomes)], strict=True):
                self._observe(parent, likeliest, (*outcomes, int(outcome)), probability * p)
            return
        observation = [np.array([[o]]) for o in outcomes]
        result = self.infer_fn(self.agent, observation, [q[None] for q in parent.qs])
        qs = [q[0] for q in _read(result, "infer_fn's qs", (1,), self.agent.num_states)]
        if self._is_known(qs, parent.horizon):
            return
        self._count()
        if len(parent.children) == self.settings["max_branching"]:  # counted, as in pymdp
            return
        parent.children.append(len(self.nodes))
        parent.child_probs.append(float(probability))
        self.nodes.append(_Node(qs, parent.horizon, observation=np.array(outcomes)))

    def _is_known(self, qs: Sequence[Array], horizon: int) -> bool:
        """Whether a belief is close to that of an observation of an earlier level."""
        threshold = self.settings["kl_threshold"]
        if threshold < -1e-5 * len(qs):  # no divergence is that small
            return False
        divergence = 1e10
        for node in self.nodes:
            if node.used and node.policy is None and node.horizon < horizon:
                divergence = min(divergence, sum(map(_divergence, node.qs, qs)))
        return bool(divergence <= threshold)

    def back_up(self, level: int) -> None:
        """Take values back to the root, prune policies, drop what the root no longer leads to."""
        for back in range(level, -1, -1):
            for node in self._observations_of(back):
                self._value(node)
        reached, frontier = {0}, [0]
        while frontier:
            children = [c for k in frontier for c in self.nodes[k].children if c >= 0]
            reached.update(children)
            frontier = children
        for number, node in enumerate(self.nodes):
            node.used = number in reached

    def _value(self, node: _Node) -> None:
        """The softmax-weighted value of a node's policies; -prune_penalty for the pruned ones."""
        values = np.full(self.branches, -float(self.settings["prune_penalty"]))
        for k, child in enumerate(node.children):
            policy = self.nodes[child]
            if child >= 0 and policy.children:
                below = zip(policy.children, policy.child_probs, strict=True)
                values[k] = policy.neg_efe + sum(self.nodes[c].neg_efe * p for c, p in below)
        probs = _softmax(values * self.settings["gamma"])
        node.neg_efe = float(probs @ values)
        node.child_probs = probs.tolist()
        for k, p in enumerate(node.child_probs):
            if p < self.settings["policy_prune_threshold"]:
                node.children[k] = -1


def _read(values: Any, name: str, axes: tuple[int, ...], sizes: Sequence[int]) -> list[Array]:
    """Return what a function of the caller returned as arrays (axes[0], size)."""
    if not isinstance(values, list | tuple) or len(values) != len(sizes):
        raise ValueError(f"{name} must be a list of {len(sizes)} arrays")
    arrays = []
    for i, (value, size) in enumerate(zip(values, sizes, strict=True)):
        array = as_real_array(value, f"{name}[{i}]")
        if array.shape not in ((*axes, size), (axes[0], size)) or not np.isfinite(array).all():
            raise ValueError(
                f"{name}[{i}] must be finite and have shape {(*axes, size)}, got {array.shape}"
            )
        arrays.append(array.reshape(axes[0], size).astype(np.float64))
    return arrays


def _softmax(x: Array) -> Array:
    exponentials = np.exp(x - x.max())
    return np.asarray(exponentials / exponentials.sum())


def _likeliest(probs: Array, count: int) -> tuple[npt.NDArray[np.int64], Array]:
    """The likeliest outcomes, at most `count`, and their probabilities, normalised."""
    order = np.argsort(-probs, kind="stable")[:count]
    return order, probs[order] / math.fsum(probs[order])


def _divergence(q: Array, p: Array) -> float:
    ratio = np.log(np.clip(q, MIN_PROBABILITY, 1.0)) - np.log(np.clip(p, MIN_PROBABILITY, 1.0))
    return float((q * ratio).sum())
