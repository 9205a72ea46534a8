"""Agents in SIMD lanes beside agents one by one, and filtering beside NumPy's matrix products.

    python benchmarks/lanes.py [--seed N] [--count N] [--size N] [--everywhere] [--learning]

Single thread; the sides alternate in one run, with the same observations from the same worlds
(`generated_models.py`). A line has the estimated operations of a block, the median time of an
agent's step in lanes and one by one (us), and how many times faster lanes are. --everywhere uses
lanes for models whose packing decides against them too: what `freeagent_core/_model/
lane_packing.py` has its limits from. --learning: agents that have learned A and B, whose updates
are not timed. The last lines are `Population.infer_states`, with all processors, beside NumPy's
products of all agents with one last action.
"""

from __future__ import annotations

import argparse
import time
from unittest import mock

import numpy as np
from generated_models import dense_model, generate
from models import Environments, object_array

from freeagent_core import GenerativeModel, Population, population
from freeagent_core._agent import population_learning
from freeagent_core._model import lane_packing

FAMILIES = [
    *("table", "tiny", "dense factored", "T-mazes and bandits", "graph worlds", "cue chaining"),
    "grid worlds",
]
TICKS = 12
REST = 0.3  # s
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


def print_filtering(size=1000, num_states=25, rounds=12, calls=100):
    """25 states, 1,000 agents: with one action and with four. The sides alternate by `calls`.

    Before each side's turn all threads rest: OpenBLAS's wait for work for a tenth of a second
    after NumPy's last product, at full speed, on the processor that the other side's would have.
    """
    rng = np.random.default_rng(0)
    for num_controls in (1, 4):
        arguments = dense_model(rng, [num_states], [25], [num_controls], 1)
        A, B = arguments["A"][0], arguments["B"][0]
        actions = rng.integers(num_controls, size=size)
        agents = Population(GenerativeModel(**arguments), size)
        agents._core.state["action"][:, 0] = actions
        agents._core.state["has_action"][:] = 1
        groups = [np.flatnonzero(actions == u) for u in range(num_controls)]
        qs = np.full((size, num_states), 1 / num_states)

        def products(outcomes, qs=qs, A=A, B=B, groups=groups):
            prior = np.empty_like(qs)
            for u, group in enumerate(groups):
                prior[group] = qs[group] @ B[:, :, u].T
            qs[:] = prior * A[outcomes]
            qs /= qs.sum(axis=1, keepdims=True)

        ratios, medians = [], []
        for _ in range(rounds):
            outcomes = rng.integers(len(A), size=(calls, size))
            turn = []
            for side in (agents.infer_states, products):
                time.sleep(REST)
                turn.append(np.median([timed(side, each)[0] for each in outcomes]))
            medians.append(turn)
            ratios.append(turn[1] / turn[0])
        np.testing.assert_allclose(agents.qs[0], qs, atol=1e-9)
        ours, numpy = np.median(medians, axis=0) * 1e6
        print(
            f"filtering: {num_states} states, {num_controls} actions, {size} agents: "
            f"{ours:.0f} us, NumPy {numpy:.0f} us, {np.median(ratios):.1f}, least {min(ratios):.1f}"
        )


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
    print_filtering()


if __name__ == "__main__":
    main()
