"""Kernels of inference against pymdp.legacy's functions and NumPy, and as they are in a step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_models import arrays
from pymdp.legacy import control
from pymdp.legacy.algos import run_mmp_factorized, run_vanilla_fpi_factorized
from pymdp.legacy.maths import calc_free_energy, get_joint_likelihood_seq_by_modality
from pymdp.legacy.utils import onehot
from random_arrays import distribution, object_array

from freeagent_core import Agent, GenerativeModel, kernels

fast = settings(max_examples=40, deadline=None, derandomize=True)
EXACT = {"rtol": 0, "atol": 1e-12}


def assert_close(ours, theirs, **tolerance):
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, **(tolerance or EXACT))


def model_of(m, **arguments):
    return GenerativeModel(
        A=m["A"], B=m["B"], A_factor_list=m["A_lists"], B_factor_list=m["B_lists"], **arguments
    )


@fast
@given(arrays())
def test_predictions(m):
    states = control.get_expected_states_interactions(
        m["qs"], m["B"], m["B_lists"], np.array([m["action"]])
    )[0]
    outcomes = control.get_expected_obs_factorized([m["qs"]], m["A"], m["A_lists"])[0]
    model = model_of(m)
    for source, lists in ((model, {}), (m["B"], {"B_factor_list": m["B_lists"]})):
        found = kernels.predicted_states(source, m["qs"], m["action"], repeats=2, **lists)
        assert_close(found, states)
    for source, lists in ((model, {}), (m["A"], {"A_factor_list": m["A_lists"]})):
        found = kernels.predicted_outcomes(source, m["qs"], repeats=2, **lists)
        assert_close(found, outcomes)
    out = [np.empty(n) for n in m["num_states"]]
    assert kernels.predicted_states(model, m["qs"], m["action"], out) is out
    assert_close(out, states)


def expected_beliefs(m, observation, **params):
    modalities = [
        [k for k, fs in enumerate(m["A_lists"]) if f in fs] for f in range(len(m["num_states"]))
    ]
    lists = {"A_factor_list": m["A_lists"], "A_modality_list": modalities}
    return run_vanilla_fpi_factorized(
        m["A"], observation, m["num_obs"], m["num_states"], lists, prior=m["prior"], **params
    )


@fast
@given(
    m=arrays(), num_iter=st.integers(1, 12), compute_vfe=st.booleans(), distributions=st.booleans()
)
def test_belief_update(m, num_iter, compute_vfe, distributions):
    for k, array in enumerate(m["A"]):  # fixed points of sharp likelihoods may be unstable
        m["A"][k] = 0.5 * array + 0.5 * distribution(m["rng"], array.shape, "smooth")
    observation = object_array(map(onehot, m["observation"], m["num_obs"]))
    given_observation = m["observation"]
    if distributions:
        observation = object_array(m["rng"].dirichlet(np.ones(n)) for n in m["num_obs"])
        given_observation = observation
    expected = expected_beliefs(m, observation, num_iter=num_iter, compute_vfe=compute_vfe)
    for source, lists in ((model_of(m), {}), (m["A"], {"A_factor_list": m["A_lists"]})):
        found = kernels.update_beliefs(
            source, given_observation, m["prior"], num_iter=num_iter, compute_vfe=compute_vfe,
            repeats=3, **lists,
        )  # fmt: skip
        assert_close(found, expected)


@fast
@given(m=arrays(), joint=st.booleans())
def test_free_energy(m, joint):
    """Every modality over all factors, as pymdp's accuracy needs them."""
    shapes = [(n, *m["num_states"]) for n in m["num_obs"]]
    A = object_array(distribution(m["rng"], shape, "sparse") for shape in shapes)
    rows = np.array([a[o] for a, o in zip(A, m["observation"], strict=True)])
    LL = np.log(rows.prod(axis=0) + 1e-16) if joint else np.log(rows + 1e-16).sum(axis=0)
    log_prior = object_array(np.log(p + 1e-16) for p in m["prior"])
    expected = calc_free_energy(m["qs"], log_prior, len(m["qs"]), likelihood=LL)[0]
    found = kernels.free_energy(
        A, m["observation"], m["qs"], m["prior"], joint_likelihood=joint, repeats=2
    )
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


@fast
@given(arrays())
def test_posterior_of_one_factor_has_the_evidence_as_its_free_energy(m):
    A = np.vstack([distribution(m["rng"], (4, 5), "smooth")])
    prior = m["rng"].dirichlet(np.ones(5))
    qs = kernels.update_beliefs(A, 2, [prior])
    assert kernels.free_energy(A, 2, qs, [prior]) == pytest.approx(-np.log(A[2] @ prior), abs=1e-12)


@fast
@given(
    m=arrays(), steps=st.integers(1, 3), num_iter=st.integers(1, 4), policy_len=st.integers(1, 2)
)
def test_message_passing(m, steps, num_iter, policy_len):
    rng = m["rng"]
    m["B"] = object_array(
        distribution(rng, (n, n, u), "smooth")
        for n, u in zip(m["num_states"], m["controls"], strict=True)
    )
    own = [[f] for f in range(len(m["num_states"]))]
    seen = [[int(rng.integers(n)) for n in m["num_obs"]] for _ in range(steps)]
    taken = [[int(rng.integers(u)) for u in m["controls"]] for _ in range(steps - 1)]
    policies = [rng.integers(0, m["controls"], size=(policy_len, len(own))) for _ in range(3)]
    vectors = [object_array(map(onehot, o, m["num_obs"])) for o in seen]
    likelihoods = get_joint_likelihood_seq_by_modality(m["A"], vectors, m["num_states"])
    modalities = [
        [k for k, fs in enumerate(m["A_lists"]) if f in fs] for f in range(len(m["num_states"]))
    ]
    lists = {"A_factor_list": m["A_lists"], "A_modality_list": modalities}
    qs, F = kernels.pass_messages(
        m["A"], seen, taken, m["prior"], B=m["B"], policies=policies,
        A_factor_list=m["A_lists"], num_iter=num_iter, repeats=2,
    )  # fmt: skip
    for policy, found, free_energy in zip(policies, qs, F, strict=True):
        expected, expected_F = run_mmp_factorized(
            likelihoods, lists, m["B"], own, policy, np.array(taken) if taken else None, m["prior"],
            num_iter=num_iter,
        )  # fmt: skip
        for mine, other in zip(found, expected, strict=True):
            assert_close(mine, other, rtol=0, atol=1e-10)
        assert free_energy == pytest.approx(np.sum(expected_F), rel=1e-9, abs=1e-9)


def test_they_are_the_kernels_of_a_step():
    """To the bit, on the model's own arrays."""
    rng = np.random.default_rng(0)
    A = object_array(distribution(rng, (4, 5, 3), "smooth") for _ in range(2))
    B = object_array(distribution(rng, (n, n, 2), "smooth") for n in (5, 3))
    model = GenerativeModel(A, B)
    agent = Agent.from_model(model)
    first = agent.infer_states([1, 2])
    assert_close(kernels.update_beliefs(model, [1, 2]), first, rtol=0, atol=0)
    agent.infer_policies()
    action = agent.sample_action()
    prior = kernels.predicted_states(model, first, action)
    second = agent.infer_states([0, 3])
    assert_close(kernels.update_beliefs(model, [0, 3], prior), second, rtol=0, atol=0)
    agent = Agent(A, B, inference_algo="MMP", inference_horizon=3)
    agent.step([1, 2])
    agent.infer_states([0, 3])
    mmp = GenerativeModel(A, B, inference_algo="MMP", inference_horizon=3)
    qs, F = kernels.pass_messages(mmp, [[1, 2], [0, 3]], [agent.action])
    np.testing.assert_array_equal(F, agent.F)
    for ours, theirs in zip(qs, agent.qs, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert_close(mine, other, rtol=0, atol=0)


A2, B2 = np.array([[0.9, 0.2], [0.1, 0.8]]), np.stack([np.eye(2), 1 - np.eye(2)], axis=-1)
MODEL = GenerativeModel(A2, B2)
HALF = [np.full(2, 0.5)]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.predicted_states(B2, [[0.5, 0.5, 0.0]], [0]), ValueError, r"qs.*\(2,\)"),
        (lambda: kernels.predicted_states(B2, HALF, [2]), ValueError, r"action\[0\] must be"),
        (lambda: kernels.predicted_states(B2, HALF, [0.5]), ValueError, r"action\[0\] must be"),
        (lambda: kernels.predicted_states(B2, [[0.5, -0.5]], [0]), ValueError, "negative"),
        (lambda: kernels.predicted_states(B2, [[0.5, np.nan]], [0]), ValueError, "finite"),
        (lambda: kernels.predicted_states(B2[0], HALF, [0]), ValueError, r"B\[0\] must have shape"),
        (lambda: kernels.predicted_states(-B2, HALF, [0]), ValueError, r"B\[0\].* non-negative"),
        (lambda: kernels.predicted_states(B2[:, :, :0], HALF, [0]), ValueError, "B.*not be empty"),
        (lambda: kernels.predicted_states(B2, HALF, [0], B_factor_list=[[1]]), ValueError, "in 0"),
        (lambda: kernels.predicted_states(MODEL, HALF, [0], B_factor_list=[[0]]), ValueError,
         "B_factor_list must not be given beside a model"),
        (lambda: kernels.predicted_states(MODEL, HALF, [0], HALF * 2), ValueError, "1 arrays"),
        (lambda: kernels.predicted_states(MODEL, HALF, [0], [np.empty(3)]), ValueError, "out.0"),
        (lambda: kernels.predicted_outcomes(A2, [np.ones(3)]), ValueError, r"A\[0\] .*num_obs, 3"),
        (lambda: kernels.predicted_outcomes(A2, 0.5), TypeError, "qs must be an array"),
        (lambda: kernels.update_beliefs(A2, [0]), ValueError, "prior must be given"),
        (lambda: kernels.update_beliefs(A2, [2], HALF), ValueError, r"observation\[0\] must be in"),
        (lambda: kernels.update_beliefs(A2, [0, 0], HALF), ValueError, "one entry per modality"),
        (lambda: kernels.update_beliefs(A2, [0], HALF, num_iter=-1), ValueError, "num_iter"),
        (lambda: kernels.update_beliefs(A2, [0], HALF, dF_tol="a"), TypeError, "dF_tol must be"),
        (lambda: kernels.free_energy(A2, [0], HALF), ValueError, "prior must be given"),
        (lambda: kernels.free_energy(A2, [0], [[1.0]], HALF), ValueError, "A.0. must have"),
        (lambda: kernels.pass_messages(MODEL, [[0]]), ValueError, "inference_algo='MMP'"),
        (lambda: kernels.pass_messages(A2, [[0]]), ValueError, "B must be given"),
        (lambda: kernels.pass_messages(A2, [], B=B2), ValueError, "at least one"),
        (lambda: kernels.pass_messages(A2, [[0], [0]], B=B2), ValueError, "one less"),
        (lambda: kernels.pass_messages(A2, [[0], [3]], [[0]], B=B2), ValueError, "observation"),
        (lambda: kernels.pass_messages(A2, [[0], [0]], [[7]], B=B2), ValueError, "action"),
        (lambda: kernels.pass_messages(A2, [[0]], B=B2, policies=[[[5]]]), ValueError, "policies"),
        (lambda: kernels.pass_messages(A2, [[0]], B=B2, policies=[[[0]], [[0], [0]]]), ValueError,
         r"policies\[1\] must have as many steps"),
        (lambda: kernels.pass_messages(A2, [[0]], B=B2, num_iter=0), ValueError, "num_iter must"),
        (lambda: kernels.pass_messages(A2, [[0]], B=B2, tau=np.inf), ValueError, "tau must be"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
