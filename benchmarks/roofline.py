"""How far the hardware limit is: a step's arithmetic and memory against this machine's peak.

    pip install -e . && python benchmarks/roofline.py [--seconds S]

Peak: independent multiply-adds in registers, and reads of a working set as large as the model's,
each by a small kernel of `csrc/` in the same run (medians, in rounds that alternate with the
steps). Work: the floating-point operations that a step needs by the formulas above the kernels
(a multiply-add is two, a logarithm or an exponential 30), without padding, and the bytes of the
model that it must read once (agents of a population that share matrix products share reads).
The least time a step could take is that of the operations at the peak or of the bytes at the
bandwidth, whichever is longer; `share` is that over the measured time, `of peak` the operations
alone. With a belief graph the work grows with the distinct beliefs of the steps that were
timed; those models do little arithmetic, and lookups dominate a step.
"""

from __future__ import annotations

import argparse
import math
import time

import models
import numpy as np
from players import EPISODE, OneAgent, player_of, recorded, replay

from freeagent_core import Agent, GenerativeModel
from freeagent_core._agent.threads import num_cpus
from freeagent_core._kernels.base import primitives
from freeagent_core.bench.machine import limits
from freeagent_core.bench.work import FUNCTION, dense_evaluation


def iterations(model):
    """Return how many iterations a belief update takes: with fewer the beliefs are others."""
    seen = models.recorded_observations(arguments_of(model), Agent.from_model(model), 1)[0]
    last = Agent.from_model(model).infer_states(seen)
    for n in range(1, 11):
        agent = Agent.from_model(model)
        agent.inference_params = {**agent.inference_params, "num_iter": n}
        if all(map(np.array_equal, agent.infer_states(seen), last)):
            return n
    return 10


def arguments_of(model):
    return {name: getattr(model, name) for name in ("A", "B", "C", "D", "policy_len")}


def belief_update(model):
    """Return operations and bytes of a belief update with the prediction before it."""
    joint = math.prod(model.num_states)
    predicted = sum(2 * np.count_nonzero(B[..., 0]) for B in model.B)
    likelihood = joint * model.num_modalities
    read = 8 * (likelihood + sum(np.count_nonzero(B[..., 0]) for B in model.B))
    if model.num_factors == 1:
        return predicted + 2 * likelihood + joint, read
    states = sum(model.num_states)
    each = 4 * joint + states * (FUNCTION + 6)
    return predicted + likelihood + iterations(model) * each + states * FUNCTION, read


def graph_evaluation(model):
    """Return operations and bytes of `graph_search`, from the size of the last graph."""
    size = model.packed.graph_size()
    enumerated = sum(math.prod(model.num_controls) ** t for t in range(1, model.policy_len + 1))
    nonzero = max(np.count_nonzero(A) / A[0].size for A in model.A) * model.num_modalities
    others = 1  # joint states of the factors that actions do not move
    for n, u in zip(model.num_states, model.num_controls, strict=True):
        others *= n if u == 1 else 1
    supports = size["nodes"] * others
    operations = 2 * size["entries"] + supports * (2 + 2 * nonzero)
    if others > 1:  # a point mass needs no logarithm
        operations += supports * FUNCTION
    operations += 2 * enumerated + enumerated * (FUNCTION + 3)
    return operations, 8 * (size["entries"] + supports * (1 + nonzero))


def work_of(model):
    """Return operations and bytes of a step of the agents that have just stepped."""
    update, update_bytes = belief_update(model)
    evaluation = graph_evaluation if model.packed.uses_belief_graph else dense_evaluation
    operations, bytes_read = evaluation(model)
    return operations + update, bytes_read + update_bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="per model")
    chosen = parser.parse_args()
    cpus = num_cpus()
    print(f"SIMD level {primitives.simd_level()}, {cpus} processors; a step of one agent each")
    print(
        f"{'model':<36}{'agents':>7}{'cores':>6}{'kflop':>8}{'KiB':>8}{'us':>8}{'peak us':>9}"
        f"{'read us':>9}{'of peak':>9}{'share':>7}"
    )
    for name, make in models.MODELS.items():
        arguments = make()
        model = GenerativeModel(**arguments)
        recorded(OneAgent(model), arguments, 1)  # leaves a graph behind
        operations, bytes_read = work_of(model)
        for size, cores in ((1, 1), (300, cpus)):
            player = player_of(model, size)
            seen = recorded(player, arguments, size)
            replay(player, seen, 2)
            rounds = []
            start = time.perf_counter()
            while time.perf_counter() - start < chosen.seconds:
                peak, bandwidth = limits(bytes_read)
                seconds = replay(player, seen, 1 + int(0.003 / EPISODE / 1e-6 / size / 50))
                shared = 1 if size == 1 else player.population._core.block
                rounds.append(
                    (seconds / size * cores, operations / peak, bytes_read / shared / bandwidth)
                )
            taken, least, read = np.median(rounds, axis=0) * 1e6
            print(
                f"{name:<36}{size:>7}{cores:>6}{operations / 1e3:>8.1f}{bytes_read / 1024:>8.1f}"
                f"{taken:>8.2f}{least:>9.2f}{read:>9.2f}{least / taken:>9.0%}"
                f"{max(least, read) / taken:>7.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
