"""Agents that raise in worker threads, one agent on several threads, arrays that change during
a tick, calls that are cancelled or interrupted, and ends with work in flight."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fault_agents import Returns, Slow
from manager_agents import Counter, model, own_agents

from freeagent_core import Agent, Population
from freeagent_core.managers import AsyncManager, SequentialManager, ThreadPoolManager

SUPPORT = Path(__file__).parents[1] / "support"
RAISED = ["SystemExit", "KeyboardInterrupt", "MemoryError"]


@pytest.fixture
def ctrl_c():
    """Have Python's handler, also where a shell started this in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("name", RAISED)
def test_what_an_agent_raises_in_a_thread_is_its_own(name):
    with ThreadPoolManager(2) as manager:
        for i in range(6):
            manager.register_agent(i, Returns())
        for _ in range(4):
            results = manager.step_all_agents(
                {i: name if i == 2 else i for i in range(6)}, timeout=30
            )
            assert type(results.pop(2).error).__name__ == name
            assert {i: result.result for i, result in results.items()} == {
                i: i for i in range(6) if i != 2
            }
            single = manager.submit_task(2, "step", name).result()
            assert type(single.error).__name__ == name
            assert manager.submit_task(2, "step", 7).result().result == 7


def test_two_threads_on_one_agent_are_steps_one_after_the_other():
    shared = model()
    agent, twin = Agent.from_model(shared), Agent.from_model(shared)
    threads = [
        threading.Thread(target=lambda: [agent.step([0]) for _ in range(200)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(800):
        twin.step([0])
    assert agent.curr_timestep == 800
    np.testing.assert_array_equal(agent.qs[0], twin.qs[0])


def test_arrays_that_the_caller_changes_during_a_tick():
    """Either value is taken, whole, and none out of bounds reaches a kernel."""
    size = 2000
    population = Population(model(), size, num_threads=2, seed=0)
    observations = np.zeros(size, int)
    stop = threading.Event()

    def change():
        while not stop.is_set():
            observations[:] = 2**60
            observations[:] = 0

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            try:
                population.step(observations)
            except ValueError:
                continue
            assert np.isfinite(population.qs[0]).all()
    finally:
        stop.set()
        thread.join()


def test_a_cancelled_call_leaves_the_others_as_they_are():
    async def run():
        async with AsyncManager() as manager:
            manager.register_agent("slow", Slow())
            for i, agent in enumerate(own_agents(4)):
                manager.register_agent(i, agent)
            call = asyncio.create_task(manager.step_all_agents({"slow": 0.2, 0: [0]}))
            await asyncio.sleep(0.05)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            results = await manager.step_all_agents({1: [0], "slow": 0})
            assert results[1].success
            assert results["slow"].result == 2  # the step that had begun was finished
            task = asyncio.create_task(manager.submit_task("slow", "step", 0.1))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await manager.submit_task(0, "step", [0])).success

    asyncio.run(run())


@pytest.mark.parametrize("kind", [SequentialManager, ThreadPoolManager])
def test_an_interrupted_tick_has_results(ctrl_c, kind):
    with kind() as manager:
        for i in range(4):
            manager.register_agent(i, Slow())
        manager.step_all_agents(dict.fromkeys(range(4), 0))
        timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
        timer.start()
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            manager.step_all_agents(dict.fromkeys(range(4), 0.2))
        assert time.monotonic() - begin < 0.7
        timer.join()
        stepped = manager.last_results()
        assert 1 <= len(stepped) < 4
        for i in range(4):
            agent = manager.unregister_agent(i)
            assert agent.steps == (2 if i in stepped else 1)
            assert i not in stepped or stepped[i].result == 2


@pytest.mark.parametrize("wait", [False, True])
def test_shutdown_from_another_thread(wait):
    manager = ThreadPoolManager(2)
    for i in range(4):
        manager.register_agent(i, Slow())
    ended = []

    def run():
        try:
            while True:
                manager.step_all_agents(dict.fromkeys(range(4), 0.05), timeout=5)
        except RuntimeError as error:
            ended.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    manager.shutdown(wait)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert all("shut down" in error for error in ended)
    assert len(ended) == 2


@pytest.mark.parametrize(
    ("kind", "workers"), [(SequentialManager, 0), (partial(ThreadPoolManager, 2), 2)]
)
def test_agents_come_and_go_ten_thousand_times(kind, workers):
    with kind() as manager:
        before = threading.active_count()
        for i in range(10_000):
            manager.register_agent(i, Counter())
            if i >= 3:
                manager.step_all_agents({i: 0, i - 1: 0})
                assert manager.unregister_agent(i - 3).steps <= 2
        assert manager.get_pool_status()["agents"] == 3
        assert threading.active_count() <= before + workers


ENDS = {
    "a thread pool": """
manager = ThreadPoolManager(2)
manager.register_agent("a", Slow())
futures = [manager.submit_task("a", "step", 0.2) for _ in range(5)]
""",
    "a population on a daemon thread": """
population = Population(model(), 20_000, num_threads=2, seed=0)
def step():
    while True:
        population.step(np.zeros(20_000, int))
threading.Thread(target=step, daemon=True).start()
""",
    "an event loop": """
manager = AsyncManager()
manager.register_agent("a", Slow())
async def run():
    task = asyncio.create_task(manager.step_all_agents({"a": 0.3}))
    await asyncio.sleep(0.05)
asyncio.run(run())
""",
}


@pytest.mark.parametrize("name", ENDS)
def test_the_interpreter_ends_with_work_in_flight(name):
    start = f"""
import asyncio, sys, threading, time
sys.path.insert(0, {str(SUPPORT)!r})
import numpy as np
from fault_agents import Slow
from manager_agents import model
from freeagent_core import Population
from freeagent_core.managers import AsyncManager, ThreadPoolManager
"""
    done = subprocess.run(
        [sys.executable, "-c", start + ENDS[name] + "time.sleep(0.1)\nprint('end')\n"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert done.stdout == "end\n"
    assert done.stderr == ""
