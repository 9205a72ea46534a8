"""What `ThreadPoolManager` and `AsyncManager` do beyond the contract of all managers."""

import asyncio
import copy
import gc
import pickle
import threading
import time
import weakref
from concurrent.futures import CancelledError

import numpy as np
import pytest
from manager_agents import Counter, Gate, own_agents

from freeagent_core.managers import (
    AsyncManager,
    SequentialManager,
    StepTimeoutError,
    TaskResult,
    ThreadPoolManager,
)
from freeagent_core.managers._choice import PROBES, Choice
from freeagent_core.managers.thread_pool import MANY


def until(condition, seconds=30.0):
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


def test_priorities_are_honoured_under_load():
    gate, order = threading.Event(), []
    with ThreadPoolManager(1, 1, 1) as manager:
        blocker = Gate(gate)
        manager.register_agent("blocker", blocker)
        for i in range(6):
            manager.register_agent(i, Counter())
        manager.submit_task("blocker", "step", 0)
        assert blocker.reached.wait(30)
        futures = [
            manager.submit_task(i, lambda _, name: order.append(name), (priority, i), priority)
            for i, priority in enumerate([0, 5, -3, 5, 9, 0])
        ]
        gate.set()
        assert all(future.result().success for future in futures)
    assert order == [(9, 4), (5, 1), (5, 3), (0, 0), (0, 5), (-3, 2)]


def test_workers_follow_the_load():
    gate = threading.Event()
    with ThreadPoolManager(1, 6, 1, monitoring_interval=0.05) as manager:
        status = manager.get_pool_status
        assert status()["workers"] == 1
        for i in range(20):
            manager.register_agent(i, Gate(gate))
        futures = [manager.submit_task(i, "step", 0) for i in range(20)]
        until(lambda: status()["busy_workers"] == 6)
        assert status()["workers"] == 6
        assert status()["waiting_tasks"] == 14
        gate.set()
        assert all(future.result().success for future in futures)
        until(lambda: status()["workers"] == 1)
        assert status()["completed"] == 20
        # and again
        assert manager.submit_task(0, "step", 0).result().success


def test_agents_that_wait_are_stepped_side_by_side():
    """Eight of them are inside at once only if they have threads of their own."""
    gate = threading.Event()
    Gate.most_inside = 0
    with ThreadPoolManager(max_workers=8) as manager:
        for i in range(8):
            manager.register_agent(i, Gate(gate))
        opener = threading.Thread(target=lambda: (until(lambda: Gate.inside == 8), gate.set()))
        opener.start()
        # a timeout: only workers can be left behind
        results = manager.step_all_agents(dict.fromkeys(range(8), 0), timeout=30)
        opener.join()
    assert all(result.success for result in results.values())
    assert Gate.most_inside == 8


def test_an_agent_that_is_stuck_is_left_behind():
    gate = threading.Event()
    with ThreadPoolManager(2, 4) as manager:
        stuck = Gate(gate)
        manager.register_agent("stuck", stuck)
        for i in range(3):
            manager.register_agent(i, Counter())
        for i, agent in enumerate(own_agents(3)):
            manager.register_agent(("own", i), agent)
        observations = {"stuck": 0, 0: 0, 1: 0, 2: 0, **{("own", i): [0] for i in range(3)}}
        results = manager.step_all_agents(observations, timeout=1.5)
        assert isinstance(results["stuck"].error, StepTimeoutError)
        assert all(results[each].success for each in observations if each != "stuck")
        # it does one thing at a time
        again = manager.step_all_agents({"stuck": 0, 0: 0}, timeout=1.0)
        assert isinstance(again["stuck"].error, StepTimeoutError)
        assert again[0].result == 2
        gate.set()
        until(lambda: stuck.steps >= 1)
        steps = stuck.steps
        until(lambda: manager.get_pool_status()["busy_workers"] == 0)
        assert manager.step_all_agents({"stuck": 0})["stuck"].result >= steps
        # late results went nowhere
        assert isinstance(results["stuck"].error, StepTimeoutError)


def test_the_draws_are_those_of_one_agent_after_the_other():
    arguments = {"action_selection": "stochastic", "alpha": 0.5}
    managers = SequentialManager(), ThreadPoolManager()
    actions = []
    for manager in managers:
        for i, agent in enumerate(own_agents(40, **arguments)):
            manager.register_agent(i, agent)
        np.random.seed(3)
        actions.append(
            [
                [float(r.result[0]) for r in manager.step_all_agents(seen).values()]
                for seen in [{i: [(i + t) % 3] for i in range(40)} for t in range(5)]
            ]
        )
        manager.shutdown()
    assert actions[0] == actions[1]
    assert len({tuple(tick) for tick in actions[0]}) > 1


def test_what_was_assigned_wrongly_is_the_error_of_that_agent():
    agents = own_agents(3)
    with ThreadPoolManager() as manager:
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)
        agents[1].C = np.zeros(99)
        results = manager.step_all_agents({i: [0] for i in range(3)})
        assert [result.success for result in results.values()] == [True, False, True]
        assert "C" in str(results[1].error)
        agents[1].C = np.zeros(3)
        assert manager.step_all_agents({1: [0]})[1].success


def test_an_agent_under_two_ids_steps_twice():
    agent, twin = own_agents(2)
    with ThreadPoolManager() as manager:
        manager.register_agent("a", agent)
        manager.register_agent("b", agent)
        results = manager.step_all_agents({"a": [0], "b": [1]})
    for observation in ([0], [1]):
        twin.step(observation)
    assert all(result.success for result in results.values())
    np.testing.assert_array_equal(agent.qs[0], twin.qs[0])


def test_an_agent_stepped_by_two_managers_and_itself():
    agents = own_agents(10)
    failures = []

    def step(manager, order):
        for i in order:
            manager.register_agent(i, agents[i])
        try:
            for _ in range(50):
                for result in manager.step_all_agents({i: [0] for i in order}).values():
                    assert result.success
                agents[0].step([1])
        except BaseException as error:
            failures.append(error)

    with ThreadPoolManager() as one, ThreadPoolManager() as other:
        threads = [
            threading.Thread(target=step, args=(one, range(10))),
            threading.Thread(target=step, args=(other, range(9, -1, -1))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    assert not failures
    assert len(agents[1].prev_actions) == 100


class Recursive:
    """Steps others, and itself, through its manager."""

    def __init__(self, manager, calls):
        self.manager, self.calls = manager, calls
        self.seen = []

    def step(self, observation):
        self.seen.append(observation)
        if observation > 0:
            if self.calls == "step_all_agents":
                ids = {i: observation - 1 for i in range(3)}
                return [r.error for r in self.manager.step_all_agents(ids).values()]
            tasks = [(i, "step", observation - 1) for i in range(3)]
            return [r.error for r in self.manager.batch_execute(tasks)]
        time.sleep(0.01)
        return None


@pytest.mark.parametrize("calls", ["step_all_agents", "batch_execute"])
@pytest.mark.parametrize("workers", [1, 3])
def test_an_agent_that_steps_itself_and_others_through_its_manager(calls, workers):
    """It is an error for itself, whichever thread would step it; the others step."""
    with ThreadPoolManager(workers, workers) as manager:
        agents = [Recursive(manager, calls) for _ in range(3)]
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)
        for _ in range(5):  # by then the manager has chosen threads for this class
            manager.step_all_agents(dict.fromkeys(range(3), 0))
        future = manager.submit_task(1, "step", 1)
        errors = future.result(30).result
        assert [type(error) for error in errors] == [type(None), RuntimeError, type(None)]
        assert "waits for a step of its own" in str(errors[1])
        assert [agent.seen.count(0) for agent in agents] == [6, 5, 6]
        # and deeper: agent 0 steps 1, which steps 2 and refuses those that wait for it
        results = manager.step_all_agents({0: 2}, timeout=30)
        assert results[0].success


@pytest.mark.parametrize("wait", [True, False])
def test_a_shutdown_with_work_in_flight(wait):
    gate = threading.Event()
    manager = ThreadPoolManager(1, 1)
    agent = Gate(gate)
    manager.register_agent("a", agent)
    manager.register_agent("b", Counter())
    running = manager.submit_task("a", "step", 0)
    waiting = manager.submit_task("b", "step", 0)
    assert agent.reached.wait(30)
    opener = threading.Timer(0.2, gate.set)
    opener.start()
    manager.shutdown(wait=wait)
    assert gate.is_set() == wait
    with pytest.raises(CancelledError):
        waiting.result(30)
    assert running.result(30).result == 1
    opener.join()
    until(lambda: manager.get_pool_status()["workers"] == 0)


def test_threads_and_agents_are_let_go():
    manager = ThreadPoolManager()
    agent = Counter()
    manager.register_agent("a", agent)
    manager.step_all_agents({"a": 0}, timeout=10)
    before = weakref.ref(agent)
    manager.unregister_agent("a")
    del agent
    until(lambda: gc.collect() is not None and before() is None)
    manager.shutdown()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_workers": 0}, "max_workers must be"),
        ({"min_workers": 5, "max_workers": 4}, "min_workers must be"),
        ({"initial_workers": 9, "max_workers": 4}, "initial_workers must be"),
        ({"scaling_threshold": 1.5}, "scaling_threshold must be"),
        ({"monitoring_interval": 0}, "monitoring_interval must be"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ThreadPoolManager(**arguments)


@pytest.mark.parametrize(("threads", "inline", "chosen"), [(1.0, 2.0, True), (2.0, 1.9, False)])
def test_the_faster_way_is_chosen(threads, inline, chosen):
    choice = Choice()
    used = []
    for _ in range(2 * PROBES + 50):
        way = choice.use_threads()
        used.append(way)
        choice.note(way, 10, threads if way else inline)
    assert used[: 2 * PROBES] == [False] * PROBES + [True] * PROBES
    assert set(used[2 * PROBES :]) == {chosen}


# --- AsyncManager ------------------------------------------------------------------------------


def test_the_event_loop_goes_on_during_a_tick():
    gate = threading.Event()

    async def run():
        async with AsyncManager() as manager:
            manager.register_agent("slow", Gate(gate))
            tick = asyncio.create_task(manager.step_all_agents({"slow": 0}))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not tick.done()
            gate.set()
            return await tick

    assert asyncio.run(run())["slow"].result == 1


def test_a_cancelled_tick():
    gate = threading.Event()

    async def run():
        async with AsyncManager(max_workers=1) as manager:
            agents = [Gate(gate) for _ in range(3)]
            for i, agent in enumerate(agents):
                manager.register_agent(i, agent)
            tick = asyncio.create_task(manager.step_all_agents({0: 0, 1: 0, 2: 0}))
            while not agents[0].reached.is_set():
                await asyncio.sleep(0.001)
            tick.cancel()
            with pytest.raises(asyncio.CancelledError):
                await tick
            gate.set()
            results = await manager.step_all_agents({0: 0, 1: 0, 2: 0})
            # the first was at work and went on, the others had not begun
            return [results[i].result for i in range(3)]

    assert asyncio.run(run()) == [2, 1, 1]


def test_calls_in_the_manager_are_bounded():
    gate = threading.Event()

    async def run():
        async with AsyncManager(max_pending=3) as manager:
            for i in range(10):
                manager.register_agent(i, Gate(gate))
            ticks = [asyncio.create_task(manager.step_all_agents({i: 0})) for i in range(10)]
            for _ in range(50):
                await asyncio.sleep(0.001)
                assert manager.get_pool_status()["pending_calls"] <= 3
            assert manager.get_pool_status()["pending_calls"] == 3
            gate.set()
            return [next(iter(result.values())).result for result in await asyncio.gather(*ticks)]

    assert asyncio.run(run()) == [1] * 10


def test_two_event_loops_one_after_the_other():
    manager = AsyncManager()
    manager.register_agent("a", Counter())

    async def run():
        return await manager.step_all_agents({"a": 0})

    assert [asyncio.run(run())["a"].result for _ in range(2)] == [1, 2]
    asyncio.run(manager.shutdown())


def test_a_tick_of_many_agents_lets_others_run():
    """It gives the GIL away after every 50 or 100 agents; one is refused, one cannot be read."""
    size = 250
    agents, twins = own_agents(size), own_agents(size)
    observations = {i: [i % 3] for i in range(size)} | {7: [99]}

    async def run():
        async with AsyncManager() as manager:
            for i, agent in enumerate(agents):
                manager.register_agent(i, agent)
            return [await manager.step_all_agents(observations) for _ in range(2)]

    for results in asyncio.run(run()):
        for i, twin in enumerate(twins):
            if i == 7:
                assert isinstance(results[i].error, ValueError)
            else:
                np.testing.assert_array_equal(results[i].result, twin.step(observations[i]))
    assert [agent.curr_timestep for agent in agents] == [2 * (i != 7) for i in range(size)]


def held_by(agent):
    q_pi = agent.q_pi.copy() if agent.curr_timestep else None
    return [agent.curr_timestep, agent.prev_actions, agent.action, agent.qs[0].copy(), q_pi]


@pytest.mark.parametrize("steps", [0, 2])
def test_an_agent_whose_step_fails_is_as_it_was(steps):
    """gamma times G is more than a double holds: q_pi would be NaN."""
    agents, twins = (own_agents(MANY, C=np.array([0.0, 1.0, -60.0])) for _ in range(2))
    with ThreadPoolManager() as manager:
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)
        for _ in range(steps):
            manager.step_all_agents({i: [i % 3] for i in range(MANY)})
        agents[7].gamma = 1.7e308
        before = copy.deepcopy(held_by(agents[7]))
        results = manager.step_all_agents({i: [1] for i in range(MANY)})
        assert isinstance(results[7].error, FloatingPointError)
        assert all(results[i].success for i in range(MANY) if i != 7)
        np.testing.assert_equal(held_by(agents[7]), before)
        agents[7].gamma = 16.0
        assert manager.step_all_agents({7: [1]})[7].success
    for i, twin in enumerate(twins):
        for _ in range(steps):
            twin.step([i % 3])
        twin.step([1])
        np.testing.assert_equal(held_by(agents[i]), held_by(twin))


@pytest.mark.parametrize("timeout", [0.3, None])
def test_an_agent_that_is_at_work_elsewhere_keeps_nobody_waiting(timeout):
    """Of a tick of many: the others are stepped meanwhile, and it when it is free."""
    agents = own_agents(MANY)
    observations = {i: [1] for i in range(MANY)}
    results = {}
    with ThreadPoolManager() as manager:
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)
        tick = threading.Thread(
            target=lambda: results.update(manager.step_all_agents(observations, timeout=timeout))
        )
        lock = manager._registry[7].lock
        lock.acquire()
        try:
            tick.start()
            until(lambda: all(agent.curr_timestep for agent in agents if agent is not agents[7]))
            if timeout is not None:
                tick.join()
        finally:
            lock.release()
        tick.join()
        assert all(results[i].success for i in range(MANY) if i != 7)
        if timeout is None:
            assert results[7].success
        else:
            assert isinstance(results[7].error, StepTimeoutError)
            assert agents[7].curr_timestep == 0
            assert manager.step_all_agents({7: [1]})[7].success
    assert {agent.curr_timestep for agent in agents} == {1}


def test_results_are_pickled():
    result = TaskResult("a", False, None, ValueError("no"), 0.5)
    copied = pickle.loads(pickle.dumps(result))
    assert repr(copied) == repr(result)


def test_agents_whose_actions_cannot_be_drawn_are_as_they_were():
    class Broken(np.random.PCG64):
        lock = property(lambda self: 1 / 0 if self.is_broken else super().lock)
        is_broken = False

    agents = own_agents(MANY, action_selection="stochastic")
    usual = np.random.get_bit_generator()
    broken = Broken(3)
    with ThreadPoolManager() as manager:
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)
        manager.step_all_agents({i: [i % 3] for i in range(MANY)})
        before = copy.deepcopy([held_by(agent) for agent in agents])
        np.random.set_bit_generator(broken)
        broken.is_broken = True
        try:
            results = manager.step_all_agents({i: [1] for i in range(MANY)})
        finally:
            np.random.set_bit_generator(usual)
        assert all(isinstance(result.error, ZeroDivisionError) for result in results.values())
        np.testing.assert_equal([held_by(agent) for agent in agents], before)
        results = manager.step_all_agents({i: [1] for i in range(MANY)})
    assert all(result.success for result in results.values())
    assert {len(agent.prev_actions) for agent in agents} == {2}
