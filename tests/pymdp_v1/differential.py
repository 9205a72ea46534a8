"""Compares `pymdp_v1` with pymdp 1.x in float64 on random models for a given time.

``python tests/pymdp_v1/differential.py --minutes 10``: episodes of agents by all algorithms, soft
and masked observations, sophisticated inference, environments and rollouts, by the same keys.
pymdp compiles for each structure (shapes, dependencies, settings), so that several models share
one. What differs is printed with the seeds that make it again (``--only KIND --seed SEED``), and
ends the command with 1.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import random as python_random
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parent)]

import equinox as eqx  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import networkx as nx  # noqa: E402
import numpy as np  # noqa: E402
import pymdp.agent  # noqa: E402
import pymdp.envs  # noqa: E402
import pymdp.envs.cue_chaining  # noqa: E402
import pymdp.envs.generalized_tmaze  # noqa: E402
import pymdp.envs.graph_worlds  # noqa: E402
import test_agent_parity as episodes  # noqa: E402
from jax_reference import assert_equal, to_jax  # noqa: E402
from pymdp.planning import si as their_si  # noqa: E402
from random_arrays import distribution  # noqa: E402
from random_batches import random_batch  # noqa: E402
from test_search import _Float64Numpy  # noqa: E402

from freeagent_core.pymdp_v1 import Agent, random  # noqa: E402
from freeagent_core.pymdp_v1 import envs as our_envs  # noqa: E402
from freeagent_core.pymdp_v1.envs import (  # noqa: E402
    cue_chaining,
    generalized_tmaze,
    graph_worlds,
    rollout,
)
from freeagent_core.pymdp_v1.planning.si import si_policy_search  # noqa: E402

ALGORITHMS = ("fpi", "ovf", "exact", "mmp", "vmp")
STEPS = 6  # of a rollout

Check = Callable[[np.random.Generator], None]  # of one more model of a structure


# --- agents ---------------------------------------------------------------------------------------


def agents(algorithm: str, structure: int) -> Check:
    """Return a check of random episodes."""

    def check(rng: np.random.Generator) -> None:
        seed = int(rng.integers(2**32))
        episodes.run_episode(random_batch(algorithm, structure, seed), seed)

    return check


@eqx.filter_jit
def _infer(agent: Any, observations: Any, prior: Any, past: Any, mask: Any) -> Any:
    return agent.infer_states(
        observations, prior, past_actions=past, mask=mask, preprocess_fn=agent.preprocess_fn,
        return_info=mask is None,
    )  # fmt: skip


def observations(algorithm: str, structure: int) -> Check:
    """Return a check of soft observations, of preprocess_fn and of masks."""
    choice = np.random.default_rng(structure)
    soft, masked, preprocess = choice.random() < 0.6, choice.random() < 0.5, choice.random() < 0.3
    steps = 3 if algorithm in ("mmp", "vmp") else 1

    def check(rng: np.random.Generator) -> None:
        model = random_batch(algorithm, structure, int(rng.integers(2**32)))
        model["categorical_obs"] = bool(soft or preprocess)
        ours, theirs = episodes.both(model)
        batch = ours.batch_size
        if model["categorical_obs"]:
            seen = [rng.dirichlet(np.full(n, 0.7), (batch, steps)) for n in ours.num_obs]
        else:
            seen = [rng.integers(0, n, (batch, steps)) for n in ours.num_obs]
        if preprocess:
            weights = [rng.random(o.shape[-1]) + 0.1 for o in seen]
            ours = ours.replace(preprocess_fn=lambda o: [x * w for x, w in zip(o, weights)])  # noqa: B905
        given = seen if not preprocess else [o * w for o, w in zip(seen, weights, strict=True)]
        past = np.stack([rng.integers(0, n, (batch, steps - 1)) for n in ours.num_controls], -1)
        past = past if steps > 1 else None
        mask = [float(rng.choice([0.0, 0.3, 1.0])) for _ in ours.num_obs] if masked else None
        prior = [rng.dirichlet(np.ones(n), batch) for n in ours.num_states]
        if masked:  # pymdp's fault would keep the mask; there the agent is a copy within the jit
            ours = ours.replace(upstream_faults=False)
        found = ours.infer_states(
            seen, prior, past_actions=past, mask=mask, preprocess_fn=ours.preprocess_fn,
            return_info=not masked,
        )  # fmt: skip
        expected = _infer(
            theirs, to_jax(given), to_jax(prior), to_jax(past),
            None if mask is None else [jnp.asarray(m) for m in mask],
        )  # fmt: skip
        if not masked and episodes.unstable(ours, seen, prior, past, None, found[0]):
            return
        assert_equal(found, expected, 1e-8, "soft or masked observations")

    return check


# --- sophisticated inference ----------------------------------------------------------------------


def search(structure: int) -> Check:
    """Return a check of planning trees of random settings."""
    choice = np.random.default_rng(structure)
    num_states = choice.integers(2, 5, choice.integers(1, 3)).tolist()
    num_obs = choice.integers(2, 4, choice.integers(1, 3)).tolist()
    num_controls = [int(n) for n in choice.integers(1, 4, len(num_states))]
    policies = int(np.prod(num_controls))
    lists = {
        "A_dependencies": [
            sorted(choice.choice(len(num_states), choice.integers(1, len(num_states) + 1), False))
            for _ in num_obs
        ],
        "B_dependencies": [[f] for f in range(len(num_states))],
    }
    lists["A_dependencies"] = [[int(f) for f in fs] for fs in lists["A_dependencies"]]
    settings = {
        "horizon": int(choice.integers(1, 4)),
        "max_nodes": int(choice.choice([30, 120, 400])),
        "max_branching": int(max(policies, choice.choice([2, 4, 10]))),
        "policy_prune_threshold": float(choice.choice([0.0, 1 / 16, 0.3])),
        "observation_prune_threshold": float(choice.choice([0.0, 1 / 16, 0.2])),
        "entropy_stop_threshold": float(choice.choice([-1.0, 0.0, 0.5])),
        "neg_efe_stop_threshold": float(choice.choice([1e10, 1.0])),
        "kl_threshold": float(choice.choice([-1.0, -1.0, 0.05])),
        "prune_penalty": float(choice.choice([512.0, 20.0])),
        "gamma": float(choice.choice([1.0, 4.0])),
        "topk_obsspace": int(choice.choice([10000, 1, 2, 3])),
    }
    ours, theirs = si_policy_search(**settings), their_si.si_policy_search(**settings)
    batch = int(choice.integers(1, 4))

    def check(rng: np.random.Generator) -> None:
        kind = str(rng.choice(["smooth", "peaked", "sparse"]))
        A = [
            distribution(rng, (n, *(num_states[f] for f in fs)), kind)
            for n, fs in zip(num_obs, lists["A_dependencies"], strict=True)
        ]
        B = [distribution(rng, (n, n, u), kind) for n, u in zip(num_states, num_controls)]  # noqa: B905
        C = [rng.normal(scale=2.0, size=n) for n in num_obs]
        agent = Agent(A, B, C=C, **lists, batch_size=batch)
        reference = pymdp.agent.Agent(to_jax(A), to_jax(B), C=to_jax(C), **lists, batch_size=batch)
        qs = [np.stack([distribution(rng, (n,), "smooth") for _ in range(batch)])[:, None]
              for n in num_states]  # fmt: skip
        q_pi, info = ours(agent, qs)
        other, other_info = theirs(reference, to_jax(qs))
        tree = other_info["tree"]
        for own, used, values in zip(info["tree"], tree.used, tree.neg_efe, strict=True):
            assert len(own.used) == int(used.sum()), (len(own.used), int(used.sum()), settings)
            assert abs(own.node(0)["neg_efe"] - float(values[0, 0])) < 1e-8, settings
        np.testing.assert_allclose(q_pi, other, rtol=0, atol=1e-9, err_msg=str(settings))

    return check


# --- environments and rollouts --------------------------------------------------------------------


def worlds(structure: int) -> list[Any]:
    """Return the same random environment of this package and of pymdp."""
    rng = np.random.default_rng(structure)
    kind = ("tmaze", "simplified", "grid", "graph", "cue", "generalized")[structure % 6]

    def number(*choices: float) -> float:
        return float(rng.choice(choices))

    if kind in ("tmaze", "simplified"):
        condition = [None, 0, 1][rng.integers(3)]
        options: dict[str, Any] = {
            "reward_probability": number(0.7, 0.98), "punishment_probability": number(0.6, 1.0),
            "cue_validity": number(0.75, 0.95), "reward_condition": condition,
            "dependent_outcomes": bool(rng.integers(2)),
        }  # fmt: skip
        name = "TMaze" if kind == "tmaze" else "SimplifiedTMaze"
        return tuple(getattr(m, name)(**options) for m in (our_envs, pymdp.envs))
    if kind == "grid":
        shape = tuple(int(n) for n in rng.integers(2, 4, 2))
        walls = [(0, 1)] if rng.random() < 0.4 else None
        place = [None, 0][rng.integers(2)]
        arguments = (shape, walls, place, bool(rng.integers(2)), number(0.6, 1.0))
        return tuple(m.GridWorld(*arguments) for m in (our_envs, pymdp.envs))
    if kind == "graph":
        graph = nx.connected_watts_strogatz_graph(int(rng.integers(4, 7)), 2, 0.3, seed=structure)
        key = random.PRNGKey(structure)
        return (
            graph_worlds.GraphEnv(graph, key=key),
            pymdp.envs.graph_worlds.GraphEnv(graph, key=jnp.asarray(key)),
        )
    if kind == "cue":
        cells = [(r, c) for r in range(3) for c in range(4)]
        place = [cells[i] for i in rng.permutation(len(cells))]
        options = {"cue2_locations": place[:3], "reward_locations": place[3:5],
                   "cue1_location": place[5], "start_location": place[6]}  # fmt: skip
        return tuple(
            m.CueChainingEnv((3, 4), **options) for m in (cue_chaining, pymdp.envs.cue_chaining)
        )
    pair = []
    for module in (generalized_tmaze, pymdp.envs.generalized_tmaze):
        info = module.parse_maze(module.get_maze_matrix(True), random.PRNGKey(structure))
        pair.append(module.GeneralizedTMazeEnv(info))
    return tuple(pair)


def environments(structure: int) -> Check:
    """Return a check of whole episodes of an environment."""
    ours, theirs = worlds(structure)
    for letter in "ABD":
        assert_equal(list(getattr(ours, letter)), list(getattr(theirs, letter)), 0.0, letter)
    reset, step = jax.jit(jax.vmap(theirs.reset)), jax.jit(jax.vmap(theirs.step))
    batch = 5

    def check(rng: np.random.Generator) -> None:
        keys = rng.integers(0, 2**32, (batch, 2), dtype=np.uint32)
        found, expected = ours.reset(keys), reset(keys)
        for _ in range(20):
            assert_equal(found, expected, 0.0, "episode")
            action = np.stack([rng.integers(0, b.shape[-1], batch) for b in ours.B], axis=-1)
            keys = rng.integers(0, 2**32, (batch, 2), dtype=np.uint32)
            found = ours.step(keys, found[1], action)
            expected = step(keys, expected[1], action)
        assert_equal(found, expected, 0.0, "episode")

    return check


def rollouts(algorithm: str, structure: int) -> Check:
    """Return a check of whole rollouts."""
    choice = np.random.default_rng(structure)
    env, their_env = worlds(int(choice.choice([0, 1, 2, 3, 4]) + 6 * choice.integers(50)))
    if algorithm == "exact" and len(env.B) > 1:
        env, their_env = worlds(2 + 6 * int(choice.integers(50)))
    parameters = [name for name in "AB" if choice.random() < 0.6]
    batch = int(choice.choice([1, 2, 9]))
    options: dict[str, Any] = {
        "batch_size": batch,
        "policy_len": int(choice.integers(1, 3)) if len(env.B) < 3 else 1,
        "A_dependencies": env.A_dependencies,
        "B_dependencies": env.B_dependencies,
        "inference_algo": algorithm,
        "action_selection": str(choice.choice(["stochastic", "deterministic"])),
        "sampling_mode": str(choice.choice(["full", "marginal"])),
        "gamma": float(choice.choice([1.0, 4.0])),
        "alpha": float(choice.choice([1.0, 3.0])),
        "num_iter": int(choice.choice([1, 4, 16])),
        "use_param_info_gain": bool(parameters and choice.random() < 0.5),
        "inference_horizon": [None, 2, 4][choice.integers(3)],
        "learning_mode": str(choice.choice(["online", "online", "offline"])),
        **{f"learn_{name}": True for name in parameters},
    }
    if algorithm == "fpi":
        options["inference_horizon"] = None
    if any(len(parents) > 1 for parents in env.B_dependencies) and algorithm in ("ovf", "exact"):
        options |= {f"learn_{name}": False for name in "AB"}  # pymdp smooths one parent alone
        options["use_param_info_gain"] = False
    windows = algorithm in ("mmp", "vmp") or (
        algorithm != "fpi"
        and options["learning_mode"] == "online"
        and (options.get("learn_A") or options.get("learn_B"))
    )

    @jax.jit
    def theirs(agent: Any, key: Any) -> Any:
        # the first carry of pymdp holds int32 actions, which a scan in float64 refuses
        nf = agent.policies.policy_arr.shape[-1]
        carry = {"action": -jnp.ones((batch, nf), dtype=jnp.int64)}
        if windows:
            length = agent.inference_horizon or min(STEPS + 1, 32)
            carry["action_hist"] = -jnp.ones((batch, length - 1, nf), dtype=jnp.int64)
        last, info = pymdp.envs.rollout(agent, their_env, STEPS, key, carry)
        return info, last["agent"].A, last["agent"].B

    def check(rng: np.random.Generator) -> None:
        def blurred(arrays: Any, scale: float) -> list[np.ndarray]:
            noisy = [a + scale * rng.random(np.shape(a)) for a in map(np.asarray, arrays)]
            return [a / a.sum(axis=0) for a in noisy]

        def per_agent(arrays: Any, axis: int) -> list[np.ndarray]:
            return [np.asarray(a)[0] if np.ndim(a) == axis else np.asarray(a) for a in arrays]

        A, B = blurred(env.A, float(rng.choice([0.02, 0.3]))), blurred(env.B, 0.02)
        model = {"A": A, "B": B, "C": [rng.normal(scale=1.5, size=len(a)) for a in A]}
        model["D"] = [d / d.sum() for d in (np.asarray(d, dtype=float) + 0.05 for d in env.D)]
        for name in parameters:
            model[f"p{name}"] = [4 * x + rng.random(x.shape) for x in model[name]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            agent = Agent(**model, **options, upstream_faults=True)
            model["E"] = rng.dirichlet(np.full(agent.policies.num_policies, 5.0))
            agent = agent.replace(E=model["E"])
            reference = pymdp.agent.Agent(**to_jax(model), **options)
            key = rng.integers(0, 2**32, 2, dtype=np.uint32)
            last, info = rollout(agent, env, STEPS, key)
            expected, their_A, their_B = theirs(reference, jnp.asarray(key))
        np.testing.assert_array_equal(info["action"], expected["action"], err_msg="actions")
        assert_equal(info, expected, 1e-8, "rollout")
        assert_equal(list(last["agent"].A), list(their_A), 1e-9, "A")
        assert_equal(list(last["agent"].B), list(their_B), 1e-9, "B")

    return check


KINDS_OF_CHECK: dict[str, Callable[[int], Check]] = {
    "search": search,
    "environments": environments,
    **{f"agents, {a}": functools.partial(agents, a) for a in ALGORITHMS},
    **{f"observations, {a}": functools.partial(observations, a) for a in ALGORITHMS},
    **{f"rollouts, {a}": functools.partial(rollouts, a) for a in ALGORITHMS},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="of the first structures")
    parser.add_argument("--only", nargs="+", choices=list(KINDS_OF_CHECK), default=None)
    parser.add_argument("--models", type=int, default=5, help="of each structure")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    their_si.jnp = _Float64Numpy()
    first = python_random.randrange(2**20) if options.seed is None else options.seed
    end = time.monotonic() + 60 * options.minutes
    counts: dict[str, int] = dict.fromkeys(options.only or KINDS_OF_CHECK, 0)
    differ = []
    for structure in itertools.count(first):
        jax.clear_caches()  # they take some 30 MB a structure
        for kind in counts:
            if time.monotonic() > end:
                break
            at = None
            try:
                check = KINDS_OF_CHECK[kind](structure)
                for at in range(options.models):
                    check(np.random.default_rng([structure, at]))
                    counts[kind] += 1
            except Exception:
                traceback.print_exc()
                differ.append(f'--only "{kind}" --seed {structure}  (model {at})')
                print("differs:", differ[-1], flush=True)
        if time.monotonic() > end:
            break
    print("models compared:", ", ".join(f"{kind} {n}" for kind, n in counts.items()))
    print(f"{sum(counts.values())} in all, {len(differ)} structures that differ", *differ, sep="\n")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
