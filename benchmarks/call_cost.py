"""What a call of an `Agent` costs beyond the kernels.

    pip install -e . && python benchmarks/call_cost.py

The kernels of a step are those that `Population` runs on one thread, for an agent of a large
population; a call's cost beyond them is its time minus theirs (of the same operation). On the
dense model that is no call's cost: there a population's agents share matrix products.
"""

from __future__ import annotations

import time

import models
import numpy as np
from players import EPISODE, Many, OneAgent, recorded

from freeagent_core import Agent, GenerativeModel, Population

SIZE = 2000


def kernels(model, seen, operations):
    """Return the seconds an agent of each operation, in turn, over an episode."""
    totals = dict.fromkeys(operations, 0.0)
    population = Population(model, SIZE, num_threads=1, seed=0)
    for observations in seen:
        for name in operations:
            arguments = (observations,) if name in ("step", "infer_states") else ()
            begin = time.perf_counter()
            getattr(population, name)(*arguments)
            totals[name] += time.perf_counter() - begin
    return np.array(list(totals.values())) / SIZE / len(seen)


def calls(model, seen, operations):
    """Return the seconds of each call of an agent, in turn, over an episode."""
    np.random.seed(0)
    agent = Agent.from_model(model)
    totals = dict.fromkeys(operations, 0.0)
    for observation in seen:
        for name in operations:
            arguments = (observation,) if name in ("step", "infer_states") else ()
            call = getattr(agent, name)
            begin = time.perf_counter()
            call(*arguments)
            totals[name] += time.perf_counter() - begin
    return np.array(list(totals.values())) / len(seen)


def main():
    print(f"us a call, medians of 50 episodes of {EPISODE} ticks; the clock itself takes 0.05")
    print(f"{'model':<36}{'call':<18}{'call':>8}{'kernels':>9}{'beyond':>8}{'asked':>7}")
    for name, make in models.MODELS.items():
        arguments = make()
        model = GenerativeModel(**arguments)
        alone = recorded(OneAgent(model), arguments, 1)
        many = recorded(Many(model, SIZE), arguments, SIZE)
        for operations, asked in (
            (["step"], 3.0),
            (["infer_states", "infer_policies", "sample_action"], 2.0),
        ):
            ours = np.median([calls(model, alone, operations) for _ in range(50)], axis=0) * 1e6
            least = np.median([kernels(model, many, operations) for _ in range(3)], axis=0) * 1e6
            for operation, call, kernel in zip(operations, ours, least, strict=True):
                print(
                    f"{name:<36}{operation:<18}{call:>8.2f}{kernel:>9.2f}{call - kernel:>8.2f}"
                    f"{asked:>7.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
