"""Agents that are stepped eight at a time, one a SIMD lane: the numbers of one agent alone, to the
bit whatever its block."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lane_populations import (
    SIZE,
    assert_only_these_fail,
    assert_same_numbers,
    assert_the_bits_do_not_depend_on_the_block,
    nearly_the_same,
    observations,
    populated,
    seeds,
    slow,
    small_model,
    spread_of,
)
from parity import compared
from random_arrays import distribution, object_array
from random_models import models, with_single_states

from freeagent_core import Agent, GenerativeModel, Population
from freeagent_core._kernels.base.primitives import set_simd_level, simd_levels


def many_modalities(count):
    """Return a model in which contradictory outcomes make a product of 1e-16 ** count."""
    A = np.stack([np.eye(3)] * count)
    B = np.stack([np.roll(np.eye(3), shift, axis=0) for shift in range(2)], axis=-1)
    return GenerativeModel(object_array(A), object_array([0.9 * B + 0.1 / 3]), policy_len=2)


@slow
@given(arguments=models(), single=st.booleans(), seed=seeds)
def test_the_numbers_are_those_of_agents_alone(arguments, single, seed):
    """Unless they hang on rounding: the fixed-point iteration can leave an unstable point in
    either direction."""
    single &= "H" not in arguments
    arguments = with_single_states(arguments) if single else arguments
    model = GenerativeModel(**arguments)
    ours, others = (populated(model, SIZE, in_lanes) for in_lanes in (True, False))
    changed = [
        populated(GenerativeModel(**nearly_the_same(arguments, k)), SIZE, False) for k in range(3)
    ]
    steps = observations(model, seed, 4)
    compared["of"] += len(steps)
    for observed in steps:
        actions = ours.step(observed)
        expected_actions = others.step(observed)
        for each in changed:
            each.step(observed)
            each._core.state["action"][:] = expected_actions
        if (spread := spread_of(changed, others)) > 1e-13:
            return
        compared["steps"] += 1
        np.testing.assert_array_equal(actions, expected_actions)
        assert_same_numbers(ours, others, spread)


@slow
@given(
    arguments=models(),
    seed=seeds,
    level=st.sampled_from(simd_levels()),
    first=st.integers(0, SIZE - 1),
    rest=st.integers(1, SIZE),
    num_threads=st.integers(1, 3),
)
def test_the_bits_do_not_depend_on_the_block(arguments, seed, level, first, rest, num_threads):
    model = GenerativeModel(**arguments)
    part = slice(first, min(first + rest, SIZE))
    assert_the_bits_do_not_depend_on_the_block(
        populated, model, seed, level, part, num_threads, steps=4
    )


@slow
@given(arguments=models(), seed=seeds)
def test_a_step_is_its_parts(arguments, seed):
    model = GenerativeModel(**arguments)
    steps, parts = populated(model, SIZE), populated(model, SIZE)
    for observed in observations(model, seed, 3):
        actions = steps.step(observed)
        parts.infer_states(observed)
        parts.infer_policies()
        np.testing.assert_array_equal(parts.sample_action(), actions)
        for name, array in steps._core.state.items():
            np.testing.assert_array_equal(parts._core.state[name], array, name)


def test_levels_agree():
    model = small_model(policy_len=3)
    results = []
    for level in simd_levels():
        set_simd_level(level)  # conftest.py sets it back
        each = populated(model, SIZE)
        for observed in observations(model, 1, 5):
            each.step(observed)
        results.append(each)
    for other in results[1:]:
        np.testing.assert_allclose(other.G, results[0].G, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(other.qs[1], results[0].qs[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("poisoned", [[0], [3], [7, 8], [12]])
def test_a_lane_that_fails_leaves_the_others_alone(poisoned):
    model = small_model()
    broken, sound = populated(model, SIZE), populated(model, SIZE)
    for observed in observations(model, 2, 2):
        broken.step(observed)
        sound.step(observed)
    (observed,) = observations(model, 3, 1)
    assert_only_these_fail(broken, sound, observed, poisoned)


def test_infinite_values_fail():
    model = small_model(gamma=1e308, C=object_array([np.array([0.0, 50.0, 700.0])] * 2))
    ours, others = (populated(model, SIZE, in_lanes) for in_lanes in (True, False))
    (observed,) = observations(model, 4, 1)
    for each in (ours, others):
        with pytest.raises(FloatingPointError, match="agents"):
            each.step(observed)
    np.testing.assert_array_equal(ours._core.failed()[0], others._core.failed()[0])


@pytest.mark.parametrize("count", [2, 13, 14, 30])
def test_products_that_underflow(count):
    model = many_modalities(count)
    agents = [Agent.from_model(model) for _ in range(SIZE)]
    each = populated(model, SIZE)
    for observed in observations(model, 6, 4):
        each.infer_states(observed)
        each.infer_policies()
        actions = each.sample_action()
        for i, agent in enumerate(agents):
            agent.infer_states(observed[i].tolist())
            agent.infer_policies()
            agent.action = actions[i].astype(float)
            np.testing.assert_allclose(each.qs[0][i], agent.qs[0], rtol=0, atol=1e-12)
            np.testing.assert_allclose(each.G[i], agent.G, rtol=0, atol=1e-12)


def test_neighbours_that_learn():
    model = small_model(
        pA=object_array(np.ones((3, 2, 3)) for _ in range(2)), use_param_info_gain=True
    )
    mixed, unlearned = populated(model, SIZE), populated(model, SIZE)
    learner = np.arange(SIZE) % 3 == 1
    for observed in observations(model, 7, 4):
        mixed.step(observed)
        unlearned.step(observed)
        mixed.update_A(observed, mask=learner)
    for name, array in unlearned._core.state.items():
        np.testing.assert_array_equal(mixed._core.state[name][~learner], array[~learner], name)
    assert (mixed.G[learner] != unlearned.G[learner]).any()


@pytest.mark.parametrize(
    ("changes", "in_lanes"),
    [
        ({}, True),
        ({"policy_len": 6}, False),
        ({"inference_algo": "MMP"}, False),
        ({"policy_len": 1, "sophisticated": True, "si_horizon": 2}, False),
        ({"pymdp_version": "0.0.7.1"}, False),
    ],
)
def test_which_models_have_lanes(changes, in_lanes):
    assert (Population(small_model(**changes), 2)._core.lanes is not None) == in_lanes


def test_large_models_have_none():
    rng = np.random.default_rng(0)
    A, B = distribution(rng, (4, 40), "smooth"), distribution(rng, (40, 40, 2), "smooth")
    assert Population(GenerativeModel(A, B), 2)._core.lanes is None


def test_choices_of_more_than_64_policies():
    """Entries that differ by rounding are made equal without comparing all of them."""
    rng = np.random.default_rng(2)
    model = GenerativeModel(
        distribution(rng, (3, 4), "smooth"), distribution(rng, (4, 4, 9), "smooth"),
        C=rng.normal(size=3), policy_len=2, sampling_mode="full", action_selection="stochastic",
        alpha=2.0,
    )  # fmt: skip
    ours, others = (populated(model, SIZE, in_lanes) for in_lanes in (True, False))
    for observed in observations(model, 1, 6):
        np.testing.assert_array_equal(ours.step(observed), others.step(observed))


@pytest.mark.parametrize("in_lanes", [True, False])
def test_a_factor_of_one_state_between_others(in_lanes):
    """It changes no number of the other factors."""
    rng = np.random.default_rng(4)
    A = distribution(rng, (3, 4, 2), "smooth")
    B = [distribution(rng, (n, n, 2), "smooth") for n in (4, 2)]
    one = np.ones((1, 1, 1))
    C = rng.normal(size=3)
    with_one = GenerativeModel(A[:, :, None, :], object_array([B[0], one, B[1]]), C=C)
    without = GenerativeModel(A, object_array(B), C=C)
    ours, others = (populated(model, SIZE, in_lanes) for model in (with_one, without))
    for observed in observations(without, 1, 4):
        actions = ours.step(observed)
        np.testing.assert_array_equal(actions[:, [0, 2]], others.step(observed))
        np.testing.assert_allclose(ours.qs[0], others.qs[0], atol=1e-12)
        np.testing.assert_allclose(ours.qs[2], others.qs[1], atol=1e-12)
        np.testing.assert_allclose(ours.q_pi, others.q_pi, atol=1e-12)


@pytest.mark.parametrize("compute_vfe", [True, False])
@pytest.mark.parametrize("dF", [1.0, 1e-6])
def test_iterations_with_and_without_the_free_energy(compute_vfe, dF):
    model = small_model(inference_params={"compute_vfe": compute_vfe, "dF": dF})
    ours, others = (populated(model, SIZE, in_lanes) for in_lanes in (True, False))
    for observed in observations(model, 5, 3):
        np.testing.assert_array_equal(ours.step(observed), others.step(observed))
        assert_same_numbers(ours, others, 0.0)
