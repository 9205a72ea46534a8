"""Populations in shards beside undisturbed ones, and what happens to their actors."""

import os
import signal
import time

import numpy as np

from freeagent_core import Population
from freeagent_core.ray import RayPopulation

SIZE = 600
TICKS = 14


def observed(size=SIZE, ticks=TICKS):
    return list(np.random.default_rng(2).integers(3, size=(ticks, size, 1)))


def undisturbed(model, size=SIZE, ticks=TICKS):
    whole = Population(model, size, seed=9)
    return whole, [whole.step(seen) for seen in observed(size, ticks)]


def sharded(model, directory, size=SIZE, **arguments):
    return RayPopulation(
        model,
        size,
        2,
        seed=9,
        checkpoint_interval=4,
        checkpoint_directory=directory,
        **arguments,
    )


def kill_actor(population, index):
    """Kill the process of a shard, as the kernel does when memory is short."""
    os.kill(process_of(population, index), signal.SIGKILL)


def process_of(population, index):
    """Return the process of a shard's actor."""
    import ray

    return ray.get(population._fleet.shards[index]._actor.read.remote("process_id"))


def placed(population, nodes):
    """Return each shard's node, by index."""
    names = [node.node_id for node in nodes.nodes]
    return [names.index(shard.read("node_id")) for shard in population._fleet.shards]


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
