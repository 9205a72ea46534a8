"""Ctrl-C in a long step of a population: a code, and what the handler raised is raised again."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from c_interface import ERRORS, QS, api, check, new, pointer

from freeagent_core import GenerativeModel, Population

SIZE = 1000


class Handled(Exception):
    """What a handler raises that is not KeyboardInterrupt."""


def _step_and_go_on(handle, actions):
    observations = np.zeros(SIZE, np.int64)
    api.population_step(handle, pointer(observations), SIZE, None, 0, pointer(actions), SIZE)
    for _ in range(1000):  # Python raises it when it runs again
        time.sleep(0)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, Handled])
def test_an_interrupt_in_a_long_step(raised):
    rng = np.random.default_rng(0)
    A = rng.dirichlet(np.ones(24), size=24).T
    B = np.stack([rng.dirichlet(np.ones(24), size=24).T for _ in range(5)], axis=-1)
    population = Population(GenerativeModel(A, B, policy_len=3, inference_algo="MMP"), SIZE, seed=0)
    handle, actions = new("population_from_python", id(population)), np.zeros(SIZE, np.int64)

    def handler(number, frame):
        raise raised

    before = signal.signal(signal.SIGINT, handler)
    sender = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    try:
        sender.start()
        with pytest.raises(raised):
            _step_and_go_on(handle, actions)
    finally:
        sender.join()
        signal.signal(signal.SIGINT, before)
    assert api.last_error() == ERRORS["INTERRUPTED"]
    assert (actions == -1).any()
    check(api.population_free(handle))


# --- kernels that take less than 20 ms: Ctrl-C is looked for between agents --------------------


def _populations(size, num_states, **model):
    """Return two populations of the same numbers, and the handle of the first."""
    rng = np.random.default_rng(1)
    A = rng.dirichlet(np.ones(num_states), size=num_states).T
    B = np.stack([rng.dirichlet(np.ones(num_states), size=num_states).T for _ in range(4)], axis=-1)
    made = GenerativeModel(A, B, **model)
    population, twin = (Population(made, size, seed=0) for _ in range(2))
    observations = rng.integers(0, num_states, size=(2, size))
    return population, twin, new("population_from_python", id(population)), observations


def _interrupt(call, handler, duration):
    """Return the code of a call that SIGINT comes into after a third of its duration."""
    before = signal.signal(signal.SIGINT, handler)
    sender = threading.Timer(duration / 3, os.kill, (os.getpid(), signal.SIGINT))
    codes = []
    try:
        sender.start()
        try:
            codes.append(call())
            sender.join()
            for _ in range(1000):  # Python raises it when it runs again
                time.sleep(0)
        except Handled:
            pass
    finally:
        sender.join()
        signal.signal(signal.SIGINT, before)
    return codes[0] if codes else api.last_error()


def _raise(number, frame):
    raise Handled


def _seconds(call):
    begin = time.perf_counter()
    check(call())
    return time.perf_counter() - begin


def _beliefs(handle, size, num_states):
    values = np.empty((size, num_states))
    check(api.population_read(handle, QS, pointer(values), values.size))
    return values


def test_agents_that_a_step_did_not_reach_are_as_they_were():
    size, n = 20_000, 24
    _, twin, handle, (first, second) = _populations(size, n, policy_len=2)
    actions = np.zeros(size, np.int64)

    def step(observations, mask=None):
        given = (None, 0) if mask is None else (pointer(mask), size)
        return api.population_step(
            handle, pointer(observations), size, *given, pointer(actions), size
        )

    duration = _seconds(lambda: step(first))
    twin.step(first)
    before = _beliefs(handle, size, n)
    assert _interrupt(lambda: step(second), _raise, duration) == ERRORS["INTERRUPTED"]
    acted = actions != -1
    assert 0 < acted.sum() < size
    assert acted[: acted.sum()].all()
    expected = twin.step(second)[:, 0]
    np.testing.assert_array_equal(actions[acted], expected[acted])
    np.testing.assert_array_equal(_beliefs(handle, size, n)[~acted], before[~acted])
    check(step(second, (~acted).astype(np.uint8)))  # the others' random numbers too
    np.testing.assert_array_equal(actions[~acted], expected[~acted])
    np.testing.assert_array_equal(_beliefs(handle, size, n), twin.qs[0])
    check(api.population_free(handle))


def test_a_handler_that_does_not_raise_lets_the_step_go_on():
    size, n = 20_000, 24
    _, twin, handle, (first, second) = _populations(size, n, policy_len=2)
    actions, calls = np.zeros(size, np.int64), []

    def step(observations):
        return api.population_step(
            handle, pointer(observations), size, None, 0, pointer(actions), size
        )

    duration = _seconds(lambda: step(first))
    twin.step(first)
    code = _interrupt(lambda: step(second), lambda *_: calls.append(len(calls)), duration)
    assert (code, calls) == (0, [0])
    np.testing.assert_array_equal(actions, twin.step(second)[:, 0])
    check(api.population_free(handle))


def test_agents_that_filtering_did_not_reach_are_as_they_were():
    size, n = 20_000, 256
    population, twin, handle, (first, second) = _populations(size, n)

    def infer(observations):
        return api.population_infer_states(handle, pointer(observations), size, None, 0)

    for each in (population, twin):  # of agents without an action D is the prior
        each.step(first)
    duration = _seconds(lambda: infer(first))
    twin.infer_states(first)
    before = _beliefs(handle, size, n)
    assert _interrupt(lambda: infer(second), _raise, duration) == ERRORS["INTERRUPTED"]
    twin.infer_states(second)
    after = _beliefs(handle, size, n)
    reached = (after != before).any(axis=1)
    assert 0 < reached.sum() < size
    assert reached[: reached.sum()].all()
    np.testing.assert_array_equal(after[reached], twin.qs[0][reached])
    check(api.population_free(handle))


def test_agents_that_learning_did_not_reach_are_as_they_were():
    size, n = 4_000, 48
    population, _, handle, (first, second) = _populations(size, n, pA=np.ones((n, n)))

    def learn(observations):
        return api.population_update_A(handle, pointer(observations), size, None, 0)

    check(api.population_infer_states(handle, pointer(first), size, None, 0))
    check(learn(first))  # copies are made here
    duration = _seconds(lambda: learn(first))
    learned = 2
    while _interrupt(lambda: learn(second), _raise, duration) == 0:  # too late: it had ended
        learned += 1
        assert learned < 20
    assert api.last_error() == ERRORS["INTERRUPTED"]
    counts = np.array([population.parameters(i)["pA"][0].sum() for i in range(size)]) - n * n
    reached = counts > learned + 0.5
    np.testing.assert_allclose(counts, np.where(reached, learned + 1.0, learned))
    assert 0 < reached.sum() < size
    assert reached[: reached.sum()].all()
    check(api.population_free(handle))
