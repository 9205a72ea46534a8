"""`RayManager` when actors die; tests/managers has the contract that it shares with others."""

import os
import signal

import numpy as np
import pytest
from manager_agents import Counter, own_agents

from freeagent_core.managers import StepTimeoutError, WorkerDiedError
from freeagent_core.ray import RayManager

ray = pytest.importorskip("ray", reason="Ray is not installed (extra ray)")


class Killer:
    """Its second step ends the process, always."""

    def __init__(self):
        self.steps = 0

    def step(self, observation):
        self.steps += 1
        if self.steps == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.steps


class Sleeper:
    def __init__(self):
        self.steps = 0

    def step(self, observation):
        import time

        time.sleep(observation)
        self.steps += 1
        return self.steps


def kill(manager, index):
    actor = manager._actors[index]._shard._actor
    os.kill(ray.get(actor.read.remote("process_id")), signal.SIGKILL)


def test_killed_actors_go_on_to_the_tick(nodes):
    agents, twins = own_agents(6), own_agents(6)
    with RayManager(2, checkpoint_interval=5) as manager:
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)
        rng = np.random.default_rng(0)
        for t in range(12):
            if t in (1, 4, 9):
                kill(manager, t % 2)
            seen = {i: [int(rng.integers(3))] for i in range(6)}
            for i, result in manager.step_all_agents(seen).items():
                assert result.success, result.error
                np.testing.assert_array_equal(result.result, twins[i].step(seen[i]))
        assert [each.shard for each in manager.recoveries] == [1, 0, 1]
        kill(manager, 0)
        np.testing.assert_array_equal(manager.unregister_agent(0).qs[0], twins[0].qs[0])
        assert manager.get_pool_status()["restarts"] == 4


def test_an_agent_that_ends_its_process_is_left_out(nodes):
    with RayManager(2) as manager:
        for i, agent in enumerate([Killer(), Counter(), Counter()]):
            manager.register_agent(i, agent)  # 0 and 2 share an actor
        assert all(r.success for r in manager.step_all_agents({0: 0, 1: 0, 2: 0}).values())
        results = manager.step_all_agents({0: 0, 1: 0, 2: 0})
        assert [results[i].success for i in range(3)] == [False, True, False]
        assert isinstance(results[0].error, WorkerDiedError)
        assert manager.unregister_agent(0).steps == 1
        assert manager.step_all_agents({2: 0})[2].success
        assert manager.unregister_agent(2).steps == 2


def test_agents_that_came_too_late_stay_so_when_repeated(nodes):
    with RayManager(1) as manager:
        for i in range(3):
            manager.register_agent(i, Sleeper())
        results = manager.step_all_agents({0: 0.0, 1: 0.6, 2: 0.0}, timeout=0.3)
        assert isinstance(results[2].error, StepTimeoutError)
        assert manager.step_all_agents({2: 0.0})[2].result == 1
        kill(manager, 0)
        assert [manager.unregister_agent(i).steps for i in range(3)] == [1, 1, 1]
