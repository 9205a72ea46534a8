"""What `ProcessPoolManager` does beyond the contract: workers that die, and what crosses."""

import os
import signal

import numpy as np
import pytest
from manager_agents import Counter, Random, own_agents

from freeagent_core.managers import ProcessPoolManager, StepTimeoutError, WorkerDiedError
from freeagent_core.managers._command_log import CHECKPOINT_INTERVAL


@pytest.mark.parametrize("ticks", [0, 3, CHECKPOINT_INTERVAL + 5])
def test_a_killed_worker_is_replaced_and_its_agents_restored(ticks):
    with ProcessPoolManager(2, seed=0) as manager:
        agents, twins = own_agents(4), own_agents(4)
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)
        manager.register_agent("counter", Counter())
        rng = np.random.default_rng(0)
        for _ in range(ticks):
            seen = {i: [int(rng.integers(3))] for i in range(4)}
            manager.step_all_agents({**seen, "counter": np.array([1])})
            for i, twin in enumerate(twins):
                twin.step(seen[i])
        first, second = manager.get_pool_status()["pids"]
        os.kill(first, signal.SIGKILL)
        seen = {i: [1] for i in range(4)}
        results = manager.step_all_agents({**seen, "counter": 0})
        died = [i for i in range(4) if not results[i].success]
        assert died == [0, 2]
        assert all(isinstance(results[i].error, WorkerDiedError) for i in died)
        assert str(first) in str(results[0].error)
        status = manager.get_pool_status()
        assert status["restarts"] == 1
        assert status["pids"][1] == second
        assert status["pids"][0] != first
        results = manager.step_all_agents(seen)
        for i, twin in enumerate(twins):
            if i not in died:
                twin.step([1])
            np.testing.assert_array_equal(results[i].result, twin.step([1]))
            np.testing.assert_array_equal(manager.unregister_agent(i).qs[0], twin.qs[0])


def test_an_agent_that_ends_its_process_is_reported_each_time():
    with ProcessPoolManager(1) as manager:
        manager.register_agent("a", Counter())
        manager.register_agent("b", Counter())
        assert manager.step_all_agents({"a": 0, "b": 0})["b"].result == 1
        for _ in range(2):
            results = manager.step_all_agents({"a": 0, "b": "die"})
            assert isinstance(results["a"].error, WorkerDiedError)
            assert "exit code 3" in str(results["b"].error)
        # b died before it stepped: both are as they were
        assert manager.step_all_agents({"a": 0, "b": 0})["a"].result == 2
        died = manager.submit_task("b", "step", "die").result()
        assert isinstance(died.error, WorkerDiedError)
        assert manager.submit_task("b", "add", 10).result().result == 12
        assert manager.get_pool_status()["restarts"] == 3
        assert manager.get_performance_stats()["b"]["errors"] == 3


def test_the_draws_go_on_where_they_were():
    def draws(kill):
        with ProcessPoolManager(1, seed=5) as manager:
            manager.register_agent("a", Random())
            found = []
            for t in range(6):
                if kill and t == 3:
                    os.kill(manager.get_pool_status()["pids"][0], signal.SIGKILL)
                    assert not manager.step_all_agents({"a": 0})["a"].success
                found.append(float(manager.step_all_agents({"a": 0})["a"].result[0]))
            return found

    assert draws(False) == draws(True)


def test_workers_draw_different_numbers():
    with ProcessPoolManager(2, seed=5) as manager:
        manager.register_agent("a", Random())
        manager.register_agent("b", Random())
        results = manager.step_all_agents({"a": 0, "b": 0})
        assert results["a"].result != results["b"].result


def test_a_worker_that_is_late():
    with ProcessPoolManager(1) as manager:
        for name in "abc":
            manager.register_agent(name, Counter())
        results = manager.step_all_agents({"a": 0, "b": "sleep", "c": 0}, timeout=0.6)
        assert all(isinstance(result.error, StepTimeoutError) for result in results.values())
        # a stepped, b went on, c had not begun when the time was up
        results = manager.step_all_agents({"a": 0, "b": 0, "c": 0})
        assert [results[name].result for name in "abc"] == [2, 2, 1]
        os.kill(manager.get_pool_status()["pids"][0], signal.SIGKILL)
        manager.step_all_agents({"a": 0})
        results = manager.step_all_agents({"a": 0, "b": 0, "c": 0})
        assert [results[name].result for name in "abc"] == [3, 3, 2]


def test_observations_and_actions_of_every_kind():
    with ProcessPoolManager(1) as manager:
        for i, agent in enumerate(own_agents(5)):
            manager.register_agent(i, agent)
        manager.register_agent("c", Counter())
        seen = {0: [1], 1: (1,), 2: 1, 3: np.array([1]), 4: np.array([0.0, 1.0, 0.0])}
        results = manager.step_all_agents({**seen, "c": {"any": "thing"}})
        assert results["c"].result == 1
        assert len({float(results[i].result[0]) for i in range(5)}) == 1
        failed = manager.step_all_agents({0: lambda: None, "c": 0})
        assert not failed[0].success  # it cannot be sent
        assert failed["c"].result == 2


def test_agents_are_spread_and_many():
    with ProcessPoolManager(2) as manager:
        for i in range(150):
            manager.register_agent(i, Counter())
        results = manager.step_all_agents(dict.fromkeys(range(150), 0))
        assert all(result.result == 1 for result in results.values())
        pids = {manager.submit_task(i, "pid").result().result for i in range(150)}
        assert pids == set(manager.get_pool_status()["pids"])
        assert os.getpid() not in pids


def test_bad_arguments():
    with pytest.raises(ValueError, match="num_workers must be"):
        ProcessPoolManager(0)
    with pytest.raises(ValueError, match="start_method must be one of"):
        ProcessPoolManager(1, start_method="teleport")
    with ProcessPoolManager(1) as manager:
        with pytest.raises(Exception, match=r"pickle|local object"):
            manager.register_agent("a", type("Local", (Counter,), {})())
        assert manager.get_pool_status()["agents"] == 0
        manager.register_agent("a", Counter())
