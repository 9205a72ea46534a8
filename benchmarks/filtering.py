"""`Population.infer_states` alone beside NumPy's matrix products and dynamax's filter.

    python benchmarks/filtering.py [--states N] [--agents N]

One factor, one modality of as many outcomes, with one action and with four; all processors on all
sides, which take turns. NumPy multiplies all agents with one last action at once. dynamax's
`hmm_filter` (pip install dynamax; without it that side is left out) is jitted and vmapped over the
agents, and gets all ticks of a turn in one call, in JAX's float32: no call of it costs anything
beyond its filter. Ours and NumPy's are called tick by tick, in float64.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from generated_models import dense_model

from freeagent_core import GenerativeModel, Population

try:
    import jax
    from dynamax.hidden_markov_model import hmm_filter
except ImportError:
    hmm_filter = None

ROUNDS = 12
TICKS = 100  # of a turn
REST = 0.3  # s


def times_of(function, outcomes):
    """Return the median time of a tick (us)."""
    times = []
    for each in outcomes:
        start = time.perf_counter()
        function(each)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e6


class Ours:
    """`Population.infer_states`, tick by tick."""

    def __init__(self, arguments, actions):
        self.agents = Population(GenerativeModel(**arguments), len(actions))
        self.agents._core.state["action"][:, 0] = actions
        self.agents._core.state["has_action"][:] = 1

    @property
    def qs(self):
        return self.agents.qs[0]

    def turn(self, outcomes):
        return times_of(self.agents.infer_states, outcomes)


class Products:
    """NumPy: all agents with one last action in one product."""

    def __init__(self, arguments, actions):
        self.A, self.B = arguments["A"][0], arguments["B"][0]
        self.groups = [np.flatnonzero(actions == u) for u in range(self.B.shape[2])]
        self.qs = np.full((len(actions), len(self.B)), 1 / len(self.B))

    def tick(self, outcomes):
        prior = np.empty_like(self.qs)
        for u, group in enumerate(self.groups):
            prior[group] = self.qs[group] @ self.B[:, :, u].T
        self.qs[:] = prior * self.A[outcomes]
        self.qs /= self.qs.sum(axis=1, keepdims=True)

    def turn(self, outcomes):
        return times_of(self.tick, outcomes)


class Dynamax:
    """dynamax: the ticks of a turn in one call; its first belief is the last one, predicted."""

    def __init__(self, arguments, actions):
        A, B = (np.asarray(arguments[name][0], dtype=np.float32) for name in "AB")
        moves = np.ascontiguousarray(B.transpose(2, 1, 0))  # action, from, to

        def filtered(belief, action, seen):
            move = moves_on_device[action]
            posterior = hmm_filter(belief @ move, move, log_A[seen])
            return posterior.filtered_probs[-1]

        moves_on_device, log_A = jax.numpy.asarray(moves), jax.numpy.log(A)
        self.filter = jax.jit(jax.vmap(filtered))
        self.actions = jax.numpy.asarray(actions)
        self.qs = jax.numpy.full((len(actions), len(B)), 1 / len(B))

    def turn(self, outcomes):
        seen = jax.numpy.asarray(np.ascontiguousarray(outcomes.T))
        start = time.perf_counter()
        self.qs = self.filter(self.qs, self.actions, seen).block_until_ready()
        return (time.perf_counter() - start) / len(outcomes) * 1e6


def compare(num_states, num_agents, num_controls):
    """Print one line; the sides' beliefs are compared at its end.

    Before each turn all threads rest: OpenBLAS's wait for work for a tenth of a second after
    NumPy's last product, at full speed, on the processor that the other side's would have.
    """
    rng = np.random.default_rng(0)
    arguments = dense_model(rng, [num_states], [num_states], [num_controls], 1)
    actions = rng.integers(num_controls, size=num_agents)
    kinds = [Ours, Products] + ([Dynamax] if hmm_filter else [])
    sides = [kind(arguments, actions) for kind in kinds]
    turns = []
    for _ in range(ROUNDS + 1):  # the first compiles
        outcomes = rng.integers(num_states, size=(TICKS, num_agents))
        turn = []
        for side in sides:
            time.sleep(REST)
            turn.append(side.turn(outcomes))
        turns.append(turn)
    for side, tolerance in zip(sides[1:], (1e-9, 1e-3), strict=False):
        np.testing.assert_allclose(np.asarray(side.qs), sides[0].qs, atol=tolerance)
    turns = np.array(turns[1:])
    line = f"filtering: {num_states} states, {num_controls} actions, {num_agents} agents: "
    line += f"{np.median(turns[:, 0]):.0f} us"
    for name, column in zip(("NumPy", "dynamax"), turns.T[1:], strict=False):
        ratios = column / turns[:, 0]
        line += f"; {name} {np.median(column):.0f} us, {np.median(ratios):.1f}"
        line += f", least {min(ratios):.1f}"
    print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--states", type=int, default=25)
    parser.add_argument("--agents", type=int, default=1000)
    arguments = parser.parse_args()
    for num_controls in (1, 4):
        compare(arguments.states, arguments.agents, num_controls)


if __name__ == "__main__":
    main()
