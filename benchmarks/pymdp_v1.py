"""pymdp_v1.Agent against pymdp 1.x's: a jitted step, a step without jit, a planning tree.

``python benchmarks/pymdp_v1.py [--x32]``: T-maze with two-step policies and the 3x3 grid, at batch
1 and 300. Both sides alternate in one run; medians.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import random as jr
from pymdp.agent import Agent as Reference
from pymdp.envs import GridWorld, TMaze
from pymdp.planning.si import si_policy_search as reference_search

from freeagent_core.pymdp_v1 import Agent
from freeagent_core.pymdp_v1.planning.si import si_policy_search


def step(agent: Any, observed: Any, prior: Any, keys: Any) -> Any:
    qs = agent.infer_states(observed, prior)
    q_pi, neg_efe = agent.infer_policies(qs)
    action = agent.sample_action(q_pi, rng_key=keys)
    return q_pi, neg_efe, action, agent.update_empirical_prior(action, qs)


jitted = eqx.filter_jit(step)


def seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def medians(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int, inner: int) -> Any:
    """Medians of both, in microseconds; ours `inner` times a round."""
    own, other = [], []
    ours(), theirs()
    for _ in range(rounds):
        own.append(np.median([seconds(ours) for _ in range(inner)]))
        other.append(seconds(theirs))
    return np.median(own) * 1e6, np.median(other) * 1e6


def report(name: str, times: tuple[float, float]) -> None:
    print(f"{name:34s} {times[0]:10.1f} us {times[1]:12.1f} us {times[1] / times[0]:9.0f} x")


def pair(environment: Any, batch: int, **settings: Any) -> tuple[Any, Any]:
    lists = {
        "A_dependencies": environment.A_dependencies,
        "B_dependencies": environment.B_dependencies,
    }
    arrays = [[np.asarray(x, dtype=float) for x in part] for part in (environment.A, environment.B)]
    ours = Agent(*arrays, **lists, batch_size=batch, **settings)
    theirs = Reference(
        *([jnp.array(x) for x in part] for part in arrays), **lists, batch_size=batch, **settings
    )
    return ours, theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--x32", action="store_true", help="pymdp in float32, JAX's default")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", not arguments.x32)
    print(f"{'':34s} {'pymdp_v1':>13s} {'pymdp ' + ('f32' if arguments.x32 else 'f64'):>15s}")
    for name, environment in (("T-maze", TMaze()), ("3x3 grid", GridWorld(shape=(3, 3)))):
        for batch in (1, 300):
            ours, theirs = pair(environment, batch, policy_len=2)
            observed = [np.zeros(batch, dtype=np.int64) for _ in ours.num_obs]
            on_jax = [jnp.array(o) for o in observed]
            keys = jr.split(jr.PRNGKey(0), batch)
            own_prior, prior = ours.D, theirs.D
            report(
                f"{name}, batch {batch}, jitted step",
                medians(
                    lambda o=ours, b=observed, p=own_prior: step(o, b, p, None),
                    lambda t=theirs, b=on_jax, p=prior, k=keys: jax.block_until_ready(
                        jitted(t, b, p, k)
                    ),
                    60,
                    20 if batch == 1 else 2,
                ),
            )
        ours, theirs = pair(environment, 1, policy_len=2)
        observed, on_jax = [o[:1] for o in observed], [o[:1] for o in on_jax]
        report(
            f"{name}, batch 1, not jitted",
            medians(
                lambda o=ours, b=observed: step(o, b, o.D, None),
                lambda t=theirs, b=on_jax, k=keys[:1]: jax.block_until_ready(step(t, b, t.D, k)),
                4,
                50,
            ),
        )
    jax.config.update("jax_enable_x64", False)  # pymdp's tree fails with it
    for name, environment in (("T-maze", TMaze()), ("3x3 grid", GridWorld(shape=(3, 3)))):
        ours, theirs = pair(environment, 1)
        search, other_search = si_policy_search(horizon=3), reference_search(horizon=3)
        qs, other_qs = [d[:, None] for d in ours.D], [d[:, None] for d in theirs.D]
        report(
            f"{name}, planning tree, horizon 3",
            medians(
                lambda a=ours, q=qs, s=search: s(a, q),
                lambda a=theirs, q=other_qs, s=other_search: jax.block_until_ready(s(a, q)[0]),
                10,
                20,
            ),
        )
    for module in ("freeagent_core.pymdp_v1.agent", "pymdp.agent"):
        command = [sys.executable, "-c", f"import {module}"]
        bare = [sys.executable, "-c", "import numpy"]
        times = [seconds(lambda c=command: subprocess.run(c, check=True)) for _ in range(3)]
        numpy = [seconds(lambda c=bare: subprocess.run(c, check=True)) for _ in range(3)]
        print(f"import {module}: {np.median(times):.3f} s, of that Python and NumPy "
              f"{np.median(numpy):.3f} s")  # fmt: skip


if __name__ == "__main__":
    main()
