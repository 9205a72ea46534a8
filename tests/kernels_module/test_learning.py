"""Dirichlet updates against pymdp.legacy.learning, and as an agent learns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_models import arrays
from pymdp.legacy import learning
from pymdp.legacy.utils import onehot
from random_arrays import object_array

from freeagent_core import Agent, kernels

fast = settings(max_examples=40, deadline=None, derandomize=True)
EXACT = {"rtol": 1e-12, "atol": 1e-12}


@fast
@given(m=arrays(), lr=st.sampled_from([1.0, 0.3]))
def test_updates(m, lr):
    observation = object_array(map(onehot, m["observation"], m["num_obs"]))
    expected = learning.update_obs_likelihood_dirichlet_factorized(
        m["pA"], m["A"], observation, m["qs"], m["A_lists"], lr
    )
    for k, factors in enumerate(m["A_lists"]):
        beliefs = [m["qs"][f] for f in factors]
        for seen in (m["observation"][k], observation[k]):
            found = kernels.update_A(m["pA"][k], seen, beliefs, m["A"][k], lr, repeats=3)
            np.testing.assert_allclose(found, expected[k], **EXACT)
    expected = learning.update_state_likelihood_dirichlet_interactions(
        m["pB"], m["B"], np.array(m["action"]), m["qs"], m["prior"], m["B_lists"], lr
    )
    for f, factors in enumerate(m["B_lists"]):
        beliefs = [m["prior"][d] for d in factors]
        found = kernels.update_B(
            m["pB"][f], m["action"][f], m["qs"][f], beliefs, m["B"][f], lr, repeats=3
        )
        np.testing.assert_allclose(found, expected[f], **EXACT)
    pD = object_array(np.where(q > 0.1, 2.0, 0.0) for q in m["prior"])
    expected = learning.update_state_prior_dirichlet(pD, m["qs"], lr)
    for f, counts in enumerate(pD):
        np.testing.assert_allclose(kernels.update_D(counts, m["qs"][f], lr), expected[f], **EXACT)


@pytest.mark.parametrize("repeats", [1, 3])
def test_out_may_be_the_counts(repeats):
    pA, pB, pD = np.ones((2, 3)), np.ones((3, 3, 2)), np.ones(3)
    q, p = np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.4, 0.0])
    expected = [kernels.update_A(pA, 1, q), kernels.update_B(pB, 1, q, p), kernels.update_D(pD, q)]
    assert kernels.update_A(pA, 1, q, out=pA, repeats=repeats) is pA
    assert kernels.update_B(pB, 1, q, p, out=pB, repeats=repeats) is pB
    assert kernels.update_D(pD, q, out=pD, repeats=repeats) is pD
    for found, other in zip((pA, pB, pD), expected, strict=True):
        np.testing.assert_array_equal(found, other)


def test_a_factor_of_one_state():
    np.testing.assert_array_equal(kernels.update_A(np.ones((2, 1)), 0, [1.0]), [[2.0], [1.0]])
    np.testing.assert_array_equal(kernels.update_A(np.ones((2, 1)), 0, [[1.0]]), [[2.0], [1.0]])


def test_they_are_the_kernels_of_an_agent():
    rng = np.random.default_rng(0)
    pA = object_array([rng.integers(1, 9, (3, 4)) / 2.0])
    pB = object_array([rng.integers(1, 9, (4, 4, 2)) / 2.0])
    agent = Agent(pA[0] / pA[0].sum(axis=0), pB[0] / pB[0].sum(axis=0), pA=pA, pB=pB)
    agent.step([1])
    before = agent.qs
    agent.infer_states([2])
    q, action = agent.qs[0], int(agent.action[0])
    np.testing.assert_array_equal(agent.update_A([2])[0], kernels.update_A(pA[0], 2, q))
    np.testing.assert_array_equal(
        agent.update_B(before)[0], kernels.update_B(pB[0], action, q, before[0])
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.update_A(np.ones(2), 0, [1.0]), ValueError, "pA must have shape"),
        (lambda: kernels.update_A(np.ones((2, 2)), 2, [0.5, 0.5]), ValueError, "observation must"),
        (lambda: kernels.update_A(np.ones((2, 2)), 0, [1.0]), ValueError, r"qs must have"),
        (lambda: kernels.update_A(np.ones((2, 2, 2)), 0, [0.5, 0.5]), ValueError, "qs"),
        (lambda: kernels.update_A(np.ones((2, 2)), [0.5], [0.5, 0.5]), ValueError, "observation"),
        (lambda: kernels.update_A(np.ones((2, 2)), 0, [np.nan, 1]), ValueError, "must be finite"),
        (lambda: kernels.update_A(np.ones((2, 2)), 0, [0, 1], np.ones(2)), ValueError, "A must"),
        (lambda: kernels.update_A(np.ones((0, 2)), 0, [0, 1]), ValueError, "pA must not be empty"),
        (lambda: kernels.update_A(np.ones((2, 2)), 0, [0, 1], lr=np.nan), ValueError, "lr must be"),
        (lambda: kernels.update_B(np.ones((2, 2)), 0, [0, 1], [0, 1]), ValueError, "pB must have"),
        (
            lambda: kernels.update_B(np.ones((2, 2, 1)), 1, [0, 1], [0, 1]),
            ValueError,
            "action must",
        ),
        (lambda: kernels.update_B(np.ones((2, 2, 1)), 0, [1], [0, 1]), ValueError, "qs must have"),
        (lambda: kernels.update_B(np.ones((2, 2, 1)), 0, [0, 1], [1]), ValueError, "qs_previous"),
        (lambda: kernels.update_D([[1.0]], [1.0]), ValueError, "pD must have 1 dimension"),
        (lambda: kernels.update_D([1.0], [1.0, 2.0]), ValueError, r"qs must have shape \(1,\)"),
        (lambda: kernels.update_D([1.0], [1.0], out=np.zeros(2)), ValueError, "out must be"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
