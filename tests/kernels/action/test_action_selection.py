"""The probabilities to choose by, against pymdp.legacy's functions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pymdp.legacy.control import _sample_action_test as reference
from random_arrays import object_array

from freeagent_core import Agent


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_controls=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    alpha=st.sampled_from([0.0, 0.5, 16.0, 200.0]),
)
def test_marginals_and_precision(seed, num_controls, alpha):
    rng = np.random.default_rng(seed)
    A = object_array([np.ones((1, *[2] * len(num_controls)))])
    B = object_array(np.repeat(np.eye(2)[:, :, None], u, axis=2) for u in num_controls)
    agent = Agent(A=A, B=B, action_selection="stochastic", alpha=alpha)
    agent.infer_policies()
    agent.q_pi = rng.dirichlet(np.ones(len(agent.policies)))
    _, expected = reference(
        agent.q_pi, agent.policies, num_controls, "stochastic", alpha, seed=seed % 1000
    )
    agent.sample_action()
    _, found = agent._sample_action_test()
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
