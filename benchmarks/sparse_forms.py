"""What each form of a model costs a step: the figures behind the constants of `_packing`.

    pip install -e . && python benchmarks/sparse_forms.py [--seconds S]

Random transitions with a given number of next states per column, and random likelihoods with a
given number of outcomes per state, are packed in each form by changing the constants, and
stepped in alternation. A ring keeps next states close, as places do; else they are anywhere.
"""

from __future__ import annotations

import argparse
import time

import models
import numpy as np

from freeagent_core import Agent, GenerativeModel, _packing


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


def packed(arguments, **constants):
    """Return a model packed with these constants of `_packing`."""
    before = {name: getattr(_packing, name) for name in constants}
    for name, value in constants.items():
        setattr(_packing, name, value)
    try:
        return GenerativeModel(**arguments)
    finally:
        for name, value in before.items():
            setattr(_packing, name, value)


def compare(arguments, forms, seconds):
    """Return the median microseconds of a step in each form."""
    seen = models.recorded_observations(arguments, Agent(**arguments), 20)
    shared = [packed(arguments, **constants) for constants in forms]
    rounds, start = [], time.perf_counter()
    while len(rounds) < 5 or time.perf_counter() - start < seconds:
        row = []
        for each in shared:
            np.random.seed(0)
            agent = Agent.from_model(each)
            begin = time.perf_counter()
            for observation in seen:
                agent.step(observation)
            row.append((time.perf_counter() - begin) / len(seen))
        rounds.append(row)
    return np.median(rounds, axis=0) * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="per line")
    chosen = parser.parse_args()
    sparse = {"SPARSE_COLUMN": 1e9}
    dense = {"SPARSE_COLUMN": 0.0, "SPARSE_SHARE": 0.0}
    graph, tree = {"MAX_GRAPH_COLUMN": 1e9}, {"MAX_GRAPH_COLUMN": 0.0}
    print("us a step, 4 actions; graph: belief graph; tree: policy tree")
    print(
        f"{'states':>7}{'policy_len':>11}{'next states':>12}{'outcomes':>9}{'near':>6}"
        f"{'graph sparse':>14}{'graph dense':>13}{'tree sparse':>13}{'tree dense':>12}"
    )
    forms = [{**graph, **sparse}, {**graph, **dense}, {**tree, **sparse}, {**tree, **dense}]
    for num_states in (25, 100):
        for policy_len in (1, 3):
            for near in (True, False):
                for entries in (1, 2, 3, 4, 6, 10):
                    arguments = model(num_states, entries, entries, near, policy_len)
                    times = compare(arguments, forms, chosen.seconds)
                    print(
                        f"{num_states:>7}{policy_len:>11}{entries:>12}{entries:>9}"
                        f"{'yes' if near else 'no':>6}{times[0]:>14.1f}{times[1]:>13.1f}"
                        f"{times[2]:>13.1f}{times[3]:>12.1f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
