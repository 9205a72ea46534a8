"""Lists and arrays of the caller that change while they are read or agents step: no read beyond
their end, and what counts is what they held at the call."""

import numpy as np
import pytest

from freeagent_core import Agent, Population
from freeagent_core._agent import threads
from freeagent_core.model import GenerativeModel


def arguments_of(seed=0):
    rng = np.random.default_rng(seed)

    def stochastic(*shape):
        array = rng.random(shape)
        return array / array.sum(axis=0)

    A = np.empty(3, dtype=object)
    A[:] = [stochastic(3, 3, 2) for _ in range(3)]
    B = np.empty(2, dtype=object)
    B[:] = [stochastic(3, 3, 2), stochastic(2, 2, 1)]
    return {"A": A, "B": B}


class Clearing:
    """An entry whose conversion clears the list that it stands in."""

    def __init__(self, owner, value):
        self.owner, self.value = owner, value

    def __index__(self):
        self.owner.clear()
        return self.value

    def __array__(self, dtype=None, copy=None):
        self.owner.clear()
        return np.array(self.value, dtype=dtype)


def cleared(first, *entries, at=0):
    """Return a list of `first`, an entry that clears it, and the rest."""
    values = [first, *entries]
    owner = []
    owner += values
    owner[at] = Clearing(owner, values[at])
    return owner


@pytest.mark.parametrize("at", range(3))
def test_an_observation_of_indices(at):
    agent, twin = (Agent(**arguments_of()) for _ in range(2))
    np.random.seed(1)
    action = agent.step(cleared(2, 0, 1, at=at))
    np.random.seed(1)
    np.testing.assert_array_equal(action, twin.step([2, 0, 1]))
    np.testing.assert_array_equal(agent.qs[0], twin.qs[0])


@pytest.mark.parametrize("distr_obs", [False, True])
def test_an_observation_of_vectors(distr_obs):
    agent, twin = (Agent(**arguments_of()) for _ in range(2))
    vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    agent.infer_states(cleared(*vectors, at=1), distr_obs)
    twin.infer_states(vectors, distr_obs)
    np.testing.assert_array_equal(agent.qs[0], twin.qs[0])


def test_beliefs():
    agent = Agent(**arguments_of())
    beliefs = [[0.2, 0.3, 0.5], [0.4, 0.6]]
    agent.qs = cleared(*beliefs)
    agent.qs = beliefs
    agent.infer_policies()


@pytest.mark.parametrize("name", ["prev_obs", "prev_actions"])
def test_histories_of_message_passing(name):
    agent = Agent(**arguments_of(), inference_algo="MMP", inference_horizon=4)
    for _ in range(3):
        agent.step([0, 1, 2])
    history = getattr(agent, name)
    before = list(history)
    if name == "prev_obs":
        history[-3] = (Clearing(history, 0), 1, 2)
    else:
        history[-3] = Clearing(history, [1.0, 0.0])
    with pytest.raises(IndexError):
        agent.infer_states([0, 1, 2])
    history[:] = before
    agent.infer_states([0, 1, 2])


def test_sequences_of_message_passing():
    agent = Agent(**arguments_of(), inference_algo="MMP", policy_len=2)
    agent.infer_states([0, 1, 2])
    sequences = [[[list(b) for b in step] for step in policy] for policy in agent.qs]
    steps = sequences[1]
    steps[0][0] = Clearing(steps, steps[0][0])
    with pytest.raises((IndexError, ValueError)):
        agent.qs = sequences


@pytest.mark.parametrize("changes", ["observations", "mask"])
def test_arrays_of_a_population(monkeypatch, changes):
    model = GenerativeModel(**arguments_of())
    population, twin = (Population(model, 100, seed=0, num_threads=2) for _ in range(2))
    given = {"observations": np.zeros((100, 3), dtype=np.intp), "mask": np.arange(100) % 3 > 0}
    same = {name: array.copy() for name, array in given.items()}
    calls = []

    def wake(*arguments):
        given[changes][:] = 1
        calls.append(arguments)
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(threads, "wake", wake)
        population.step(**given)
    assert calls
    twin.step(**same)
    for ours, theirs in zip(population.qs, twin.qs, strict=True):
        np.testing.assert_array_equal(ours, theirs)
