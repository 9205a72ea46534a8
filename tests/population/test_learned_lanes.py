"""Agents that learn, eight at a time, one a SIMD lane: the numbers of one agent alone, to the bit
whatever its block."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lane_populations import (
    SIZE,
    assert_only_these_fail,
    assert_same_numbers,
    nearly_the_same,
    observations,
    populated,
    seeds,
    slow,
    small_model,
    spread_of,
)
from parity import compared
from random_arrays import object_array
from random_models import models, with_single_states

from freeagent_core import GenerativeModel, Population
from freeagent_core._agent import population_learning
from freeagent_core._kernels.base.primitives import set_simd_level, simd_level, simd_levels


def that_learns(arguments, learned):
    """Return a model's arguments with parameters of what is to be learned, of A, B and D."""
    rng = np.random.default_rng(len(arguments))
    changed = {name: value for name, value in arguments.items() if name not in ("pA", "pB")}
    for name in learned:
        D = [np.ones(len(B)) for B in arguments["B"]]
        given = D if name == "D" else arguments[name]
        changed[f"p{name}"] = object_array(
            rng.integers(1, 5, size=array.shape) * (array > 0) / 2.0 for array in given
        )
    return changed


def step(each, observed, learned, masks, actions=None):
    """Infer, learn, act; `actions` replace those that were drawn. Returns those."""
    before = [qs.copy() for qs in each.qs]
    has_acted = each._core.state["has_action"][:, 0].astype(bool)
    each.infer_states(observed)
    if "A" in learned:
        each.update_A(observed, mask=masks[0])
    if "B" in learned and (acted := masks[1] & has_acted).any():
        each.update_B(before, mask=acted)
    if "D" in learned:
        each.update_D([qs.copy() for qs in each.qs], mask=masks[2])
    each.infer_policies()
    drawn = each.sample_action()
    if actions is not None:
        each._core.state["action"][:] = actions
    return drawn


@slow
@given(arguments=models(), learned=st.sampled_from(["A", "B", "D", "AB", "ABD"]), seed=seeds)
def test_the_numbers_are_those_of_agents_alone(arguments, learned, seed):
    """Unless they hang on rounding, as in test_lanes."""
    rng = np.random.default_rng(seed)
    if "H" not in arguments and rng.random() < 0.5:
        arguments = with_single_states(arguments)
    arguments = that_learns(arguments, learned)
    model = GenerativeModel(**arguments)
    ours, others = (populated(model, SIZE, in_lanes, learns=True) for in_lanes in (True, False))
    changed = [
        populated(GenerativeModel(**nearly_the_same(arguments, k)), SIZE, False, learns=True)
        for k in range(3)
    ]
    steps = observations(model, seed, 4)
    compared["of"] += len(steps)
    for observed in steps:
        masks = rng.random((3, SIZE)) < 0.6
        masks[:, 0] = True
        expected_actions = step(others, observed, learned, masks)
        actions = step(ours, observed, learned, masks)
        for each in changed:
            step(each, observed, learned, masks, expected_actions)
        if (spread := spread_of(changed, others)) > 1e-13:
            return
        compared["steps"] += 1
        np.testing.assert_array_equal(actions, expected_actions)
        assert_same_numbers(ours, others, spread)


@slow
@given(
    arguments=models(),
    learned=st.sampled_from(["A", "B", "D", "AB", "ABD"]),
    seed=seeds,
    level=st.sampled_from(simd_levels()),
    first=st.integers(0, SIZE - 1),
    rest=st.integers(1, SIZE),
    num_threads=st.integers(1, 3),
)
def test_the_bits_do_not_depend_on_the_block(
    arguments, learned, seed, level, first, rest, num_threads
):
    model = GenerativeModel(**that_learns(arguments, learned))
    part = slice(first, min(first + rest, SIZE))
    rng, usual = np.random.default_rng(seed), simd_level()
    set_simd_level(level)
    try:
        whole = populated(model, SIZE, learns=True)
        few = populated(
            model, part.stop - first, learns=True, first_agent=first, num_threads=num_threads
        )
        for observed in observations(model, seed, 4):
            masks = rng.random((3, SIZE)) < 0.6
            masks[:, first] = True
            step(whole, observed, learned, masks)
            step(few, observed[part], learned, masks[:, part])
            for name, array in whole._core.state.items():
                np.testing.assert_array_equal(few._core.state[name], array[part], name)
    finally:
        set_simd_level(usual)


def test_what_is_learned_does_not_depend_on_how_many_learn():
    """Of many agents, what the next ones learn from is read ahead."""
    model = learning_model()
    size = 1 + (1 << 20) // (8 * sum(x.size for x in (*model.pA, *model.pB)))
    many, few = (Population(model, n, seed=0) for n in (size, 5))
    for observed in observations(model, 1, 3):
        masks = np.ones((3, size), dtype=bool)
        observed = np.resize(observed, (size, observed.shape[1]))
        actions = step(many, observed, "ABD", masks)
        np.testing.assert_array_equal(step(few, observed[:5], "ABD", masks[:, :5]), actions[:5])
    for name, array in few._core.state.items():
        np.testing.assert_array_equal(many._core.state[name][:5], array, name)
    for i in range(5):
        for mine, others in zip(few.parameters(i)["pB"], many.parameters(i)["pB"], strict=True):
            np.testing.assert_array_equal(mine, others)


def learning_model(**changes):
    return GenerativeModel(**that_learns({**small_model_arguments(), **changes}, "ABD"))


def small_model_arguments():
    model = small_model()
    return {"A": model.A, "B": model.B, "C": model.C, "policy_len": 2}


@pytest.mark.parametrize("poisoned", [[0], [3], [7, 8], [12]])
def test_a_lane_that_fails_leaves_the_others_alone(poisoned):
    model = learning_model()
    broken, sound = populated(model, SIZE, learns=True), populated(model, SIZE, learns=True)
    everyone = np.ones((3, SIZE), dtype=bool)
    for observed in observations(model, 2, 2):
        step(broken, observed, "ABD", everyone)
        step(sound, observed, "ABD", everyone)
    (observed,) = observations(model, 3, 1)
    assert_only_these_fail(broken, sound, observed, poisoned)


def test_a_copy_and_a_saved_population_step_in_lanes_too(tmp_path):
    model = learning_model(use_param_info_gain=True)
    first = populated(model, SIZE, learns=True)
    everyone = np.ones((3, SIZE), dtype=bool)
    steps = observations(model, 5, 4)
    for observed in steps[:2]:
        step(first, observed, "ABD", everyone)
    first.save(tmp_path / "population")
    loaded = Population.load(tmp_path / "population", model)
    assert loaded._core.learned_lanes is not None
    for observed in steps[2:]:
        for each in (first, loaded):
            step(each, observed, "ABD", everyone)
        for name, array in first._core.state.items():
            np.testing.assert_array_equal(loaded._core.state[name], array, name)


def _copied(each, path):
    copy = pickle.loads(pickle.dumps(each))
    return [*copy.infer_states([[0, 0]] * SIZE), copy.parameters(1)["A"][0]]


def _loaded(each, path):
    each.save(path)
    loaded = Population.load(path, each.model)
    loaded.infer_policies()
    return [loaded.G, loaded.parameters(2)["B"][0]]


def _alone(each, path):
    """Of one agent, which does not fill lanes."""
    each.infer_policies(np.arange(SIZE) == 3)
    return list(each.policies_of(3))


READERS = {
    "parameters": lambda each, path: [*each.parameters(0)["A"], *each.parameters(0)["B"]],
    "infer_states": lambda each, path: each.infer_states([[1, 2]] * SIZE),
    "infer_policies": lambda each, path: each.infer_policies(),
    "sample_action": lambda each, path: [each.sample_action(), each.parameters(1)["A"][0]],
    "copy": _copied,
    "file": _loaded,
    "policies_of": _alone,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("weights", [False, True])
def test_what_updates_put_off_is_there_whoever_reads_it(reader, weights, tmp_path):
    """Agents alone have it at once."""
    model = learning_model(use_param_info_gain=weights)
    first, *rest = observations(model, 11, 3)
    found = []
    for in_lanes in (True, False):
        each = populated(model, SIZE, in_lanes, learns=True)
        each.step(first)
        for observed in rest:  # twice, and nothing reads between
            each.update_A(observed)
            each.update_B(each.qs)
        found.append(READERS[reader](each, tmp_path / "population"))
    for mine, expected in zip(*found, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("learned", "changes", "in_lanes"),
    [
        ("AB", {}, True),
        ("A", {}, True),
        ("D", {}, True),
        ("AB", {"policy_len": 8}, False),
    ],
)
def test_which_models_have_lanes(learned, changes, in_lanes):
    arguments = that_learns({**small_model_arguments(), **changes}, learned)
    made = Population(GenerativeModel(**arguments), 2)
    population_learning.begin_learning(made._core, made.model)
    assert (made._core.learned_lanes is not None) == in_lanes


def test_agents_that_learn_only_A_of_a_deterministic_world_step_alone():
    """A belief graph has less to compute: most of a deterministic B is zeros."""
    B = np.stack([np.roll(np.eye(9), shift, axis=0) for shift in range(4)], axis=-1)
    A = 0.9 * np.eye(9) + 0.1 / 9
    arguments = that_learns({"A": object_array([A]), "B": object_array([B])}, "AB")
    model = GenerativeModel(**arguments, policy_len=2)
    everyone = np.ones((3, SIZE), dtype=bool)
    ours, others = Population(model, SIZE, seed=1), populated(model, SIZE, False, True, seed=1)
    population_learning.begin_learning(ours._core, model)
    assert ours._core.learned_lanes.only_with_B
    for learned in ("A", "A", "AB", "AB"):
        (observed,) = observations(model, len(learned), 1)
        for each in (ours, others):
            step(each, observed, learned, everyone)
        np.testing.assert_allclose(ours.G, others.G, rtol=1e-11, atol=1e-11)
