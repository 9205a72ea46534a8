"""Marginal message passing against ``pymdp.legacy``."""

import copy
import os
import pickle

import numpy as np
import pytest
from environments import epistemic_bandit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parity import BELIEFS, G
from parity_mmp import (
    assert_same_sequences,
    assert_same_step,
    let_reference_run_on_new_numpy,
    mmp_models,
    quiet,
)
from pymdp.legacy.agent import Agent as Reference
from random_arrays import distribution, object_array, observations

from freeagent_core import Agent
from freeagent_core._kernels.base.primitives import set_simd_level, simd_level, simd_levels

slow = settings(
    max_examples=int(os.environ.get("FREEAGENT_CORE_EXAMPLES", "20")),
    deadline=None,
    derandomize="FREEAGENT_CORE_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(autouse=True, scope="module")
def reference_on_new_numpy():
    with pytest.MonkeyPatch.context() as patch:
        let_reference_run_on_new_numpy(patch)
        yield


@slow
@given(model=mmp_models(), seed=st.integers(0, 2**32 - 1))
def test_episodes(model, seed):
    model.pop("H", None)
    agent, reference = Agent(**model), quiet(Reference, **model)
    for t, observation in enumerate(observations(model, seed, 5)):
        assert_same_step(agent, reference, observation, t)
        if not model["policy_sep_prior"]:
            for mine, theirs in zip(agent.latest_belief, reference.latest_belief, strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=0, atol=BELIEFS)


@slow
@given(model=mmp_models(), seed=st.integers(0, 2**32 - 1))
def test_distributions_as_observations(model, seed):
    model.pop("H", None)
    rng = np.random.default_rng(seed)
    agent, reference = Agent(**model), quiet(Reference, **model)
    for t in range(3):
        kind = ("smooth", "sparse", "peaked")[t]
        observation = object_array(distribution(rng, (len(A),), kind) for A in model["A"])
        assert_same_step(agent, reference, observation, t, distr_obs=True)


@slow
@given(model=mmp_models(factor_lists=False), seed=st.integers(0, 2**32 - 1))
def test_traces(model, seed):
    """`_infer_states_test`: one joint likelihood, and what each iteration did."""
    agent, reference = Agent(**model), quiet(Reference, **model)
    for observation in observations(model, seed, 2):
        qs, xn, vn = quiet(reference._infer_states_test, observation)
        mine, my_xn, my_vn = agent._infer_states_test(observation)
        assert_same_sequences(mine, qs)
        assert_same_sequences(my_xn, xn)
        for p, iterations in enumerate(vn):
            for i, factors in enumerate(iterations):
                for f, errors in enumerate(factors):
                    np.testing.assert_allclose(my_vn[p][i][f], errors, rtol=1e-9, atol=G)
        np.testing.assert_allclose(agent.F, reference.F, rtol=1e-12, atol=G)
        for each in (agent, reference):
            each.q_pi = np.full(len(each.policies), 1.0 / len(each.policies))
            each.action = np.zeros(each.num_factors)
            each.step_time()


@pytest.mark.parametrize("params", [{"num_iter": 1}, {"tau": 0.9, "num_iter": 4}])
@slow
@given(model=mmp_models(), seed=st.integers(0, 2**32 - 1))
def test_inference_params(params, model, seed):
    agent, reference = Agent(**model, inference_params=params), quiet(Reference, **model)
    reference.inference_params.update(params)
    observation = observations(model, seed, 1)[0]
    expected = quiet(reference.infer_states, observation)
    assert_same_sequences(agent.infer_states(observation), expected)
    np.testing.assert_allclose(agent.F, reference.F, rtol=1e-12, atol=G)


@pytest.mark.parametrize("level", simd_levels())
@pytest.mark.parametrize("num_states", [3, 8, 9, 17, 31, 40])
@pytest.mark.parametrize("params", [{"tau": 0.9}, {"tau": 0.25}, {"grad_descent": False}])
def test_lengths_of_beliefs(num_states, params, level):
    """Up to four vectors of a belief stand in registers; a longer one goes through memory."""
    rng = np.random.default_rng(num_states)
    sizes = (num_states, 2)
    model = {
        "A": object_array(distribution(rng, (o, *sizes), "smooth") for o in (5, 2)),
        "B": object_array(distribution(rng, (n, n, 2), "smooth") for n in sizes),
        "inference_algo": "MMP",
        "inference_horizon": 2,
        "policy_len": 2,
    }
    agent, reference = Agent(**model, inference_params=params), quiet(Reference, **model)
    reference.inference_params.update(params)
    before = simd_level()
    set_simd_level(level)
    try:
        for observation in ([3, 1], [0, 0]):
            expected = quiet(reference.infer_states, observation)
            assert_same_sequences(agent.infer_states(observation), expected)
            np.testing.assert_allclose(agent.F, reference.F, rtol=1e-12, atol=G)
            for each in (agent, reference):
                each.q_pi = np.full(len(each.policies), 1.0 / len(each.policies))
                each.action = np.zeros(each.num_factors)
                each.step_time()
    finally:
        set_simd_level(before)


def test_certain_transitions_that_depend_on_two_factors():
    """Transitions with one entry a column are lists of entries, not matrices."""
    rng = np.random.default_rng(3)
    sizes = (24, 2)
    B = [distribution(rng, (24, 24, 2, 2), "deterministic"), np.stack([np.eye(2)] * 2, axis=-1)]
    model = {
        "A": object_array([distribution(rng, (5, *sizes), "smooth")]),
        "B": object_array(B),
        "B_factor_list": [[0, 1], [1]],
        "inference_algo": "MMP",
        "inference_horizon": 3,
        "policy_len": 2,
    }
    agent, reference = Agent(**model), quiet(Reference, **model)
    assert agent.model._parts["factors"][0]["sparse_start"] is not None
    for t, seen in enumerate([0, 3, 1, 4]):
        assert_same_step(agent, reference, [seen], t)


@slow
@given(model=mmp_models(), seed=st.integers(0, 2**32 - 1), level=st.sampled_from(simd_levels()))
def test_roots_are_logarithms(model, seed, level):
    """tau = 1/4 takes square roots of products where any other takes logarithms."""
    taus = 0.25, np.nextafter(0.25, 1.0)
    agents = [Agent(**model, inference_params={"tau": tau}) for tau in taus]
    before = simd_level()
    set_simd_level(level)
    try:
        for observation in observations(model, seed, 2):
            assert_same_sequences(*(each.infer_states(observation) for each in agents), 1e-12)
            np.testing.assert_allclose(agents[0].F, agents[1].F, rtol=1e-12, atol=1e-10)
            for each in agents:
                each.infer_policies()
                each.action = np.zeros(each.num_factors)
                each.step_time()
    finally:
        set_simd_level(before)


@slow
@given(model=mmp_models(factor_lists=False), seed=st.integers(0, 2**32 - 1))
def test_without_gradient_descent(model, seed):
    agent, reference = Agent(**model), quiet(Reference, **model)
    agent.inference_params = {"grad_descent": False}
    reference.inference_params["grad_descent"] = False
    observation = observations(model, seed, 1)[0]
    expected = quiet(reference.infer_states, observation)
    assert_same_sequences(agent.infer_states(observation), expected)
    np.testing.assert_allclose(agent.F, reference.F, rtol=1e-12, atol=G)


@slow
@given(model=mmp_models(), seed=st.integers(0, 2**32 - 1))
def test_learning_the_initial_states(model, seed):
    model.pop("H", None)
    model["save_belief_hist"] = False
    rng = np.random.default_rng(seed)
    model["pD"] = object_array(rng.integers(1, 5, size=len(B)) / 2.0 for B in model["B"])
    agent, reference = Agent(**model), quiet(Reference, **model)
    for t, observation in enumerate(observations(model, seed, 2)):
        assert_same_step(agent, reference, observation, t)
        for mine, theirs in zip(agent.update_D(), reference.update_D(), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=BELIEFS)


def bandit(**flags):
    model = {**epistemic_bandit(), "policy_len": 2, "inference_horizon": 3}
    return {**model, "inference_algo": "MMP", **flags}


@pytest.mark.parametrize("action_selection", ["deterministic", "stochastic"])
@pytest.mark.parametrize("sampling_mode", ["marginal", "full"])
@pytest.mark.parametrize("goal", [False, True])
def test_bandit(action_selection, sampling_mode, goal):
    flags = {"action_selection": action_selection, "sampling_mode": sampling_mode}
    if goal:
        flags["H"] = object_array([np.array([0.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0])])
    agent, reference = Agent(**bandit(**flags)), quiet(Reference, **bandit(**flags))
    for t in range(6):
        assert_same_step(agent, reference, [t % 3, (t + 1) % 3, (2 * t) % 4], t)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda agent: pickle.loads(pickle.dumps(agent))]
)
def test_copies_go_on(duplicate):
    agent = Agent(**bandit(save_belief_hist=True))
    for t in range(4):
        agent.step([0, t % 3, t])
    twin = duplicate(agent)
    np.testing.assert_array_equal(twin.F, agent.F)
    for t in range(2):
        np.testing.assert_array_equal(twin.step([1, 0, t]), agent.step([1, 0, t]))
    assert_same_sequences(twin.qs, agent.qs, 0.0)
    assert_same_sequences(duplicate(Agent(**bandit())).qs[0][:1], agent.reset()[0][:1])


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_the_history_has_tuples_of_outcomes(kind):
    """Whatever held them; or of the one outcome of the only modality."""
    agent, reference = Agent(**bandit()), quiet(Reference, **bandit())
    for t, observation in enumerate(([0, 1, 2], [0, 2, 1])):
        assert_same_step(agent, reference, kind(observation), t)
    assert agent.prev_obs == [(0, 1, 2), (0, 2, 1)]
    passing = Agent(
        np.full((3, 2), 1 / 3), np.stack([np.eye(2)] * 2, axis=-1), inference_algo="MMP",
        inference_horizon=2,
    )  # fmt: skip
    for observation in (1, np.int64(2)):
        passing.step(observation)
    assert passing.prev_obs == [(1,), (2,)]


def test_learning_keeps_the_beliefs():
    model = bandit()
    model["pA"] = object_array(a + 1.0 for a in model["A"])
    agent = Agent(**model)
    agent.step([0, 0, 0])
    agent.D = object_array([np.array([0.3, 0.7]), np.full(4, 0.25)])
    before = [[list(step) for step in sequence] for sequence in agent.qs]
    F = agent.F
    assert agent.model is not None
    assert_same_sequences(agent.qs, before, 0.0)
    np.testing.assert_array_equal(agent.F, F)


def test_bad_input():
    agent = Agent(**bandit())
    with pytest.raises(AttributeError, match="infer_states"):
        agent.infer_policies()
    with pytest.raises(AttributeError, match="F is not set"):
        _ = agent.F
    agent.infer_states([0, 0, 0])
    with pytest.raises(ValueError, match="2 observations need 1 actions"):
        agent.infer_states([0, 0, 0])
    assert len(agent.prev_obs) == 1
    agent.infer_policies()
    agent.sample_action()
    with pytest.raises(ValueError, match=r"observation\[2\] must be in 0 to 3"):
        agent.infer_states([0, 0, 4])
    assert len(agent.prev_obs) == 1
    agent.qs[0][0][0][0] = np.nan
    with pytest.raises(ValueError, match=r"qs\[policy\]\[step\]\[0\]\[0\] must be finite"):
        agent.infer_policies()
    with pytest.raises(ValueError, match="policies must be of one length"):
        Agent(**bandit(policies=[np.zeros((1, 2)), np.zeros((2, 2))]))
    with pytest.raises(ValueError, match="num_iter"):
        Agent(**bandit(inference_params={"num_iter": 0}))
    C = object_array([np.zeros((3, 2)), np.zeros(3), np.zeros(4)])
    with pytest.raises(ValueError, match=r"C\[0\] must have a column for each of the 3 steps"):
        Agent(**bandit(C=C))
    pB = object_array(b + 1.0 for b in bandit()["B"])
    novel = Agent(**bandit(pB=pB, use_param_info_gain=True))
    novel.infer_states([0, 0, 0])
    with pytest.raises(NotImplementedError, match="pB"):
        novel.infer_policies()
    with pytest.raises(AttributeError, match="MMP"):
        _ = Agent(epistemic_bandit()["A"], epistemic_bandit()["B"]).F
