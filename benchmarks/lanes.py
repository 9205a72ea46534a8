"""Agents in SIMD lanes beside agents one by one, and filtering beside NumPy's matrix products.

    python benchmarks/lanes.py [--seed N] [--count N] [--size N] [--everywhere] [--learning]

Single thread; the sides alternate in one run, with the same observations from the same worlds
(`generated_models.py`). A line has the estimated operations of a block, the median time of an
agent's step in lanes and one by one (us), and how many times faster lanes are. --everywhere uses
lanes for models whose packing decides against them too: what `freeagent_core/_model/
lane_packing.py` has its limits from. --learning: agents that have learned A and B, whose updates
are not timed.
"""

from __future__ import annotations

import argparse
import time
from unittest import mock

import numpy as np
from generated_models import generate
from models import Environments, object_array

from freeagent_core import GenerativeModel, Population, population
from freeagent_core._agent import population_learning
from freeagent_core._model import lane_packing

FAMILIES = [
    *("table", "tiny", "dense factored", "T-mazes and bandits", "graph worlds", "cue chaining"),
    "grid worlds",
]
TICKS = 12
LIMITS = (
    *("MAX_LANE_STATES", "MAX_OF_PRODUCTS", "MAX_OF_GRAPH", "MAX_OF_DETERMINISTIC"),
    *("MAX_OF_POINT_MASSES", "MAX_OF_LEARNED", "MAX_OF_ONE_FACTOR", "MAX_LANE_DOUBLES"),
)


def timed(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def compare(case, size, learns):
    """Return the operations of a block and the median times of both sides, or None without
    lanes."""
    arguments = dict(case.arguments)
    for name in "AB" if learns else "":
        arguments[f"p{name}"] = object_array([10.0 * array + 0.1 for array in arguments[name]])
    model = GenerativeModel(**arguments)
    in_lanes = Population(model, size, num_threads=1, seed=1)
    with (
        mock.patch.object(population, "pack_lanes", return_value=None),
        mock.patch.object(population_learning, "pack_lanes", return_value=None),
    ):
        one_by_one = Population(model, size, num_threads=1, seed=1)
        if learns:
            population_learning.begin_learning(one_by_one._core, model)
    if learns:
        population_learning.begin_learning(in_lanes._core, model)
    lanes = in_lanes._core.learned_lanes if learns else in_lanes._core.lanes
    if lanes is None:
        return None
    environments = Environments(case.arguments, size, 1)
    observed, times = np.asarray(environments.observe()), []
    for _ in range(TICKS):
        before = object_array([qs.copy() for qs in in_lanes.qs])
        ours, actions = timed(in_lanes.step, observed)
        times.append((ours, timed(one_by_one.step, observed)[0]))
        if learns:
            for each in (in_lanes, one_by_one):
                each.update_A(observed)
                each.update_B(before)
        observed = np.asarray(environments.step(actions))
    return lanes.num_operations, np.median(times, axis=0) / size * 1e6


def print_families(arguments):
    for family in FAMILIES:
        for case in generate(family, arguments.seed, arguments.count):
            found = compare(case, arguments.size, arguments.learning)
            label = f"{family}: {case.label}"
            if found is None:
                print(f"{label:78} not in lanes")
                continue
            operations, (lanes, alone) = found
            print(f"{label:78} {operations:8,} {lanes:8.2f} {alone:8.2f} {alone / lanes:6.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=9, help="models of a family")
    parser.add_argument("--size", type=int, default=256, help="agents")
    parser.add_argument("--everywhere", action="store_true")
    parser.add_argument("--learning", action="store_true")
    arguments = parser.parse_args()
    if arguments.everywhere:
        for name in LIMITS:
            setattr(lane_packing, name, 1e18)
    print(f"{'':78} {'ops':>8} {'lanes':>8} {'alone':>8} {'faster':>6}")
    print_families(arguments)


if __name__ == "__main__":
    main()
