"""The terms of G of one step, each alone, against pymdp.legacy's functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymdp.legacy import control
from random_arrays import distribution, object_array

from freeagent_core import Agent

TERMS = ("use_utility", "use_states_info_gain", "use_param_info_gain")


@pytest.mark.parametrize("term", TERMS)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["smooth", "deterministic", "sparse", "peaked"]),
    sharpness=st.sampled_from(["point mass", "masked", "flat"]),
)
def test_each_term(term, seed, kind, sharpness):
    """One factor, one step: of a point mass, with states below the mask, and of a flat belief."""
    rng = np.random.default_rng(seed)
    A = object_array([distribution(rng, (3, 6), kind), distribution(rng, (4, 6), "smooth")])
    B = object_array([distribution(rng, (6, 6, 3), kind)])
    C = object_array([rng.normal(size=3), rng.normal(size=4)])
    pA = object_array(np.where(a > 1e-6, a * 3.0, 0.0) for a in A)
    pB = object_array(np.where(b > 1e-6, b * 3.0, 0.0) for b in B)
    flags = {name: name == term for name in TERMS}
    agent = Agent(A=A, B=B, C=C, pA=pA, pB=pB, **flags)
    q = {
        "point mass": np.eye(6)[2],
        "masked": np.array([0.5, 0.5 - 3e-8, 1e-8, 2e-8, 0.0, 0.0]),
        "flat": rng.dirichlet(np.ones(6)),
    }[sharpness]
    qs = object_array([q])
    agent.qs = qs
    _, G = agent.infer_policies()
    for action in range(3):
        policy = np.array([[action]])
        qs_pi = control.get_expected_states_interactions(qs, B, [[0]], policy)
        qo_pi = control.get_expected_obs_factorized(qs_pi, A, [[0], [0]])
        expected = {
            "use_utility": lambda qo=qo_pi: control.calc_expected_utility(qo, C),
            "use_states_info_gain": lambda qs_pi=qs_pi: control.calc_states_info_gain_factorized(
                A, qs_pi, [[0], [0]]
            ),
            "use_param_info_gain": lambda qo=qo_pi, qs_pi=qs_pi, policy=policy: (
                control.calc_pA_info_gain_factorized(pA, qo, qs_pi, [[0], [0]])
                + control.calc_pB_info_gain_interactions(pB, qs_pi, qs, [[0]], policy)
            ),
        }[term]()
        np.testing.assert_allclose(G[action], expected, rtol=1e-9, atol=1e-8)
