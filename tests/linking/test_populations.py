"""Populations through the C interface: the results of `Population`, whoever made them."""

import ctypes

import numpy as np
import pytest
from c_interface import Q_PI, QS, G, Rows, api, check, new, new_model, pointer, sizes_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_arrays import object_array
from random_models import models

from freeagent_core import GenerativeModel, Population

SIZE = 5
slow = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def drawn(model, seed, count):
    """Return `count` arrays of outcomes, (SIZE, num_modalities)."""
    rng = np.random.default_rng(seed)
    return [np.stack([rng.integers(n, size=SIZE) for n in model.num_obs], 1) for _ in range(count)]


def step(handle, observations, mask=None, num_factors=1):
    actions = np.full((SIZE, num_factors), 99, dtype=np.int64)
    masked = (0, 0) if mask is None else (pointer(mask), mask.size)
    check(
        api.population_step(
            handle, pointer(observations), observations.size, *masked, pointer(actions),
            actions.size,
        )
    )  # fmt: skip
    return actions


def read(handle, quantity, width):
    values = np.empty((SIZE, width))
    check(api.population_read(handle, quantity, pointer(values), values.size))
    return values


@pytest.fixture
def population():
    """A handle of 5 agents that see one of three cells, and the same agents in Python."""
    B = np.stack([np.roll(np.eye(3), shift, axis=0) for shift in range(2)], axis=-1)
    arguments = {
        "A": np.eye(3) * 0.85 + 0.05,
        "B": B,
        "C": np.array([0.0, 0.0, 2.0]),
        "pA": np.eye(3) + 0.1,
        "pB": B + 0.1,
        "pD": np.ones(3),
        "policy_len": 2,
        "action_selection": "stochastic",
        "lr_pA": 0.5,
    }
    model = new_model(**arguments)
    handle = new("population_new", model, SIZE, 3, 0)
    check(api.model_free(model))  # the agents keep it
    yield handle, Population(GenerativeModel(**arguments), SIZE, seed=3)
    check(api.population_free(handle))


@slow
@given(arguments=models(), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_the_same_as_from_python(arguments, seed, data):
    ours = GenerativeModel(**arguments)
    expected = Population(ours, SIZE, seed=seed)
    model = new_model(**arguments)
    handle = new("population_new", model, SIZE, seed, 0)
    sizes = sizes_of("population", handle)
    assert (sizes.num_modalities, sizes.num_factors) == (ours.num_modalities, ours.num_factors)
    assert (sizes.num_states, sizes.num_policies) == (sum(ours.num_states), len(ours.policies))
    for observations in drawn(ours, seed, 3):
        mask = None
        if data.draw(st.booleans()):
            mask = np.array(data.draw(st.lists(st.booleans(), min_size=SIZE, max_size=SIZE)))
        actions = expected.step(observations, mask)
        got = step(handle, observations, mask, ours.num_factors)
        np.testing.assert_array_equal(got, actions)
        np.testing.assert_array_equal(
            read(handle, QS, sizes.num_states), np.concatenate(expected.qs, axis=1)
        )
        if mask is None:
            np.testing.assert_array_equal(read(handle, Q_PI, sizes.num_policies), expected.q_pi)
            np.testing.assert_array_equal(read(handle, G, sizes.num_policies), expected.G)
    check(api.population_free(handle))
    check(api.model_free(model))


def test_the_three_parts_of_a_step(population):
    handle, expected = population
    for observations in drawn(expected.model, 1, 4):
        check(api.population_infer_states(handle, pointer(observations), SIZE, 0, 0))
        check(api.population_infer_policies(handle, 0, 0))
        actions = np.empty(SIZE, dtype=np.int64)
        check(api.population_sample_action(handle, 0, 0, pointer(actions), SIZE))
        np.testing.assert_array_equal(actions, expected.step(observations)[:, 0])


def test_learning(population):
    handle, expected = population
    mask = np.array([1, 0, 1, 1, 0], dtype=bool)
    before = read(handle, QS, 3)
    for observations in drawn(expected.model, 2, 4):
        np.testing.assert_array_equal(step(handle, observations), expected.step(observations))
        after = read(handle, QS, 3)
        check(api.population_update_A(handle, pointer(observations), SIZE, pointer(mask), SIZE))
        check(api.population_update_B(handle, pointer(before), before.size, 0, 0))
        check(api.population_update_D(handle, pointer(after), after.size, 0, 0))
        expected.update_A(observations, mask)
        expected.update_B([before])
        expected.update_D([after])
        before = after
    shown = ctypes.py_object()
    check(api.population_to_python(handle, ctypes.addressof(shown)))
    for i in range(SIZE):
        for name, value in shown.value.parameters(i).items():
            np.testing.assert_array_equal(value[0], expected.parameters(i)[name][0], err_msg=name)
    held = shown.value.parameters(0)["pA"][0]  # what Python holds does not change
    copy = held.copy()
    check(api.population_update_A(handle, pointer(observations), SIZE, 0, 0))
    np.testing.assert_array_equal(held, copy)


def test_reset(population):
    handle, expected = population
    first, second = drawn(expected.model, 3, 2)
    step(handle, first)
    expected.step(first)
    mask = np.array([0, 1, 0, 0, 1], dtype=bool)
    check(api.population_reset(handle, pointer(mask), SIZE))
    expected.reset(mask)
    np.testing.assert_array_equal(step(handle, second), expected.step(second))
    check(api.population_reset(handle, 0, 0))
    expected.reset()
    np.testing.assert_array_equal(step(handle, second), expected.step(second))


def test_message_passing():
    arguments = {
        "A": np.eye(3) * 0.85 + 0.05,
        "B": np.stack([np.roll(np.eye(3), s, axis=0) for s in range(2)], axis=-1),
        "inference_algo": "MMP",
        "inference_horizon": 3,
        "policy_len": 2,
    }
    ours = GenerativeModel(**arguments)
    expected = Population(ours, SIZE, seed=0)
    model = new_model(**arguments)
    handle = new("population_new", model, SIZE, 0, 0)
    for observations in drawn(ours, 4, 6):
        np.testing.assert_array_equal(step(handle, observations), expected.step(observations))
        np.testing.assert_array_equal(read(handle, QS, 3), expected.qs[0])
    assert api.population_update_A(handle, pointer(observations), SIZE, 0, 0) != 0
    assert "VANILLA" in api.message()
    check(api.population_reset(handle, 0, 0))
    check(api.population_infer_states(handle, pointer(observations), SIZE, 0, 0))
    assert api.population_infer_states(handle, pointer(observations), SIZE, 0, 0) != 0
    assert "needs an action between" in api.message()
    check(api.population_free(handle))
    check(api.model_free(model))


def test_parts_of_a_population(population):
    _, expected = population
    whole = new("model_from_python", id(expected.model))
    part = new("population_new", whole, 2, 3, 3)  # agents 3 and 4
    for observations in drawn(expected.model, 5, 5):
        actions = np.empty(2, dtype=np.int64)
        given = observations[3:].copy()
        check(api.population_step(part, pointer(given), 2, 0, 0, pointer(actions), 2))
        np.testing.assert_array_equal(actions, expected.step(observations)[3:, 0])
    check(api.population_free(part))
    check(api.model_free(whole))


def test_a_population_of_python(population):
    _, expected = population
    other = Population(expected.model, SIZE, seed=3)
    handle = new("population_from_python", id(other))
    first, second = drawn(expected.model, 6, 2)
    np.testing.assert_array_equal(step(handle, first), expected.step(first))
    np.testing.assert_array_equal(other.step(second), expected.step(second))  # in turns
    np.testing.assert_array_equal(other.timesteps, 2)
    size = ctypes.c_int64()
    check(api.population_size(handle, ctypes.addressof(size)))
    assert size.value == SIZE
    shown = ctypes.py_object()
    check(api.population_to_python(handle, ctypes.addressof(shown)))
    assert shown.value is other
    check(api.population_free(handle))


def test_borrowed_rows(population):
    handle, expected = population
    (observations,) = drawn(expected.model, 7, 1)
    rows = {}
    for quantity in (QS, Q_PI, G):
        rows[quantity] = Rows()
        check(api.population_borrow(handle, quantity, 0, ctypes.addressof(rows[quantity])))
    step(handle, observations)
    expected.step(observations)
    np.testing.assert_array_equal(rows[QS].array(), expected.qs[0])
    np.testing.assert_array_equal(rows[Q_PI].array(), expected.q_pi)
    np.testing.assert_array_equal(rows[G].array(), expected.G)


def test_policies_that_are_too_many_to_keep():
    moves = np.stack([np.roll(np.eye(4), shift, axis=0) for shift in (-1, 0, 1)], axis=-1)
    ours = GenerativeModel(np.eye(4), moves, C=np.array([0.0, 0, 0, 1]), policy_len=9)
    assert not ours.packed.enumerates_policies
    expected = Population(ours, SIZE, seed=0)
    model = new("model_from_python", id(ours))
    handle = new("population_new", model, SIZE, 0, 0)
    (observations,) = drawn(ours, 8, 1)
    num_policies = sizes_of("population", handle).num_policies
    assert num_policies == 3**9
    assert not read(handle, G, num_policies).any()  # before any evaluation
    np.testing.assert_array_equal(step(handle, observations), expected.step(observations))
    values = read(handle, G, num_policies), read(handle, Q_PI, num_policies)
    for i in range(SIZE):
        q_pi, efe = expected.policies_of(i)
        np.testing.assert_array_equal(values[0][i], efe)
        np.testing.assert_array_equal(values[1][i], q_pi)
    rows = Rows()
    assert api.population_borrow(handle, G, 0, ctypes.addressof(rows)) != 0
    assert "too many" in api.message()
    check(api.population_free(handle))
    check(api.model_free(model))


def test_an_agent_that_fails_stays_as_it_was():
    """As in Python, the others have stepped."""
    B = np.eye(2)[:, :, None]
    model = new_model(A=np.eye(2), B=B, pB=B + 0.5, lr_pB=1e308)
    handle = new("population_new", model, SIZE, 0, 0)
    observations = np.zeros(SIZE, dtype=np.int64)
    step(handle, observations)
    previous = np.full((SIZE, 2), 1e300)
    mask = np.zeros(SIZE, dtype=bool)
    mask[3] = True
    check(api.population_update_B(handle, pointer(previous), 2 * SIZE, pointer(mask), SIZE))
    before = read(handle, QS, 2)
    actions = np.full(SIZE, 99, dtype=np.int64)
    code = api.population_step(
        handle, pointer(observations), SIZE, 0, 0, pointer(actions), SIZE
    )  # fmt: skip
    assert code == api.last_error() != 0
    assert "1 agents, first agent 3" in api.message()
    np.testing.assert_array_equal(actions, [0, 0, 0, -1, 0])
    np.testing.assert_array_equal(read(handle, QS, 2)[3], before[3])
    check(api.population_free(handle))
    check(api.model_free(model))


def test_lists_of_arrays():
    """Arguments that are one array in Python may be one item here."""
    model = new_model(
        A=object_array([np.eye(2), np.eye(2)]), B=object_array([np.eye(2)[:, :, None]])
    )
    assert sizes_of("model", model).num_modalities == 2
    check(api.model_free(model))
