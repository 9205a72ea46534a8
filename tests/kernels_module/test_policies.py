"""Kernels of planning against pymdp.legacy's functions, and as they are in a step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_models import arrays
from pymdp.legacy import control
from pymdp.legacy.maths import softmax
from random_arrays import object_array
from random_models import models

from freeagent_core import Agent, GenerativeModel, kernels

fast = settings(max_examples=40, deadline=None, derandomize=True)
EXACT = {"rel": 1e-12, "abs": 1e-12}


@fast
@given(arrays())
def test_terms(m):
    lists, qs = {"A_factor_list": m["A_lists"]}, m["qs"]
    qo = control.get_expected_obs_factorized([qs], m["A"], m["A_lists"])
    utility = kernels.expected_utility(m["A"], qs, m["C"], repeats=2, **lists)
    assert utility == pytest.approx(control.calc_expected_utility(qo, m["C"]), **EXACT)
    gain = kernels.states_info_gain(m["A"], qs, repeats=2, **lists)
    expected = control.calc_states_info_gain_factorized(m["A"], [qs], m["A_lists"])
    assert gain == pytest.approx(expected, **EXACT)
    novelty = kernels.pA_info_gain(m["A"], qs, m["pA"], repeats=2, **lists)
    expected = control.calc_pA_info_gain_factorized(m["pA"], qo, [qs], m["A_lists"])
    assert novelty == pytest.approx(np.sum(expected), **EXACT)


@fast
@given(arrays())
def test_terms_of_a_model(m):
    A = object_array(p / p.sum(axis=0) for p in m["pA"])  # as a model takes them
    model = GenerativeModel(
        A=A, B=m["B"], C=m["C"], pA=m["pA"], pB=m["pB"],
        A_factor_list=m["A_lists"], B_factor_list=m["B_lists"],
    )  # fmt: skip
    lists, qs = {"A_factor_list": m["A_lists"]}, m["qs"]
    same = {"rel": 1e-12, "abs": 1e-12}
    assert kernels.expected_utility(model, qs) == pytest.approx(
        kernels.expected_utility(A, qs, m["C"], **lists), **same
    )
    assert kernels.states_info_gain(model, qs) == pytest.approx(
        kernels.states_info_gain(A, qs, **lists), **same
    )
    assert kernels.pA_info_gain(model, qs) == pytest.approx(
        kernels.pA_info_gain(A, qs, m["pA"], **lists), **same
    )


@fast
@given(arrays())
def test_pB_info_gain(m):
    predicted = kernels.predicted_states(m["B"], m["qs"], m["action"], B_factor_list=m["B_lists"])
    expected = control.calc_pB_info_gain_interactions(
        m["pB"], [predicted], m["qs"], m["B_lists"], np.array([m["action"]])
    )
    found = kernels.pB_info_gain(
        m["pB"], m["qs"], m["action"], predicted, B_factor_list=m["B_lists"], repeats=2
    )
    assert found == pytest.approx(expected, **EXACT)


@fast
@given(m=arrays(), depth=st.integers(1, 4))
def test_inductive_cost(m, depth):
    reach = []
    for n in m["num_states"]:
        rows = np.zeros((depth, n))
        for step in range(depth):  # a state in reach stays so
            rows[step:, m["rng"].random(n) < 0.4] = 1.0
        reach.append(rows)
    found = kernels.inductive_cost(reach, m["prior"], m["qs"], repeats=2)
    expected = control.calc_inductive_cost(m["prior"], [m["qs"]], reach)
    assert found == pytest.approx(expected, **EXACT)


@fast
@given(m=arrays(), steps=st.integers(2, 3))
def test_utility_that_depends_on_time(m, steps):
    C = [m["rng"].normal(size=(n, steps)) for n in m["num_obs"]]
    C[0] = C[0][:, 0]
    qo = control.get_expected_obs_factorized([m["qs"]], m["A"], m["A_lists"])
    for step in range(steps):
        columns = object_array([C[0], *(c[:, step] for c in C[1:])])
        found = kernels.expected_utility(m["A"], m["qs"], C, step=step, A_factor_list=m["A_lists"])
        assert found == pytest.approx(control.calc_expected_utility(qo, columns), **EXACT)


@fast
@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(1, 40), gamma=st.sampled_from([0.0, 1.0, 16.0])
)
def test_policy_posterior(seed, n, gamma):
    rng = np.random.default_rng(seed)
    G, E = rng.normal(size=n), rng.dirichlet(np.ones(n))
    out = np.empty(n)
    assert kernels.policy_posterior(G, E, out, gamma=gamma, repeats=3) is out
    np.testing.assert_allclose(out, softmax(gamma * G + np.log(E + 1e-16)), rtol=0, atol=1e-12)
    found = kernels.policy_posterior(G, gamma=gamma)
    np.testing.assert_allclose(found, softmax(gamma * G), rtol=0, atol=1e-12)
    kernels.policy_posterior(G, E, G, gamma=gamma, repeats=3)
    np.testing.assert_array_equal(G, out)


def test_out_stays_as_it_was_where_the_posterior_is_not_finite():
    out = np.full(2, 7.0)
    with pytest.raises(FloatingPointError, match="q_pi"):
        kernels.policy_posterior([1e308, 0.0], out=out)
    np.testing.assert_array_equal(out, 7.0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(models())
def test_evaluation_is_that_of_an_agent(model):
    agent = Agent(**model)
    agent.step([0] * len(model["A"]))
    agent.qs = agent.qs
    q_pi, G = agent.infer_policies()
    arguments = {name: value for name, value in model.items()}
    found = kernels.evaluate_policies(GenerativeModel(**arguments), agent.qs, repeats=2)
    np.testing.assert_array_equal(found[0], q_pi)
    np.testing.assert_array_equal(found[1], G)


A2, B2 = np.array([[0.9, 0.2], [0.1, 0.8]]), np.stack([np.eye(2), 1 - np.eye(2)], axis=-1)
MODEL = GenerativeModel(A2, B2)
HALF = [np.full(2, 0.5)]
C3 = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.expected_utility(A2, HALF), TypeError, "C must be an array"),
        (lambda: kernels.expected_utility(A2, HALF, [[0.0] * 3]), ValueError, r"C\[0\] must have"),
        (lambda: kernels.expected_utility(A2, HALF, [[0.0, np.nan]]), ValueError, r"C.0..1. must"),
        (lambda: kernels.expected_utility(A2, HALF, [C3], step=3), ValueError, "step"),
        (lambda: kernels.expected_utility(A2, HALF, [C3], step=-1), ValueError, "step"),
        (lambda: kernels.expected_utility(MODEL, HALF, [[0.0] * 2]), ValueError, "C must not be"),
        (lambda: kernels.states_info_gain(A2 * np.nan, HALF), ValueError, r"A\[0\]\[0, 0\]"),
        (lambda: kernels.states_info_gain(MODEL, HALF, joint_outcomes=True), ValueError, "joint"),
        (lambda: kernels.pA_info_gain(A2, HALF), TypeError, "pA must be an array"),
        (lambda: kernels.pA_info_gain(A2, HALF, [np.ones(3)]), ValueError, r"pA\[0\] must have"),
        (lambda: kernels.pA_info_gain(MODEL, HALF), ValueError, "needs pA"),
        (lambda: kernels.pB_info_gain(MODEL, HALF, [0], HALF), ValueError, "needs pB"),
        (lambda: kernels.pB_info_gain(B2 + 1, HALF, [2], HALF), ValueError, r"action\[0\]"),
        (lambda: kernels.pB_info_gain(B2 + 1, HALF, [0], [[1.0]]), ValueError, "predicted"),
        (lambda: kernels.inductive_cost(MODEL, HALF, HALF), ValueError, "needs H"),
        (lambda: kernels.inductive_cost([[1.0, 0.0]], HALF, HALF), ValueError, r"I\[0\] must have"),
        (lambda: kernels.policy_posterior([]), ValueError, "G must not be empty"),
        (lambda: kernels.policy_posterior([np.nan]), ValueError, r"G\[0\] must be finite"),
        (lambda: kernels.policy_posterior([0.0], [0.5, 0.5]), ValueError, "E must have shape"),
        (lambda: kernels.policy_posterior([0.0], gamma=np.nan), ValueError, "gamma must be finite"),
        (lambda: kernels.evaluate_policies(A2, HALF), TypeError, "model must be a GenerativeModel"),
        (lambda: kernels.evaluate_policies(MODEL.replace(policy_len=14), HALF), ValueError,
         "too many to enumerate"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
