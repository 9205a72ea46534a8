"""A long run: memory, beliefs, descriptors and threads over very many agent-steps.

``python tests/long/steps.py --steps 1e7`` steps and teaches agents in a `Population` and in
each manager, makes and drops 10^4 agents, populations and managers, and ends with 1 if memory
grew by 1 MiB after the warm-up, a belief left its simplex by 1e-12, or a descriptor or a
thread stayed.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from manager_agents import Counter, learn, model  # noqa: E402

from freeagent_core import Agent, GenerativeModel, Population  # noqa: E402
from freeagent_core.managers import (  # noqa: E402
    ProcessPoolManager,
    SequentialManager,
    ThreadPoolManager,
)

MOST_GROWTH = 2**20
MOST_ERROR = 1e-12


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def learning_model() -> GenerativeModel:
    return model(pA=np.ones((3, 4)), pB=np.ones((4, 4, 2)))


def check_beliefs(qs: np.ndarray) -> None:
    error = np.abs(qs.sum(axis=-1) - 1.0).max()
    assert error < MOST_ERROR, f"beliefs sum to 1 within {error}"
    assert (qs >= 0).all()


def measure(name: str, tick: Callable[[], int], steps: float) -> bool:
    """Run ticks until there were so many agent-steps; print, and return whether it held."""
    done = 0
    while done < steps / 10:
        done += tick()
    gc.collect()
    before, start, warm = resident(), time.monotonic(), done
    while done < steps:
        done += tick()
    gc.collect()
    seconds, growth = time.monotonic() - start, resident() - before
    holds = growth < MOST_GROWTH
    rate = (done - warm) / seconds
    print(f"{name}: {done} agent-steps, {rate:.0f} a second, memory {growth / 1024:+.0f} KiB"
          f"{'' if holds else ' TOO MUCH'}", flush=True)  # fmt: skip
    return holds


def population_tick() -> Callable[[], int]:
    population = Population(learning_model(), 1000, num_threads=2, seed=0)
    rng = np.random.default_rng(0)

    def tick() -> int:
        observations = rng.integers(3, size=1000)
        before = [qs.copy() for qs in population.qs]
        population.step(observations)
        population.update_A(observations)
        population.update_B(before)
        check_beliefs(population.qs[0])
        return 1000

    return tick


def manager_tick(manager: object, count: int) -> Callable[[], int]:
    shared = learning_model()
    agents = [Agent.from_model(shared) for _ in range(count)]
    for i, agent in enumerate(agents):
        manager.register_agent(i, agent)
    rng = np.random.default_rng(0)

    def tick() -> int:
        seen = {i: [int(k)] for i, k in enumerate(rng.integers(3, size=count))}
        results = manager.step_all_agents(seen)
        assert all(result.success for result in results.values())
        if isinstance(manager, ProcessPoolManager):  # it has the agents
            tasks = [(i, learn, observation) for i, observation in seen.items()]
            beliefs = [result.result for result in manager.batch_execute(tasks)]
        else:
            beliefs = [learn(agent, seen[i]) for i, agent in enumerate(agents)]
        for qs in beliefs:
            check_beliefs(qs)
        return count

    return tick


def dropped(name: str, make: Callable[[], None], count: int) -> bool:
    """Make and drop things; the same conditions."""
    for _ in range(count // 4):
        make()
    gc.collect()
    before = resident()
    for _ in range(count):
        make()
    gc.collect()
    growth = resident() - before
    holds = growth < MOST_GROWTH
    print(f"{count} {name} made and dropped: memory {growth / 1024:+.0f} KiB"
          f"{'' if holds else ' TOO MUCH'}", flush=True)  # fmt: skip
    return holds


def make_population() -> None:
    Population(SHARED, 10, num_threads=2, seed=0).step(np.zeros(10, int))


def make_agent() -> None:
    Agent.from_model(SHARED).step([0])


def make_model() -> None:
    Agent.from_model(model()).step([0])


def make_manager() -> None:
    with ThreadPoolManager(2) as manager:
        manager.register_agent("a", Counter())
        manager.submit_task("a", "step", 0).result()


SHARED = model()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=float, default=1e7)
    parser.add_argument("--made", type=int, default=10_000)
    options = parser.parse_args()
    holds = [measure("Population, learning", population_tick(), options.steps)]
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    managers = {"SequentialManager": SequentialManager, "ThreadPoolManager": ThreadPoolManager}
    for name, kind in managers.items():
        with kind() as manager:
            holds.append(
                measure(f"{name}, learning", manager_tick(manager, 100), options.steps / 10)
            )
    with ProcessPoolManager(2) as manager:
        holds.append(
            measure("ProcessPoolManager, learning", manager_tick(manager, 20), options.steps / 100)
        )
    for name, make in (
        ("agents", make_agent),
        ("models with an agent", make_model),
        ("populations", make_population),
        ("managers", make_manager),
    ):
        holds.append(dropped(name, make, options.made))
    time.sleep(0.5)
    left = (
        len(os.listdir("/proc/self/fd")) - descriptors,
        threading.active_count() - threads,
    )
    gc.collect()
    print(f"descriptors left {left[0]}, threads left {left[1]}")
    # a process that had workers keeps the pipe of multiprocessing's resource tracker
    return 0 if all(holds) and left[0] <= 1 and left[1] <= 0 else 1


if __name__ == "__main__":
    sys.exit(main())
