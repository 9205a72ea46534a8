"""The packed form follows the arrays that it is computed from."""

import numpy as np
import pytest
from random_arrays import distribution, object_array

from freeagent_core import Agent


@pytest.mark.parametrize("kind", ["smooth", "deterministic"])
@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_assigned_arrays(kind, name):
    """An array that is assigned changes all that was computed from it."""
    rng = np.random.default_rng(3)

    def arguments():
        return {
            "A": object_array([distribution(rng, (5, 7), "smooth")]),
            "B": object_array([distribution(rng, (7, 7, 3), kind)]),
            "C": object_array([rng.normal(size=5)]),
            "policy_len": 2,
        }

    first, second = arguments(), arguments()
    agent = Agent(**first)
    agent.infer_states([1])
    agent.infer_policies()
    setattr(agent, name, second[name])
    other = Agent(**{**first, name: second[name]})
    for each in (agent, other):
        each.qs = object_array([np.full(7, 1 / 7)])
    np.testing.assert_array_equal(agent.infer_policies(), other.infer_policies())
