"""Populations that are stepped in lanes, and their twins that are not."""

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from random_arrays import distribution, object_array

from freeagent_core import GenerativeModel, Population, population
from freeagent_core._agent import population_learning
from freeagent_core._kernels.base.primitives import set_simd_level, simd_level
from freeagent_core._model import lane_packing

SIZE = 13  # a whole block and a part of one
slow = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
seeds = st.integers(0, 2**32 - 1)
ANY_SIZE = {
    "MAX_LANE_STATES": 10**9,
    "MAX_OF_PRODUCTS": 1e18,
    "MAX_OF_ONE_FACTOR": 1e18,
    "MAX_OF_GRAPH": 1e18,
    "MAX_OF_DETERMINISTIC": 1e18,
    "MAX_OF_POINT_MASSES": 1e18,
    "MAX_OF_LEARNED": 1e18,
    "MAX_LANE_DOUBLES": 10**9,
}


def populated(model, size, in_lanes=True, learns=False, **options):
    """Return a population that is stepped in lanes whatever its model's size, or agent by agent."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ANY_SIZE.items():
            patch.setattr(lane_packing, name, value)
        if not in_lanes:
            patch.setattr(population, "pack_lanes", lambda *_: None)
            patch.setattr(population_learning, "pack_lanes", lambda *_, **__: None)
        made = Population(model, size, **{"seed": 3, **options})
        if learns:
            population_learning.begin_learning(made._core, model)
    assert (made._core.lanes is not None) == in_lanes
    assert (made._core.learned_lanes is not None) == (in_lanes and learns)
    return made


def observations(model, seed, steps, size=SIZE):
    rng = np.random.default_rng(seed)
    return [
        np.stack([rng.integers(n, size=size) for n in model.num_obs], axis=1) for _ in range(steps)
    ]


def state(population):
    """Return copies of everything that a step writes."""
    return {name: array.copy() for name, array in population._core.state.items()}


def small_model(**changes):
    rng = np.random.default_rng(5)
    arguments = {
        "A": object_array(distribution(rng, (3, 2, 3), "smooth") for _ in range(2)),
        "B": object_array([distribution(rng, (2, 2, 3), "smooth"), np.eye(3)[:, :, np.newaxis]]),
        "C": object_array(rng.normal(size=3) for _ in range(2)),
        "policy_len": 2,
        "action_selection": "stochastic",
        "alpha": 1.0,
    }
    return GenerativeModel(**{**arguments, **changes})


def nearly_the_same(arguments, seed):
    """Return the model's arguments with A, B and pA changed in their last bits."""
    rng = np.random.default_rng(seed)
    changed = dict(arguments)
    A = [a + (a + 1e-16) * rng.choice([0.0, 1e-14], size=a.shape) for a in arguments["A"]]
    changed["A"] = object_array(A)
    for name in sorted({"B", "pA"} & set(arguments)):
        changed[name] = object_array(
            array * (1 + rng.choice([0.0, 1e-14], size=array.shape)) for array in arguments[name]
        )
    return changed


def spread_of(changed, others):
    """Return how far the beliefs of nearly the same populations are from those of `others`."""
    return max(
        np.abs(mine - expected).max()
        for each in changed
        for mine, expected in zip(each.qs, others.qs, strict=True)
    )


def assert_same_numbers(ours, others, spread):
    """Check beliefs and policies, where last bits of the model change beliefs by `spread`."""
    for mine, expected in zip(ours.qs, others.qs, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=0, atol=5e-12 + 100.0 * spread)
    np.testing.assert_allclose(ours.G, others.G, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(ours.q_pi, others.q_pi, rtol=0, atol=1e-11)


def assert_only_these_fail(broken, sound, observed, poisoned):
    """Step equal populations, of which `broken` gets beliefs that are not finite: those agents
    stay as they were, and the others step as in `sound`."""
    broken._core.state["qs"][poisoned, 0] = np.inf
    before = state(broken)
    sound.step(observed)
    names = ", ".join(map(str, poisoned))
    with pytest.raises(FloatingPointError, match=rf"of agents \[{names}\]"):
        broken.step(observed)
    for name, array in sound._core.state.items():
        expected = array.copy()
        expected[poisoned] = before[name][poisoned]
        np.testing.assert_array_equal(broken._core.state[name], expected, name)


def assert_the_bits_do_not_depend_on_the_block(make, model, seed, level, part, num_threads, steps):
    """Step the agents of `part` among all and by themselves, at a SIMD level, some absent;
    `make(model, size, **options)` makes the populations."""
    whole = make(model, SIZE)
    few = make(model, part.stop - part.start, first_agent=part.start, num_threads=num_threads)
    rng, usual = np.random.default_rng(seed), simd_level()
    set_simd_level(level)
    try:
        for observed in observations(model, seed, steps):
            whole.step(observed, mask=(present := rng.random(SIZE) < 0.8))
            few.step(observed[part], mask=present[part])
            for name, array in whole._core.state.items():
                np.testing.assert_array_equal(few._core.state[name], array[part], name)
    finally:
        set_simd_level(usual)
