"""An agent's own copy of what it learns: what callers hold does not change under them, and
learning in place gives what packing the learned model again gives."""

import copy
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parity import assert_same_episode
from pymdp.legacy.agent import Agent as Reference
from random_arrays import distribution, object_array, observations
from random_models import models

from freeagent_core import Agent, GenerativeModel


def learning_agent():
    rng = np.random.default_rng(0)
    A, B = rng.random((3, 4)), rng.random((4, 4, 2))
    return Agent(A=A / A.sum(axis=0), B=B / B.sum(axis=0), pA=10 * A, pB=10 * B, pD=np.ones(4))


def update(agent, name):
    if name == "A":
        return agent.update_A([0])
    return agent.update_B(agent.qs) if name == "B" else agent.update_D(agent.qs)


@pytest.mark.parametrize("name", ["A", "B", "D"])
@pytest.mark.parametrize(
    ("hold", "look"),
    [
        (lambda parameters: parameters, lambda held: held[0]),
        (lambda parameters: parameters[0], np.asarray),
        (lambda parameters: parameters[0][:2], np.asarray),
        (lambda parameters: memoryview(parameters[0]), np.asarray),
    ],
    ids=["container", "array", "slice", "memory"],
)
def test_what_a_caller_holds_stays_as_it_was(name, hold, look):
    agent = learning_agent()
    agent.step([0])
    update(agent, name)
    held = hold(getattr(agent, "p" + name))
    before = look(held).copy()
    update(agent, name)
    np.testing.assert_array_equal(look(held), before)
    assert (getattr(agent, "p" + name)[0][: len(before)] != before).any()


@pytest.mark.parametrize("name", ["A", "B", "D"])
def test_updates_are_in_place_where_nobody_holds_the_parameters(name):
    agent = learning_agent()
    agent.step([0])
    update(agent, name)
    address = getattr(agent, "p" + name)[0].ctypes.data
    update(agent, name)
    assert getattr(agent, "p" + name)[0].ctypes.data == address


def test_the_shared_model_stays():
    agent = learning_agent()
    other = Agent.from_model(agent.model)
    before = copy.deepcopy(other.A), copy.deepcopy(other.pA)
    agent.step([0])
    agent.update_A([0])[0][0, 0] = 5.0
    assert agent.pA[0][0, 0] == 5.0
    np.testing.assert_array_equal(other.A[0], before[0][0])
    np.testing.assert_array_equal(other.pA[0], before[1][0])
    assert (agent.A[0] != other.A[0]).any()


def test_assignments_after_learning_keep_what_was_learned():
    agent = learning_agent()
    agent.step([0])
    agent.update_A([1])
    learned = agent.pA[0].copy()
    agent.C = object_array([np.array([0.0, 1.0, 2.0])])
    agent.step([0])
    np.testing.assert_array_equal(agent.pA[0], learned)
    agent.update_A([1])
    assert (agent.pA[0] != learned).any()
    twin = copy.deepcopy(agent)
    np.testing.assert_array_equal(twin.pA[0], agent.pA[0])
    np.testing.assert_array_equal(twin.A[0], agent.A[0])


@settings(
    max_examples=int(os.environ.get("FREEAGENT_CORE_EXAMPLES", "100")),
    deadline=None,
    derandomize="FREEAGENT_CORE_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    case=st.one_of(
        st.tuples(st.just("legacy"), models()),
        st.tuples(st.just("0.0.7.1"), models(factor_lists=False)),
    ),
    seed=st.integers(0, 2**32 - 1),
    algorithm=st.sampled_from(["VANILLA", "MMP"]),
)
def test_learning_in_place_is_packing_again(case, seed, algorithm):
    """Beliefs and G of an agent that learns, and of a new one made from what it has learned."""
    version, model = case
    if any(len(factors) > 1 for factors in model.get("B_factor_list", [])):
        algorithm = "VANILLA"
    if algorithm == "MMP":
        model.pop("H", None)
        model.pop("C", None)  # whose columns would have to reach the horizon
        model["use_param_info_gain"] &= "pB" not in model
    model.setdefault("pD", object_array(np.ones(len(B)) for B in model["B"]))
    model = GenerativeModel(**model, inference_algo=algorithm, pymdp_version=version)
    kind = type("Kind", (Agent,), {"_pymdp_version": version})
    agent = kind.from_model(model)
    for observation in observations({"A": model.A}, seed, 3):
        np.random.seed(seed)
        agent.step(observation)
        if algorithm == "VANILLA" and model.pA is not None:
            agent.update_A(observation)
        if algorithm == "VANILLA" and model.pB is not None:
            agent.update_B(agent.qs)
        agent.update_D(agent.qs if algorithm == "VANILLA" else model.D)
        fresh = kind.from_model(agent.model)
        agent.reset()
        agent.action = None
        agent.prev_obs, agent.prev_actions = [], None
        for each in (agent, fresh):
            each.infer_states(observation)
            each.infer_policies()
        np.testing.assert_allclose(agent.G, fresh.G, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(agent.q_pi, fresh.q_pi, rtol=1e-7, atol=1e-9)
        np.random.seed(seed)
        agent.sample_action()


def test_what_is_not_to_be_learned_stays():
    rng = np.random.default_rng(0)
    A = object_array(distribution(rng, (3, 2, 4), "smooth") for _ in range(2))
    B = object_array(distribution(rng, (n, n, 2), "smooth") for n in (2, 4))
    arguments = {"pA": object_array(3 * a for a in A), "pB": object_array(3 * b for b in B)}
    agent = Agent(A, B, **arguments, factors_to_learn=[1], modalities_to_learn=[0])
    for _ in range(3):
        before = agent.infer_states([0, 2])
        agent.infer_policies()
        agent.sample_action()
        agent.infer_states([1, 1])
        agent.update_A([1, 1])
        agent.update_B(before)
    np.testing.assert_array_equal(agent.pB[0], arguments["pB"][0])
    np.testing.assert_array_equal(agent.pA[1], arguments["pA"][1])
    assert not np.array_equal(agent.pB[1], arguments["pB"][1])
    assert not np.array_equal(agent.pA[0], arguments["pA"][0])


def test_learning_of_what_is_not_quite_normalised():
    """Its last outcome is not the complement of the others; what is learned from it is."""
    rng = np.random.default_rng(1)
    A = object_array([distribution(rng, (3, 4), "smooth")])
    B = object_array([distribution(rng, (4, 4, 2), "smooth")])
    arguments = {"A": A, "B": B, "pA": object_array([5 * A[0]]), "policy_len": 2}
    agent, reference = Agent(**arguments), Reference(**arguments)
    for each in (agent, reference):
        each.A = object_array([A[0] * (1 + 1e-7)])
    assert agent.model._parts["groups"][0]["learned_complement_start"] is None
    for _ in range(2):
        assert_same_episode(agent, reference, [[0], [2]])
        agent.update_A([1])
        reference.update_A([1])
