"""`pymdp_v1.envs.rollout` against pymdp 1.x's, jitted, side by side in one process.

    python benchmarks/pymdp_v1_rollout.py
    python benchmarks/pymdp_v1_rollout.py --cases mmp "ovf, learning" --batch-sizes 1

Each side runs agents and environments for 100 steps, both processors; pymdp in float32, as users
run it. Medians of alternating runs after a first that compiles.
"""

import argparse
import statistics
import time

import jax
import numpy as np
import pymdp.agent
import pymdp.envs

from freeagent_core.pymdp_v1 import Agent, random
from freeagent_core.pymdp_v1.envs import GridWorld, TMaze, rollout

STEPS = 100


def tmaze():
    env = TMaze(0.8)
    C = [np.zeros(5), np.array([0.0, 2.0, -2.0]), np.zeros(3)]
    return env, pymdp.envs.TMaze(0.8), C, 2


def grid():
    env = GridWorld((3, 3), initial_position=0)
    return env, pymdp.envs.GridWorld((3, 3), initial_position=0), [np.eye(9)[8] * 3], 2


CASES = {
    "fpi": {},
    "mmp": {"inference_algo": "mmp", "inference_horizon": 3},
    "vmp": {"inference_algo": "vmp", "inference_horizon": 3},
    "fpi, learning": {"learn_A": True, "learn_B": True},
    "ovf, learning": {"inference_algo": "ovf", "learn_A": True, "learn_B": True},
    "mmp, learning": {
        "inference_algo": "mmp", "inference_horizon": 3, "learn_A": True, "learn_B": True,
    },
    "vmp, learning": {
        "inference_algo": "vmp", "inference_horizon": 3, "learn_A": True, "learn_B": True,
    },
}  # fmt: skip


def sides(make, batch_size, case):
    """Return a function that runs each side."""
    env, their_env, C, policy_len = make()
    options = {
        "batch_size": batch_size,
        "policy_len": policy_len,
        "A_dependencies": env.A_dependencies,
        "B_dependencies": env.B_dependencies,
        "action_selection": "stochastic",
        **CASES[case],
    }
    counts, their_counts = {}, {}
    if options.get("learn_A"):
        counts = {f"p{name}": [4 * x + 0.1 for x in getattr(env, name)] for name in "AB"}
        their_counts = {
            name: [jax.numpy.asarray(x) for x in arrays] for name, arrays in counts.items()
        }
    ours = Agent(env.A, env.B, C=C, D=env.D, **counts, **options)
    theirs = pymdp.agent.Agent(
        list(their_env.A), list(their_env.B), C=[jax.numpy.asarray(c) for c in C],
        D=list(their_env.D), **their_counts, **options,
    )  # fmt: skip
    jitted = jax.jit(lambda agent, key: pymdp.envs.rollout(agent, their_env, STEPS - 1, key)[1])

    def run_theirs(seed):
        jax.block_until_ready(jitted(theirs, jax.random.PRNGKey(seed)))

    return lambda seed: rollout(ours, env, STEPS - 1, random.PRNGKey(seed)), run_theirs


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=["fpi"])
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[1, 300])
    arguments = parser.parse_args()
    print(
        f"{'world':8} {'case':14} {'batch':>5} {'this, us a step':>16} {'pymdp, us a step':>17} "
        f"{'ratio':>7}"
    )
    for make in (tmaze, grid):
        for case in arguments.cases:
            for batch_size in arguments.batch_sizes:
                run, run_theirs = sides(make, batch_size, case)
                run(0)
                run_theirs(0)
                times = [], []
                for seed in range(arguments.repeats):
                    for function, taken in zip((run, run_theirs), times, strict=True):
                        start = time.perf_counter()
                        function(seed)
                        taken.append((time.perf_counter() - start) / STEPS * 1e6)
                ratio = statistics.median(t / o for o, t in zip(*times, strict=True))
                own, their = map(statistics.median, times)
                print(
                    f"{make.__name__:8} {case:14} {batch_size:5} {own:16.1f} {their:17.1f} "
                    f"{ratio:7.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
