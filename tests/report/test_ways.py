"""The ways step the same agents, and end what they started."""

import multiprocessing
import threading

import numpy as np
import pytest

from freeagent_core import Agent
from freeagent_core.report import ways as ways_module
from freeagent_core.report.loading import load
from freeagent_core.report.rounds import Player
from freeagent_core.report.ways import LABELS, LeftOutError, Ways, begin_episode


def test_all_ways_act_alike():
    """On a model without ties, each way gives the same actions for the same observations."""
    model = load("three-factors").model
    rng = np.random.default_rng(0)
    seen = [rng.integers(6, size=(5, 3)) for _ in range(4)]
    acted = {}
    with Ways(model, 60.0) as ways:
        for name in LABELS:
            way = ways.get(name, 5)
            for _ in range(2):  # the second episode is as the first
                way.begin_episode(5)
                acted[name] = [way.actions(way.tick(way.prepare(o))) for o in seen]
    for name in LABELS:
        assert np.array_equal(acted[name], acted["loop"]), name


def test_an_episode_begins_as_a_new_agent_does():
    model = load("grid-5x5").model
    used, new = Agent.from_model(model), Agent.from_model(model)
    for _ in range(7):
        used.step([3])
    begin_episode(used)
    assert used.prev_actions is None
    for observation in ([0], [1], [6]):
        np.random.seed(0)
        one = used.step(observation)
        np.random.seed(0)
        assert np.array_equal(one, new.step(observation))
        assert np.array_equal(used.qs[0], new.qs[0])


def test_ways_end_their_threads_and_processes():
    before = threading.active_count()
    with Ways(load("grid-5x5").model, 60.0) as ways:
        for name in LABELS:
            Player(ways.get(name, 3), ways.model, 3, 0).play(2)
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(5)
    assert threading.active_count() <= before + 2  # population's pool, which is the package's


def test_ways_end_when_one_fails_to(monkeypatch):
    def fail(self):
        raise RuntimeError("told to fail")

    monkeypatch.setattr(ways_module.Loop, "close", fail)
    ways = Ways(load("grid-5x5").model, 60.0)
    ways.get("processes", 1)
    ways.get("loop", 1)
    with pytest.raises(RuntimeError, match="told"):
        ways.__exit__()
    assert not multiprocessing.active_children()


def test_processes_are_left_out_in_time(monkeypatch):
    with Ways(load("grid-5x5").model, 1e-6) as ways:
        with pytest.raises(LeftOutError, match=r"registering 1,000 agents .* more than 1e-06 s"):
            ways.get("processes", 1000)
        monkeypatch.setattr(ways_module, "MAX_COPIED_BYTES", 100)
        with pytest.raises(LeftOutError, match="copies of the model"):
            ways.get("processes", 30)
        found, reasons = ways.of_size(30, ("loop", "processes"))
        assert set(found) == {"loop"}
        assert reasons[0].startswith("ProcessPoolManager: ")


def test_an_agent_that_raises_is_raised():
    """Failed agents are not timed as if they had stepped."""
    with Ways(load("grid-5x5").model, 60.0) as ways:
        for name in ("sequential", "threads", "asyncio", "processes"):
            way = ways.get(name, 2)
            with pytest.raises(Exception, match="observation"):
                way.actions(way.tick({0: [0], 1: [99]}))
