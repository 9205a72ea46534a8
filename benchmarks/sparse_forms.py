"""What each form of a model costs: the figures behind `_model.packing`,
`sparse_columns` and `belief_matrices`.

    pip install -e . && python benchmarks/sparse_forms.py [--seconds S] [--beliefs]

Random transitions with a given number of next states per column, and random likelihoods with a
given number of outcomes per state, are packed in each form by changing the constants, and
stepped in alternation. A ring keeps next states close, as places do; else they are anywhere.

With ``--beliefs``: policies evaluated in grid worlds from beliefs of so many states, over a belief
graph and over matrices of beliefs, and what of that is an entry of A or B, a state and an outcome.
"""

from __future__ import annotations

import argparse
import time

import models
import numpy as np

from freeagent_core import Agent, GenerativeModel
from freeagent_core._model import belief_matrices, packing, sparse_columns


def columns(rng, num_rows, num_columns, entries, near):
    """Return random distributions of so many entries, in the columns of an array."""
    out = np.zeros((num_rows, num_columns))
    for column in range(num_columns):
        if near:
            shift = rng.integers(-2, 3)
            rows = (column + shift + np.arange(entries)) % num_rows
        else:
            rows = rng.choice(num_rows, entries, replace=False)
        out[rows, column] = rng.dirichlet(np.full(entries, 2.0))
    return out


def model(num_states, entries_B, entries_A, near, policy_len, num_controls=4, seed=0):
    """Return one factor and one modality."""
    rng = np.random.default_rng(seed)
    B = [columns(rng, num_states, num_states, entries_B, near) for _ in range(num_controls)]
    return {
        "A": models.object_array([columns(rng, num_states, num_states, entries_A, near)]),
        "B": models.object_array([np.stack(B, axis=-1)]),
        "C": models.object_array([rng.normal(size=num_states)]),
        "D": models.object_array([np.full(num_states, 1.0 / num_states)]),
        "policy_len": policy_len,
    }


NO_MATRICES = {"MAX_COLUMNS": -1}
MATRICES = {"DENSE_ENTRY": 1e9, "GRAPH_PAIR": 1e9, "GRAPH_STATE": 1e9}
GRAPH = {"MAX_GRAPH_COLUMN": 1e9, **NO_MATRICES}
TREE = {"MAX_GRAPH_COLUMN": 0.0, **NO_MATRICES}
SPARSE = {"SPARSE_COLUMN": 1e9}
DENSE = {"SPARSE_COLUMN": 0.0, "SPARSE_SHARE": 0.0}


def packed(arguments, **constants):
    """Return a model packed with these constants of the modules that pack models."""
    modules = (belief_matrices, sparse_columns, packing)
    places = [(next(m for m in modules if hasattr(m, name)), name) for name in constants]
    before = [getattr(module, name) for module, name in places]
    for (module, name), value in zip(places, constants.values(), strict=True):
        setattr(module, name, value)
    try:
        return GenerativeModel(**arguments)
    finally:
        for (module, name), value in zip(places, before, strict=True):
            setattr(module, name, value)


def alternating(calls, seconds):
    """Return the median microseconds of each call."""
    rounds, start = [], time.perf_counter()
    while len(rounds) < 5 or time.perf_counter() - start < seconds:
        row = []
        for call in calls:
            begin = time.perf_counter()
            call()
            row.append(time.perf_counter() - begin)
        rounds.append(row)
    return np.median(rounds, axis=0) * 1e6


def compare(arguments, forms, seconds):
    """Return the median microseconds of a step in each form."""
    seen = models.recorded_observations(arguments, Agent(**arguments), 20)

    def steps(shared):
        np.random.seed(0)
        agent = Agent.from_model(shared)
        for observation in seen:
            agent.step(observation)

    shared = [packed(arguments, **constants) for constants in forms]
    calls = [lambda each=each: steps(each) for each in shared]
    return alternating(calls, seconds) / len(seen)


def noisy_grid(side, policy_len, noise, slip=0.0, num_controls=4):
    """Return a grid world seen with evenly spread noise, in which moves may fail."""
    arguments = models.grid(side, policy_len)
    n = side * side
    B = arguments["B"][0][:, :, :num_controls]
    if slip:
        B = (1.0 - slip) * B + slip * np.eye(n)[:, :, None]
    arguments["A"] = models.object_array([(1.0 - noise) * np.eye(n) + noise / n])
    arguments["B"] = models.object_array([B])
    return arguments


def beliefs(arguments, forms, num_states, seconds):
    """Return the median microseconds of `infer_policies` in each form, of a belief in so many
    neighbouring states."""
    agents = [Agent.from_model(packed(arguments, **constants)) for constants in forms]
    rng = np.random.default_rng(num_states)
    n = len(arguments["D"][0])
    qs = np.zeros(n)
    first = (n - num_states) // 2
    qs[first : first + num_states] = rng.dirichlet(np.full(num_states, 2.0))
    for agent in agents:
        agent.infer_states([0])
        agent.qs[0][:] = qs
    return alternating([agent.infer_policies for agent in agents], seconds)


def print_beliefs(seconds):
    """Print graph against matrices by the states of a belief."""
    print("us an infer_policies; graph: belief graph; matrices: matrices of beliefs")
    print(f"{'grid':>6}{'len':>5}{'noise':>7}{'slip':>6}{'states':>8}{'graph':>9}{'matrices':>10}")
    for side, policy_len in ((5, 3), (5, 4), (6, 2), (10, 2), (10, 4)):
        for noise, slip in ((0.0, 0.0), (0.1, 0.0), (0.1, 0.2)):
            arguments = noisy_grid(side, policy_len, noise, slip)
            for count in (2, 3, 4, 6, 10, 20, side * side):
                graph, matrices = beliefs(arguments, (GRAPH, MATRICES), count, seconds)
                print(
                    f"{side:>6}{policy_len:>5}{noise:>7}{slip:>6}{count:>8}{graph:>9.1f}"
                    f"{matrices:>10.1f}",
                    flush=True,
                )


def print_unit_costs(seconds):
    """Print what an entry, a state and an outcome cost a belief, by least squares."""
    rows, times, dense_rows, dense_times = [], [], [], []
    for num_states in (24, 48, 96):
        for entries_B, entries_A in ((1, 1), (4, 2), (8, 8), (16, 1), (1, 24)):
            arguments = model(num_states, entries_B, entries_A, False, 3)
            cost, dense = beliefs(arguments, (MATRICES, {**TREE, **DENSE}), num_states, seconds)
            num_beliefs = 4 + 16 + 64
            row = [(entries_B + entries_A) * num_states, num_states, num_states]
            # (as many outcomes as states: their costs are told apart by the row below)
            rows.append(row)
            times.append(cost * 1e3 / num_beliefs)
            dense_rows.append([2 * num_states * num_states, num_states])
            dense_times.append(dense * 1e3 / num_beliefs)
        arguments = model(num_states, 2, 2, False, 3)
        arguments["A"] = models.object_array([np.full((2, num_states), 0.5)])
        arguments["C"] = models.object_array([np.zeros(2)])
        (cost,) = beliefs(arguments, (MATRICES,), num_states, seconds)
        rows.append([2 * num_states, num_states, 2])
        times.append(cost * 1e3 / num_beliefs)
    entry, state, outcome = np.linalg.lstsq(np.array(rows, float), np.array(times), rcond=None)[0]
    dense_entry, dense_outcome = np.linalg.lstsq(
        np.array(dense_rows, float), np.array(dense_times), rcond=None
    )[0]
    print(
        f"ns a belief: {entry:.2f} an entry, {state:.2f} a state, {outcome:.2f} an outcome; "
        f"dense products: {dense_entry:.2f} an entry, {dense_outcome:.2f} an outcome"
    )


def print_forms(seconds):
    """Print a step of random models in each form."""
    print("us a step, 4 actions; graph: belief graph; tree: policy tree; matrices: of beliefs")
    print(
        f"{'states':>7}{'policy_len':>11}{'next states':>12}{'outcomes':>9}{'near':>6}"
        f"{'graph sparse':>14}{'graph dense':>13}{'tree sparse':>13}{'tree dense':>12}"
        f"{'matrices':>10}"
    )
    forms = [
        {**GRAPH, **SPARSE},
        {**GRAPH, **DENSE},
        {**TREE, **SPARSE},
        {**TREE, **DENSE},
        {**MATRICES, "MAX_GRAPH_COLUMN": 0.0},
    ]
    for num_states in (25, 100):
        for policy_len in (1, 3):
            for near in (True, False):
                for entries in (1, 2, 3, 4, 6, 10):
                    arguments = model(num_states, entries, entries, near, policy_len)
                    times = compare(arguments, forms, seconds)
                    print(
                        f"{num_states:>7}{policy_len:>11}{entries:>12}{entries:>9}"
                        f"{'yes' if near else 'no':>6}{times[0]:>14.1f}{times[1]:>13.1f}"
                        f"{times[2]:>13.1f}{times[3]:>12.1f}{times[4]:>10.1f}",
                        flush=True,
                    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="per line")
    parser.add_argument("--beliefs", action="store_true", help="graph against matrices")
    chosen = parser.parse_args()
    if chosen.beliefs:
        print_unit_costs(chosen.seconds)
        print_beliefs(chosen.seconds)
    else:
        print_forms(chosen.seconds)


if __name__ == "__main__":
    main()
