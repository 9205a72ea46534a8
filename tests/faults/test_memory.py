"""What is dropped is given back."""

import gc
import os
import threading
import weakref

import numpy as np
from manager_agents import model, own_agents

from freeagent_core import Population
from freeagent_core.managers import ThreadPoolManager


def resident():
    """Return the process's resident memory in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(make, count):
    """Return by how many bytes memory grows over `count` calls, after half as many."""
    for _ in range(count // 2):
        make()
    gc.collect()
    before = resident()
    for _ in range(count):
        make()
    gc.collect()
    return resident() - before


def test_populations_that_are_dropped_are_given_back():
    shared = model()
    observations = np.zeros(10, int)
    kept = []

    def make():
        population = Population(shared, 10, num_threads=2, seed=0)
        population.step(observations)
        kept.append(weakref.ref(population))

    assert growth(make, 2000) < 2**20
    assert sum(reference() is not None for reference in kept) == 0


def test_learning_populations_that_are_dropped_are_given_back():
    shared = model(pA=np.ones((3, 4)), pB=np.ones((4, 4, 2)))
    observations = np.zeros(10, int)

    def make():
        population = Population(shared, 10, num_threads=2, seed=0)
        population.step(observations)
        population.update_A(observations)
        population.update_B([qs.copy() for qs in population.qs])

    assert growth(make, 500) < 2**20


def test_managers_that_are_dropped_end_their_threads():
    agents = own_agents(4)

    def make():
        manager = ThreadPoolManager(2)
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)
        manager.submit_task(0, "step", [0]).result()

    make()
    gc.collect()
    before, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    assert growth(make, 100) < 2**20
    for _ in range(100):
        if threading.active_count() <= before + 2:
            break
        threading.Event().wait(0.05)
    assert threading.active_count() <= before + 2
    assert len(os.listdir("/proc/self/fd")) <= descriptors


def test_steps_do_not_grow():
    population = Population(model(pA=np.ones((3, 4))), 50, num_threads=2, seed=0)
    observations = np.zeros(50, int)

    def step():
        population.step(observations)
        population.update_A(observations)

    assert growth(step, 2000) < 2**20
