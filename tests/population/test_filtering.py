"""`Population.infer_states` alone, of models of one factor: agents with one last action share a
matrix product, and have the bits of an agent alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_arrays import KINDS, distribution, object_array

from freeagent_core import Agent, GenerativeModel, Population
from freeagent_core._kernels.base.primitives import set_simd_level, simd_level, simd_levels

SIZE = 75  # a block and a part of one


@st.composite
def models_of_one_factor(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, num_controls = draw(st.integers(2, 40)), draw(st.integers(1, 4))
    likelihoods = [
        distribution(rng, (int(rng.integers(1, 6)), n), draw(st.sampled_from(KINDS)))
        for _ in range(draw(st.integers(1, 3)))
    ]
    B = distribution(rng, (n, n, num_controls), draw(st.sampled_from(["smooth", "sparse"])))
    D = distribution(rng, (n,), draw(st.sampled_from(KINDS)))
    return GenerativeModel(
        A=object_array(likelihoods),
        B=object_array([B]),
        D=object_array([D]),
        pA=object_array(a + 1.0 for a in likelihoods),
    )


def outcomes(model, rng):
    return np.stack([rng.integers(n, size=SIZE) for n in model.num_obs], axis=1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    model=models_of_one_factor(),
    seed=st.integers(0, 2**32 - 1),
    level=st.sampled_from(simd_levels()),
)
def test_the_bits_are_those_of_an_agent(model, seed, level):
    rng, usual = np.random.default_rng(seed), simd_level()
    set_simd_level(level)
    try:
        population = Population(model, SIZE, num_threads=2, seed=0)
        agents = [Agent.from_model(model) for _ in range(SIZE)]
        for step in range(4):
            observed, present = outcomes(model, rng), rng.random(SIZE) < 0.8
            before = population.qs[0].copy()
            population.infer_states(observed, mask=present)
            np.testing.assert_array_equal(population.qs[0][~present], before[~present])
            if step == 1:  # some learn, and are inferred alone from then on
                learners = present & (rng.random(SIZE) < 0.2)
                population.update_A(observed, mask=learners)
            actions = rng.integers(model.num_controls[0], size=SIZE)
            population._core.state["action"][:, 0] = actions
            population._core.state["has_action"][present] = 1
            for i in np.flatnonzero(present):
                agents[i].infer_states(observed[i].tolist())
                if step == 1 and learners[i]:
                    agents[i].update_A(observed[i].tolist())
                np.testing.assert_array_equal(population.qs[0][i], agents[i].qs[0])
                agents[i].action = actions[i : i + 1].astype(float)
            for i in np.flatnonzero(~present):  # the next prior is from the action, if there is one
                if agents[i].action is not None:
                    agents[i].action = actions[i : i + 1].astype(float)
    finally:
        set_simd_level(usual)


@pytest.mark.parametrize("count", [2, 13, 14])
def test_products_that_underflow(count):
    A = object_array(np.eye(3) for _ in range(count))
    B = np.full((3, 3, 1), 0.05) + 0.85 * np.eye(3)[:, :, np.newaxis]
    model = GenerativeModel(A, object_array([B]))
    population, agent = Population(model, SIZE), Agent.from_model(model)
    observed = np.zeros((SIZE, count), dtype=int)
    observed[7] = [k % 3 for k in range(count)]
    population.infer_states(observed)
    np.testing.assert_array_equal(population.qs[0][7], agent.infer_states(observed[7].tolist())[0])


def test_an_agent_that_fails():
    rng = np.random.default_rng(0)
    A, B = distribution(rng, (4, 20), "smooth"), distribution(rng, (20, 20, 2), "smooth")
    population = Population(GenerativeModel(A, B), SIZE, seed=0)
    observed = rng.integers(4, size=SIZE)
    population.step(observed)
    twin = Population(population.model, SIZE, seed=0)
    twin.step(observed)
    twin.infer_states(observed)
    population._core.state["qs"][70, 3] = np.inf
    broken = population.qs[0][70].copy()
    with pytest.raises(FloatingPointError, match=r"of agents \[70\]"):
        population.infer_states(observed)
    np.testing.assert_array_equal(population.qs[0][70], broken)
    others = np.arange(SIZE) != 70
    np.testing.assert_array_equal(population.qs[0][others], twin.qs[0][others])
