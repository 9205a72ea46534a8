"""Sophisticated inference against ``pymdp.legacy``."""

import os

import numpy as np
import pytest
from environments import epistemic_bandit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parity import (
    BELIEFS,
    G,
    assert_same_beliefs_unless_chaotic,
    goal_hangs_on_rounding,
    twin_before,
)
from pymdp.legacy.agent import Agent as Reference
from pymdp.legacy.envs import TMazeEnv
from random_arrays import object_array, observations
from random_models import models

from freeagent_core import Agent

slow = settings(
    max_examples=int(os.environ.get("FREEAGENT_CORE_EXAMPLES", "60")),
    deadline=None,
    derandomize="FREEAGENT_CORE_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)


@slow
@given(
    model=models(),
    seed=st.integers(0, 2**32 - 1),
    horizon=st.integers(1, 3),
    thresholds=st.sampled_from([(1 / 16, 1 / 16), (0.03, 0.11), (0.3, 0.21)]),
    penalty=st.sampled_from([512, 1.5]),
)
def test_episodes(model, seed, horizon, thresholds, penalty):
    for name in ("policies", "C", "E"):
        model.pop(name, None)
    model.update(
        policy_len=1,
        action_selection="deterministic",
        sophisticated=True,
        si_horizon=horizon,
        si_policy_prune_threshold=thresholds[0],
        si_state_prune_threshold=thresholds[1],
        si_prune_penalty=penalty,
    )
    rng = np.random.default_rng(seed)
    model["C"] = object_array(rng.normal(size=len(A)) for A in model["A"])
    model.pop("H", None)
    agent, reference = Agent(**model), Reference(**model)
    for observation in observations(model, seed, 2):
        before = twin_before(agent, reference)
        theirs = reference.infer_states(observation)
        ours = agent.infer_states(observation)
        if not assert_same_beliefs_unless_chaotic(ours, theirs, before, observation):
            return
        q_pi, G_ = reference.infer_policies()
        agent.infer_policies()
        np.testing.assert_allclose(agent.G, G_, rtol=1e-12, atol=G)
        np.testing.assert_allclose(agent.q_pi, q_pi, rtol=0, atol=BELIEFS)
        agent.action = reference.action = np.zeros(agent.num_factors)


def t_maze(**flags):
    env = TMazeEnv(reward_probs=[0.9, 0.1])
    C = [np.zeros(4), np.array([0.0, 3.0, -3.0]), np.zeros(2)]
    D = [np.array([1.0, 0, 0, 0]), np.array([0.5, 0.5])]
    return {
        "A": env.get_likelihood_dist(),
        "B": env.get_transition_dist(),
        "C": object_array(C),
        "D": object_array(D),
        "sophisticated": True,
        **flags,
    }


@pytest.mark.parametrize("horizon", [1, 2, 3])
@pytest.mark.parametrize("make", [t_maze, epistemic_bandit])
@pytest.mark.parametrize("goal", [False, True])
def test_tutorials(make, horizon, goal):
    model = {**make(), "sophisticated": True, "si_horizon": horizon}
    if goal:
        # any context will do: in the search its beliefs tie but for rounding
        model["H"] = object_array(
            np.eye(len(B))[-1] if len(B) > 2 else np.ones(len(B)) for B in model["B"]
        )
    agent, reference = Agent(**model), Reference(**model)
    for t in range(3):
        observation = [t % len(A) for A in model["A"]]
        reference.infer_states(observation)
        agent.infer_states(observation)
        if goal_hangs_on_rounding(reference):
            return
        q_pi, G_ = reference.infer_policies()
        agent.infer_policies()
        np.testing.assert_allclose(agent.G, G_, rtol=1e-12, atol=G)
        np.testing.assert_allclose(agent.q_pi, q_pi, rtol=0, atol=BELIEFS)
        np.random.seed(t)
        expected = reference.sample_action()
        np.random.seed(t)
        np.testing.assert_array_equal(agent.sample_action(), expected)


def test_step_is_the_three_calls():
    one, other = Agent(**t_maze()), Agent(**t_maze())
    for t in range(3):
        np.random.seed(t)
        action = one.step([t, 0, 0])
        other.infer_states([t, 0, 0])
        other.infer_policies()
        np.random.seed(t)
        np.testing.assert_array_equal(action, other.sample_action())


def test_bad_input():
    with pytest.raises(ValueError, match="policies of one step"):
        Agent(**t_maze(policy_len=2))
    with pytest.raises(ValueError, match="si_horizon 1000000000 with 4 policies is too long"):
        Agent(**t_maze(si_horizon=10**9))
    agent = Agent(**t_maze())
    agent.infer_states([0, 0, 0])
    agent.si_horizon = 10**9
    with pytest.raises((MemoryError, ValueError), match="si_horizon 1000000000 with 4 policies"):
        agent.infer_policies()
    assert not hasattr(agent, "q_pi")
    agent.si_horizon = 0
    with pytest.raises(ValueError, match="si_horizon must be at least 1"):
        agent.infer_policies()
