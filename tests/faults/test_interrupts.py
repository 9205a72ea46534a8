"""Ctrl-C during a long step: seen at once; each agent has stepped or is as it was."""

import signal
import threading
import time

import numpy as np
import pytest
from manager_agents import model
from sanitized import SLOWER

from freeagent_core import Agent, Population
from freeagent_core._agent import threads
from freeagent_core._kernels.agents.step_batch import StepBatch
from freeagent_core.managers import ThreadPoolManager, thread_pool
from freeagent_core.managers.thread_pool import MANY


def long_model():
    rng = np.random.default_rng(0)
    B = rng.random((8, 8, 3))
    A = rng.random((6, 8))
    return model(A=A / A.sum(axis=0), B=B / B.sum(axis=0), C=np.arange(6.0), policy_len=7)


@pytest.fixture(scope="module")
def work():
    """Return a model, and how many of its agents take about a second on one thread."""
    shared = long_model()
    population = Population(shared, 20, num_threads=1, seed=0)
    population.step(np.zeros(20, int))
    begin = time.perf_counter()
    population.step(np.zeros(20, int))
    return shared, int(20 / (time.perf_counter() - begin)) + 50


@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_population(interrupt, work, num_threads):
    shared, size = work
    population = Population(shared, size, num_threads=num_threads, seed=0)
    twin = Population(shared, size, num_threads=2, seed=0)
    observations = np.arange(size) % 6
    timer = interrupt(0.1)
    with pytest.raises(KeyboardInterrupt):
        population.step(observations)
    timer.join()
    expected = twin.step(observations)
    stepped = population.timesteps == 1
    assert 0 < stepped.sum() < size
    np.testing.assert_array_equal(population.actions[stepped], expected[stepped])
    np.testing.assert_array_equal(population.qs[0][stepped], twin.qs[0][stepped])
    assert (population.qs[0][~stepped] == 1 / 8).all()
    actions = population.step(observations, mask=~stepped)  # the rest of the tick
    np.testing.assert_array_equal(actions[~stepped], expected[~stepped])
    np.testing.assert_array_equal(population.step(observations), twin.step(observations))


def test_a_handler_that_does_not_raise_lets_the_step_go_on(interrupt, work):
    called = []
    signal.signal(signal.SIGINT, lambda *_: called.append(1))
    shared, size = work
    population, twin = (Population(shared, size, num_threads=2, seed=0) for _ in range(2))
    observations = np.arange(size) % 6
    timers = [interrupt(seconds) for seconds in (0.05, 0.15)]
    actions = population.step(observations)
    for timer in timers:
        timer.join()
    assert called
    np.testing.assert_array_equal(actions, twin.step(observations))
    assert (population.timesteps == 1).all()


def interrupted_tick_is_partial(interrupt, shared, size, delay):
    """Interrupt a tick, check every agent, and return whether some had stepped and some not."""
    agents = [Agent.from_model(shared) for _ in range(size)]
    twins = [Agent.from_model(shared) for _ in range(size)]
    observations = {i: [i % 6] for i in range(size)}
    with ThreadPoolManager(2) as manager:
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)
        timer = interrupt(delay)
        with pytest.raises(KeyboardInterrupt):
            manager.step_all_agents(observations)
        timer.join()
        results = manager.last_results()
        is_partial = 0 < len(results) < size
        rest = {i: seen for i, seen in observations.items() if i not in results}
        assert all(agents[i].curr_timestep == 0 for i in rest)
        assert all(agents[i].prev_actions is None for i in rest)
        results.update(manager.step_all_agents(rest))
        for i, twin in enumerate(twins):
            np.testing.assert_array_equal(results[i].result, twin.step(observations[i]))
            np.testing.assert_array_equal(agents[i].qs[0], twin.qs[0])
            assert agents[i].curr_timestep == len(agents[i].prev_actions) == 1
        return is_partial


def test_a_thread_pool(interrupt, work):
    """On a busy machine 0.1 s may be before the first step, so later moments are tried too."""
    shared, size = work
    delays = (0.1, 0.2, 0.4, 0.05)
    assert any(interrupted_tick_is_partial(interrupt, shared, size, delay) for delay in delays)


def test_a_thread_pool_that_waits_for_the_random_numbers(interrupt):
    """NumPy's generator is another thread's while actions are drawn: all agents step first."""
    shared = model(action_selection="stochastic")
    agents, twins = ([Agent.from_model(shared) for _ in range(MANY)] for _ in range(2))
    observations = {i: [i % 3] for i in range(MANY)}
    generator = np.random.get_state(legacy=False)
    with ThreadPoolManager(initial_workers=1) as manager:
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)
        lock = np.random.mtrand._rand._bit_generator.lock
        held = threading.Event()

        def hold():
            with lock:
                held.set()
                time.sleep(0.6)

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        timer = interrupt(0.2)
        with pytest.raises(KeyboardInterrupt):
            manager.step_all_agents(observations)
        timer.join()
        holder.join()
        results = manager.last_results()
    np.random.set_state(generator)
    for i, twin in enumerate(twins):
        expected = twin.step(observations[i])
        np.testing.assert_array_equal(agents[i].action, expected)
        np.testing.assert_array_equal(results[i].result, expected)
        assert agents[i].curr_timestep == len(agents[i].prev_actions) == 1


@pytest.mark.parametrize("moment", ["begin_steps", "load", "finish"])
def test_a_thread_pool_is_free_again_after_each_moment(monkeypatch, moment):
    """Python looks for signals when a call returns: then what it has locked is unlocked."""

    class Batch(StepBatch):
        def load(self, *arguments):
            super().load(*arguments)
            if moment == "load":
                raise KeyboardInterrupt

    def interrupted(function):
        def call(*arguments):
            function(*arguments)
            raise KeyboardInterrupt

        return call

    shared = model()
    agents = [Agent.from_model(shared) for _ in range(MANY)]
    observations = {i: [0] for i in range(MANY)}
    with ThreadPoolManager(initial_workers=1) as manager:
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)
        with monkeypatch.context() as patch:
            patch.setattr(manager, "_batch", Batch())
            if moment == "begin_steps":
                patch.setattr(thread_pool, "begin_steps", interrupted(thread_pool.begin_steps))
            elif moment == "finish":
                patch.setattr(thread_pool.threads, "finish", interrupted(threads.finish))
            with pytest.raises(KeyboardInterrupt):
                manager.step_all_agents(observations)
        stepped = manager.last_results()
        assert all((i in stepped) == (agents[i].curr_timestep == 1) for i in observations)
        assert len(stepped) == (MANY if moment == "finish" else 0)
        results = manager.step_all_agents(observations)
        assert all(result.success for result in results.values())
        assert {agent.curr_timestep for agent in agents} == {2 if moment == "finish" else 1}


def searching_model(**arguments):
    """Return a model whose sophisticated search takes minutes."""
    rng = np.random.default_rng(1)
    B = rng.random((6, 6, 4)) + 0.1
    A = rng.random((5, 6)) + 0.1
    return model(
        A=A / A.sum(axis=0),
        B=B / B.sum(axis=0),
        C=np.arange(5.0) / 10,
        sophisticated=True,
        si_horizon=8,
        si_policy_prune_threshold=0.0,
        si_state_prune_threshold=0.0,
        gamma=0.1,
        **arguments,
    )


def passing_model():
    """Return a model whose message passing over all policies takes seconds."""
    rng = np.random.default_rng(1)
    B = rng.random((6, 6, 4)) + 0.1
    A = rng.random((5, 6)) + 0.1
    return model(
        A=A / A.sum(axis=0),
        B=B / B.sum(axis=0),
        C=np.arange(5.0),
        inference_algo="MMP",
        policy_len=7,
        inference_horizon=3,
        inference_params={"num_iter": 100},
    )


def branching_model():
    """Return a model whose belief graph grows for seconds."""
    rng = np.random.default_rng(0)
    B = np.zeros((300, 300, 5))
    for action in range(5):
        for state in range(300):
            nexts = rng.choice(300, 2, replace=False)
            B[nexts, state, action] = 0.25, 0.75
    return model(A=np.eye(300), B=B, C=rng.normal(size=300), D=np.eye(300)[0], policy_len=9)


@pytest.mark.parametrize("make", [searching_model, passing_model, branching_model])
@pytest.mark.parametrize("call", ["step", "parts"])
def test_one_agent_within_a_long_kernel(interrupt, make, call):
    """Ctrl-C is raised long before the kernel would be done, and the agent is as it was."""
    agent = Agent.from_model(make())
    calls = []

    def run():
        if call == "step":
            agent.step([1])
        else:
            agent.infer_states([1])
            calls.append(agent.qs)
            agent.infer_policies()

    sent = []
    signal.signal(signal.SIGINT, lambda *_: (sent.append(time.perf_counter()), 1 / 0))
    begun = time.perf_counter()
    timer = interrupt(0.2)
    with pytest.raises(ZeroDivisionError):
        run()
    timer.join()
    assert time.perf_counter() - begun < 20 * SLOWER  # not when the search is done (minutes)
    assert agent.curr_timestep == 0
    assert agent.action is None
    with pytest.raises(AttributeError):
        _ = agent.q_pi
    if call == "parts" and make is searching_model:
        assert agent.qs is calls[0]
    agent.si_horizon = 1
    if make is searching_model:
        agent.step([1])
        assert agent.curr_timestep == 1


@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_population_within_one_agent(interrupt, num_threads):
    population = Population(searching_model(), 3, num_threads=num_threads, seed=0)
    begun = time.perf_counter()
    timer = interrupt(0.2)
    with pytest.raises(KeyboardInterrupt):
        population.step(np.zeros(3, int))
    timer.join()
    assert time.perf_counter() - begun < 20 * SLOWER
    assert (population.timesteps == 0).all()


def test_an_agent_on_another_thread_is_not_interrupted(interrupt):
    """Its search begins again where the main thread's was interrupted; its result is the same."""
    short = searching_model().replace(si_horizon=5)
    expected = Agent.from_model(short).step([1])
    results = []

    def step():
        for _ in range(5):
            results.append(Agent.from_model(short).step([1]))

    thread = threading.Thread(target=step)
    agent = Agent.from_model(searching_model())
    timer = interrupt(0.1)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        agent.step([1])
    timer.join()
    thread.join()
    assert len(results) == 5
    for result in results:
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("make", [searching_model, passing_model])
def test_a_handler_that_does_not_raise_does_not_keep_a_step_from_its_end(storm, make):
    """However often it is called: the kernel is left more time at each attempt."""
    shared = make()
    if make is searching_model:
        shared = shared.replace(si_horizon=5)
    agent, twin = (Agent.from_model(shared) for _ in range(2))
    action = storm(lambda: agent.step([1]))
    np.testing.assert_array_equal(action, twin.step([1]))
    np.testing.assert_array_equal(agent.q_pi, twin.q_pi)
