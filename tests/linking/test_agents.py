"""Agents through the C interface: made there, or taken from Python."""

import ctypes

import numpy as np
import pytest
from c_interface import Q_PI, QS, G, Rows, api, check, new, new_model, pointer, sizes_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_models import models

from freeagent_core import Agent, GenerativeModel, Population
from freeagent_core.pymdp_v1 import Agent as OtherAgent

slow = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def step(handle, observation, num_factors=1):
    observation = np.asarray(observation, dtype=np.int64)
    action = np.full(num_factors, 99, dtype=np.int64)
    check(
        api.agent_step(handle, pointer(observation), observation.size, pointer(action), action.size)
    )
    return action


def read(handle, quantity, width):
    values = np.empty(width)
    check(api.agent_read(handle, quantity, pointer(values), width))
    return values


@slow
@given(arguments=models(), seed=st.integers(0, 2**32 - 1))
def test_agents_made_here_are_those_of_a_population(arguments, seed):
    ours = GenerativeModel(**arguments)
    population = Population(ours, 3, seed=seed)
    model = new("model_from_python", id(ours))
    agents = [new("agent_new", model, seed, i) for i in range(3)]
    check(api.model_free(model))
    sizes = sizes_of("agent", agents[0])
    rng = np.random.default_rng(seed)
    for _ in range(3):
        observations = np.stack([rng.integers(n, size=3) for n in ours.num_obs], 1)
        expected = population.step(observations)
        for i, agent in enumerate(agents):
            got = step(agent, observations[i], ours.num_factors)
            np.testing.assert_array_equal(got, expected[i])
            beliefs = np.concatenate([qs[i] for qs in population.qs])
            # a population's agents may be stepped in lanes, with other rounding
            close = {"rtol": 1e-9, "atol": 1e-11}
            found = {what: read(agent, what, sizes.num_policies) for what in (Q_PI, G)}
            np.testing.assert_allclose(read(agent, QS, sizes.num_states), beliefs, **close)
            np.testing.assert_allclose(found[Q_PI], population.q_pi[i], **close)
            np.testing.assert_allclose(found[G], population.G[i], **close)
    for agent in agents:
        check(api.agent_free(agent))


@slow
@given(arguments=models(), seed=st.integers(0, 2**32 - 1))
def test_agents_of_python_do_what_they_do_there(arguments, seed):
    """The same numbers from the same generator, and the same histories."""
    arguments["save_belief_hist"] = True
    here, there = Agent(**arguments), Agent(**arguments)
    handle = new("agent_from_python", id(here))
    sizes = sizes_of("agent", handle)
    rng = np.random.default_rng(seed)
    for tick in range(3):
        observation = [int(rng.integers(n)) for n in there.num_obs]
        np.random.seed(tick)
        expected = there.step(observation)
        np.random.seed(tick)
        np.testing.assert_array_equal(step(handle, observation, here.num_factors), expected)
        np.testing.assert_array_equal(read(handle, G, sizes.num_policies), there.G)
        np.testing.assert_array_equal(read(handle, QS, sizes.num_states), np.concatenate(here.qs))
    assert here.curr_timestep == there.curr_timestep == 3
    np.testing.assert_array_equal(here.prev_actions, there.prev_actions)
    for one, other in zip(here.q_pi_hist, there.q_pi_hist, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(here.qs_hist, there.qs_hist, strict=True):
        np.testing.assert_array_equal(np.concatenate(one), np.concatenate(other))
    check(api.agent_free(handle))


B = np.stack([np.roll(np.eye(3), shift, axis=0) for shift in range(2)], axis=-1)
LEARNING = {
    "A": np.eye(3) * 0.85 + 0.05,
    "B": B,
    "pA": np.eye(3) + 0.1,
    "pB": B + 0.1,
    "pD": np.ones(3),
}


def made(arguments):
    model = new_model(**arguments)
    handle = new("agent_new", model, 0, 0)
    check(api.model_free(model))
    return handle


def taken(arguments):
    agent = Agent(**arguments)
    return new("agent_from_python", id(agent))  # which keeps it


@pytest.mark.parametrize("make", [made, taken])
def test_parts_learning_and_reset(make):
    handle, expected = make(LEARNING), Agent(**LEARNING)
    before = read(handle, QS, 3)
    for outcome in (0, 2, 1):
        observation = np.array([outcome], dtype=np.int64)
        action = np.empty(1, dtype=np.int64)
        check(api.agent_infer_states(handle, pointer(observation), 1))
        check(api.agent_infer_policies(handle))
        check(api.agent_sample_action(handle, pointer(action), 1))
        expected.infer_states([outcome])
        expected.infer_policies()
        expected.sample_action()
        np.testing.assert_allclose(read(handle, Q_PI, 2), expected.q_pi, rtol=1e-12)
        expected.action = action.astype(float)
        check(api.agent_update_A(handle, pointer(observation), 1))
        check(api.agent_update_B(handle, pointer(before), 3))
        check(api.agent_update_D(handle, pointer(before), 3))
        expected.update_A([outcome])
        expected.update_B(np.array([before, None], dtype=object)[:1])
        expected.update_D(np.array([before, None], dtype=object)[:1])
        before = read(handle, QS, 3)
        np.testing.assert_allclose(before, expected.qs[0], rtol=1e-12)
    check(api.agent_reset(handle))
    np.testing.assert_allclose(read(handle, QS, 3), 1 / 3)
    check(api.agent_free(handle))


def test_methods_of_subclasses_are_called():
    class Cautious(Agent):
        def sample_action(self):
            super().sample_action()
            self.action = np.zeros(self.num_factors)
            return self.action

    agent = Cautious(**LEARNING, C=np.array([0.0, 0.0, 2.0]))
    handle = new("agent_from_python", id(agent))
    assert step(handle, [1]) == 0
    agent.step = lambda observation: np.ones(1)
    assert step(handle, [1]) == 1
    for wrong in (np.nan, -np.inf, 1e300):  # no conversion to an integer is defined
        agent.step = lambda observation, wrong=wrong: np.array([wrong])
        with pytest.raises(Exception, match=r"action\[0\] must be a control"):
            step(handle, [1])
    check(api.agent_free(handle))


def test_message_passing_of_an_agent_of_python():
    arguments = {"A": np.eye(3), "B": B, "inference_algo": "MMP", "inference_horizon": 2}
    agent, other = Agent(**arguments), Agent(**arguments)
    handle = new("agent_from_python", id(agent))
    for tick, outcome in enumerate((0, 1, 1, 2)):
        np.random.seed(tick)
        expected = other.step([outcome])
        np.random.seed(tick)
        np.testing.assert_array_equal(step(handle, [outcome]), expected)
    assert agent.prev_obs == other.prev_obs
    values = np.empty(3)
    assert api.agent_read(handle, QS, pointer(values), 3) != 0
    assert "sequences" in api.message()
    check(api.agent_free(handle))


def test_a_row_of_an_agent():
    handle, rows = made(LEARNING), Rows()
    check(api.agent_borrow(handle, QS, 0, ctypes.addressof(rows)))
    step(handle, [1])
    np.testing.assert_array_equal(rows.array()[0], read(handle, QS, 3))
    check(api.agent_free(handle))
    handle = taken(LEARNING)
    assert api.agent_borrow(handle, QS, 0, ctypes.addressof(rows)) != 0
    assert "agent_read" in api.message()
    check(api.agent_free(handle))


def test_what_is_no_agent():
    handle = ctypes.c_void_p()
    agent = OtherAgent.__new__(OtherAgent)
    for wrong in (agent, 3, Population(GenerativeModel(np.eye(3), B), 1)):
        assert api.agent_from_python(id(wrong), ctypes.addressof(handle)) != 0
        assert "must be an Agent" in api.message()
        assert handle.value is None
