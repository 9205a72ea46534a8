"""What a `RayPopulation` costs beside the same populations in processes of their own.

    pip install -e '.[ray]' && python benchmarks/ray_overhead.py

On a Ray cluster of two nodes with one processor each, on this machine: 2 x 10,000 agents of a
model of about 1 us and of one of about 40 us a step. The other side is two processes that each
step a `Population` of 10,000 agents on one thread and that a pipe starts at every tick, as a
program without Ray would. The two sides take turns, at one priority; what is printed are medians.

- overhead: what a tick takes beyond the longer step of the two processes
- share: agents/s of Ray's side over those of the processes, median of neighbouring rounds
- checkpoint: bytes of an agent's state, and the time that a copy of a shard's state takes

It ends with the plan on paper to 10^9 agents that docs/past_one_machine.md has.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import statistics
import time

import models
import numpy as np

from freeagent_core import GenerativeModel, Population

AGENTS = 10_000
MODELS = {
    "grid 5x5, policy_len 1": lambda: models.grid(5, 1),
    "dense 128 states, policy_len 2": models.dense,
}
ROUNDS = 5


def child(connection, arguments, first):
    """Step a population whenever observations come; return actions and seconds."""
    population = Population(
        GenerativeModel(**arguments), AGENTS, num_threads=1, seed=0, first_agent=first
    )
    while (observations := connection.recv()) is not None:
        begin = time.perf_counter()
        actions = population.step(observations)
        connection.send((actions, time.perf_counter() - begin))


class Processes:
    """Two populations in processes of their own."""

    def __init__(self, arguments):
        context = multiprocessing.get_context("spawn")
        self.pipes, self.children = [], []
        for i in range(2):
            ours, theirs = context.Pipe()
            process = context.Process(target=child, args=(theirs, arguments, i * AGENTS))
            process.start()
            self.pipes.append(ours)
            self.children.append(process)
        self.inside = 0.0

    def step(self, observations):
        for i, pipe in enumerate(self.pipes):
            pipe.send(observations[i * AGENTS : (i + 1) * AGENTS])
        replies = [pipe.recv() for pipe in self.pipes]
        self.inside = max(seconds for _, seconds in replies)
        return np.concatenate([actions for actions, _ in replies])

    def close(self):
        for pipe in self.pipes:
            pipe.send(None)
        for process in self.children:
            process.join()


def round_of(side, environments, ticks):
    """Return seconds per tick in a closed loop, without the environment's."""
    spent = []
    observations = environments.observe()
    for _ in range(ticks):
        begin = time.perf_counter()
        actions = side.step(observations)
        spent.append(time.perf_counter() - begin)
        observations = environments.step(actions)
    return statistics.median(spent)


def compare(name, arguments, ray_population):
    """Print one model's figures; return the bytes of an agent's state."""
    model = GenerativeModel(**arguments)
    processes = Processes(arguments)
    with ray_population(model) as sharded:
        ticks = 3 if "dense" in name else 30
        worlds = [models.Environments(arguments, 2 * AGENTS, seed=s) for s in (1, 1)]
        theirs, ours, inside = [], [], []
        for _ in range(ROUNDS):
            theirs.append(round_of(processes, worlds[0], ticks))
            inside.append(processes.inside)
            ours.append(round_of(sharded, worlds[1], ticks))
        with_one = Population(model, AGENTS, num_threads=1, seed=0)
        file = io.BytesIO()
        begin = time.perf_counter()
        with_one.save(file)
        copying = time.perf_counter() - begin
    processes.close()
    share = statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
    tick, alone, step = (statistics.median(each) for each in (ours, theirs, inside))
    per_agent = file.tell() / AGENTS
    print(f"\n{name}: 2 x {AGENTS:,} agents, {step / AGENTS * 1e6:.1f} us a step")
    print(f"  a tick with Ray          {tick * 1e3:8.2f} ms, {2 * AGENTS / tick:12,.0f} agents/s")
    print(f"  with two processes       {alone * 1e3:8.2f} ms, {2 * AGENTS / alone:12,.0f} agents/s")
    print(f"  share                    {share:8.0%}")
    print(f"  overhead of Ray's side   {(tick - step) * 1e3:8.2f} ms a tick")
    print(f"  overhead of processes    {(alone - step) * 1e3:8.2f} ms a tick")
    print(f"  checkpoint               {per_agent:8.0f} bytes an agent, {copying * 1e3:.0f} ms")
    return per_agent


def one_process(name, arguments):
    """Print what the same agents take in one `Population` on both processors."""
    population = Population(GenerativeModel(**arguments), 2 * AGENTS, seed=0)
    world = models.Environments(arguments, 2 * AGENTS, seed=1)
    tick = statistics.median(round_of(population, world, 10) for _ in range(3))
    print(f"  one Population, 2 threads{tick * 1e3:8.2f} ms, {2 * AGENTS / tick:12,.0f} agents/s")


def plan(step_us, per_agent, call):
    """Print the plan on paper for 10^9 agents of a model of `step_us`."""
    agents, cores, tick = 10**9, 64, 1.0
    nodes = int(np.ceil(agents * step_us * 1e-6 / (cores * tick)))
    interval, bandwidth = 64, 10e9 / 8
    moved = agents * 16  # an index in, an action out, 8 bytes each
    state = agents * per_agent
    failures = nodes / 1000.0  # a node fails once in 1000 days
    print(f"\n10^9 agents of {step_us:g} us a step, a tick a second, nodes of {cores} processors")
    print(f"  nodes                    {nodes:12,}")
    print(f"  memory of agents' state  {state / nodes / 2**30:12.1f} GiB a node")
    print(f"  observations and actions {moved / 1e9:12.1f} GB a tick through the driver")
    print(f"    at 10 Gbit/s           {moved / bandwidth:12.1f} s: the driver is the limit")
    print(f"    beside the agents      {moved / nodes / 1e6:12.2f} MB a tick on each node")
    print(f"  calls of actors          {call * nodes * 1e3:12.0f} ms a tick, one driver")
    print(f"  checkpoints              {state / interval / tick / 1e9:12.1f} GB/s on average")
    print(f"  failures                 {failures:12.2f} nodes a day")


def main():
    """Run the comparison."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray's actors would give way to the other side, and to all that runs here
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    import ray
    from ray.cluster_utils import Cluster

    from freeagent_core.ray import RayPopulation

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)

    @ray.remote(num_cpus=1)
    class Empty:
        def call(self):
            return None

    actors = [Empty.remote() for _ in range(2)]
    ray.get([each.call.remote() for each in actors])
    spent = []
    for _ in range(500):
        begin = time.perf_counter()
        ray.get([each.call.remote() for each in actors])
        spent.append(time.perf_counter() - begin)
    print(f"two empty actor calls: {statistics.median(spent) * 1e3:.2f} ms")
    for each in actors:
        ray.kill(each)
    found = {}
    for name, make in MODELS.items():
        arguments = make()
        found[name] = compare(
            name, arguments, lambda model: RayPopulation(model, 2 * AGENTS, 2, seed=0)
        )
        one_process(name, arguments)
    ray.shutdown()
    cluster.shutdown()
    for step_us, per_agent in zip((1, 40), found.values(), strict=True):
        plan(step_us, per_agent, statistics.median(spent) / 2)


if __name__ == "__main__":
    main()
