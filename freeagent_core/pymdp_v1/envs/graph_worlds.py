"""A graph to walk on, and an object to find."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from freeagent_core.pymdp_v1 import random
from freeagent_core.pymdp_v1._arrays import Array, FloatArray, as_array
from freeagent_core.pymdp_v1.envs.env import PymdpEnv


def generate_connected_clusters(
    cluster_size: int = 2, connections: int = 2
) -> tuple[Any, dict[str, list[str]]]:
    """Make a graph of hubs with rooms around them; needs NetworkX.

    Parameters
    ----------
    cluster_size, connections : int, default 2

    Returns
    -------
    graph : networkx.Graph
    labels : dict
        ``locations``: the name of each node.
    """
    networkx = importlib.import_module("networkx")

    edges: list[tuple[int, int]] = []
    hub = 0
    while hub < connections * cluster_size:
        edges += [(hub, room) for room in range(hub + 1, hub + cluster_size + 1)]
        hub = len(edges)
    graph = networkx.Graph()
    graph.add_edges_from(edges)
    names = [
        f"{'hallway' if graph.degree(node) > 1 else 'room'} {i}"
        for i, node in enumerate(graph.nodes)
    ]
    return graph, {"locations": names}


class GraphEnv(PymdpEnv):
    """An agent walks on a graph and sees its location, and whether the object is there.

    Factors are the agent's location and the object's (the last: nowhere); an action names the node
    to go to.

    Parameters
    ----------
    graph : networkx.Graph
        Or anything with ``nodes``, numbered from 0, and ``has_edge``.
    object_location, agent_location : int, optional
        By default drawn.
    key : key, optional
        By default 0.
    categorical_obs : bool, default False

    Source: `pymdp.envs.GraphEnv`.
    """

    def __init__(
        self,
        graph: Any,
        object_location: int | None = None,
        agent_location: int | None = None,
        key: Any = None,
        categorical_obs: bool = False,
    ) -> None:
        count = len(graph.nodes)
        A, A_dependencies = self.generate_A(graph)
        B, B_dependencies = self.generate_B(graph)
        if object_location is None:
            key = random.as_keys(0 if key is None else key)
            object_location = int(random.randint(random.split(key)[1], (), 0, count + 1))
        if agent_location is None:
            key = random.as_keys(1 if key is None else key)
            agent_location = int(random.randint(random.split(key)[1], (), 0, count))
        D = self.generate_D(graph, object_location, agent_location)
        super().__init__(A, B, D, A_dependencies, B_dependencies, categorical_obs)

    def generate_A(self, graph: Any) -> tuple[list[FloatArray], list[list[int]]]:
        """Return the likelihoods of the modalities, and the factors of each."""
        n = len(graph.nodes)
        seen = np.concatenate([np.eye(n), np.zeros((n, 1))], axis=1)
        return [np.eye(n), np.stack([1.0 - seen, seen])], [[0], [0, 1]]

    def generate_B(self, graph: Any) -> tuple[list[FloatArray], list[list[int]]]:
        """Return the transitions of the factors, and the factors of each."""
        n = len(graph.nodes)
        B = np.zeros((n, n, n))
        for here in range(n):
            for there in range(n):
                B[there if graph.has_edge(here, there) else here, here, there] = 1.0
        return [B, np.eye(n + 1)[:, :, None]], [[0], [1]]

    def generate_D(self, graph: Any, object_location: int, agent_location: int) -> list[FloatArray]:
        """Return the priors of the first state: both locations are sure."""
        n = len(graph.nodes)
        return [
            _points([agent_location], n, "agent_location")[0],
            _points([object_location], n + 1, "object_location")[0],
        ]

    def generate_env_params(  # type: ignore[override]
        self,
        graph: Any,
        key: Any = None,
        object_locations: Sequence[int] | None = None,
        agent_locations: Sequence[int] | None = None,
        batch_size: int | None = None,
    ) -> dict[str, list[Array] | None]:
        """Return parameters of a batch, whose elements begin at different locations.

        Parameters
        ----------
        graph : networkx.Graph
        key : key, optional
            To draw the locations that are not given.
        object_locations, agent_locations : list of int, optional
        batch_size : int, optional
            By default the number of locations.

        Returns
        -------
        dict of str to list of array
            Without a batch, the environment's own.
        """
        if batch_size is None:
            if object_locations is None or agent_locations is None:
                warnings.warn(
                    "neither batch_size nor object_locations and agent_locations are given: "
                    "parameters have no batch",
                    stacklevel=2,
                )
                return super().generate_env_params()
            batch_size = len(object_locations)
        n = len(graph.nodes)
        if object_locations is None or agent_locations is None:
            if key is None:
                raise ValueError(
                    "A random key must be provided to sample random initial locations."
                )
            keys = random.split(key, 2)
            if object_locations is None:
                object_locations = random.randint(keys[0], (batch_size,), 0, n + 1).tolist()
            if agent_locations is None:
                agent_locations = random.randint(keys[1], (batch_size,), 0, n).tolist()
        params = super().generate_env_params(batch_size=batch_size)
        D = [
            _points(agent_locations, n, "agent_locations"),
            _points(object_locations, n + 1, "object_locations"),
        ]
        for name, part in zip(("agent_locations", "object_locations"), D, strict=True):
            if len(part) != batch_size:
                raise ValueError(f"{name} must have {batch_size} entries, got {len(part)}")
        return {"A": params["A"], "B": params["B"], "D": D}


def _points(locations: Any, size: int, name: str) -> FloatArray:
    index = as_array(locations)
    if index.size and not (index.min() >= 0 and index.max() < size):
        raise ValueError(f"{name} must be in range({size}), got {index.tolist()}")
    return np.eye(size)[index]
