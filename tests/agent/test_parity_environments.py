"""The VANILLA agent against ``pymdp.legacy`` in the environments of pymdp's tutorials."""

import models
import numpy as np
import pytest
from environments import epistemic_bandit, noisy_grid
from models import ModelEnvironment
from parity import BELIEFS, G, assert_same_beliefs, assert_same_step
from pymdp.legacy.agent import Agent as Reference
from pymdp.legacy.envs import GridWorldEnv, TMazeEnv

from freeagent_core import Agent

SETTINGS = [
    {"action_selection": selection, "sampling_mode": mode}
    for selection in ("deterministic", "stochastic")
    for mode in ("marginal", "full")
]


class TMaze:
    """pymdp's own T-maze; its draws come from a generator state of their own."""

    def __init__(self, seed):
        self.state = np.random.RandomState(seed).get_state()
        self.env = self._apart(TMazeEnv)
        self.first = self._apart(self.env.reset)

    def _apart(self, call, *arguments):
        before = np.random.get_state()
        np.random.set_state(self.state)
        result = call(*arguments)
        self.state = np.random.get_state()
        np.random.set_state(before)
        return result

    def observe(self):
        return self.first

    def step(self, action):
        return self._apart(self.env.step, action)

    def model(self):
        C = [np.zeros(4), np.array([0.0, 3.0, -3.0]), np.zeros(2)]
        D = [np.array([1.0, 0, 0, 0]), np.array([0.5, 0.5])]
        return {
            "A": self.env.get_likelihood_dist(),
            "B": self.env.get_transition_dist(),
            "C": np.array(C, dtype=object),
            "D": np.array(D, dtype=object),
        }


class GridWorld:
    """pymdp's own grid world, which gives the cell."""

    def __init__(self):
        self.env = GridWorldEnv(shape=[3, 3], init_state=0)

    def observe(self):
        return [int(self.env.state)]

    def step(self, action):
        return [int(self.env.step(int(action[0])))]

    def model(self):
        model = models.grid(3, 2)
        B = np.zeros((9, 9, 5))
        for cell, moves in self.env.P.items():
            for action, following in moves.items():
                B[following, cell, action] = 1.0
        model["B"] = models.object_array([B])
        return model


def t_maze(seed, policy_len):
    env = TMaze(seed)
    return env, {**env.model(), "policy_len": policy_len}


def bandit(seed, policy_len):
    model = {**epistemic_bandit(), "policy_len": policy_len}
    return ModelEnvironment(model, [seed % 2, 0], seed), model


def grid(seed, policy_len):
    model = noisy_grid(3, policy_len)
    return ModelEnvironment(model, [0], seed), model


def grid_of_pymdp(seed, policy_len):
    env = GridWorld()
    return env, {**env.model(), "policy_len": policy_len}


def cue_chaining(seed, policy_len):
    model = models.cue_chaining(policy_len=policy_len, rows=5, columns=7)
    return ModelEnvironment(model, [0, seed % 4, seed % 2], seed), model


@pytest.mark.parametrize("flags", SETTINGS)
@pytest.mark.parametrize(
    ("world", "policy_len", "steps"),
    [
        (t_maze, 1, 8),
        (t_maze, 2, 8),
        (bandit, 1, 12),
        (bandit, 2, 12),
        (grid, 2, 8),
        (grid_of_pymdp, 2, 8),
        (cue_chaining, 1, 10),
        (cue_chaining, 2, 4),
    ],
)
def test_episode(world, policy_len, steps, flags):
    env, model = world(3, policy_len)
    reference, agent = Reference(**model, **flags), Agent(**model, **flags)
    again, fused = Reference(**model, **flags), Agent(**model, **flags)
    observation = env.observe()
    for step in range(steps):
        assert assert_same_step(agent, reference, observation, step)
        assert assert_same_step(fused, again, observation, step, fused=True)
        observation = env.step(reference.action)


def test_cue_chaining_with_625_policies():
    model = models.cue_chaining()
    reference, agent = Reference(**model), Agent(**model)
    observation = [0, 0, 0, 0]
    assert_same_beliefs(agent.infer_states(observation), reference.infer_states(observation))
    q_pi, G_ = reference.infer_policies()
    agent.infer_policies()
    np.testing.assert_allclose(agent.q_pi, q_pi, rtol=0, atol=BELIEFS)
    np.testing.assert_allclose(agent.G, G_, rtol=0, atol=G)
