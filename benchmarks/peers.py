"""This project beside its peers: pymdp.legacy (NumPy) and pymdp 1.x (JAX, jitted).

    pip install -e '.[bench]' && python benchmarks/peers.py [--x64] [--json FILE]

Against pymdp.legacy one agent steps; against pymdp 1.x one agent, 30 and 300 of them (its
`batch_size` against `Population`), both with all processors. The two alternate on the same
recorded observations; the table has medians, and medians of the ratios of neighbours.
pymdp 1.x computes in float32 unless --x64 is given; what it compiles is not timed. The last
lines are the single figures that are asked for in the issue about many agents.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import models
import numpy as np
from test_step import step_reference

from freeagent_core import Agent, GenerativeModel, Population

# model: ratios asked for, against pymdp.legacy, and pymdp 1.x with a batch of 1, 30 and 300
TARGETS = {
    "grid 5x5, policy_len 1": (400, 40, 10, 10),
    "grid 5x5, policy_len 3": (5000, 20, 15, 20),
    "grid 10x10, policy_len 2": (5000, 20, 30, 30),
    "3 factors of 8, 3 modalities of 6": (50000, 50, 20, 20),
    "dense 128 states, 64 outcomes": (5000, 8, 30, 30),
    "cue chaining 35x4x2, policy_len 4": (20000, 40, 40, None),
}


class JaxAgents:
    """A batch of pymdp 1.x agents and their jitted step."""

    def __init__(self, model, batch_size):
        import equinox as eqx
        import jax
        import jax.numpy as jnp
        from pymdp.agent import Agent as JaxAgent

        self.agent = JaxAgent(
            [jnp.asarray(A) for A in model["A"]],
            [jnp.asarray(B) for B in model["B"]],
            C=[jnp.asarray(C) for C in model["C"]],
            D=[jnp.asarray(D) for D in model["D"]],
            policy_len=model["policy_len"],
            gamma=16.0,
            alpha=16.0,
            num_iter=10,
            sampling_mode="marginal",
            batch_size=batch_size,
        )

        @eqx.filter_jit
        def step(agent, observation, prior):
            qs = agent.infer_states(observation, prior)
            q_pi, _ = agent.infer_policies(qs)
            action = agent.sample_action(q_pi)
            return action, agent.update_empirical_prior(action, qs)

        self._step, self._wait, self._array = step, jax.block_until_ready, jnp.asarray
        self.prior = self.agent.D

    def step(self, observations):
        seen = [self._array(column[:, None]) for column in observations.T]
        action, prior = self._wait(self._step(self.agent, seen, self.prior))
        # what update_empirical_prior returns differs between releases: (prior, qs) or prior
        self.prior = prior[0] if isinstance(prior, tuple) else prior
        return np.asarray(action)


def alternate(ours, theirs, observations, seconds):
    """Return rows of (ours, theirs): seconds of a call."""
    start = time.perf_counter()
    for call in (ours, theirs):
        call(observations[0])  # compiles
    once = time.perf_counter()
    ours(observations[0])
    repeats = max(1, int(0.002 / max(time.perf_counter() - once, 1e-7)))
    rounds, start = [], time.perf_counter()
    while len(rounds) < 3 or time.perf_counter() - start < seconds:
        seen = observations[len(rounds) % len(observations)]
        begin = time.perf_counter()
        for _ in range(repeats):
            ours(seen)
        middle = time.perf_counter()
        theirs(seen)
        rounds.append(((middle - begin) / repeats, time.perf_counter() - middle))
    return np.array(rounds)


def line(label, count, rounds, target):
    ours, theirs = np.median(rounds, axis=0)
    ratio = float(np.median(rounds[:, 1] / rounds[:, 0]))
    met = "" if target is None else ("met" if ratio >= target else "NOT met")
    print(
        f"  {label:<22}{ours * 1e6:>12,.1f} us{theirs * 1e6:>14,.1f} us{count / ours:>14,.0f}"
        f"{ratio:>10,.1f}{target or '-':>9} {met}",
        flush=True,
    )
    return {
        "peer": label,
        "ours_us": ours * 1e6,
        "theirs_us": theirs * 1e6,
        "ratio": ratio,
        "target": target,
    }


def compare(name, seconds):
    """Print and return the rows of one model."""
    arguments = models.MODELS[name]()
    model = GenerativeModel(**arguments)
    seen = models.recorded_observations(arguments, Agent(**arguments), 20)
    targets = TARGETS[name]
    print(
        f"\n{name}\n  {'peer':<22}{'this, a tick':>15}{'theirs':>17}{'agents/s':>14}{'ratio':>10}"
        f"{'asked':>9}"
    )
    from pymdp.legacy.agent import Agent as Reference

    agent, reference = Agent(**arguments), Reference(**arguments)
    rounds = alternate(agent.step, lambda o: step_reference(reference, o), seen, seconds)
    rows = [line("pymdp.legacy", 1, rounds, targets[0])]
    for size, target in zip((1, 30, 300), targets[1:], strict=True):
        if target is None:
            continue
        batches = [np.array([seen[(i + t) % 20] for i in range(size)]) for t in range(20)]
        peers = JaxAgents(arguments, size)
        if size == 1:
            lone = Agent(**arguments)
            ours = lambda o: lone.step(o[0].tolist())  # noqa: B023, E731
        else:
            ours = Population(model, size, seed=0).step
        rounds = alternate(ours, peers.step, batches, seconds)
        rows.append(line(f"pymdp 1.x, batch {size}", size, rounds, target))
    return [{"model": name, **row} for row in rows]


def many_agents(seconds):
    """Print the figures of the small model that are asked for one by one."""
    from pymdp.legacy.agent import Agent as Reference

    arguments = models.grid(5, 1)
    model = GenerativeModel(**arguments)
    seen = models.recorded_observations(arguments, Agent(**arguments), 20)
    batches = [np.array([seen[(i + t) % 20] for i in range(300)]) for t in range(20)]
    references = [Reference(**arguments) for _ in range(300)]
    population = Population(model, 300, seed=0)

    def loop(observations):
        for reference, observation in zip(references, observations.tolist(), strict=True):
            step_reference(reference, observation)

    print("\ngrid 5x5, policy_len 1, 300 agents against a loop over pymdp.legacy's")
    row = line("pymdp.legacy, 300", 300, alternate(population.step, loop, batches, seconds), 500)
    crowd = Population(model, 10_000, seed=0)
    everyone = np.resize(batches[0], (10_000, 1))
    times = []
    for _ in range(30):
        begin = time.perf_counter()
        crowd.step(everyone)
        times.append(time.perf_counter() - begin)
    print(f"  10,000 agents step in {np.median(times) * 1e3:.1f} ms (asked: 100)")
    state = crowd._core.state
    beyond = sum(state[k].nbytes for k in state if k not in ("qs", "q_pi", "G")) / 10_000
    print(f"  {beyond:.0f} bytes an agent beyond beliefs and policy arrays (asked: 4096)")
    return [{"model": "300 agents", **row}]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--x64", action="store_true", help="pymdp 1.x in float64")
    parser.add_argument("--seconds", type=float, default=5.0, help="per line")
    parser.add_argument("--models", nargs="*", default=list(TARGETS))
    parser.add_argument("--json", type=Path, help="write the rows there")
    chosen = parser.parse_args()
    if chosen.x64:
        import jax

        jax.config.update("jax_enable_x64", True)
    rows = [row for name in chosen.models for row in compare(name, chosen.seconds)]
    rows += many_agents(chosen.seconds)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
