"""Agents are pickled, copied and compared, also after they have been used."""

import copy
import pickle

import numpy as np
import pytest
from random_batches import random_batch

from freeagent_core.pymdp_v1 import Agent

COPIES = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "protocol 2": lambda x: pickle.loads(pickle.dumps(x, 2)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def used(seed):
    """Return an agent that has inferred states and policies, its observations and q_pi."""
    agent = Agent(**random_batch("fpi", seed, seed))
    rng = np.random.default_rng(seed)
    observations = [rng.integers(0, n, agent.batch_size) for n in agent.num_obs]
    if agent.categorical_obs:
        observations = [np.eye(n)[o] for n, o in zip(agent.num_obs, observations, strict=True)]
    qs = agent.infer_states(observations, agent.D)
    return agent, observations, agent.infer_policies(qs)[0]


def arrays_of(agent):
    parts = (agent.A, agent.B, agent.C, agent.D, agent.I, agent.pA or [], agent.pB or [])
    arrays = [a for part in parts for a in part if a is not None]
    return [*arrays, agent.E, agent.gamma, agent.alpha, agent.policies.policy_arr]


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("seed", range(6))
def test_copies_of_used_agents(how, seed):
    agent, observations, q_pi = used(seed)
    twin = COPIES[how](agent)
    assert twin == agent
    assert hash(twin) == hash(agent)
    found = twin.infer_policies(twin.infer_states(observations, twin.D))[0]
    np.testing.assert_array_equal(found, q_pi)
    for own, theirs in zip(arrays_of(twin), arrays_of(agent), strict=True):
        np.testing.assert_array_equal(own, theirs)
        assert not own.flags.writeable


@pytest.mark.parametrize("how", COPIES)
def test_arrays_that_agents_share_stay_shared(how):
    agent = Agent([np.eye(2)], [np.eye(2)[:, :, None]], batch_size=1000)
    twin = COPIES[how](agent)
    assert [a.strides[0] for a in (twin.A[0], twin.B[0], twin.C[0], twin.D[0], twin.E)] == [0] * 5
    assert len(pickle.dumps(agent)) < 5000


@pytest.mark.parametrize(
    "change",
    [
        {"gamma": 3.0},
        {"C": [np.array([0.0, 1.0])]},
        {"num_iter": 3},
        {"policies": [[[1]], [[0]]]},
        {"pA": [np.ones((2, 2))]},
        {"inference_algo": "mmp"},
        {"preprocess_fn": abs, "categorical_obs": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_agents_that_differ(change):
    agent = Agent([np.eye(2)], [np.stack([np.eye(2)] * 2, axis=-1)])
    other = agent.replace(**change)
    assert agent != other
    assert agent == other.replace(**{name: getattr(agent, name) for name in change})
    assert agent != 3


def test_agents_of_a_class_of_their_own():
    class Mouse(Agent):
        pass

    mouse = Mouse([np.eye(2)], [np.eye(2)[:, :, None]])
    assert type(copy.deepcopy(mouse)) is Mouse
    assert mouse != Agent([np.eye(2)], [np.eye(2)[:, :, None]])
