"""Models from tables of transitions."""

from types import SimpleNamespace

import numpy as np
import pytest

from freeagent_core import Agent, GenerativeModel
from freeagent_core._model import sparse_input, tables
from freeagent_core._model.sparse_columns import SparseColumns


def slippery_corridor(length=5):
    """Return P of a corridor, like Gymnasium's FrozenLake: one move of three goes wrong."""
    P = {}
    for state in range(length):
        P[state] = {}
        for action, step in enumerate((-1, 1)):
            if state == length - 1:
                P[state][action] = [(1.0, state, 0, True)]
                continue
            right = max(0, state + step)
            P[state][action] = [
                (2 / 3, right, float(right == length - 1), right == length - 1),
                (1 / 6, state, 0.0, False),
                (1 / 6, state, 0.0, False),  # listed twice
            ]
    return P


def expected_B(P):
    B = np.zeros((len(P), len(P), len(P[0])))
    for state, actions in P.items():
        for action, outcomes in actions.items():
            for probability, following, *_ in outcomes:
                B[following, state, action] += probability
    return B


@pytest.mark.parametrize("compact", [False, True])
def test_table(compact, monkeypatch):
    if compact:
        for module in (sparse_input, tables):
            monkeypatch.setattr(module, "MAX_WHOLE", 0)
    P = slippery_corridor()
    model = GenerativeModel.from_table(P, policy_len=3)
    assert isinstance(model.B[0], SparseColumns) == compact
    assert np.allclose(np.asarray(model.B[0]), expected_B(P), rtol=0, atol=1e-15)
    assert np.array_equal(np.asarray(model.A[0]), np.eye(5))
    # into the last cell lead one move with its reward, and two from itself without
    assert np.allclose(model.C[0], [0, 0, 0, 0, 1 / 3])
    agent = Agent.from_model(model)
    assert agent.step([3])[0] == 1.0


def test_lists_are_taken_too_and_what_is_given_counts():
    P = [[list(outcomes) for outcomes in row.values()] for row in slippery_corridor().values()]
    A = np.full((2, 5), 0.5)
    model = GenerativeModel.from_table(P, A=A, D=[np.eye(5)[2]], gamma=3.0)
    assert np.array_equal(model.A[0], A)
    assert model.C[0].shape == (2,)
    assert model.gamma == 3.0
    assert np.allclose(model.B[0], expected_B(slippery_corridor()))


def test_gymnasium_environments_have_a_table_and_a_start():
    world = SimpleNamespace(P=slippery_corridor(), initial_state_distrib=np.eye(5)[1])
    wrapped = SimpleNamespace(unwrapped=world)
    for env in (world, wrapped):
        model = GenerativeModel.from_gymnasium(env)
        assert np.array_equal(model.D[0], np.eye(5)[1])
    assert np.array_equal(
        GenerativeModel.from_gymnasium(env, D=[np.full(5, 0.2)]).D[0], np.full(5, 0.2)
    )
    with pytest.raises(TypeError, match="env must have a table of transitions P"):
        GenerativeModel.from_gymnasium(SimpleNamespace())


def test_frozen_lake_itself():
    gymnasium = pytest.importorskip("gymnasium")
    env = gymnasium.make("FrozenLake-v1")
    model = GenerativeModel.from_gymnasium(env, policy_len=2)
    assert (model.num_states, model.num_controls) == ([16], [4])
    assert np.allclose(model.B[0], expected_B(env.unwrapped.P))


def changed(state, action, outcomes):
    P = slippery_corridor()
    P[state][action] = outcomes
    return P


BAD = {
    "P must not be empty": {},
    "TypeError: P must be a dict or a list, got int": 3,
    "TypeError: P must be a dict or a list, got str": "text",
    "P must have states 0 to 1, 1 is missing": {0: {0: []}, 2: {0: []}},
    "P[0] must have actions 0 to 0, 0 is missing": {0: {1: []}},
    "P[0] must not be empty": {0: {}},
    "P[1] must have 1 actions like P[0], got 2": {0: {0: [(1.0, 0, 0)]}, 1: {0: [], 1: []}},
    "TypeError: P[1][0] must be a list": changed(1, 0, 7),
    "TypeError: P[1][0][0] must be (probability, next_state, reward": changed(1, 0, [7]),
    "P[1][0][0][1] must be in 0 to 4, got 5": changed(1, 0, [(1.0, 5, 0.0, False)]),
    "TypeError: P[1][0][0][1] must be an integer": changed(1, 0, [(1.0, 1.5, 0.0, False)]),
    "P[1][0][0][0] must be non-negative": changed(1, 0, [(-0.5, 1, 0.0), (1.5, 1, 0.0)]),
    "P[1][0][0][0] must be finite": changed(1, 0, [(np.nan, 1, 0.0)]),
    "P[1][0][0][2] must be finite": changed(1, 0, [(1.0, 1, np.inf)]),
    "B[0][:, 1, 0] must sum to 1, got 0.9": changed(1, 0, [(0.9, 1, 0.0)]),
    "B[0][:, 1, 0] must sum to 1, got 0": changed(1, 0, []),
}


@pytest.mark.parametrize("message", BAD)
def test_errors_name_the_entry(message):
    with pytest.raises((ValueError, TypeError)) as caught:
        GenerativeModel.from_table(BAD[message])
    assert message in f"{type(caught.value).__name__}: {caught.value}"
    assert isinstance(caught.value, TypeError) == message.startswith("TypeError")


def test_B_follows_from_the_table():
    with pytest.raises(TypeError, match="B follows from P"):
        GenerativeModel.from_table(slippery_corridor(), B=np.eye(5)[:, :, None])
