"""How the cost of a step grows: with states, factors, modalities, policies, steps and agents.

    pip install -e '.[bench,report]' && python benchmarks/scaling.py [--plot FILE.png] [--json FILE]

One quantity changes at a time; dense random models, but for the deterministic grid of
`policy_len`, where equal beliefs are merged. Each line has the median time of a step (for
`agents`, of a tick) of this project, of pymdp.legacy and of pymdp 1.x (jitted, float32, batch
size 1 or the agents), in alternation, and the exponents that fit: time ~ quantity ** exponent,
by least squares on log axes. A peer is left out where a step of it would take longer than
--most seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import models
import numpy as np
from players import JaxAgents, LegacyAgents, live, player_of, recorded, replay

from freeagent_core import GenerativeModel

PEERS = ("this", "pymdp.legacy", "pymdp 1.x")


def dense(num_states, num_obs, num_controls, policy_len=1, seed=0):
    """Return a dense random model with these sizes per factor and modality."""
    rng = np.random.default_rng(seed)
    A = [rng.random((n, *num_states)) for n in num_obs]
    B = [rng.random((n, n, u)) for n, u in zip(num_states, num_controls, strict=True)]
    return {
        "A": models.object_array([a / a.sum(axis=0) for a in A]),
        "B": models.object_array([b / b.sum(axis=0) for b in B]),
        "C": models.object_array([rng.normal(size=n) for n in num_obs]),
        "D": models.object_array([np.full(n, 1.0 / n) for n in num_states]),
        "policy_len": policy_len,
    }


# quantity: (values, model of a value, agents of a value)
AXES = {
    "states": ([8, 16, 32, 64, 128, 256], lambda n: dense([n], [16], [4]), lambda n: 1),
    "factors": ([1, 2, 3, 4], lambda n: dense([5] * n, [6], [2] * n), lambda n: 1),
    "modalities": ([1, 2, 4, 8], lambda n: dense([8, 8], [6] * n, [3, 3]), lambda n: 1),
    "policies": ([2, 4, 8, 16, 32, 64], lambda n: dense([16], [16], [n]), lambda n: 1),
    "policy_len, dense": ([1, 2, 3, 4], lambda n: dense([16], [16], [4], n), lambda n: 1),
    "policy_len, grid": ([1, 2, 3, 4, 6, 8, 12], lambda n: models.grid(5, n), lambda n: 1),
    "agents": ([1, 3, 10, 30, 100, 300, 1000], lambda n: models.grid(5, 2), lambda n: n),
}


def estimate(times):
    """Return how long the next value may take: as the last two grew, at least twice as long."""
    known = [t for t in times if t is not None]
    if len(known) < 2:
        return known[-1] * 4 if known else 0.0
    return known[-1] * max(known[-1] / known[-2], 2.0)


def measure(arguments, size, wanted, seconds):
    """Return the median seconds of a tick of each peer that is wanted."""
    model = GenerativeModel(**arguments)
    ours = player_of(model, size)
    seen = recorded(ours, arguments, size)
    ticks = {}
    if "pymdp.legacy" in wanted:
        ticks["pymdp.legacy"] = live(LegacyAgents(arguments, size), arguments, size)
    if "pymdp 1.x" in wanted:
        ticks["pymdp 1.x"] = live(JaxAgents(arguments, size), arguments, size)
    for each in ticks.values():
        next(each)  # compiles
    once = min(replay(ours, seen, 1) for _ in range(3))
    episodes = max(1, round(0.002 / once / len(seen)))
    times = {name: [] for name in ("this", *ticks)}
    start = time.perf_counter()
    while len(times["this"]) < 3 or time.perf_counter() - start < seconds:
        times["this"].append(replay(ours, seen, episodes))
        for name, each in ticks.items():
            time.sleep(0.001)
            times[name].append(next(each))
    return {name: float(np.median(each)) for name, each in times.items()}


def exponent(values, times):
    """Return the exponent that fits the times that are known, or None."""
    known = [(v, t) for v, t in zip(values, times, strict=True) if t is not None]
    if len(known) < 2:
        return None
    x, y = np.log(np.array(known)).T
    return float(np.polyfit(x, y, 1)[0])


def plot(results, path):
    """Draw all quantities on log axes."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(16, 8), constrained_layout=True)
    for axis, (name, (values, times)) in zip(axes.flat, results.items(), strict=False):
        for peer, marker in zip(PEERS, "os^", strict=True):
            known = [(v, t) for v, t in zip(values, times[peer], strict=True) if t is not None]
            if known:
                power = exponent(values, times[peer])
                label = peer if power is None else f"{peer} ({power:.2f})"
                axis.loglog(*zip(*known, strict=True), marker=marker, label=label)
        axis.set(xlabel=name, ylabel="seconds a step" if name != "agents" else "seconds a tick")
        axis.set_xticks(values, [str(v) for v in values])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(title="(exponent)", fontsize=8)
    for axis in list(axes.flat)[len(results) :]:
        axis.set_visible(False)
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--axes", nargs="*", default=list(AXES))
    parser.add_argument("--seconds", type=float, default=1.0, help="per value")
    parser.add_argument("--most", type=float, default=2.0, help="seconds a peer's step may take")
    parser.add_argument("--plot", type=Path, help="draw the results there (needs matplotlib)")
    parser.add_argument("--json", type=Path, help="write the results there")
    chosen = parser.parse_args()
    results = {}
    for name in chosen.axes:
        values, make, agents = AXES[name]
        times = {peer: [] for peer in PEERS}
        print(f"\n{name:<20}" + "".join(f"{peer:>16}" for peer in PEERS))
        for value in values:
            wanted = {peer for peer in PEERS if estimate(times[peer]) < chosen.most}
            found = measure(make(value), agents(value), wanted, chosen.seconds)
            for peer in PEERS:
                times[peer].append(found.get(peer))
            row = [found.get(peer) for peer in PEERS]
            print(
                f"{value:<20}"
                + "".join("-".rjust(16) if t is None else f"{t * 1e6:>13.1f} us" for t in row),
                flush=True,
            )
        powers = [exponent(values, times[peer]) for peer in PEERS]
        print(
            "exponent".ljust(20)
            + "".join("-".rjust(16) if p is None else f"{p:>16.2f}" for p in powers)
        )
        results[name] = (values, times)
    if chosen.plot:
        plot(results, chosen.plot)
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
