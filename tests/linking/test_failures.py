"""What a failed call leaves behind, and which code says why, for agents of every making."""

import ctypes
import os
import threading

import c_interface
import numpy as np
import pytest
from c_interface import ERRORS, api, check, new, pointer, sizes_of

from freeagent_core import Agent, GenerativeModel, Population
from freeagent_core._kernels.base.state_lock import BusyError
from freeagent_core._kernels.base.status import NotReadyError

B = np.stack([np.eye(3), np.roll(np.eye(3), 1, axis=0)], axis=-1)
ARGUMENTS = {"A": np.eye(3), "B": B}


class Broken(Agent):
    """An agent whose code fails in ways that are not the caller's."""

    error: BaseException

    def infer_states(self, *args, **kwargs):
        raise self.error


def agent_of_python(agent):
    return new("agent_from_python", id(agent))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AttributeError("a slip"), "PYTHON_ERROR"),
        (RuntimeError("something else"), "PYTHON_ERROR"),
        (ValueError("wrong"), "BAD_ARGUMENT"),
        (NotImplementedError("cannot"), "UNSUPPORTED"),
        (MemoryError("none"), "NO_MEMORY"),
        (FloatingPointError("NaN"), "NOT_FINITE"),
        (NotReadyError("no beliefs"), "NOT_READY"),
        (BusyError("in use"), "BUSY"),
    ],
)
def test_codes_of_what_python_code_raises(error, code):
    agent = Broken(**ARGUMENTS)
    agent.error = error
    handle = agent_of_python(agent)
    observation = np.zeros(1, np.int64)
    assert api.agent_infer_states(handle, pointer(observation), 1) == ERRORS[code]
    assert str(error) in api.message()
    check(api.agent_free(handle))


class Silent(Exception):
    def __str__(self):
        raise ValueError("no words")


def test_an_exception_whose_message_cannot_be_made():
    agent = Broken(**ARGUMENTS)
    agent.error = Silent()
    handle = agent_of_python(agent)
    observation = np.zeros(1, np.int64)
    code = api.agent_infer_states(handle, pointer(observation), 1)
    assert code == ERRORS["PYTHON_ERROR"]
    assert api.message() == "an exception whose message cannot be made"
    check(api.agent_free(handle))


@pytest.mark.parametrize("start", ["", "a"])
def test_a_long_message_ends_with_a_whole_character(start):
    agent = Broken(**ARGUMENTS)
    agent.error = ValueError(start + "\N{GREEK SMALL LETTER LAMDA}" * 2000)
    handle = agent_of_python(agent)
    observation = np.zeros(1, np.int64)
    code = api.agent_infer_states(handle, pointer(observation), 1)
    assert code == ERRORS["BAD_ARGUMENT"]
    kept = api.message()  # decodes it
    assert str(agent.error).startswith(kept)
    assert 1021 <= len(kept.encode()) <= 1023
    check(api.agent_free(handle))


def test_an_agent_of_python_that_fails_at_what_has_no_arguments(monkeypatch):
    def fails(agent):
        raise OSError("not today")

    handle = agent_of_python(Agent(**ARGUMENTS))
    monkeypatch.setattr(Agent, "reset", fails)
    monkeypatch.setattr(Agent, "_synchronise", fails)
    sizes = c_interface.Sizes(struct_size=ctypes.sizeof(c_interface.Sizes))
    for code in (api.agent_reset(handle), api.agent_sizes(handle, ctypes.addressof(sizes))):
        assert code == ERRORS["PYTHON_ERROR"]
        assert "not today" in api.message()
    check(api.agent_free(handle))


@pytest.mark.parametrize("source", ["made", "python"])
def test_update_B_before_an_action_is_not_ready(source):
    agent = Agent(**ARGUMENTS, pB=B + 0.0)
    if source == "made":
        model = new("model_from_python", id(agent.model))
        handle = new("agent_new", model, 0, 0)
        check(api.model_free(model))
    else:
        handle = agent_of_python(agent)
    qs = np.full(3, 1 / 3)
    assert api.agent_update_B(handle, pointer(qs), 3) == ERRORS["NOT_READY"]
    check(api.agent_free(handle))


@pytest.mark.parametrize("inference_algo", ["VANILLA", "MMP"])
def test_a_failed_step_of_an_agent_writes_no_action(inference_algo):
    # utilities that overflow: q_pi becomes NaN
    C, stays = np.array([0.0, 1e308, 0.0]), np.stack([np.eye(3)] * 2, axis=-1)
    model = GenerativeModel(np.eye(3), stays, C=C, gamma=1e308, inference_algo=inference_algo)
    handle_of_model = new("model_from_python", id(model))
    handle = new("agent_new", handle_of_model, 0, 0)
    action, observation = np.full(1, 77, np.int64), np.zeros(1, np.int64)
    code = api.agent_step(handle, pointer(observation), 1, pointer(action), 1)
    assert code == ERRORS["NOT_FINITE"]
    assert action[0] == 77
    check(api.agent_free(handle))
    check(api.model_free(handle_of_model))


def test_a_refused_update_begins_no_learning():
    population = Population(GenerativeModel(**ARGUMENTS), 2, seed=0)
    handle = new("population_from_python", id(population))
    observations = np.zeros(2, np.int64)
    code = api.population_update_A(handle, pointer(observations), 2, None, 0)
    assert code == ERRORS["BAD_ARGUMENT"]
    assert "pA" in api.message()
    assert not population._core.learns
    check(api.population_free(handle))


def test_sizes_enumerate_no_policies(monkeypatch):
    agent = Agent(**ARGUMENTS, policy_len=4)
    handle = agent_of_python(agent)
    monkeypatch.setattr(GenerativeModel, "policies", property(lambda self: 1 / 0))
    assert sizes_of("agent", handle).num_policies == 16
    check(api.agent_free(handle))


# --- threads and forks ----------------------------------------------------------------


def test_threads_on_one_handle_wait_for_each_other():
    population = Population(GenerativeModel(**ARGUMENTS, policy_len=3), 50, seed=0)
    handle = new("population_from_python", id(population))
    observations, codes = np.zeros(50, np.int64), []

    def steps():
        actions = np.zeros(50, np.int64)
        for _ in range(50):
            codes.append(
                api.population_step(handle, pointer(observations), 50, None, 0,
                                    pointer(actions), 50)
            )  # fmt: skip

    threads = [threading.Thread(target=steps) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 150
    check(api.population_free(handle))


def test_threads_on_agents_of_one_model_have_memory_each():
    rng = np.random.default_rng(0)
    A, moves = rng.random((4, 5)), rng.random((5, 5, 3))
    model = GenerativeModel(A / A.sum(axis=0), moves / moves.sum(axis=0), policy_len=7)
    handle_of_model = new("model_from_python", id(model))
    agents = [new("agent_new", handle_of_model, 0, 0) for _ in range(4)]
    start, found = threading.Barrier(len(agents)), {}

    def steps(k):
        observation, action = np.zeros(1, np.int64), np.zeros(1, np.int64)
        q_pi = np.zeros(3**7)
        start.wait(30)
        for _ in range(10):
            check(api.agent_step(agents[k], pointer(observation), 1, pointer(action), 1))
        check(api.agent_read(agents[k], c_interface.Q_PI, pointer(q_pi), q_pi.size))
        found[k] = q_pi

    threads = [threading.Thread(target=steps, args=(k,)) for k in range(len(agents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(agents)
    for q_pi in found.values():
        np.testing.assert_array_equal(q_pi, found[0])
    for agent in agents:
        check(api.agent_free(agent))
    check(api.model_free(handle_of_model))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_in_a_call_of_another_thread_is_busy_in_the_child():
    agent = Agent(**ARGUMENTS)
    population = Population(agent.model, 2, seed=0)
    handle = new("population_from_python", id(population))
    observations, actions = np.zeros(2, np.int64), np.zeros(2, np.int64)
    held, done = threading.Event(), threading.Event()

    def hold():
        with population._lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        code = api.population_step(handle, pointer(observations), 2, None, 0, pointer(actions), 2)
        os._exit(-code)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == -ERRORS["BUSY"]
    check(api.population_step(handle, pointer(observations), 2, None, 0, pointer(actions), 2))
    check(api.population_free(handle))
