"""Agents per second, one way of coordination beside the other, with real inference.

    pip install -e '.[bench]' && python benchmarks/coordination.py [--quick] [--json FILE]

Each way steps the same number of agents of one model on the same recorded observations, tick
by tick. The ways alternate, a round of each and then the next round, so that the noise of the
machine falls on all; the table has medians. Nothing that is timed sleeps.

- agents/s: agents divided by the median time of a tick
- speed-up, efficiency: the sequential way's time over this one's, and that divided by the
  processors (the median of the ratios of neighbouring rounds)
- after a pause: the same with a pause before each tick, in which the caller sleeps or computes (as
  an environment would): threads that wait are woken again, on a processor that has rested; below
  stands how long such a thread takes to begin at all
- overhead: what a tick takes beyond its inference / processors, per agent and as a share of the
  inference of one agent; for `Population` that is its own on one thread (its agents may share
  matrix products), for the managers that of the loop (with its calls of `step`, 1 us an agent)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from pathlib import Path

import models
import numpy as np
from test_step import step_reference

from freeagent_core import Agent, GenerativeModel, Population
from freeagent_core._agent import threads
from freeagent_core._agent.threads import num_cpus
from freeagent_core._kernels.agents import helper_threads
from freeagent_core.managers import (
    AsyncManager,
    ProcessPoolManager,
    SequentialManager,
    ThreadPoolManager,
)

# A step costs about 1, 40 and 250 us: less, about as much and more than what coordinates it.
MODELS = {
    "small: grid 5x5, policy_len 1": lambda: models.grid(5, 1),
    "medium: dense 128 states, policy_len 2": models.dense,
    "large: dense 256 states, policy_len 2": lambda: models.dense(256, 128),
}
SIZES = [1, 2, 5, 10, 20, 30, 50, 100, 300, 1000, 10_000]


class ReferenceAgent:
    """A pymdp.legacy agent with a method ``step``."""

    def __init__(self, model):
        from pymdp.legacy.agent import Agent as Reference

        self.agent = Reference(**model)

    def step(self, observation):
        return step_reference(self.agent, observation)


class Managed:
    """Agents in a manager."""

    def __init__(self, manager, agents):
        self.manager = manager
        for i, agent in enumerate(agents):
            manager.register_agent(i, agent)

    def tick(self, observations):
        return self.manager.step_all_agents(observations)

    def close(self):
        self.manager.shutdown()


class AsyncManaged(Managed):
    """Agents in an `AsyncManager`, with an event loop that lives as long."""

    def __init__(self, manager, agents):
        super().__init__(manager, agents)
        self.loop = asyncio.new_event_loop()

    def tick(self, observations):
        return self.loop.run_until_complete(self.manager.step_all_agents(observations))

    def waits(self, observations, seconds=0.5):
        """Return how long callbacks wait for the event loop while ticks follow each other. A
        thread asks for one every millisecond. (Not ``asyncio.sleep``: its timers are rounded up
        to milliseconds whenever something else wakes the loop.)"""
        found = []
        over = threading.Event()

        def ask():
            while not over.wait(0.001):
                asked = time.perf_counter()
                self.loop.call_soon_threadsafe(
                    lambda asked=asked: found.append(time.perf_counter() - asked)
                )

        async def run():
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                await (
                    self.manager.step_all_agents(observations[0])
                    if observations
                    else asyncio.sleep(0.01)
                )

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            self.loop.run_until_complete(run())
        finally:
            over.set()
            thread.join()
        return np.array(found)

    def close(self):
        self.loop.run_until_complete(self.manager.shutdown())
        self.loop.close()


class Plain(Managed):
    """A loop over agents, as a script without any manager has it."""

    def __init__(self, agents):
        self.agents = agents

    def tick(self, observations):
        return [
            agent.step(observation)
            for agent, observation in zip(self.agents, observations.values(), strict=True)
        ]

    def close(self):
        pass


class PopulationTicks(Plain):
    """A `Population`."""

    def __init__(self, model, size, num_threads):
        self.population = Population(model, size, num_threads, seed=0)

    def tick(self, observations):
        return self.population.step(np.array(list(observations.values())))


def ways_of(name, kind, size, arguments):
    """Return the ways to step `size` agents."""
    if kind == "pymdp.legacy":
        make = lambda: [ReferenceAgent(arguments) for _ in range(size)]  # noqa: E731
    else:
        shared = GenerativeModel(**arguments)
        make = lambda: [Agent.from_model(shared) for _ in range(size)]  # noqa: E731
    ways = {
        "loop": lambda: Plain(make()),
        "sequential": lambda: Managed(SequentialManager(), make()),
        "asyncio": lambda: AsyncManaged(AsyncManager(), make()),
        "threads": lambda: Managed(ThreadPoolManager(), make()),
        "processes": lambda: Managed(ProcessPoolManager(), make()),
    }
    if kind != "pymdp.legacy":
        ways["Population"] = lambda: PopulationTicks(shared, size, None)
        ways["Population, 1 thread"] = lambda: PopulationTicks(shared, size, 1)
    return ways


def duration(way, observations, ticks):
    start = time.perf_counter()
    for t in range(ticks):
        way.tick(observations[t % len(observations)])
    return (time.perf_counter() - start) / ticks


def measure(ways, observations, seconds):
    """Return the seconds of a tick of each way, in rounds that alternate."""
    made = {name: make() for name, make in ways.items()}
    try:
        ticks = {}
        for name, way in made.items():
            duration(way, observations, 8)  # threads start, a manager learns what pays
            once = duration(way, observations, 1)
            ticks[name] = max(1, int(seconds / 8 / len(made) / max(once, 1e-9)))
        rounds = []
        start = time.perf_counter()
        while len(rounds) < 3 or time.perf_counter() - start < seconds:
            rounds.append([duration(way, observations, ticks[name]) for name, way in made.items()])
        waits = [made["asyncio"].waits(seen) for seen in ([], observations)]
        return dict(zip(made, np.array(rounds).T, strict=True)), waits
    finally:
        for way in made.values():
            way.close()


def rows_of(name, kind, size, times, cpus):
    """Return the table's rows of one measurement."""
    rows = []
    for way, seconds in times.items():
        tick = float(np.median(seconds))
        speed_up = float(np.median(times["sequential"] / seconds))
        is_parallel = way in ("threads", "asyncio", "processes", "Population")
        used = min(cpus, size) if is_parallel else 1
        baseline = "Population, 1 thread" if way.startswith("Population") else "loop"
        inference = float(np.median(times[baseline]))
        overhead = (tick - inference / used) / size
        rows.append(
            {
                "model": name,
                "agents_of": kind,
                "way": way,
                "agents": size,
                "agents_per_second": size / tick,
                "tick_ms": tick * 1e3,
                "speed_up": speed_up,
                "efficiency": speed_up / used,
                "overhead_us": overhead * 1e6,
                "overhead_share": overhead / (inference / size),
            }
        )
    return rows


def print_rows(rows):
    for row in rows:
        print(
            f"{row['agents']:>7} {row['agents_of']:<13}{row['way']:<21}"
            f"{row['agents_per_second']:>12,.0f}{row['tick_ms']:>11,.3f}"
            f"{row['speed_up']:>8.2f}{row['efficiency']:>8.0%}"
            f"{row['overhead_us']:>10,.2f}{row['overhead_share']:>8.0%}"
        )


def print_crossings(rows):
    """Print from how many agents on one way is faster than another."""
    print("\nwhere one way overtakes the sequential one (agents):")
    for name in dict.fromkeys(row["model"] for row in rows):
        for kind in dict.fromkeys(row["agents_of"] for row in rows if row["model"] == name):
            found = [r for r in rows if (r["model"], r["agents_of"]) == (name, kind)]
            for way in dict.fromkeys(row["way"] for row in found):
                sizes = sorted(r["agents"] for r in found if r["way"] == way)
                faster = {r["agents"] for r in found if r["way"] == way and r["speed_up"] > 1.05}
                at = next((n for n in sizes if all(m in faster for m in sizes if m >= n)), None)
                if way not in ("sequential", "loop"):
                    print(f"  {name:<42} {kind:<13} {way:<21} {at or 'never'}")


def rest(milliseconds, computes):
    """Sleep, or compute, for so long."""
    if not computes:
        time.sleep(milliseconds / 1e3)
        return
    until = time.perf_counter() + milliseconds / 1e3
    values = np.ones(1000)
    while time.perf_counter() < until:
        values @ values


def wake_up(milliseconds, computes):
    """Return the seconds from a call of a thread that rests to when it looks for work."""
    rest(milliseconds, computes)
    start = time.perf_counter()
    while helper_threads.call_helpers(threads._helpers, 1) or not helper_threads.num_lingering():
        pass
    return time.perf_counter() - start


def print_wake_ups(pauses):
    """Print how long a thread takes to begin, without Python code and on its own processor: the
    bound of any pool. A tick of T on two processors can be T / (T + that) efficient."""
    for computes in (False, True):
        found = [np.median([wake_up(p, computes) for _ in range(50)]) if p else 0 for p in pauses]
        print(
            f"{'wake-up, us':<22}  {'computes' if computes else 'sleeps':<9}"
            + "".join(f"{t * 1e6:>9.0f}" for t in found)
        )


def print_pauses(pauses, seconds):
    """Print the efficiency of two ways on all processors, after pauses of so many milliseconds."""
    arguments, cpus = models.dense(), num_cpus()
    model = GenerativeModel(**arguments)
    seen = models.recorded_observations(arguments, Agent.from_model(model), 20)
    one = PopulationTicks(model, 100, 1)
    cost = duration(one, [{i: seen[3] for i in range(100)}], 20) / 100
    heads = "".join(f"{pause:g} ms".rjust(9) for pause in pauses)
    print(
        f"\nefficiency after a pause before each tick\n{'way':<13}{'a tick':>9}  caller   {heads}"
    )
    for tick_ms in (1.0, 2.0, 4.0):
        size = max(2 * cpus, round(tick_ms / 1e3 / cost))
        observations = [{i: seen[(i + t) % 20] for i in range(size)} for t in range(20)]
        pairs = {
            "Population": (
                PopulationTicks(model, size, 1),
                PopulationTicks(model, size, None),
            ),
            "threads": tuple(
                Managed(manager, [Agent.from_model(model) for _ in range(size)])
                for manager in (SequentialManager(), ThreadPoolManager())
            ),
        }
        for name, ways in pairs.items():
            for way in ways:
                duration(way, observations, 8)
            for computes in (False, True):
                found = []
                for pause in pauses:
                    ratios, start = [], time.perf_counter()
                    while len(ratios) < 5 or time.perf_counter() - start < seconds:
                        times = []
                        for way in ways:
                            rest(pause, computes)
                            at = len(ratios) % 20
                            times.append(duration(way, observations[at : at + 1], 1))
                        ratios.append(times[0] / times[1])
                    found.append(np.median(ratios) / cpus)
                print(
                    f"{name:<13}{tick_ms:>6.0f} ms  {'computes' if computes else 'sleeps':<9}"
                    + "".join(f"{share:>9.0%}" for share in found),
                    flush=True,
                )
            for way in ways:
                way.close()
    print_wake_ups(pauses)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer sizes, shorter rounds")
    parser.add_argument("--json", type=Path, help="write the rows there")
    parser.add_argument("--sizes", type=int, nargs="*", help="numbers of agents")
    parser.add_argument("--models", nargs="*", default=["small", "medium", "large"])
    parser.add_argument("--seconds", type=float, help="per measurement")
    parser.add_argument("--pauses", type=float, nargs="*", default=[0, 1, 4, 20, 50], help="ms")
    parser.add_argument(
        "--most", type=float, default=6.0, help="seconds of a tick above which agents are left out"
    )
    chosen = parser.parse_args()
    sizes = chosen.sizes or ([1, 5, 30, 300] if chosen.quick else SIZES)
    seconds = chosen.seconds or (2.0 if chosen.quick else 4.0)
    cpus = num_cpus()
    print(f"{cpus} processors; medians of alternating rounds of about {seconds:.0f} s in all")
    rows = []
    for name, make in MODELS.items():
        if name.split(":")[0] not in chosen.models:
            continue
        arguments = make()
        seen = models.recorded_observations(arguments, Agent(**arguments), 20)
        print(
            f"\n{name}\n{'agents':>7} {'agents of':<13}{'way':<21}{'agents/s':>12}"
            f"{'tick ms':>11}{'speed':>8}{'effic.':>8}{'over us':>10}{'share':>8}"
        )
        cost = {}
        for kind in ("this", "pymdp.legacy"):
            one = ways_of(name, kind, 1, arguments)["loop"]()
            cost[kind] = min(duration(one, [{0: o} for o in seen], 1) for _ in range(3))
        for size in sizes:
            observations = [
                {i: seen[(i + t) % len(seen)] for i in range(size)} for t in range(len(seen))
            ]
            for kind in ("this", "pymdp.legacy"):
                if cost[kind] * size > chosen.most or (kind != "this" and size > 300):
                    continue
                times, waits = measure(ways_of(name, kind, size, arguments), observations, seconds)
                found = rows_of(name, kind, size, times, cpus)
                print_rows(found)
                if kind == "this":
                    idle, busy = (np.quantile(each, [0.5, 0.99, 1.0]) * 1e3 for each in waits)
                    print(
                        "        the event loop was kept waiting (p50, p99, most; without ticks): "
                        f"{busy[0]:.2f}, {busy[1]:.2f}, {busy[2]:.2f} ms "
                        f"({idle[0]:.2f}, {idle[1]:.2f}, {idle[2]:.2f})"
                    )
                rows += found
    if rows:
        print_crossings(rows)
    if chosen.pauses:
        print_pauses(chosen.pauses, seconds / 5)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
