"""The policy tree: groups of several factors are summed out in the cheapest order."""

import numpy as np
from parity import assert_same_episode
from pymdp.legacy.agent import Agent as Reference
from random_arrays import distribution, object_array
from ways_to_evaluate import TREE, packed

from freeagent_core import Agent


def test_contraction_order():
    """Factors of unlike sizes and controls are summed out in another order than given."""
    rng = np.random.default_rng(1)
    num_states, num_controls = [2, 9, 4], [4, 1, 2]
    A = [distribution(rng, (5, *num_states), "smooth") for _ in range(2)]
    B = [
        distribution(rng, (n, n, u), "smooth")
        for n, u in zip(num_states, num_controls, strict=True)
    ]
    model = {"A": object_array(A), "B": object_array(B), "policy_len": 2,
             "pA": object_array(a * 3.0 for a in A), "use_param_info_gain": True}  # fmt: skip
    agent, reference = Agent(**model), Reference(**model)
    assert agent.model._parts["groups"][0]["contraction_order"].tolist() != [0, 1, 2]
    assert_same_episode(agent, reference, [[0, 1], [4, 2], [3, 3]])
    agent.update_A([1, 1])
    reference.update_A([1, 1])
    assert_same_episode(agent, reference, [[0, 1], [4, 2]])


def test_more_outcomes_than_are_evaluated_at_once():
    """140 policies end in as many joint beliefs, of which 64 are rows of one product."""
    rng = np.random.default_rng(2)
    num_states, num_controls = [3, 2, 4], [7, 5, 4]
    A = object_array([distribution(rng, (6, *num_states), "smooth")])
    B = object_array(
        distribution(rng, (n, n, u), "smooth")
        for n, u in zip(num_states, num_controls, strict=True)
    )
    model = {"A": A, "B": B, "C": object_array([np.arange(6.0)])}
    agent = Agent.from_model(packed(model, TREE))
    assert_same_episode(agent, Reference(**model), [[0], [4], [3]])
    assert agent.model.packed.graph_size() is None
