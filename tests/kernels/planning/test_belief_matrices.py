"""Beliefs as columns of matrices: noisy worlds of one factor, against pymdp and other ways."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parity import assert_same_episode
from pymdp.legacy.agent import Agent as Reference
from random_arrays import distribution, object_array, observations
from ways_to_evaluate import (
    GRAPH,
    GRAPH_AND_MATRICES,
    MATRICES,
    TREE,
    assert_same_values,
    evaluated,
    grid,
    packed,
    slow,
)

from freeagent_core import Agent, GenerativeModel, Population
from freeagent_core._kernels.base import primitives
from freeagent_core._model.belief_matrices import constant_and_entries, entries_by_column


@st.composite
def noisy_models(draw):
    """Draw models of one factor: noise on A that is even or not, moves that may fail or do
    nothing, and flags."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, controls = draw(st.integers(2, 14)), draw(st.integers(1, 5))
    policy_len = draw(st.integers(1, 3 if controls < 4 else 2))
    kind = draw(st.sampled_from(["deterministic", "slip", "even slip", "sparse", "smooth"]))
    B = distribution(rng, (n, n, controls), "deterministic" if "slip" in kind else kind)
    if draw(st.booleans()):
        B[:, :, rng.integers(controls)] = np.eye(n)
    if kind == "slip":
        B = 0.8 * B + 0.2 * np.eye(n)[:, :, None]
    elif kind == "even slip":
        B = 0.8 * B + 0.2 / n
    A = []
    for _ in range(draw(st.integers(1, 2))):
        noise = draw(st.sampled_from([0.0, 1e-12, 0.01, 0.1, 0.3]))
        seen = draw(st.sampled_from(["identity", "deterministic", "sparse", "smooth"]))
        num_obs = n if seen == "identity" else draw(st.integers(1, 6))
        a = np.eye(n) if seen == "identity" else distribution(rng, (num_obs, n), seen)
        if draw(st.booleans()):  # some states are seen worse than others
            noise = noise * rng.random(n)
        A.append((1.0 - noise) * a + noise / num_obs)
    model = {
        "A": object_array(A),
        "B": object_array([B]),
        "C": object_array(rng.normal(scale=2.0, size=len(a)) for a in A),
        "policy_len": policy_len,
        "sampling_mode": draw(st.sampled_from(["marginal", "full"])),
        "use_utility": draw(st.booleans()),
        "use_states_info_gain": draw(st.booleans()),
        "use_param_info_gain": draw(st.booleans()),
        "gamma": draw(st.sampled_from([1.0, 16.0])),
    }
    if draw(st.booleans()):
        model["D"] = object_array([distribution(rng, (n,), "deterministic")])
    if draw(st.booleans()):
        model["C"] = object_array(rng.normal(size=(len(a), policy_len)) for a in A)
    if draw(st.booleans()):
        model["H"] = object_array([distribution(rng, (n,), "deterministic")])
    if draw(st.booleans()):
        model["pA"] = object_array(np.where(a > 1e-6, a * 5.0, 0.0) for a in A)
    if draw(st.booleans()):
        E = rng.random(controls**policy_len)
        model["E"] = E / E.sum()
    return model


@slow
@given(model=noisy_models(), seed=st.integers(0, 2**32 - 1), graph=st.booleans())
def test_parity(model, seed, graph):
    agent = Agent.from_model(packed(model, GRAPH_AND_MATRICES if graph else MATRICES))
    reference = Reference(**model)
    assert_same_episode(agent, reference, observations(model, seed, 4), seed, True)


@slow
@given(model=noisy_models(), seed=st.integers(0, 2**32 - 1))
def test_ways_agree(model, seed):
    expected = evaluated(packed(model, TREE), model, seed, 6)
    for way in ({}, MATRICES, GRAPH_AND_MATRICES, GRAPH):
        assert_same_values(evaluated(packed(model, way), model, seed, 6), expected)


@slow
@given(model=noisy_models(), seed=st.integers(0, 2**32 - 1))
def test_simd_levels_agree(model, seed):
    level, results = primitives.simd_level(), []
    try:
        for each in primitives.simd_levels():
            primitives.set_simd_level(each)
            results.append(evaluated(packed(model, MATRICES), model, seed, 4))
    finally:
        primitives.set_simd_level(level)
    for found in results[1:]:
        for (q_pi, values), (other_q_pi, other_values) in zip(found, results[0], strict=True):
            np.testing.assert_allclose(values, other_values, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(q_pi, other_q_pi, rtol=0, atol=1e-12)


def noisy_grid(rows, columns, policy_len, noise, **arguments):
    """Return a grid world that is seen with evenly spread noise."""
    model = grid(rows, columns, policy_len, **arguments)
    A = model["A"][0]
    model["A"] = object_array([(1.0 - noise) * A + noise * (1.0 - A) / (len(A) - 1)])
    return model


def evaluated_nodes(model, qs):
    """Return how many beliefs an agent with beliefs `qs` evaluates."""
    agent = Agent.from_model(GenerativeModel(**model))
    agent.qs[0][:] = qs
    agent.infer_policies()
    return agent.model.packed.graph_size()


def test_many_states_go_to_matrices_and_few_to_the_graph():
    model, qs = noisy_grid(5, 5, 3, 0.1), np.full(25, 1.0 / 25)
    size = evaluated_nodes(model, qs)
    # of four moves; the fifth action does nothing, and its beliefs are those without it
    assert size["entries"] == 0
    assert 1 + 4 + 16 + 64 <= size["nodes"] < 1 + 5 + 25 + 125
    qs = np.zeros(25)
    qs[[3, 4]] = 0.5
    size = evaluated_nodes(model, qs)
    assert 0 < size["entries"] <= 2 * size["beliefs"]


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("slip", [0.0, 0.2])
@pytest.mark.parametrize("policy_len", [1, 4, 5])
def test_more_beliefs_than_a_block(policy_len, slip, noise):
    model = noisy_grid(3, 4, policy_len, noise, slip=slip)
    expected = evaluated(packed(model, GRAPH), model, 0, 5)
    for way in (MATRICES, GRAPH_AND_MATRICES, {**MATRICES, "BLOCK_COLUMNS": 8}):
        assert_same_values(evaluated(packed(model, way), model, 0, 5), expected)


def test_population_has_the_bits_of_agents_alone():
    for slip in (0.0, 0.2):
        model = packed(noisy_grid(9, 9, 2, 0.2, slip=slip), MATRICES)
        rng = np.random.default_rng(0)
        population = Population(model, 13, num_threads=2, seed=0)
        agents = [Agent.from_model(model) for _ in range(13)]
        for _ in range(8):
            seen = rng.integers(81, size=(13, 1))
            chosen = population.step(seen)
            for i, agent in enumerate(agents):
                agent.infer_states([int(seen[i, 0])])
                agent.infer_policies()
                agent.action = chosen[i].astype(float)
                np.testing.assert_array_equal(agent.G, population.G[i])
                np.testing.assert_array_equal(agent.q_pi, population.q_pi[i])


@pytest.mark.parametrize("learned", ["pA", "pB"])
def test_what_is_learned_counts(learned):
    """A and B that an agent has learned are not those that the matrices were made from."""
    model = noisy_grid(3, 3, 2, 0.2, slip=0.1)
    model[learned] = object_array(np.where(x > 0, x, 0.0) * 4.0 for x in model[learned[1]])
    agent, reference = Agent.from_model(packed(model, MATRICES)), Reference(**model)
    for step, seen in enumerate([0, 5, 5, 8]):
        for each in (agent, reference):
            before = each.qs if step else None
            each.infer_states([seen])
            each.infer_policies()
            each.action = np.array([step % 5 * 1.0])
            if learned == "pA":
                each.update_A([seen])
            elif step:
                each.update_B(before)
        np.testing.assert_allclose(agent.q_pi, reference.q_pi, atol=1e-9)
        np.testing.assert_allclose(agent.G, reference.G, atol=1e-8)


def test_constant_and_entries():
    A = np.full((4, 6), 0.1)
    A[[0, 1, 2], [0, 1, 2]] = 0.7
    A[3] = [0.1, 0.1 * (1 + 2e-16), 0.1, 0.3, 0.1, 0.1]
    parts = constant_and_entries(A)
    np.testing.assert_array_equal(parts["constant"], 0.1)
    assert parts["start"].tolist() == [0, 1, 2, 3, 4]
    assert parts["column"].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(parts["value"], [0.6, 0.6, 0.6, 0.2])
    # zeros are the constant where they leave fewer entries
    parts = constant_and_entries(np.array([[0.0, 0.0, 0.0, 0.2, 0.2], [0.2, 0.2, 0.2, 0.0, 0.2]]))
    np.testing.assert_array_equal(parts["constant"], [0.0, 0.2])
    assert parts["column"].tolist() == [3, 4, 3]


def test_entries_by_column():
    rng = np.random.default_rng(0)
    B = distribution(rng, (7, 7, 3), "sparse").transpose(2, 1, 0)
    parts = entries_by_column(B)
    dense = np.zeros_like(B)
    for m, s in np.ndindex(3, 7):
        np.add.at(dense[m, s], parts["next"][m, s], parts["weight"][m, s])
    np.testing.assert_array_equal(dense, B)


def test_sequences_that_meet_stay_a_graph():
    """In a corridor few of 2^12 sequences differ: their beliefs are merged."""
    n = 10
    left, right = np.maximum(np.arange(n) - 1, 0), np.minimum(np.arange(n) + 1, n - 1)
    B = np.stack([np.eye(n)[:, left], np.eye(n)[:, right]], axis=2)
    model = {"A": object_array([np.full((n, n), 0.05) + 0.5 * np.eye(n)]), "policy_len": 12}
    size = evaluated_nodes({**model, "B": object_array([B])}, np.full(n, 0.1))
    assert 0 < size["beliefs"] < 500
    assert size["nodes"] < 500
