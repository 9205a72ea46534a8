"""Models forced into each way to evaluate policies, and models larger than `random_models`."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from parity import G
from random_arrays import distribution, object_array, observations

from freeagent_core import Agent, GenerativeModel
from freeagent_core._model import belief_matrices, packing, sparse_columns

slow = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

# constants of packing that force a way
NO_MATRICES = {"MAX_COLUMNS": -1}
GRAPH = {"MAX_GRAPH_COLUMN": 1e9, **NO_MATRICES}
TREE = {"MAX_GRAPH_COLUMN": -1.0, **NO_MATRICES}
# where the model has one factor; the graph's rollout of a point mass comes first
MATRICES = {"MAX_GRAPH_COLUMN": -1.0, "DENSE_ENTRY": 1e9}
GRAPH_AND_MATRICES = {"MAX_GRAPH_COLUMN": 1e9, "GRAPH_PAIR": 1e9}
SPARSE = {"SPARSE_COLUMN": 1e9}
DENSE = {"SPARSE_COLUMN": -1.0, "SPARSE_SHARE": 0.0}
NOT_ENUMERATED = {"MAX_STORED_POLICIES": 0}


@contextlib.contextmanager
def forced(*constants):
    """Let models be packed with these constants."""
    with pytest.MonkeyPatch.context() as patch:
        for each in constants:
            for name, value in each.items():
                modules = (belief_matrices, sparse_columns, packing)
                patch.setattr(next(m for m in modules if hasattr(m, name)), name, value)
        yield


def packed(arguments, *constants):
    """Return a model that was packed with these constants."""
    with forced(*constants):
        return GenerativeModel(**arguments)


def grid(rows, columns, policy_len, slip=0.0):
    """Return a grid world that is seen as it is; with `slip` a move may fail."""
    moves = ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))
    B = np.zeros((rows * columns, rows * columns, len(moves)))
    for cell in range(rows * columns):
        for action, (down, right) in enumerate(moves):
            row = min(max(cell // columns + down, 0), rows - 1)
            column = min(max(cell % columns + right, 0), columns - 1)
            B[row * columns + column, cell, action] += 1.0 - slip
            B[cell, cell, action] += slip
    C = np.linspace(0.0, 2.0, rows * columns)
    return {
        "A": object_array([np.eye(rows * columns)]),
        "B": object_array([B]),
        "C": object_array([C]),
        "policy_len": policy_len,
    }


@st.composite
def larger_models(draw):
    """Draw models of up to 12 states a factor whose transitions are of one kind."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_factors = draw(st.integers(1, 3))
    most = {1: 12, 2: 6, 3: 4}[num_factors]
    num_states = draw(st.lists(st.integers(2, most), min_size=num_factors, max_size=num_factors))
    num_controls = [draw(st.integers(1, 3 if f == 0 else 2)) for f in range(num_factors)]
    policy_len = draw(st.integers(1, 3 if np.prod(num_controls) < 6 else 2))
    kind = draw(st.sampled_from(["deterministic", "slip", "smooth", "peaked", "sparse"]))
    B = []
    for n, u in zip(num_states, num_controls, strict=True):
        if kind == "slip":
            base = distribution(rng, (n, n, u), "deterministic")
            B.append(0.8 * base + 0.2 * np.eye(n)[:, :, None])
        else:
            B.append(distribution(rng, (n, n, u), kind))
    A = []
    for _ in range(draw(st.integers(1, 3))):
        which = draw(st.sampled_from(["identity", "smooth", "deterministic", "sparse"]))
        if which == "identity":  # of one factor
            f = int(rng.integers(num_factors))
            shape = [1] * num_factors
            shape[f] = num_states[f]
            A.append(
                np.eye(num_states[f]).reshape(num_states[f], *shape)
                + np.zeros((num_states[f], *num_states))
            )
        else:
            A.append(distribution(rng, (int(rng.integers(1, 6)), *num_states), which))
    model = {
        "A": object_array(A),
        "B": object_array(B),
        "C": object_array(rng.normal(scale=2.0, size=len(a)) for a in A),
        "policy_len": policy_len,
        "action_selection": draw(st.sampled_from(["deterministic", "stochastic"])),
        "sampling_mode": draw(st.sampled_from(["marginal", "full"])),
        "use_utility": draw(st.booleans()),
        "use_states_info_gain": draw(st.booleans()),
        "use_param_info_gain": draw(st.booleans()),
    }
    if draw(st.booleans()):
        model["C"] = object_array(rng.normal(size=(len(a), policy_len)) for a in A)
    if draw(st.booleans()):
        # no counts of 1e-20: their information gain is 1e16 nats, and rounding decides
        model["pA"] = object_array(np.where(a > 1e-6, a * rng.integers(1, 9), 0.0) for a in A)
    if draw(st.booleans()):
        model["pB"] = object_array(np.where(b > 1e-6, b * rng.integers(1, 9), 0.0) for b in B)
    if draw(st.booleans()):
        model["H"] = object_array(distribution(rng, (n,), "deterministic") for n in num_states)
    return model


def evaluated(model, arguments, seed, steps=3):
    """Return q_pi and G of an agent of `model`, step by step with actions that are given."""
    agent = Agent.from_model(model)
    rng = np.random.default_rng(seed)
    results = []
    for observation in observations(arguments, seed, steps):
        agent.infer_states(observation)
        results.append([x.copy() for x in agent.infer_policies()])
        agent.action = [rng.integers(u) for u in model.num_controls]
    return results


def assert_same_values(found, expected):
    """Compare two results of `evaluated`."""
    for (q_pi, values), (other_q_pi, other_values) in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, other_values, rtol=1e-12, atol=G / 10)
        np.testing.assert_allclose(q_pi, other_q_pi, rtol=0, atol=1e-10)
