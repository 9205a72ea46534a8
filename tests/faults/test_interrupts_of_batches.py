"""Ctrl-C during a long call of `pymdp_v1`: seen at once, and agents do not change anyway."""

import signal
import time

import numpy as np
import pytest
from sanitized import SLOWER

from freeagent_core.pymdp_v1 import Agent, random
from freeagent_core.pymdp_v1.envs import PymdpEnv, rollout
from freeagent_core.pymdp_v1.planning.si import si_policy_search

KEY = random.PRNGKey(0)
# no policy and no outcome is left out
WHOLE = {"policy_prune_threshold": 0.0, "observation_prune_threshold": 0.0, "gamma": 0.1}
WHOLE |= {"entropy_stop_threshold": -1.0, "max_nodes": 10**9}


def agent_of(algorithm, batch_size, **options):
    rng = np.random.default_rng(0)
    A = rng.random((6, 4, 3)) + 0.1
    B = [rng.random((4, 4, 3)) + 0.1, rng.random((3, 3, 1)) + 0.1]
    pA = A * 2 if options.get("learn_A") else None
    return Agent(
        [A / A.sum(axis=0)], [b / b.sum(axis=0) for b in B], C=[np.arange(6.0) / 10],
        pA=None if pA is None else [pA], A_dependencies=[[0, 1]], batch_size=batch_size,
        inference_algo=algorithm, action_selection="stochastic", **options,
    )  # fmt: skip


def environment(agent):
    return PymdpEnv(agent.A, agent.B, agent.D, agent.A_dependencies, agent.B_dependencies)


def run(agent, steps):
    return rollout(agent, environment(agent), steps, KEY)[1]


def again_and_again(call):
    while True:
        call()


def assert_stops(interrupt, call):
    """Calls, made again and again where one is short, would never end; Ctrl-C ends them."""
    signal.signal(signal.SIGINT, lambda *_: 1 / 0)
    begun = time.perf_counter()
    timer = interrupt(0.3)
    with pytest.raises(ZeroDivisionError):
        again_and_again(call)
    timer.join()
    assert time.perf_counter() - begun < 20 * SLOWER


@pytest.mark.parametrize("batch_size", [1, 2, 300])
def test_a_search(interrupt, batch_size):
    agent = agent_of("fpi", batch_size)
    qs = [d[:, None] for d in agent.D]
    expected, _ = si_policy_search(horizon=2, **WHOLE)(agent, qs)
    assert_stops(interrupt, lambda: si_policy_search(horizon=9, **WHOLE)(agent, qs))
    q_pi, _ = si_policy_search(horizon=2, **WHOLE)(agent, qs)
    np.testing.assert_array_equal(q_pi, expected)


def test_trees_that_grow_keep_whole_levels(interrupt):
    agent = agent_of("fpi", 2)
    qs = [d[:, None] for d in agent.D]

    def values(tree):
        return [tree.node(k)["neg_efe"] for k in range(len(tree))]

    _, info = si_policy_search(horizon=1, **WHOLE)(agent, qs)
    trees = info["tree"]
    assert_stops(interrupt, lambda: si_policy_search(horizon=9, **WHOLE)(agent, qs, tree=trees))
    sizes = []
    for horizon in (1, 2, 3, 4, 5):
        _, info = si_policy_search(horizon=horizon, **WHOLE)(agent, qs)
        sizes.append(len(info["tree"][0]))
        for tree, whole in zip(trees, info["tree"], strict=True):
            if len(tree) == len(whole):
                assert values(tree) == values(whole)
        if all(len(tree) in sizes for tree in trees):
            return
    raise AssertionError(f"trees of {[len(tree) for tree in trees]} nodes, not of {sizes}")


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [
        ("fpi", {}),
        ("mmp", {"inference_horizon": 4}),
        ("vmp", {"inference_horizon": 4, "learn_A": True}),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 20])
def test_a_rollout(interrupt, algorithm, options, batch_size):
    agent = agent_of(algorithm, batch_size, num_iter=20_000, **options)
    assert_stops(interrupt, lambda: run(agent, 10_000))


@pytest.mark.parametrize("algorithm", ["fpi", "mmp", "vmp"])
def test_a_large_batch(interrupt, algorithm):
    size = 30_000
    agent = agent_of(algorithm, size, num_iter=20_000)
    seen = [np.arange(3 * size).reshape(size, 3) % 6]
    if algorithm == "fpi":
        seen = [seen[0][:, 0]]
    past = np.zeros((size, 2, 2), int) if algorithm != "fpi" else None
    assert_stops(interrupt, lambda: agent.infer_states(seen, agent.D, past_actions=past))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_handler_that_does_not_raise_does_not_keep_a_search_from_its_end(storm, batch_size):
    agent = agent_of("fpi", batch_size)
    qs = [d[:, None] for d in agent.D]
    search = si_policy_search(horizon=3, **WHOLE)
    expected, _ = search(agent, qs)
    q_pi, _ = storm(lambda: [search(agent, qs) for _ in range(20)][-1])
    np.testing.assert_array_equal(q_pi, expected)


@pytest.mark.parametrize(
    ("algorithm", "steps", "options"),
    [("fpi", 20_000, {}), ("mmp", 500, {"inference_horizon": 4, "num_iter": 200})],
)
def test_a_handler_that_does_not_raise_does_not_keep_a_rollout_from_its_end(
    storm, algorithm, steps, options
):
    agent = agent_of(algorithm, 3, **options)
    expected = run(agent, steps)
    info = storm(lambda: run(agent, steps))
    np.testing.assert_array_equal(info["action"], expected["action"])
    np.testing.assert_array_equal(info["qs"][0], expected["qs"][0])
