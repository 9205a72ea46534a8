"""Pictures of search trees and of beliefs, with Matplotlib and, for trees, networkx.

Source: `pymdp.planning.visualize`.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from freeagent_core._functions.plots import pyplot
from freeagent_core.pymdp_v1._arrays import as_array
from freeagent_core.pymdp_v1.planning.si import SearchTree

MAX_NODES = 1000  # of a picture

_COLOURS = {"policy": "Purples", "observation": "Oranges"}
_LEGEND = {"policy": "Policy Nodes", "observation": "Observation Nodes"}


def action_to_string(action: Any, model: Any = None) -> str:
    """Describe an action by its numbers, or by the names that a compiled model has for them.

    Parameters
    ----------
    action : (num_factors,) array of int
    model : distribution.Model, optional

    Returns
    -------
    str
        The name of each control once; what is called "noop" is left out where others are not.

    Examples
    --------
    >>> action_to_string([1, 0])
    '[1, 0]'
    """
    if model is None:
        return str(action)
    names: dict[str, Any] = {}
    for transition, number in zip(model.B, action, strict=False):
        control = list(transition.batch)[-1]
        labels = transition.batch[control]
        if int(number) < len(labels):
            names.setdefault(control, labels[int(number)])
    return ", ".join(str(name) for name in names.values() if name != "noop") or "noop"


def observation_to_string(observation: Any, model: Any = None) -> str:
    """Describe an observation by its numbers, or by the names that a compiled model has for them.

    Parameters
    ----------
    observation : (1, num_modalities) array of int
    model : distribution.Model, optional

    Returns
    -------
    str
        With `model` a line for each modality.
    """
    if model is None:
        return str(observation[0])
    return "".join(
        f"{next(iter(likelihood.event.values()))[int(outcome)]},\n"
        for likelihood, outcome in zip(model.A, observation[0], strict=False)
    )


def formatting_jax(value: Any, format_str: str = ".2f") -> str:
    """Write a number, or a list of them, with few digits.

    Examples
    --------
    >>> formatting_jax(0.123), formatting_jax([1.0, 2.0])
    ('0.12', '[1.00, 2.00]')
    """
    array = as_array(value)
    if array.ndim > 1 or array.dtype.kind not in "fiub":
        return str(value)[:10]
    numbers = [f"{float(x):{format_str}}" for x in array.ravel()]
    return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"


def plot_plan_tree(
    tree: SearchTree,
    model: Any = None,
    root_node: Mapping[str, Any] | None = None,
    max_depth: int = 4,
    min_prob: float = 0.2,
    observation_description: Callable[..., str] = observation_to_string,
    action_description: Callable[..., str] = action_to_string,
    figsize: tuple[float, float] = (8, 7),
    font_size: float = 10,
    node_size: float = 1500,
    layout: str = "dot",
    ax: Any = None,
) -> tuple[Any, dict[int, tuple[float, float]]]:
    """Draw a search tree: policies, and the observations that they may lead to.

    Parameters
    ----------
    tree : SearchTree
    model : distribution.Model, optional
        For the descriptions.
    root_node : dict, optional
        A node of the tree, ``tree[index]``, to begin with; by default ``tree.root()``.
    max_depth : int, default 4
        Levels of nodes below the root.
    min_prob : float, default 0.2
        Nodes less likely than this are left out.
    observation_description, action_description : callable
        Take an observation (1, num_modalities) or an action (num_factors,), and `model`.
    figsize, font_size, node_size
        Of the picture, in inches, points and square points.
    layout : str
        "dot" from above, "twopi" from the centre; else by springs.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    graph : networkx.DiGraph
    pos : dict
        Where each node of the graph is.

    Raises
    ------
    ImportError
        Without Matplotlib or networkx.
    """
    plt, nx = pyplot(), _networkx()
    if not isinstance(tree, SearchTree):
        raise TypeError(f"tree must be a SearchTree, got {type(tree).__name__}")
    root = tree.root() if root_node is None else root_node
    graph, labels, colours = nx.DiGraph(), {}, []
    queue: list[tuple[Mapping[str, Any], float | None, int | None, int]] = [(root, None, None, 0)]
    for number, (node, probability, parent, depth) in enumerate(queue):  # it grows
        kind = "policy" if "policy" in node else "observation"
        lines = [str(node["idx"])]
        if kind == "policy":
            lines.append(action_description(node["policy"], model))
        elif parent is not None:
            lines.append(observation_description(node["observation"], model))
        if probability is not None:
            lines.append(f"P:{formatting_jax(probability)}")
        if kind == "policy" or parent is not None:
            lines.append(f"neg_efe:{formatting_jax(node['neg_efe'])}")
        graph.add_node(number, idx=node["idx"], type=kind)
        labels[number] = "\n".join(lines)
        colours.append(plt.get_cmap(_COLOURS[kind])(0.5) if parent is not None else "lightgrey")
        if parent is not None:
            graph.add_edge(parent, number)
        if depth == max_depth:
            continue
        for child, p in zip(node["children"], node["children_probs"], strict=True):
            if p >= min_prob and len(queue) < MAX_NODES:
                queue.append((tree[int(child)], float(p), number, depth + 1))
    if ax is None:
        _, ax = plt.subplots(figsize=figsize)
    pos = _places(graph, layout)
    nx.draw_networkx_edges(graph, pos, alpha=0.3, arrowsize=5, ax=ax)
    nx.draw_networkx_nodes(
        graph, pos, node_size=node_size, node_color=colours, alpha=0.8, edgecolors="gray", ax=ax
    )
    nx.draw_networkx_labels(graph, pos, labels=labels, font_size=font_size, ax=ax)
    ax.set_axis_off()
    patches = [
        plt.Rectangle((0, 0), 1, 1, facecolor=plt.get_cmap(colour)(0.5), label=_LEGEND[kind])
        for kind, colour in _COLOURS.items()
    ]
    ax.legend(handles=patches, loc="upper right", fontsize=font_size)
    return graph, pos


def _networkx() -> Any:
    try:
        return importlib.import_module("networkx")
    except ImportError as error:
        raise ImportError("pictures of trees need networkx: pip install networkx") from error


def _places(graph: Any, layout: str) -> dict[int, tuple[float, float]]:
    """Place a tree's nodes, each over the middle of its children, or by springs."""
    if layout not in ("dot", "twopi"):
        return dict(_networkx().spring_layout(graph, k=0.3, iterations=50, seed=0))
    at: dict[int, tuple[float, float]] = {}
    depth, leaves = {0: 0}, 0
    for parent, child in graph.edges:  # a parent's number is below its children's
        depth[child] = depth[parent] + 1
    for node in _children_first(graph):
        below = [at[child][0] for child in graph.successors(node)]
        if not below:
            below, leaves = [float(leaves)], leaves + 1
        at[node] = ((below[0] + below[-1]) / 2, -float(depth[node]))
    if layout == "dot":
        return at
    turn = 2 * math.pi / leaves
    return {node: (-y * math.cos(x * turn), -y * math.sin(x * turn)) for node, (x, y) in at.items()}


def _children_first(graph: Any) -> list[int]:
    """Return a tree's nodes, those below a node before it, from left to right."""
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(graph.successors(node))  # the last child is next, so that reversed it is last
    return order[::-1]


def visualize_plan_tree(
    info: Mapping[str, Any],
    time_idx: int | None = 0,
    agent_idx: int = 0,
    root_idx: int | None = None,
    model: Any = None,
    observation_description: Callable[..., str] = observation_to_string,
    action_description: Callable[..., str] = action_to_string,
    max_depth: int = 4,
    min_prob: float = 0.2,
    layout: str = "dot",
    node_size: float = 1500,
    font_size: float = 10,
    figsize: tuple[float, float] = (8, 7),
    ax: Any = None,
) -> None:
    """Show the search tree of one agent, at one step of a rollout.

    Parameters
    ----------
    info : dict
        Of a `rollout` with `si.si_policy_search`, or of the search itself.
    time_idx : int or None, default 0
        The step of a rollout; None for the `info` of a search.
    agent_idx : int, default 0
    root_idx : int, optional
        The node to begin with.
    model, observation_description, action_description, max_depth, min_prob, layout, node_size, \
font_size, figsize, ax
        See `plot_plan_tree`.
    """
    tree = info["tree"][agent_idx]
    if time_idx is not None:
        tree = tree[time_idx] if isinstance(tree, Sequence) else None
        if tree is None:
            raise TypeError("the info of a search has no steps: time_idx must be None")
    plot_plan_tree(
        tree,
        model=model,
        root_node=None if root_idx is None else tree[root_idx],
        max_depth=max_depth,
        min_prob=min_prob,
        observation_description=observation_description,
        action_description=action_description,
        figsize=figsize,
        font_size=font_size,
        node_size=node_size,
        layout=layout,
        ax=ax,
    )
    pyplot().tight_layout()
    pyplot().show()


def visualize_beliefs(info: Mapping[str, Any], agent_idx: int = 0, model: Any = None) -> None:
    """Show the beliefs of one agent over a rollout, darker where they are surer.

    Parameters
    ----------
    info : dict
        Of a `rollout`.
    agent_idx : int, default 0
    model : distribution.Model, optional
        Its names of factors and states are written beside.
    """
    plt, qs = pyplot(), info["qs"]
    figure, axes = plt.subplots(len(qs), 1, figsize=(6, 2 * len(qs)), sharex=True, squeeze=False)
    for f, (own, beliefs) in enumerate(zip(axes.ravel(), qs, strict=True)):
        own.imshow(beliefs[agent_idx].T, cmap="gray_r", vmin=0.0, vmax=1.0, aspect="auto")
        own.set_yticks(range(beliefs.shape[-1]))
        title = f"state factor {f}"
        if model is not None:
            title, names = next(iter(model.B[f].event.items()))
            own.set_yticklabels(names)
        own.set_title(title, fontsize=10)
    axes[-1, 0].set_xticks(range(qs[0].shape[1] + 1))
    axes[-1, 0].set_xlabel("Time step")
    figure.tight_layout()
    plt.show()
