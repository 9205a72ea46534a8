"""Agents that pass messages, stepped eight at a time, one a SIMD lane: the numbers of one agent
alone, to the bit whatever its block."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lane_populations import (
    SIZE,
    assert_the_bits_do_not_depend_on_the_block,
    observations,
    seeds,
    slow,
    small_model,
    state,
)
from parity_mmp import mmp_models
from random_arrays import distribution, object_array
from ways_to_evaluate import grid

from freeagent_core import GenerativeModel, Population, population
from freeagent_core._kernels.base.primitives import simd_levels


def populated(model, size=SIZE, in_lanes=True, **options):
    with pytest.MonkeyPatch.context() as patch:
        if not in_lanes:
            patch.setattr(population, "pack_message_lanes", lambda *_: None)
        return Population(model, size, **{"seed": 3, **options})


def has_lanes(model):
    return Population(model, 1)._core.window_lanes is not None


def drawn(arguments):
    """Return the model without what has no lanes."""
    arguments.pop("H", None)
    if any(len(factors) > 1 for factors in arguments.get("B_factor_list", ())):
        arguments["B_factor_list"] = [factors[:1] for factors in arguments["B_factor_list"]]
        for name in sorted({"B", "pB"} & set(arguments)):
            arguments[name] = object_array(
                B.reshape(*B.shape[:2], -1, B.shape[-1])[:, :, 0] for B in arguments[name]
            )
    return arguments


def mmp_model(**changes):
    return small_model(**{"inference_algo": "MMP", "inference_horizon": 3, **changes})


def noisy_grid(side):
    """Return a grid world: transitions with few entries, one factor."""
    arguments = grid(side, side, 2)
    arguments["A"] = object_array([0.8 * arguments["A"][0] + 0.2 / side**2])
    return GenerativeModel(**arguments, inference_algo="MMP", inference_horizon=3)


def assert_same(ours, others):
    for name, tolerance in [("qs", 1e-11), ("q_pi", 1e-11), ("sequences", 1e-11)]:
        np.testing.assert_allclose(
            ours._core.state[name], others._core.state[name], rtol=0, atol=tolerance
        )
    for name in ("G", "F"):
        np.testing.assert_allclose(
            ours._core.state[name], others._core.state[name], rtol=1e-12, atol=1e-10
        )
    for name in ("past", "past_len", "past_actions", "num_actions", "num_priors", "infer_len"):
        np.testing.assert_array_equal(ours._core.state[name], others._core.state[name], name)


@slow
@given(arguments=mmp_models(), seed=seeds)
def test_the_numbers_are_those_of_agents_alone(arguments, seed):
    """Some agents begin anew in between: a block has windows of several lengths."""
    model = GenerativeModel(**drawn(arguments))
    assert has_lanes(model)
    ours, others = (populated(model, in_lanes=in_lanes) for in_lanes in (True, False))
    rng = np.random.default_rng(seed)
    for observed in observations(model, seed, 6):
        present, again = rng.random(SIZE) < 0.8, rng.random(SIZE) < 0.2
        ours.step(observed, mask=present)
        others.step(observed, mask=present)
        assert_same(ours, others)
        # draws that hang on rounding
        for name in ("action", "past_actions", "latest_belief"):
            ours._core.state[name][:] = others._core.state[name]
        for each in (ours, others):
            each.reset(mask=again)


@slow
@given(
    arguments=mmp_models(),
    seed=seeds,
    level=st.sampled_from(simd_levels()),
    first=st.integers(0, SIZE - 1),
    rest=st.integers(1, SIZE),
    num_threads=st.integers(1, 3),
)
def test_the_bits_do_not_depend_on_the_block(arguments, seed, level, first, rest, num_threads):
    model = GenerativeModel(**drawn(arguments))
    part = slice(first, min(first + rest, SIZE))
    assert_the_bits_do_not_depend_on_the_block(
        populated, model, seed, level, part, num_threads, steps=5
    )


@pytest.mark.parametrize("model", [mmp_model(), noisy_grid(4)], ids=["dense", "lists of entries"])
def test_beliefs_alone(model):
    """Without policies' probabilities, beliefs are averaged evenly."""
    ours, others = (populated(model, in_lanes=in_lanes) for in_lanes in (True, False))
    for observed in observations(model, 0, 2):
        for each in (ours, others):
            each.infer_states(observed)
        assert_same(ours, others)
        for each in (ours, others):
            each.infer_policies()
            each.sample_action()
        assert_same(ours, others)


@pytest.mark.parametrize("poisoned", [[0], [3], [7, 8], [12]])
@pytest.mark.parametrize("operation", ["step", "infer_states"])
def test_a_lane_that_fails_leaves_the_others_alone(operation, poisoned):
    model = mmp_model()
    broken, sound = populated(model), populated(model)
    for observed in observations(model, 2, 2):
        broken.step(observed)
        sound.step(observed)
    broken._core.state["latest_belief"][poisoned, 0] = np.inf
    before = state(broken)
    (observed,) = observations(model, 3, 1)
    getattr(sound, operation)(observed)
    names = ", ".join(map(str, poisoned))
    with pytest.raises(FloatingPointError, match=rf"of agents \[{names}\]"):
        getattr(broken, operation)(observed)
    for name, array in sound._core.state.items():
        expected = array.copy()
        expected[poisoned] = before[name][poisoned]
        np.testing.assert_array_equal(broken._core.state[name], expected, name)


def test_what_pymdp_cannot_do_is_refused_before_a_step():
    counts = {f"p{name}": array.copy() for name, array in (("B", mmp_model().B),)}
    population = populated(mmp_model(use_param_info_gain=True, **counts))
    (observed,) = observations(population.model, 1, 1)
    before = state(population)
    with pytest.raises(NotImplementedError, match="use_param_info_gain with pB"):
        population.step(observed)
    for name, array in population._core.state.items():
        np.testing.assert_array_equal(array, before[name], name)


def test_learned_models_have_no_lanes():
    pD = object_array([np.array([1.0, 2.0]), np.array([3.0, 1.0, 1.0])])
    model = mmp_model(pD=pD)
    ours, others = (populated(model, in_lanes=in_lanes) for in_lanes in (True, False))
    for t, observed in enumerate(observations(model, 1, 3)):
        for each in (ours, others):
            each.step(observed)
            each.update_D([np.full((SIZE, n), 1.0 / n) for n in (2, 3)], mask=np.arange(SIZE) < 5)
            each.reset(mask=np.arange(SIZE) < 7)
        assert_same(ours, others)
        if t > 0:  # when they have begun anew
            np.testing.assert_array_equal(
                ours._core.state["sequences"][:5], others._core.state["sequences"][:5]
            )


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (mmp_model(), True),
        (noisy_grid(5), True),
        (small_model(), False),
        (mmp_model(pymdp_version="0.0.7.1"), False),
        (mmp_model(inference_params={"tau": 0.5}), False),
        (mmp_model(inference_params={"grad_descent": False}), False),
        (mmp_model(A=object_array([np.full((2, 2, 3), 0.5)] * 13), C=None), False),
        (noisy_grid(16), False),
    ],
)
def test_which_models_have_lanes(model, expected):
    assert has_lanes(model) == expected


def test_transitions_on_other_factors_have_no_lanes():
    rng = np.random.default_rng(0)
    B = object_array([distribution(rng, (2, 2, 3, 3), "smooth"), np.eye(3)[:, :, np.newaxis]])
    assert not has_lanes(mmp_model(B=B, B_factor_list=[[0, 1], [1]]))
