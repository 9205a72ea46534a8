"""A child process forked while another thread steps: what is at work there fails at once, with a
clear error; what is not goes on."""

import asyncio
import os
import threading
import time
from functools import partial

import numpy as np
import pytest
from fault_agents import Slow
from manager_agents import Counter, own_agents

from freeagent_core import Agent, Population
from freeagent_core.managers import AsyncManager, ProcessPoolManager, ThreadPoolManager

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def in_a_fork(call, seconds=10.0):
    """Return the exit status of a child that calls `call`: 0 if it returns True."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            status = 0 if call() else 1
        finally:
            os._exit(status)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "hung"


def long_model():
    """Return a model whose agents take about 10 ms a step."""
    return own_agents(1, policy_len=11)[0]._model


def fails_clearly(call):
    try:
        call()
    except RuntimeError as error:
        return "forked" in str(error)
    return False


class AtWork:
    """A thread that calls again and again."""

    def __init__(self, call):
        self._call, self._stop = call, False
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop:
            self._call()

    def __enter__(self):
        self._thread.start()
        time.sleep(0.1)

    def __exit__(self, *_):
        self._stop = True
        self._thread.join()


def step_population(population):
    return lambda: population.step(np.zeros(len(population), int))


def works_or_fails(call):
    def run():
        try:
            call()
        except RuntimeError as error:
            return "forked" in str(error)
        return True

    return run


@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_population_that_steps(num_threads):
    population = Population(long_model(), 40, num_threads=num_threads, seed=0)
    others = [step_population(Population(long_model(), 40, seed=1)) for _ in range(2)]
    step = step_population(population)
    with AtWork(step):
        for _ in range(4):
            assert in_a_fork(works_or_fails(step)) == 0
            # another population is as good as ever
            assert in_a_fork(lambda: np.array_equal(others[0](), others[1]())) == 0
            assert in_a_fork(lambda: Population(long_model(), 4).step(np.zeros(4, int)).size) == 0
    assert in_a_fork(lambda: step().size) == 0


def test_an_agent_that_steps():
    agent = Agent.from_model(long_model())
    with AtWork(lambda: agent.step([0])):
        for _ in range(4):
            assert in_a_fork(works_or_fails(lambda: agent.step([0]))) == 0
            assert in_a_fork(lambda: Agent.from_model(long_model()).step([0]).size) == 0
    assert in_a_fork(lambda: agent.step([0]).size) == 0


def test_a_thread_pool_at_work():
    with ThreadPoolManager(2) as manager:
        for i, agent in enumerate(own_agents(20, policy_len=11)):
            manager.register_agent(i, agent)
        manager.register_agent("slow", Slow())
        manager.register_agent("idle", Counter())
        step = works_or_fails(lambda: manager.step_all_agents({key: [0] for key in range(20)}))
        with AtWork(step):
            for _ in range(4):
                assert in_a_fork(step) == 0
                assert (
                    in_a_fork(lambda: manager.submit_task("idle", "step", 0).result().result == 1)
                    == 0
                )
        with AtWork(lambda: manager.step_all_agents({"slow": 0.2})):
            assert (
                in_a_fork(lambda: fails_clearly(lambda: manager.step_all_agents({"slow": 0}))) == 0
            )
            assert in_a_fork(lambda: fails_clearly(lambda: manager.unregister_agent("slow"))) == 0


def test_an_idle_thread_pool_works_in_the_child():
    with ThreadPoolManager(2) as manager:
        for i in range(4):
            manager.register_agent(i, Counter())
        manager.batch_execute([(i, "step", 0) for i in range(4)])

        def child():
            found = [manager.submit_task(i, "step", 0).result().result for i in range(4)]
            results = manager.step_all_agents(dict.fromkeys(range(4), 0), timeout=5)
            manager.shutdown()
            return found == [2] * 4 and all(result.result == 3 for result in results.values())

        assert in_a_fork(child) == 0
        assert manager.submit_task(0, "step", 0).result().result == 2


def test_an_idle_asynchronous_manager_works_in_the_child():
    manager = AsyncManager()
    manager.register_agent("a", Counter())

    async def step():
        return (await manager.step_all_agents({"a": 0}))["a"].result

    assert asyncio.run(step()) == 1
    assert in_a_fork(lambda: asyncio.run(step()) == 2) == 0
    asyncio.run(manager.shutdown())


def test_a_process_pool_belongs_to_its_process():
    with ProcessPoolManager(1, start_method="fork") as manager:
        manager.register_agent("a", Counter())

        def child():
            found = [
                fails_clearly(lambda: manager.step_all_agents({"a": 0})),
                fails_clearly(lambda: manager.submit_task("a", "step", 0)),
                fails_clearly(lambda: manager.unregister_agent("a")),
                fails_clearly(lambda: manager.register_agent("b", Counter())),
            ]
            manager.shutdown()
            return found == [True] * 4

        pids = manager.get_pool_status()["pids"]
        assert in_a_fork(child) == 0
        assert manager.step_all_agents({"a": 0})["a"].result == 1
        assert manager.get_pool_status()["pids"] == pids


def test_numpys_generator_that_another_thread_draws_from():
    """NumPy's own functions wait for its lock for ever in such a child; agents do not."""
    with ThreadPoolManager(2) as manager:
        for i, agent in enumerate(own_agents(4, action_selection="stochastic")):
            manager.register_agent(i, agent)
        agent = own_agents(1, action_selection="stochastic")[0]
        lock = np.random.get_bit_generator().lock
        held, over = threading.Event(), threading.Event()

        def draw():
            with lock:
                held.set()
                over.wait()

        thread = threading.Thread(target=draw)
        thread.start()
        held.wait()

        def child():
            is_alone = agent.step([0]).size == 1  # no other thread: the lock is not needed
            step = partial(manager.submit_task, 0, "step", [0])
            error = step().result(timeout=5).error
            np.random.set_bit_generator(np.random.MT19937(0))
            return is_alone and "set_bit_generator" in str(error) and step().result().success

        try:
            assert in_a_fork(child) == 0
        finally:
            over.set()
            thread.join()
        assert manager.submit_task(0, "step", [0]).result().success
