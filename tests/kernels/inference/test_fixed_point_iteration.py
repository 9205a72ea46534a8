"""Fixed-point iteration against pymdp.legacy's functions, and where products underflow."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pymdp.legacy.algos import run_vanilla_fpi_factorized
from pymdp.legacy.control import get_expected_states_interactions
from pymdp.legacy.utils import onehot
from random_arrays import distribution, object_array

from freeagent_core import Agent


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_states=st.lists(st.integers(2, 5), min_size=1, max_size=3),
    num_iter=st.integers(1, 12),
    compute_vfe=st.booleans(),
)
def test_iterations(seed, num_states, num_iter, compute_vfe):
    rng = np.random.default_rng(seed)
    num_obs = [int(n) for n in rng.integers(2, 5, 2)]
    factors = list(range(len(num_states)))
    A = object_array(distribution(rng, (n, *num_states), "smooth") for n in num_obs)
    B = object_array(distribution(rng, (n, n, 1), "smooth") for n in num_states)
    D = object_array(rng.dirichlet(np.ones(n)) for n in num_states)
    agent = Agent(A=A, B=B, D=D,
                  inference_params={"num_iter": num_iter, "compute_vfe": compute_vfe})  # fmt: skip
    observation = [int(rng.integers(n)) for n in num_obs]
    obs = object_array(onehot(o, n) for o, n in zip(observation, num_obs, strict=True))
    expected = run_vanilla_fpi_factorized(
        A, obs, num_obs, num_states, {"A_factor_list": [factors] * 2,
                                      "A_modality_list": [[0, 1]] * len(factors)},
        prior=D, num_iter=num_iter, compute_vfe=compute_vfe,
    )  # fmt: skip
    for ours, theirs in zip(agent.infer_states(observation), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_many_modalities_underflow():
    """The product of 300 likelihoods is 0 in float64; the posterior is that of their logarithms."""
    rng = np.random.default_rng(0)
    A = object_array(rng.dirichlet(np.full(60, 5.0), 4).T for _ in range(300))
    D = np.array([0.1, 0.2, 0.3, 0.4])
    agent = Agent(A=A, B=np.eye(4)[:, :, None], D=object_array([D]))
    observation = rng.integers(60, size=300).tolist()
    likelihoods = np.array([a[o] for a, o in zip(A, observation, strict=True)])
    assert np.prod(likelihoods + 1e-16, axis=0).max() < 1e-300
    logits = np.log(likelihoods + 1e-16).sum(axis=0) + np.log(D + 1e-16)
    expected = np.exp(logits - logits.max())
    np.testing.assert_allclose(
        agent.infer_states(observation)[0], expected / expected.sum(), rtol=0, atol=1e-9
    )


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["smooth", "deterministic", "sparse", "peaked"]),
)
def test_prediction(seed, kind):
    """The prior after an action, of transitions that depend on two factors."""
    rng = np.random.default_rng(seed)
    B = object_array([distribution(rng, (4, 4, 3, 2), kind), distribution(rng, (3, 3, 2), kind)])
    A = object_array([np.ones((1, 4, 3))])  # an outcome that tells nothing
    factors = [[0, 1], [1]]
    agent = Agent(A=A, B=B, B_factor_list=factors)
    qs = object_array([rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(3))])
    agent.qs, agent.action = qs, np.array([1.0, 0.0])
    expected = get_expected_states_interactions(qs, B, factors, np.array([[1, 0]]))[0]
    found = agent.infer_states([0])
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
