"""Policies over the belief graph: their cost, and policies that are not enumerated."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parity import G
from random_arrays import object_array, observations
from ways_to_evaluate import GRAPH, NOT_ENUMERATED, TREE, forced, grid, larger_models, packed, slow

from freeagent_core import Agent, Population
from freeagent_core._kernels.agents.agent_traces import action_distribution
from freeagent_core._kernels.base.growable_array import bound_memory


@slow
@given(model=larger_models(), seed=st.integers(0, 2**32 - 1))
def test_actions_without_enumeration(model, seed):
    """The same probabilities, draws and beliefs whether policies are enumerated or not."""
    enumerated = Agent.from_model(packed(model, GRAPH))
    not_enumerated = Agent.from_model(packed(model, GRAPH, NOT_ENUMERATED))
    assert enumerated.model.packed.enumerates_policies
    assert not not_enumerated.model.packed.enumerates_policies
    for t, observation in enumerate(observations(model, seed, 3)):
        expected = enumerated.step(observation)
        chosen = action_distribution(enumerated._core)
        np.random.seed(t)
        not_enumerated.step(observation)
        for ours, theirs in zip(action_distribution(not_enumerated._core), chosen, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
        np.testing.assert_allclose(not_enumerated.q_pi, enumerated.q_pi, rtol=0, atol=1e-12)
        np.testing.assert_allclose(not_enumerated.G, enumerated.G, rtol=1e-13, atol=1e-12)
        not_enumerated.action = expected


@slow
@given(model=larger_models(), seed=st.integers(0, 2**32 - 1))
def test_not_enumerated_policies_of_a_population(model, seed):
    shared = packed(model, GRAPH, NOT_ENUMERATED)
    population = Population(shared, 3, num_threads=2, seed=seed)
    agents = [Agent.from_model(shared) for _ in range(3)]
    for observation in observations(model, seed, 3):
        actions = population.step(np.tile(observation, (3, 1)))
        for i, agent in enumerate(agents):
            agent.infer_states(observation)
            agent.infer_policies()
            q_pi, values = population.policies_of(i)
            np.testing.assert_array_equal(q_pi, agent.q_pi)
            np.testing.assert_array_equal(values, agent.G)
            np.testing.assert_array_equal(population.q_pi[i], q_pi)
            p = action_distribution(agent._core)
            if model["sampling_mode"] == "marginal":
                assert all(p[f][u] > 0 for f, u in enumerate(actions[i]))
            agent.action = actions[i].astype(float)


def test_very_many_policies():
    """390,625 and 10^16 policies: the first action is that of the enumerated policies."""
    agent = Agent(**grid(5, 5, 8), action_selection="deterministic", gamma=0.5)
    agent.infer_states([12])
    q_pi, values = agent.infer_policies()
    assert q_pi.shape == values.shape == (390625,)
    first = q_pi.reshape(5, -1).sum(axis=1)
    np.testing.assert_allclose(action_distribution(agent._core)[0], first, atol=1e-12)
    assert agent.sample_action()[0] in np.flatnonzero(first > first.max() - 1e-8)
    assert len(agent._model.policy_arrays) == 390625
    many = Agent(**grid(5, 5, 23))
    assert 0 <= many.step([12])[0] < 5
    for call in (lambda: many.policies, lambda: many.q_pi, lambda: many.E):
        with pytest.raises((ValueError, MemoryError)):
            call()
    assert 0 <= many.step([12])[0] < 5  # and goes on
    many.C = object_array([np.arange(25.0)])
    assert 0 <= many.step([12])[0] < 5
    for twin in (copy.deepcopy(many), pickle.loads(pickle.dumps(many))):
        np.testing.assert_array_equal(twin.qs[0], many.qs[0])
        with pytest.raises(AttributeError, match="call infer_policies"):
            twin.sample_action()
        assert 0 <= twin.step([12])[0] < 5
    many.pA = object_array([np.eye(25) + 0.1])
    many.step([12])
    many.update_A([12])
    assert 0 <= many.step([12])[0] < 5


def test_not_enumerated_agent_keeps_what_it_evaluated():
    """q_pi and G are those of infer_policies, whatever changes later; copies keep them too."""
    model = {**grid(3, 3, 3), "pA": object_array([np.eye(9) + 0.1])}
    expected = Agent.from_model(packed(model, GRAPH))
    agents = [Agent.from_model(packed(model, GRAPH, NOT_ENUMERATED)) for _ in range(5)]
    expected.infer_states([4])
    q_pi, _ = expected.infer_policies()
    for agent in agents:
        agent.infer_states([4])
        agent._core.infer_policies()  # without asking for q_pi
    agents[0].gamma = 1.0
    agents[1].qs = object_array([np.full(9, 1 / 9)])
    agents[2].update_A([4])
    agents[4].C = [np.linspace(0.0, 1.0, 9)]
    with forced(GRAPH, NOT_ENUMERATED):
        assert agents[4].model is not agents[3].model
    agents.append(copy.deepcopy(agents[3]))
    agents.append(pickle.loads(pickle.dumps(agents[3])))
    for agent in agents:
        np.testing.assert_allclose(agent.q_pi, q_pi, rtol=0, atol=1e-12)
    agents[3].q_pi = np.eye(125 * 1)[7]
    assert agents[3].sample_action()[0] == 0  # of policy 7, the first action


def test_learning_with_not_enumerated_policies():
    model = {
        **grid(3, 3, 3, slip=0.1),
        "pA": object_array([np.eye(9) * 5 + 0.1]),
        "pB": object_array([grid(3, 3, 1, slip=0.1)["B"][0] * 5]),
    }
    enumerated = Agent.from_model(packed(model, TREE))
    not_enumerated = Agent.from_model(packed(model, GRAPH, NOT_ENUMERATED))
    population = Population(packed(model, GRAPH, NOT_ENUMERATED), 2, seed=0)
    before = None
    for t, seen in enumerate([0, 1, 2, 5, 8]):
        for agent in (enumerated, not_enumerated):
            np.random.seed(t)
            agent.infer_states([seen])
            agent.infer_policies()
        np.testing.assert_allclose(not_enumerated.G, enumerated.G, rtol=1e-12, atol=G / 10)
        population.infer_states([seen, seen])
        assert population.infer_policies() is None
        np.testing.assert_allclose(population.G[1], enumerated.G, rtol=1e-12, atol=G / 10)
        for agent in (enumerated, not_enumerated):
            agent.update_A([seen])
            if before is not None:
                agent.update_B(before)
            agent.action = np.array([3.0])
        population.update_A([seen, seen])
        with pytest.raises(ValueError, match="agent 1 needs an infer_policies"):
            population.policies_of(1)
        population.infer_policies()
        population.sample_action()
        population._core.state["action"][:] = 3
        if before is not None:
            population.update_B([np.tile(before[0], (2, 1))])
        before = enumerated.qs


def test_many_joint_actions():
    """16,384 joint actions, each to a joint belief of its own: no table of their square."""
    B = np.stack([np.roll(np.eye(4), u, axis=0) for u in range(4)], axis=-1)
    model = {
        "A": object_array([np.eye(4)] * 7),
        "B": object_array([B] * 7),
        "C": object_array([np.arange(4.0)] * 7),
        "A_factor_list": [[f] for f in range(7)],
    }
    agent = Agent(**model)
    limit = bound_memory(1 << 24)
    try:
        np.testing.assert_array_equal(agent.step([0] * 7), np.full(7, 3.0))
        assert agent.model.packed.graph_size()["nodes"] == 4**7 + 1
    finally:
        bound_memory(limit)
