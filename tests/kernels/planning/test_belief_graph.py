"""The hash-consed belief graph: equal beliefs are one, and its memory is bounded."""

import numpy as np
import pytest
from random_arrays import object_array
from ways_to_evaluate import grid

from freeagent_core import Agent, GenerativeModel, Population
from freeagent_core._kernels.base.growable_array import bound_memory


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
@pytest.mark.parametrize("policy_len", [6, 8])
def test_cost_grows_with_distinct_beliefs(rows, policy_len):
    model = GenerativeModel(**grid(rows, 5, policy_len))
    agent = Agent.from_model(model)
    agent.step([1])
    size = model.packed.graph_size()
    at = agent.qs[0].argmax()
    in_reach = sum(
        abs(cell // 5 - at // 5) + abs(cell % 5 - at % 5) <= policy_len for cell in range(rows * 5)
    )
    # one of each cell in reach, and the present belief as the root
    assert in_reach <= size["nodes"] <= in_reach + 1
    assert in_reach <= size["beliefs"] <= in_reach + 1
    assert len(model.policy_arrays) == 5**policy_len


def test_too_many_distinct_beliefs():
    """A clear error instead of exhausted memory; the agent stays as it was."""
    rng = np.random.default_rng(0)
    B = np.zeros((40, 40, 3))
    for u in range(3):
        for s in range(40):
            B[[s, (s + 1 + u) % 40], s, u] = rng.dirichlet([1, 1])
    model = {"A": object_array([rng.dirichlet(np.ones(4), 40).T]), "B": object_array([B]),
             "policy_len": 12}  # fmt: skip
    agent = Agent(**model)
    population = Population(agent.model, 2, seed=0)
    before = agent.qs[0].copy()
    limit = bound_memory(1 << 20)
    try:
        for call in (lambda: agent.step([0]), agent.infer_policies):
            with pytest.raises(MemoryError, match="predicted beliefs are distinct"):
                call()
        with pytest.raises(MemoryError, match=r"agents \[0, 1\]"):
            population.step([0, 1])
    finally:
        bound_memory(limit)
    np.testing.assert_array_equal(agent.qs[0], before)
    assert agent.prev_actions is None
    assert (population.timesteps == 0).all()
    assert Agent.from_model(agent.model.replace(policy_len=3)).step([0]).shape == (1,)
