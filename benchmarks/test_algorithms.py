"""MMP, sophisticated inference and learning against pymdp.legacy's, side by side.

    pip install -e '.[bench]' && pytest benchmarks/test_algorithms.py

As `test_step.py`: a call of one agent and then of the other, over and over, on the same
observations; medians and the median of the ratios of neighbours.
"""

import contextlib
import io

import models
import numpy as np
import pytest
from pymdp.legacy.agent import Agent as Reference
from pymdp.legacy.envs import TMazeEnv
from test_step import record, side_by_side, step_reference

from freeagent_core import Agent


def t_maze(policy_len=1):
    """Return pymdp's own T-maze."""
    env = TMazeEnv(reward_probs=[0.98, 0.02])
    return {
        "A": env.get_likelihood_dist(),
        "B": env.get_transition_dist(),
        "C": models.object_array([np.zeros(4), [0.0, 3.0, -3.0], np.zeros(2)]),
        "D": models.object_array([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5]]),
        "policy_len": policy_len,
    }


def mmp(model):
    return {**model, "inference_algo": "MMP", "inference_horizon": 5}


STEPS = {
    "MMP, T-maze, policy_len 2": (mmp(t_maze(2)), 500),
    "MMP, T-maze, policy_len 3": (mmp(t_maze(3)), 500),
    "MMP, grid 5x5, policy_len 2": (mmp(models.grid(5, 2)), 500),
    "MMP, grid 5x5, policy_len 3": (mmp(models.grid(5, 3)), 500),
    "sophisticated, T-maze, si_horizon 3": (
        {**t_maze(), "sophisticated": True, "si_horizon": 3},
        500,
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_step(benchmark, name):
    model, target = STEPS[name]
    observations = [[t % len(A) for A in model["A"]] for t in range(8)]
    agent, reference = Agent(**model), Reference(**model)
    with contextlib.redirect_stdout(io.StringIO()):  # pymdp prints from inside MMP
        for observation in observations[:6]:  # a full horizon
            agent.step(observation)
            step_reference(reference, observation)
        rounds = side_by_side(
            lambda o: agent.step(o), lambda o: step_reference(reference, o), observations, 1
        )
    record(benchmark, rounds, target)
    benchmark(agent.step, observations[0])


def learning_pair(name):
    """Return an agent and the reference with pA, pB and pD, after a step, and an observation."""
    model = {**models.MODELS[name](), "policy_len": 1}
    for parameter in "ABD":
        model["p" + parameter] = models.object_array([x + 0.1 for x in model[parameter]])
    agent, reference = Agent(**model), Reference(**model)
    observation = [0] * len(model["A"])
    agent.step(observation)
    step_reference(reference, observation)
    return agent, reference, observation


def learn_and_step(agent, observation, step):
    before = agent.qs
    step(observation)
    agent.update_A(observation)
    agent.update_B(before)


# An update leaves work to the next inference; this has both.
@pytest.mark.parametrize("name", models.MODELS)
def test_learning_steps(benchmark, name):
    agent, reference, observation = learning_pair(name)
    rounds = side_by_side(
        lambda o: learn_and_step(agent, o, agent.step),
        lambda o: learn_and_step(reference, o, lambda o: step_reference(reference, o)),
        [observation],
        1,
        2.0,
    )
    record(benchmark, rounds, 20)
    benchmark(learn_and_step, agent, observation, agent.step)


@pytest.mark.parametrize("method", ["update_A", "update_B", "update_D"])
@pytest.mark.parametrize("name", models.MODELS)
def test_learning(benchmark, name, method):
    agent, reference, observation = learning_pair(name)
    arguments = {"update_A": (observation,), "update_B": (agent.qs,), "update_D": (agent.qs,)}
    ours, theirs = getattr(agent, method), getattr(reference, method)
    given = arguments[method]
    rounds = side_by_side(lambda _: ours(*given), lambda _: theirs(*given), [None] * 8, 1, 2.0)
    record(benchmark, rounds, 20)
    benchmark(ours, *given)
