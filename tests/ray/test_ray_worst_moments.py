"""Deaths at the worst moments: while others are restored, at the ends of files, in bulk."""

import contextlib
import os
import signal
import threading

import numpy as np
import pytest
from sharded_populations import (
    SIZE,
    kill_actor,
    observed,
    placed,
    process_of,
    sharded,
    undisturbed,
    wait_for,
)

from freeagent_core import Population
from freeagent_core.ray import RayPopulation, ShardLostError, _checkpoints, _directory, _shard
from freeagent_core.ray._log import OperationLog

ray = pytest.importorskip("ray", reason="Ray is not installed (extra ray)")


@pytest.mark.parametrize("seed", [0, 1])
def test_kills_at_random_moments(nodes, model, directory, seed):
    """Whatever the actor is doing: an operation, a checkpoint, a replay, nothing."""
    ticks = 40
    whole, expected = undisturbed(model, ticks=ticks)
    rng = np.random.default_rng(seed)
    over = threading.Event()
    processes = {}
    with sharded(model, directory, max_in_flight=4) as population:

        def kill():
            deaths = 0
            while deaths < 5 and not over.wait(rng.uniform(0.3, 0.6)):
                process = processes.pop(int(rng.integers(2)), None)
                if process is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                    deaths += 1

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            pending = []
            for t, seen in enumerate(observed(ticks=ticks)):
                pending.append(population.step_async(seen))
                if t % 8 == 3:
                    over.wait(0.3)
                for i, shard in enumerate(population._fleet.shards):
                    processes.setdefault(i, shard.read("process_id"))
        finally:
            over.set()
            killer.join()
        for step, actions in zip(pending, expected, strict=True):
            np.testing.assert_array_equal(step.result(), actions)
        np.testing.assert_array_equal(population.G, whole.G)
        assert population.recoveries


def test_killed_while_it_is_restored(nodes, model, directory, monkeypatch):
    """The new actor dies after its checkpoint, before it has repeated the operations."""
    whole, expected = undisturbed(model)
    replay = _shard.Shard._replay
    killed = []

    def replay_without_an_actor(shard, entries):
        if len(killed) < 2:
            killed.append(ray.get(shard._actor.read.remote("process_id")))
            os.kill(killed[-1], signal.SIGKILL)
        replay(shard, entries)

    with sharded(model, directory, max_in_flight=3) as population:
        pending = []
        for t, seen in enumerate(observed()):
            pending.append(population.step_async(seen))
            if t == 6:
                monkeypatch.setattr(_shard.Shard, "_replay", replay_without_an_actor)
                kill_actor(population, 1)
        for step, actions in zip(pending, expected, strict=True):
            np.testing.assert_array_equal(step.result(), actions)
        np.testing.assert_array_equal(population.qs[0], whole.qs[0])
        assert len(killed) == 2
        assert [each.shard for each in population.recoveries] == [1]


def test_all_actors_at_once_while_a_file_is_saved(nodes, model, directory, tmp_path):
    whole, expected = undisturbed(model)
    with sharded(model, directory) as population:
        for t, seen in enumerate(observed()):
            np.testing.assert_array_equal(population.step(seen), expected[t])
        for index in (0, 1):
            kill_actor(population, index)
        population.save(tmp_path / "agents.npz")
        assert len(population.recoveries) == 2
    loaded = Population.load(tmp_path / "agents.npz", model)
    seen = observed()[0]
    np.testing.assert_array_equal(loaded.step(seen), whole.step(seen))


def test_all_nodes_at_once(nodes, model, directory):
    whole, expected = undisturbed(model, 40_000)
    with sharded(model, directory, 40_000) as population:
        assert sorted(placed(population, nodes)) == [0, 1]
        for t, seen in enumerate(observed(40_000)):
            step = population.step_async(seen)
            if t == 6:
                for index in (0, 1):
                    nodes.kill(index)
                for index in (0, 1):
                    nodes.replace(index)
            np.testing.assert_array_equal(step.result(), expected[t])
        np.testing.assert_array_equal(population.qs[0], whole.qs[0])
        assert sorted(each.shard for each in population.recoveries) == [0, 1]


def test_the_segment_of_the_log_cannot_be_begun(nodes, model, tmp_path, monkeypatch):
    """No file can be opened when a checkpoint is due: the operation has been sent by then."""
    whole, expected = undisturbed(model)
    begin = OperationLog.begin_segment
    failures = []

    def begin_or_fail(log, number):
        if number == 5:
            failures.append(number)
            raise OSError("no space left")
        begin(log, number)

    monkeypatch.setattr(OperationLog, "begin_segment", begin_or_fail)
    with sharded(model, tmp_path) as population:
        for t, seen in enumerate(observed()):
            if t == 6:
                kill_actor(population, 1)
            np.testing.assert_array_equal(population.step(seen), expected[t])
        assert len(failures) == 2
    monkeypatch.undo()
    with RayPopulation.resume(tmp_path, model) as population:
        np.testing.assert_array_equal(population.G, whole.G)


def test_a_file_of_the_log_cannot_be_removed(nodes, model, tmp_path, monkeypatch):
    def fail(log, number):
        raise OSError("read-only")

    whole, expected = undisturbed(model)
    with sharded(model, tmp_path) as population:
        for t, seen in enumerate(observed()):
            if t == 8:  # two checkpoints: what was before them is not needed
                first = tmp_path / "shard-0001"
                wait_for(lambda: len(_checkpoints.numbers(first)) == 2)  # noqa: B023
                monkeypatch.setattr(OperationLog, "forget", fail)
            np.testing.assert_array_equal(population.step(seen), expected[t])
        np.testing.assert_array_equal(population.G, whole.G)


def test_no_room_for_the_observations_of_one_shard(nodes, model, directory, monkeypatch):
    """The first shard's are in the store already: neither is logged or sent."""
    size = 40_000
    whole, expected = undisturbed(model, size)
    put = ray.put
    puts = []

    def put_or_fail(value):
        puts.append(value)
        if len(puts) == 2:
            raise ray.exceptions.ObjectStoreFullError("full")
        return put(value)

    with sharded(model, directory, size) as population:
        seen = observed(size)
        np.testing.assert_array_equal(population.step(seen[0]), expected[0])
        monkeypatch.setattr(ray, "put", put_or_fail)
        with pytest.raises(ray.exceptions.ObjectStoreFullError):
            population.step(seen[1])
        assert population.num_operations == 1
        for t in range(1, 6):
            np.testing.assert_array_equal(population.step(seen[t]), expected[t])
            kill_actor(population, t % 2)
        whole = Population(model, size, seed=9)
        for each in seen[:6]:
            whole.step(each)
        np.testing.assert_array_equal(population.G, whole.G)


def damage_all(folder):
    for number in _checkpoints.numbers(folder):
        path = _checkpoints.path_of(folder, number)
        path.write_bytes(path.read_bytes()[:100])


def test_no_checkpoint_can_be_read(nodes, model, tmp_path):
    """The log does not reach back to the beginning: an error, never other agents."""
    with sharded(model, tmp_path) as population:
        folder = tmp_path / "shard-0001"
        for seen in observed():
            population.step(seen)
        wait_for(lambda: _checkpoints.numbers(folder) == [8, 12])
        population.step(observed()[0])  # the log is cut when it is known
        wait_for(lambda: not (folder / "log-000000000001").exists())
        damage_all(folder)
        kill_actor(population, 1)
        for _ in range(2):
            with pytest.raises(ShardLostError, match=r"agents 300 to 599.*cannot be restored"):
                population.G  # noqa: B018
    with pytest.raises(ShardLostError, match="cannot be restored"):
        RayPopulation.resume(tmp_path, model)
    with pytest.raises(ShardLostError, match="cannot be restored"):  # and the lock was let go
        RayPopulation.resume(tmp_path, model)


def test_checkpoints_that_the_log_does_not_reach(nodes, model, tmp_path):
    """The driver's machine lost the end of one log, but not the checkpoints of the nodes."""
    whole, expected = undisturbed(model)
    with sharded(model, tmp_path) as population:
        for t in range(9):
            population.step(observed()[t])
        wait_for(lambda: _checkpoints.numbers(tmp_path / "shard-0000") == [4, 8])
    _directory.cut_log(tmp_path / "shard-0001", 6)
    other = observed(ticks=20)[14:]
    whole = Population(model, SIZE, seed=9)
    for seen in observed()[:6]:
        whole.step(seen)
    with RayPopulation.resume(tmp_path, model) as population:
        assert population.num_operations == 6
        for seen in other[:3]:  # another history from there on, past the lost one's checkpoint
            np.testing.assert_array_equal(population.step(seen), whole.step(seen))
            for index in (0, 1):
                kill_actor(population, index)
        np.testing.assert_array_equal(population.G, whole.G)
    assert expected


@pytest.mark.parametrize("moment", ["the second shard", "the manifest"])
def test_driver_that_dies_before_all_agents_are_in_place(
    nodes, model, tmp_path, monkeypatch, moment
):
    """There is no population then, and the next attempt makes it."""
    saved = tmp_path / "agents.npz"
    whole, _ = undisturbed(model)
    whole.save(saved)
    begin_from = _shard.Shard.begin_from

    def die(*arguments):
        raise KeyboardInterrupt

    def begin_or_die(shard, contents):
        begin_from(shard, contents)
        if shard._placement.bundle == 0:
            die()

    if moment == "the manifest":
        monkeypatch.setattr(_directory, "complete", die)
    else:
        monkeypatch.setattr(_shard.Shard, "begin_from", begin_or_die)
    live = tmp_path / "live"
    with pytest.raises(KeyboardInterrupt):
        RayPopulation.load(saved, model, 2, checkpoint_directory=live)
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError, match="no population"):
        RayPopulation.resume(live, model)
    with pytest.raises(ValueError, match="num_cpus must be"):
        RayPopulation.resume(live, model, num_cpus=0)
    with pytest.raises(ValueError, match="max_in_flight must be"):
        RayPopulation.load(saved, model, 2, checkpoint_directory=live, max_in_flight=0)
    RayPopulation.load(saved, model, 2, checkpoint_directory=live).shutdown()
    with RayPopulation.resume(live, model) as population:
        np.testing.assert_array_equal(population.G, whole.G)
        seen = observed()[0]
        np.testing.assert_array_equal(population.step(seen), whole.step(seen))


def test_actor_killed_while_a_driver_comes_back(nodes, model, tmp_path, monkeypatch):
    whole, expected = undisturbed(model)
    with sharded(model, tmp_path) as population:
        for seen, actions in zip(observed(), expected, strict=True):
            np.testing.assert_array_equal(population.step(seen), actions)
    restore = _shard.Shard._restore
    killed = []

    def restore_and_kill(shard):
        found = restore(shard)
        if not killed:
            killed.append(ray.get(shard._actor.read.remote("process_id")))
            os.kill(killed[0], signal.SIGKILL)
        return found

    monkeypatch.setattr(_shard.Shard, "_restore", restore_and_kill)
    with RayPopulation.resume(tmp_path, model) as population:
        np.testing.assert_array_equal(population.G, whole.G)
        assert process_of(population, 0) != killed[0]
        assert len(population.recoveries) == 1
