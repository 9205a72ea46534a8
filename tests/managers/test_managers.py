"""The contract that all managers keep, run over each of them."""

import asyncio
import importlib.util
import os
import sys
import threading

import numpy as np
import pytest
from manager_agents import Counter, Odd, add, own_agents

from freeagent_core.managers import (
    AsyncManager,
    OptimizedAgentManager,
    OptimizedThreadPoolManager,
    ProcessPoolManager,
    SequentialManager,
    StepTimeoutError,
    ThreadPoolManager,
)
from freeagent_core.ray import RayManager


class Awaited:
    """An `AsyncManager` whose calls are awaited one by one, on a loop of its own."""

    def __init__(self):
        self.manager = AsyncManager()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def _wait(self, awaitable):
        return asyncio.run_coroutine_threadsafe(awaitable, self.loop).result()

    def __getattr__(self, name):
        method = getattr(self.manager, name)
        if not asyncio.iscoroutinefunction(method):
            return method
        if name == "submit_task":
            return lambda *a, **k: asyncio.run_coroutine_threadsafe(method(*a, **k), self.loop)
        return lambda *a, **k: self._wait(method(*a, **k))

    def close(self):
        self._wait(self.manager.shutdown())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def ray_manager():
    import ray

    if not ray.is_initialized():
        environment = {"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}}
        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            runtime_env=environment,
        )
    return RayManager(2)


KINDS = {
    "sequential": SequentialManager,
    "threads": ThreadPoolManager,
    "asyncio": Awaited,
    "processes": lambda: ProcessPoolManager(2),
}
if importlib.util.find_spec("ray"):
    KINDS["ray"] = ray_manager


@pytest.fixture(params=KINDS)
def manager(request):
    made = KINDS[request.param]()
    yield made
    made.close() if isinstance(made, Awaited) else made.shutdown()


def values(results):
    assert all(result.success for result in results.values()), results
    return {agent_id: result.result for agent_id, result in results.items()}


def test_agents_step_as_they_would_alone(manager):
    agents, twins = own_agents(6), own_agents(6)
    for i, agent in enumerate(agents):
        manager.register_agent(i, agent)
    rng = np.random.default_rng(0)
    for _ in range(5):
        observations = {i: [int(rng.integers(3))] for i in range(6)}
        results = manager.step_all_agents(observations)
        assert list(results) == list(observations)
        for i, action in values(results).items():
            np.testing.assert_array_equal(action, twins[i].step(observations[i]))
            assert results[i].agent_id == i
            assert results[i].execution_time > 0
    for i, twin in enumerate(twins):
        agent = manager.unregister_agent(i)
        np.testing.assert_array_equal(agent.qs[0], twin.qs[0])
        np.testing.assert_array_equal(agent.G, twin.G)
        assert agent.curr_timestep == twin.curr_timestep == 5
        assert len(agent.prev_actions) == 5


def test_other_agents_message_passing_and_histories(manager):
    """Those that are not stepped in one batch: MMP, a subclass of its own, any object."""
    agents = {
        "mmp": own_agents(1, inference_algo="MMP", inference_horizon=3)[0],
        "history": own_agents(1, save_belief_hist=True)[0],
        "sophisticated": own_agents(1, sophisticated=True)[0],
        "counter": Counter(),
    }
    for agent_id, agent in agents.items():
        manager.register_agent(agent_id, agent)
    twins = {
        "mmp": own_agents(1, inference_algo="MMP", inference_horizon=3)[0],
        "history": own_agents(1, save_belief_hist=True)[0],
        "sophisticated": own_agents(1, sophisticated=True)[0],
        "counter": Counter(),
    }
    for t in range(3):
        found = values(manager.step_all_agents({key: [t] for key in agents}))
        for agent_id, twin in twins.items():
            np.testing.assert_array_equal(found[agent_id], twin.step([t]))
    assert len(manager.unregister_agent("history").qs_hist) == 3


def test_some_agents_step_and_the_others_wait(manager):
    for i in range(4):
        manager.register_agent(i, Counter())
    assert values(manager.step_all_agents({2: 0, 0: 0})) == {2: 1, 0: 1}
    assert values(manager.step_all_agents({0: 0, 1: 0})) == {0: 2, 1: 1}
    assert manager.step_all_agents({}) == {}


def test_an_unknown_id_is_an_error_before_any_agent_steps(manager):
    manager.register_agent("known", Counter())
    with pytest.raises(KeyError, match="'unknown' is not registered"):
        manager.step_all_agents({"known": 0, "unknown": 0})
    with pytest.raises(KeyError, match="'unknown' is not registered"):
        manager.unregister_agent("unknown")
    with pytest.raises(TypeError, match="observations must be a dict"):
        manager.step_all_agents([0])
    assert values(manager.step_all_agents({"known": 0})) == {"known": 1}


def test_registration(manager):
    manager.register_agent("a", Counter())
    with pytest.raises(ValueError, match="'a' is registered already"):
        manager.register_agent("a", Counter())
    with pytest.raises(TypeError, match="must have a method step"):
        manager.register_agent("b", object())
    manager.step_all_agents({"a": 0})
    agent = manager.unregister_agent("a")
    assert agent.steps == 1
    manager.register_agent("a", agent)
    assert values(manager.step_all_agents({"a": 0})) == {"a": 2}
    assert manager.get_pool_status()["agents"] == 1


@pytest.mark.parametrize(
    "bad", [[7], [-1], [], [0, 0], None, "x", [None], [0.5], object, {"a": 1}, np.array([3])]
)
def test_an_agent_that_raises_stays_as_it_was_and_the_others_step(manager, bad):
    agents, twins = own_agents(4), own_agents(4)
    for i, agent in enumerate(agents):
        manager.register_agent(i, agent)
    manager.step_all_agents({key: [1] for key in range(4)})
    results = manager.step_all_agents({0: [2], 1: bad, 2: [2], 3: [0]})
    assert not results[1].success
    assert results[1].result is None
    assert isinstance(results[1].error, TypeError | ValueError)
    expected = {0: [[1], [2]], 1: [[1]], 2: [[1], [2]], 3: [[1], [0]]}
    for i, observed in expected.items():
        for observation in observed:
            twins[i].step(observation)
        agent = manager.unregister_agent(i)
        np.testing.assert_array_equal(agent.qs[0], twins[i].qs[0])
        np.testing.assert_array_equal(agent.action, twins[i].action)
        assert agent.curr_timestep == len(observed)


def test_errors_of_any_object(manager):
    for agent_id, agent in {"a": Counter(), "b": Counter(), "odd": Odd()}.items():
        manager.register_agent(agent_id, agent)
    results = manager.step_all_agents({"a": "fail", "b": 0, "odd": 0})
    assert isinstance(results["a"].error, ValueError)
    assert "told to fail" in str(results["a"].error)
    assert results["b"].result == 1
    assert not results["odd"].success
    assert "Unsendable" in repr(results["odd"].error)
    statistics = manager.get_performance_stats()
    assert statistics["a"]["count"] == statistics["a"]["errors"] == 1
    assert statistics["a"]["last_error"] is results["a"].error
    assert statistics["b"]["errors"] == 0


def test_statistics(manager):
    manager.register_agent("own", own_agents(1)[0])
    manager.register_agent("other", Counter())
    for _ in range(5):
        manager.step_all_agents({"own": [0], "other": 0})
    for statistics in manager.get_performance_stats().values():
        assert statistics["count"] == 5
        assert statistics["errors"] == 0
        assert statistics["last_error"] is None
        assert 0 < statistics["p50"] <= statistics["p99"]
        assert statistics["mean"] > 0


def test_a_time_that_is_up_leaves_agents_as_they_were(manager):
    agents, twins = own_agents(3), own_agents(3)
    for i, agent in enumerate(agents):
        manager.register_agent(i, agent)
    manager.register_agent("other", Counter())
    observations = {0: [0], 1: [0], 2: [0], "other": 0}
    results = manager.step_all_agents(observations, timeout=0)
    assert list(results) == list(observations)
    assert all(isinstance(result.error, StepTimeoutError) for result in results.values())
    found = values(manager.step_all_agents(observations, timeout=60))
    assert found["other"] == 1
    for i in range(3):
        np.testing.assert_array_equal(found[i], twins[i].step([0]))
    for bad in (-1, "x", float("nan")):
        with pytest.raises(ValueError, match="timeout must be"):
            manager.step_all_agents(observations, timeout=bad)


def test_tasks(manager):
    manager.register_agent("a", Counter())
    assert manager.submit_task("a", "step", 0).result().result == 1
    assert manager.submit_task("a", "add", 5, priority=3).result().result == 6
    assert manager.submit_task("a", add, 4).result().result == 10
    failed = manager.submit_task("a", "step", "fail").result()
    assert not failed.success
    assert isinstance(failed.error, ValueError)
    for agent_id, operation, error, message in [
        ("a", "nothing", ValueError, "not a method of"),
        ("a", "_private", ValueError, "not a method of"),
        ("a", 3, TypeError, "operation must be"),
        ("z", "step", KeyError, "'z' is not registered"),
    ]:
        with pytest.raises(error, match=message):
            manager.submit_task(agent_id, operation, 0).result()
    with pytest.raises(TypeError, match="priority must be"):
        manager.submit_task("a", "step", 0, priority="high").result()


def test_batches(manager):
    for name in "abc":
        manager.register_agent(name, Counter())
    results = manager.batch_execute(
        [("a", "step", 0), ("b", "add", 5, 9), ("c", "step", "fail"), ("b", "add", 1, 2)]
    )
    assert [result.agent_id for result in results] == ["a", "b", "c", "b"]
    assert [result.result for result in results] == [1, 5, None, 6]
    assert all(
        isinstance(result.error, StepTimeoutError)
        for result in manager.batch_execute([("a", "step", "sleep")] * 3, timeout=0)[1:]
    )
    for tasks, error, message in [
        ([("a", "step")], ValueError, r"tasks\[0\] must be"),
        ([("a", "step", 0), ("z", "step", 0)], KeyError, "'z' is not registered"),
        ([("a", "step", 0, "x")], TypeError, "priority must be"),
    ]:
        with pytest.raises(error, match=message):
            manager.batch_execute(tasks)
    assert manager.batch_execute([]) == []


def test_agents_of_several_models_and_unequal_cost(manager):
    kinds = [{}, {"policy_len": 4}, {"policy_len": 2, "gamma": 1.0}]
    agents = [own_agents(1, **kinds[i % 3])[0] for i in range(12)]
    twins = [own_agents(1, **kinds[i % 3])[0] for i in range(12)]
    for i, agent in enumerate(agents):
        manager.register_agent(i, agent)
    for t in range(3):
        for i, action in values(manager.step_all_agents({i: [t] for i in range(12)})).items():
            np.testing.assert_array_equal(action, twins[i].step([t]))


def test_callers_on_several_threads(manager):
    for i in range(8):
        manager.register_agent(i, own_agents(1)[0] if i % 2 else Counter())
    failures = []

    def call(k):
        try:
            for _ in range(10):
                values(manager.step_all_agents({i: [k % 3] for i in range(8)}))
                manager.get_pool_status()
                manager.get_performance_stats()
                manager.register_agent(("own", k), Counter())
                manager.unregister_agent(("own", k))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert {each["count"] for each in manager.get_performance_stats().values()} == {40}
    assert manager.unregister_agent(0).steps == 40
    assert manager.unregister_agent(1).curr_timestep == 40


def test_the_end(manager):
    manager.register_agent("a", Counter())
    manager.shutdown()
    manager.shutdown()
    assert manager.get_pool_status()["is_shut_down"]
    for call in (
        lambda: manager.step_all_agents({"a": 0}),
        lambda: manager.register_agent("b", Counter()),
        lambda: manager.unregister_agent("a"),
        lambda: manager.submit_task("a", "step", 0).result(),
        lambda: manager.batch_execute([("a", "step", 0)]),
    ):
        with pytest.raises(RuntimeError, match="is shut down"):
            call()


def test_context_managers():
    for kind in (SequentialManager, ThreadPoolManager, lambda: ProcessPoolManager(1)):
        with kind() as manager:
            manager.register_agent("a", Counter())
        assert manager.get_pool_status()["is_shut_down"]


def test_names_of_existing_callers():
    assert OptimizedThreadPoolManager is ThreadPoolManager
    with OptimizedAgentManager() as manager:
        agents = own_agents(3)
        results = manager.step_all_agents(agents, [[0], [1], [2]])
        assert [result.success for result in results] == [True] * 3
        named = dict(zip("abc", own_agents(3), strict=True))
        results = manager.step_all_agents(named, {"a": [0], "b": [1], "c": [2]})
        assert list(results) == list("abc")
        with pytest.raises(ValueError, match="one entry per agent"):
            manager.step_all_agents(agents, [[0]])
        with pytest.raises(ValueError, match="registered with another agent"):
            manager.step_all_agents({"a": agents[0]}, {"a": [0]})
