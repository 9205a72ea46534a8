"""Compiled rollouts against the same run step by step, over random batches and every setting."""

import warnings

import numpy as np
import pytest
from jax_reference import assert_equal
from random_arrays import distribution
from random_batches import random_batch

from freeagent_core.pymdp_v1 import Agent, random
from freeagent_core.pymdp_v1.envs import PymdpEnv, rollout
from freeagent_core.pymdp_v1.envs import _compiled_rollout as compiled
from freeagent_core.pymdp_v1.envs.rollout import default_policy_search

ALGORITHMS = ("fpi", "ovf", "exact", "mmp", "vmp")
SEEDS = range(12)
CLOSE = {"atol": 1e-12, "rtol": 1e-12}


def random_world(algorithm, seed, learning, **changes):
    """Return agents, and an environment as they believe it to be.

    learning: what is learned online, or "offline".
    """
    options = random_batch(algorithm, seed, seed)
    options |= {"learn_A": "A" in learning, "learn_B": "B" in learning, **changes}
    if learning == "offline":
        options |= {"learn_A": True, "learn_B": True, "learning_mode": "offline"}
    if options["learn_B"] and seed % 4:
        options["use_inductive"] = False  # with goals, learning B is not compiled
    for name in "AB":
        if options[f"learn_{name}"] and f"p{name}" not in options:
            options[f"p{name}"] = [3 * x + 0.1 for x in options[name]]
    agent = Agent(**options)
    # no two policies are worth the same: which of equals is best is up to the rounding
    E = np.random.default_rng(seed).dirichlet(np.full(agent.policies.num_policies, 20.0))
    agent = agent.replace(E=E)
    env = PymdpEnv(
        agent.A, agent.B, agent.D, agent.A_dependencies, agent.B_dependencies,
        categorical_obs=agent.categorical_obs,
    )  # fmt: skip
    return agent, env


def both(agent, env, steps, seed):
    """Run compiled and step by step."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = rollout(agent, env, steps, random.PRNGKey(seed))
        theirs = rollout(
            agent, env, steps, random.PRNGKey(seed),
            policy_search=lambda a, q, k: default_policy_search(a, q, k),
        )  # fmt: skip
    return ours, theirs


def assert_same_dtypes(ours, theirs, name=""):
    if isinstance(theirs, dict):
        for key in theirs:
            assert_same_dtypes(ours[key], theirs[key], f"{name}[{key!r}]")
    elif isinstance(theirs, list):
        for i, their in enumerate(theirs):
            assert_same_dtypes(ours[i], their, f"{name}[{i}]")
    elif isinstance(theirs, np.ndarray):
        assert ours.dtype == theirs.dtype, name


def assert_same_run(ours, theirs):
    (last, info), (their_last, their_info) = ours, theirs
    last, their_last = dict(last), dict(their_last)
    np.testing.assert_array_equal(info["action"], their_info["action"])
    assert_equal(info, their_info, **CLOSE)
    assert_same_dtypes(info, their_info)
    agent, their_agent = last.pop("agent"), their_last.pop("agent")
    assert_equal(last, their_last, **CLOSE)
    assert_same_dtypes(last, their_last)
    for name in ("A", "B", "pA", "pB", "C", "D", "I"):
        assert_equal(getattr(agent, name), getattr(their_agent, name), **CLOSE, name=name)


def is_compiled(agent, env):
    online = agent.learning_mode == "online" and (agent.learn_A or agent.learn_B)
    return compiled.can_run(agent, env, online)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("learning", ["", "A", "B", "AB", "offline"])
def test_random_batches(algorithm, learning):
    ran = 0
    for seed in SEEDS:
        agent, env = random_world(algorithm, seed, learning, categorical_obs=seed % 3 == 0)
        ran += is_compiled(agent, env)
        assert_same_run(*both(agent, env, 5, seed))
    assert ran > len(SEEDS) // 2


@pytest.mark.parametrize("algorithm", ["fpi", "mmp"])
@pytest.mark.parametrize("learned", [0, 1])
def test_learning_of_some_modalities(algorithm, learned):
    ran = 0
    for seed in SEEDS:
        agent, env = random_world(algorithm, seed, "A")
        counts = [a if m % 2 == learned else None for m, a in enumerate(agent.pA)]
        C = [np.where(np.arange(c.shape[-1]) == 0, 0.0, c) for c in agent.C]
        agent = agent.replace(pA=counts, C=C)
        ran += is_compiled(agent, env) and len(counts) > 1
        assert_same_run(*both(agent, env, 4, seed))
    assert ran > 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_preferences_of_each_agent(algorithm):
    """A, B and D are all agents' own model; only C differs."""
    rng = np.random.default_rng(0)
    A = [distribution(rng, (4, 3), "smooth")]
    B = [distribution(rng, (3, 3, 2), "smooth")]
    C = [rng.normal(size=(5, 1, 4))]
    agent = Agent(A, B, C=C, batch_size=5, inference_algo=algorithm)
    np.testing.assert_array_equal(agent.C[0], C[0])
    env = PymdpEnv(A, B, agent.D)
    assert is_compiled(agent, env)
    assert_same_run(*both(agent, env, 6, 0))


@pytest.mark.parametrize("algorithm", ["ovf", "exact", "mmp", "vmp"])
@pytest.mark.parametrize("horizon", [1, 2, 5, 9])
def test_windows_shorter_and_longer_than_the_run(algorithm, horizon):
    for seed in SEEDS[:4]:
        agent, env = random_world(algorithm, seed, "AB", inference_horizon=horizon)
        assert_same_run(*both(agent, env, 6, seed))


@pytest.mark.parametrize("steps", [0, 1])
def test_short_runs(steps):
    for algorithm in ALGORITHMS:
        agent, env = random_world(algorithm, 1, "AB")
        assert_same_run(*both(agent, env, steps, 1))


def test_smoothing_of_factors_with_several_parents():
    ran = 0
    for seed in SEEDS:
        agent, env = random_world("fpi", seed, "AB", inference_algo="ovf", use_inductive=False)
        assert_same_run(*both(agent, env, 5, seed))
        if any(len(f) > 1 for f in agent.B_dependencies):
            ran += 1
            with pytest.raises(ValueError, match="requires square 2D transitions"):
                rollout(agent.replace(upstream_faults=True), env, 5, random.PRNGKey(0))
    assert ran > 2


def test_smoothing_of_states_that_are_all_but_impossible():
    A = [np.array([[0.9, 0.2, 0.4], [0.1, 0.8, 0.6]])]
    B = [np.full((3, 3, 2), 1e-300)]
    B[0][0, :, 0] = B[0][2, :, 1] = 1.0
    for algorithm in ("ovf", "exact"):
        agent = Agent(
            A, B, D=[np.array([1.0, 0.0, 0.0])], pA=[A[0] * 3], learn_A=True, batch_size=3,
            inference_algo=algorithm, action_selection="stochastic",
        )  # fmt: skip
        env = PymdpEnv(A, B, [np.array([1.0, 0.0, 0.0])])
        run = both(agent, env, 8, 2)
        assert_same_run(*run)
        assert np.isfinite(run[0][1]["pA"][0]).all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_upstream_faults(algorithm):
    for seed in SEEDS[:6]:
        agent, env = random_world(algorithm, seed, "A", upstream_faults=True)
        assert_same_run(*both(agent, env, 4, seed))


def test_many_agents_of_one_model_see_windows_that_others_saw():
    A = [np.array([[0.9, 0.1, 0.3], [0.1, 0.9, 0.7]])]
    B = [np.random.default_rng(0).dirichlet(np.ones(3), (3, 2)).transpose(2, 0, 1)]
    env = PymdpEnv(A, B, [np.ones(3) / 3])
    for algorithm in ("mmp", "vmp"):
        agent = Agent(
            A, B, C=[np.array([0.3, 1.0])], batch_size=200, policy_len=2, inference_algo=algorithm,
            inference_horizon=3, action_selection="stochastic",
        )  # fmt: skip
        assert_same_run(*both(agent, env, 12, 5))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_more_agents_than_lanes(algorithm):
    for seed in SEEDS[:4]:
        agent, env = random_world(
            algorithm, seed, "AB", use_inductive=False, use_param_info_gain=seed % 2 == 0
        )
        agent = agent[np.arange(11) % agent.batch_size]
        env = PymdpEnv(agent.A, agent.B, agent.D, agent.A_dependencies, agent.B_dependencies)
        run = both(agent, env, 5, seed)
        assert_same_run(*run)
        few = PymdpEnv(
            [a[:9] for a in agent.A], [b[:9] for b in agent.B], [d[:9] for d in agent.D],
            agent.A_dependencies, agent.B_dependencies,
        )  # fmt: skip
        # other neighbours, the same numbers to the bit
        (_, info), (_, of_nine) = run[0], rollout(agent[:9], few, 5, random.PRNGKey(seed))
        for name in ("qpi", "neg_efe"):
            np.testing.assert_array_equal(info[name][:9], of_nine[name])
        for name in ("qs", "A", "pB"):
            for x, y in zip(info[name], of_nine[name], strict=True):
                np.testing.assert_array_equal(x[:9], y)


def test_agents_that_ran_are_as_before():
    agent, env = random_world("mmp", 3, "AB", use_inductive=False)
    before = [np.array(x) for x in (*agent.A, *agent.B, *agent.pA, *agent.pB)]
    last, _ = rollout(agent, env, 4, random.PRNGKey(0))
    assert last["agent"] is not agent
    for x, y in zip((*agent.A, *agent.B, *agent.pA, *agent.pB), before, strict=True):
        np.testing.assert_array_equal(x, y)
    for x in (*last["agent"].A, *last["agent"].pB):
        assert not x.flags.writeable


def test_environments_that_do_not_fit():
    for algorithm in ("fpi", "mmp"):
        agent, _ = random_world(algorithm, 3, "A")
        env = PymdpEnv([np.eye(7)], [np.eye(7)[..., None]], [np.ones(7) / 7])
        with pytest.raises(ValueError, match=r"env has 1 (modalities|factors)|modality 0 of env"):
            rollout(agent, env, 3, random.PRNGKey(0))


@pytest.mark.parametrize("name", compiled.AGENT_METHODS)
def test_methods_of_a_subclass_are_called(name):
    calls = []

    def counted(self, *arguments, **options):
        calls.append(name)
        return getattr(Agent, name)(self, *arguments, **options)

    agent, env = random_world("fpi", 0, "A")
    own = type("Own", (Agent,), {name: counted})
    settings = {each: getattr(agent, each) for each in ("A", "B", "C", "D", "pA", "batch_size")}
    lists = {each: getattr(agent, each) for each in ("A_dependencies", "B_dependencies")}
    last, info = rollout(own(**settings, **lists, learn_A=True), env, 3, random.PRNGKey(0))
    assert type(last["agent"]) is own
    assert len(calls) in (3, 4)  # of four steps; there is no action before the first
    expected = rollout(Agent(**settings, **lists, learn_A=True), env, 3, random.PRNGKey(0))[1]
    assert_equal(info, expected, 1e-12, name)


def test_a_method_of_one_environment_is_called():
    agent, env = random_world("fpi", 0, "")
    calls = []
    env.step = lambda *arguments, **options: (
        calls.append(1) or PymdpEnv.step(env, *arguments, **options)
    )
    rollout(agent, env, 3, random.PRNGKey(0))
    assert len(calls) == 4
