"""Deterministic rollouts of a point-mass belief: the numbers of beliefs, without beliefs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymdp.legacy.agent import Agent as Reference
from random_arrays import distribution, object_array
from ways_to_evaluate import NO_MATRICES, TREE, packed

from freeagent_core import Agent, GenerativeModel

MANY = settings(max_examples=150, deadline=None, derandomize=True)


@st.composite
def deterministic_worlds(draw):
    """Draw a world whose state is seen; some transitions may be stochastic."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, u = draw(st.integers(8, 24)), draw(st.integers(1, 4))
    policy_len = draw(st.integers(1, 4))
    B = distribution(rng, (n, n, u), "deterministic")
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        action, state = rng.integers(u), rng.integers(n)
        B[:, state, action] = 0.0
        B[rng.choice(n, 2, replace=False), state, action] = 0.25, 0.75
    A = [np.eye(n)]
    if draw(st.booleans()):
        A.append(distribution(rng, (3, n), draw(st.sampled_from(["smooth", "deterministic"]))))
    steps = policy_len if draw(st.booleans()) else 1
    model = {
        "A": object_array(A),
        "B": object_array([B]),
        "C": object_array(rng.normal(size=(len(a), steps)[: 1 + (steps > 1)]) for a in A),
        "policy_len": policy_len,
        "gamma": draw(st.sampled_from([0.5, 16.0])),
        "use_utility": draw(st.booleans()),
        "use_states_info_gain": draw(st.booleans()),
        "use_param_info_gain": draw(st.booleans()),
    }
    if draw(st.booleans()):
        model["H"] = object_array([distribution(rng, (n,), "deterministic")])
    if draw(st.booleans()):
        E = rng.random(u**policy_len)
        model["E"] = E / E.sum()
    return model


def rolls_out_states(model):
    """Whether the last step of an agent of `model` left no graph of beliefs behind."""
    return model.packed.graph_size() == {"beliefs": 0, "entries": 0, "nodes": 0}


def reaches_stochastic(arguments, state):
    """Whether some policy from `state` meets a stochastic transition."""
    B, reached = arguments["B"][0], {state}
    for _ in range(arguments["policy_len"]):
        columns = B[:, sorted(reached)].reshape(len(B), -1)
        if (columns.max(axis=0) < 1.0).any():
            return True
        reached = set(columns.argmax(axis=0).tolist())
    return False


@MANY
@given(arguments=deterministic_worlds(), data=st.data())
def test_as_beliefs_to_the_bit(arguments, data):
    """The same policies as a list are evaluated over predicted beliefs."""
    model = packed(arguments, NO_MATRICES)
    enumerated = GenerativeModel(**arguments, policies=list(model.policy_arrays))
    agent, other = Agent.from_model(model), Agent.from_model(enumerated)
    for _ in range(3):
        state = data.draw(st.integers(0, model.num_states[0] - 1))
        observation = [state] + [0] * (model.num_modalities - 1)
        for each in (agent, other):
            each.reset()
            each.infer_states(observation)
            each.infer_policies()
        # 2^-52: what belief_graph leaves out of a belief
        count = (agent.qs[0] > 2.0**-52).sum()
        if not arguments["use_param_info_gain"] and count > 1:  # perhaps a tail, see below
            np.testing.assert_allclose(agent.G, other.G, rtol=1e-12, atol=1e-11)
        else:
            np.testing.assert_array_equal(agent.G, other.G)
            np.testing.assert_array_equal(agent.q_pi, other.q_pi)
        if not arguments["use_param_info_gain"] and count == 1:
            assert rolls_out_states(model) is not reaches_stochastic(arguments, state)
        else:
            assert not rolls_out_states(model)
        assert not rolls_out_states(enumerated)


@pytest.mark.parametrize("weight", [1e-20, 1e-12, 0.1])
def test_belief_that_is_no_point_mass(weight):
    """A belief with weight in two states needs beliefs, one with a vanishing remainder does not."""
    B = np.roll(np.eye(12), 1, axis=0)[:, :, None]
    D = np.zeros(12)
    D[3], D[4] = 1.0 - weight, weight
    model = GenerativeModel(
        A=np.ones((1, 12)), B=np.concatenate([B, np.eye(12)[:, :, None]], axis=2), D=D
    )
    agent = Agent.from_model(model)
    agent.infer_states([0])
    agent.infer_policies()
    assert rolls_out_states(model) == (weight < 1e-15)


@MANY
@given(arguments=deterministic_worlds(), data=st.data())
def test_belief_with_a_tail(arguments, data):
    """One state and a tail at or below the mask of the information gain: as pymdp has it."""
    arguments["use_param_info_gain"] = False
    agent, tree = Agent(**arguments), Agent.from_model(packed(arguments, TREE))
    reference = Reference(**arguments)
    n = agent.num_states[0]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    tail = data.draw(st.sampled_from([1e-14, 1e-12, 1e-9, 1e-7, 1.12e-7, 1.13e-7, 1e-6, 0.1]))
    weights = rng.dirichlet(np.full(n, 0.5)) * tail
    weights[rng.integers(n)] += 1.0 - tail
    agent.infer_states([0] * agent.num_modalities)
    tree.infer_states([0] * agent.num_modalities)
    agent.qs[0][:] = tree.qs[0][:] = weights
    reference.qs = object_array([weights])
    for each in (agent, tree, reference):
        each.infer_policies()
    np.testing.assert_allclose(agent.G, tree.G, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(agent.G, reference.G, rtol=1e-10, atol=1e-8)
    np.testing.assert_allclose(agent.q_pi, reference.q_pi, rtol=0, atol=1e-9)
