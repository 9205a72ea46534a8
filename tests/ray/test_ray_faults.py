"""Actors, nodes, memory and drivers that are lost: histories are those of undisturbed runs."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sharded_populations import (
    SIZE,
    TICKS,
    kill_actor,
    observed,
    placed,
    process_of,
    sharded,
    undisturbed,
    wait_for,
)

from freeagent_core import GenerativeModel, Population
from freeagent_core.ray import RayPopulation, _checkpoints

ray = pytest.importorskip("ray", reason="Ray is not installed (extra ray)")


def test_killed_actors(nodes, model, directory):
    whole, expected = undisturbed(model)
    with sharded(model, directory) as population:
        for t, seen in enumerate(observed()):
            if t in (2, 7, 13):  # before the first checkpoint, after it, at once after one
                kill_actor(population, t % 2)
            np.testing.assert_array_equal(population.step(seen), expected[t])
        np.testing.assert_array_equal(population.G, whole.G)
        assert [each.shard for each in population.recoveries] == [0, 1, 1]
        first, _, last = population.recoveries
        assert first.agents == "agents 0 to 299"
        assert "ActorDied" in first.cause or "ActorUnavailable" in first.cause
        assert (first.checkpoint, first.operation) == (0, 3)
        assert last.operation == 14
        assert last.checkpoint in (
            0,
            4,
            8,
            12,
        )  # the newest that was complete; a busy machine is late
        assert last.replayed == last.operation - last.checkpoint


def test_killed_actor_with_ticks_in_flight_and_a_reader_after(nodes, model, directory):
    whole, expected = undisturbed(model)
    with sharded(model, directory, max_in_flight=5) as population:
        pending = []
        for t, seen in enumerate(observed()):
            pending.append(population.step_async(seen))
            if t == 6:
                kill_actor(population, 1)
        for step, actions in zip(pending, expected, strict=True):
            np.testing.assert_array_equal(step.result(), actions)
        kill_actor(population, 0)
        np.testing.assert_array_equal(population.qs[0], whole.qs[0])
        assert len(population.recoveries) == 2


@pytest.mark.parametrize("spare", [True, False])
def test_node_killed_in_the_middle_of_a_tick(nodes, model, directory, spare):
    whole, expected = undisturbed(model, 40_000)
    timeout = 60.0 if spare else 0.5  # too short to start an actor, where that is all it does
    killed = []
    try:
        with sharded(model, directory, 40_000, recovery_timeout=timeout) as population:
            where = placed(population, nodes)
            for t, seen in enumerate(observed(40_000)):
                step = population.step_async(seen)
                if t == 9:
                    nodes.kill(where[1])
                    killed.append(where[1])
                    if spare:
                        nodes.replace(killed.pop())
                np.testing.assert_array_equal(step.result(), expected[t])
            np.testing.assert_array_equal(population.qs[0], whole.qs[0])
            assert [each.shard for each in population.recoveries] == [1]
            assert population.recoveries[0].reserved == spare
    finally:
        for index in killed:
            nodes.replace(index)


def is_being_written(directory, process):
    """Whether a process has a new file open in `directory`: it has no name until it is whole."""
    start = f"{directory.resolve()}/"
    for descriptor in Path(f"/proc/{process}/fd").glob("*"):
        with contextlib.suppress(OSError):
            name = os.readlink(descriptor)
            if name.startswith((start + "#", start + ".checkpoint-")):
                return True
    return False


def test_node_killed_during_a_checkpoint(nodes, tmp_path):
    """The node goes while the file is half written: the one before counts."""
    n = 60  # states: a checkpoint of some tens of MB
    model = GenerativeModel(np.eye(n), np.stack([np.eye(n), np.roll(np.eye(n), 1, 0)], -1))
    seen = np.random.default_rng(0).integers(n, size=(60, 30_000, 1))
    whole = Population(model, 30_000, seed=9)
    with sharded(model, tmp_path, 30_000, recovery_timeout=0.5) as population:
        where = placed(population, nodes)
        files, process = tmp_path / "shard-0001", process_of(population, 1)
        complete, over = [], threading.Event()

        def kill():
            while not over.wait(0.0002):
                if not is_being_written(files, process):
                    continue
                os.kill(process, signal.SIGSTOP)  # a node that is killed gives it time to finish
                if is_being_written(files, process):
                    complete.append(_checkpoints.numbers(files))
                    nodes.kill(where[1])
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                    return
                os.kill(process, signal.SIGCONT)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            last = len(seen)
            for t in range(len(seen)):  # until one is caught, and some more
                np.testing.assert_array_equal(population.step(seen[t]), whole.step(seen[t]))
                last = min(last, t + 6) if complete else last
                if t == last:
                    break
        finally:
            over.set()
            killer.join()
            if complete:
                nodes.replace(where[1])  # in this thread, as Ray asks
        (numbers,) = complete
        (recovery,) = population.recoveries
        assert recovery.checkpoint == max(numbers, default=0)
        assert not list(files.glob(".*.part"))


def test_checkpoints_of_every_operation(nodes, model, tmp_path):
    """What is in flight is younger than the newest checkpoint, or has its replies."""
    whole, expected = undisturbed(model)
    for directory in (None, tmp_path):
        with RayPopulation(
            model,
            SIZE,
            2,
            seed=9,
            checkpoint_interval=1,
            max_in_flight=4,
            checkpoint_directory=directory,
        ) as population:
            pending = []
            for t, seen in enumerate(observed()):
                pending.append(population.step_async(seen))
                if t in (5, 11):
                    time.sleep(0.3)  # all carried out, not received
                    kill_actor(population, 0)
            for step, actions in zip(pending, expected, strict=True):
                np.testing.assert_array_equal(step.result(), actions)
            np.testing.assert_array_equal(population.G, whole.G)
            assert len(population.recoveries) == 2


def test_damaged_checkpoint(nodes, model, tmp_path):
    whole, expected = undisturbed(model)
    with sharded(model, tmp_path) as population:
        for t, seen in enumerate(observed()):
            if t == 10:
                wait_for(lambda: _checkpoints.numbers(tmp_path / "shard-0000") == [4, 8])
                path = _checkpoints.path_of(tmp_path / "shard-0000", 8)
                path.write_bytes(path.read_bytes()[:-100])
                kill_actor(population, 0)
            np.testing.assert_array_equal(population.step(seen), expected[t])
        assert population.recoveries[0].checkpoint == 4
        wait_for(lambda: _checkpoints.numbers(tmp_path / "shard-0001") == [8, 12])
        for shard in (0, 1):  # logs that no checkpoint needs are gone
            logs = sorted(int(p.name[4:]) for p in (tmp_path / f"shard-000{shard}").glob("log-*"))
            assert logs[0] >= 1
            assert len(logs) <= 4
    assert whole is not None


def test_full_object_store(nodes, model, directory):
    """Observations and actions of 1 MB a shard, in stores that others fill and overfill."""
    size = 300_000
    whole, expected = undisturbed(model, size, 6)
    hoard = []
    with sharded(model, directory, size) as population:
        for t, seen in enumerate(observed(size, 6)):
            hoard += [ray.put(np.full(30 * 2**20, t, np.uint8)) for _ in range(2)]
            np.testing.assert_array_equal(population.step(seen), expected[t])
        np.testing.assert_array_equal(population.qs[0], whole.qs[0])
        assert sum(ray.get(each)[0] for each in hoard) == 30


DRIVER = """
import sys, time
import numpy as np
import ray
sys.path.insert(0, {tests!r})
from conftest import make_model
from freeagent_core.ray import RayPopulation


ray.init(address={address!r}, logging_level="ERROR", log_to_driver=False)
population = RayPopulation(make_model(), {size}, 2, seed=9, checkpoint_interval=4,
                           checkpoint_directory={directory!r})
for seen in np.random.default_rng(2).integers(3, size=({ticks}, {size}, 1))[:{stop}]:
    population.step(seen)
population.step_async(seen)  # it does not see what becomes of this one
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("stop", [2, 9])
def test_driver_that_dies_and_comes_back(nodes, model, tmp_path, stop):
    code = DRIVER.format(
        tests=str(Path(__file__).parent),
        address=nodes.cluster.address,
        size=SIZE,
        ticks=TICKS,
        directory=str(tmp_path),
        stop=stop,
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    driver = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert driver.stdout.readline() == "ready\n"
    with pytest.raises(BlockingIOError, match="another driver"):
        RayPopulation.resume(tmp_path, model)
    driver.kill()
    driver.wait()
    driver.stdout.close()
    log = max((tmp_path / "shard-0001").glob("log-*"))
    log.write_bytes(log.read_bytes() + b"\x40\0\0\0torn")  # it died while it wrote
    whole = Population(model, SIZE, seed=9)
    with pytest.raises(FileExistsError, match="resume"):
        sharded(model, tmp_path)
    with RayPopulation.resume(tmp_path, model) as population:
        assert population.num_operations == stop + 1
        for seen in [*observed()[:stop], observed()[stop - 1]]:
            last = whole.step(seen)
        np.testing.assert_array_equal(population.actions, last)
        for seen in observed()[stop:]:
            np.testing.assert_array_equal(population.step(seen), whole.step(seen))
        kill_actor(population, 0)
        np.testing.assert_array_equal(population.timesteps, whole.timesteps)


def test_resume_of_nothing_or_another_model(nodes, model, tmp_path):
    with pytest.raises(FileNotFoundError, match="no population"):
        RayPopulation.resume(tmp_path, model)
    sharded(model, tmp_path).shutdown()
    with pytest.raises(ValueError, match="another model"):
        RayPopulation.resume(tmp_path, model.replace(gamma=3.0))
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="not one of RayPopulation"):
        RayPopulation.resume(tmp_path, model)
