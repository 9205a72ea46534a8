"""This project beside its peers: pymdp.legacy (NumPy) and pymdp 1.x (JAX, jitted).

    pip install -e '.[bench]' && python benchmarks/peers.py [--x64] [--json FILE]

Against pymdp.legacy one agent steps; against pymdp 1.x one agent, 30 and 300 of them (its
`batch_size` against `Population`), both with all processors. Each side acts in environments of
its own, so that what it sees follows from what it did. The two alternate: a tick of theirs, and
episodes of ours (recorded before and repeated with the same random numbers, to time many ticks
without the environment); the table has medians, and medians of the ratios of neighbours.
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
from players import JaxAgents, LegacyAgents, Many, OneAgent, alternate, player_of

from freeagent_core import GenerativeModel, Population

# model: ratios asked for, against pymdp.legacy, and pymdp 1.x with a batch of 1, 30 and 300
TARGETS = {
    "grid 5x5, policy_len 1": (400, 40, 10, 10),
    "grid 5x5, policy_len 3": (5000, 20, 15, 20),
    "grid 10x10, policy_len 2": (5000, 20, 30, 30),
    "3 factors of 8, 3 modalities of 6": (50000, 50, 20, 20),
    "dense 128 states, 64 outcomes": (5000, 8, 30, 30),
    "cue chaining 35x4x2, policy_len 4": (20000, 40, 40, None),
}


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
    targets = TARGETS[name]
    print(
        f"\n{name}\n  {'peer':<22}{'this, a tick':>15}{'theirs':>17}{'agents/s':>14}{'ratio':>10}"
        f"{'asked':>9}"
    )
    rounds = alternate([OneAgent(model)], LegacyAgents(arguments, 1), arguments, 1, seconds)
    rows = [line("pymdp.legacy", 1, rounds, targets[0])]
    for size, target in zip((1, 30, 300), targets[1:], strict=True):
        if target is None:
            continue
        ours = player_of(model, size)
        rounds = alternate([ours], JaxAgents(arguments, size), arguments, size, seconds)
        rows.append(line(f"pymdp 1.x, batch {size}", size, rounds, target))
    return [{"model": name, **row} for row in rows]


def many_agents(seconds):
    """Print the figures of the small model that are asked for one by one."""
    arguments = models.grid(5, 1)
    model = GenerativeModel(**arguments)
    print("\ngrid 5x5, policy_len 1, 300 agents against a loop over pymdp.legacy's")
    rounds = alternate([Many(model, 300)], LegacyAgents(arguments, 300), arguments, 300, seconds)
    row = line("pymdp.legacy, 300", 300, rounds, 500)
    crowd = Population(model, 10_000, seed=0)
    environments = models.Environments(arguments, 10_000, seed=1)
    times, seen = [], environments.observe()
    for _ in range(30):
        begin = time.perf_counter()
        actions = crowd.step(seen)
        times.append(time.perf_counter() - begin)
        seen = environments.step(actions)
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
