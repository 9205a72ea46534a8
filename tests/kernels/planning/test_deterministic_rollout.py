"""Deterministic rollouts of a point-mass belief: the numbers of beliefs, without beliefs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_arrays import distribution, object_array
from ways_to_evaluate import NO_MATRICES, packed

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
        np.testing.assert_array_equal(agent.G, other.G)
        np.testing.assert_array_equal(agent.q_pi, other.q_pi)
        # 2^-52: what belief_graph leaves out of a belief
        if not arguments["use_param_info_gain"] and (agent.qs[0] > 2.0**-52).sum() == 1:
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
