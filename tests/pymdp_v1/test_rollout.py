"""`pymdp_v1.envs.rollout` against ``pymdp.envs.rollout``: every array of a run, by the same key."""

import jax.numpy as jnp
import jax_reference  # noqa: F401  (float64)
import numpy as np
import pymdp.agent
import pymdp.envs
import pytest
from jax_reference import assert_equal, to_jax

from freeagent_core.pymdp_v1 import Agent, random
from freeagent_core.pymdp_v1.envs import Env, GridWorld, TMaze, infer_and_plan, rollout
from freeagent_core.pymdp_v1.envs.rollout import default_policy_search

KEY = random.PRNGKey(3)
# no two policies are worth the same: which of equals is best is up to the rounding
PREFERENCES = [np.array([0.01, 0.02, 0.035, 0.047, 0.05]), np.array([0.0, 2.0, -2.0]),
               np.array([0.0, 0.003, 0.007])]  # fmt: skip


def tmaze(batch_size, **options):
    """Make the same agents and environments of the two packages."""
    env = TMaze(0.8, categorical_obs=options.get("categorical_obs", False))
    A = [a + 0.05 for a in env.A]
    model = {
        "A": [a / a.sum(axis=0) for a in A],
        "B": [b * 0.9 + 0.1 / len(b) for b in env.B],
        "C": PREFERENCES,
        "D": list(env.D),
    }
    if options.get("learn_A"):
        model["pA"] = [a * 4 + 0.1 for a in model["A"]]
    if options.get("learn_B"):
        model["pB"] = [b * 4 + 0.1 for b in model["B"]]
    return (
        env,
        model,
        {
            "batch_size": batch_size,
            "A_dependencies": env.A_dependencies,
            "B_dependencies": env.B_dependencies,
            **options,
        },
    )


def grid(batch_size, **options):
    env = GridWorld((2, 3), initial_position=1, success_prob=0.8)
    model = {
        "A": [env.A[0] * 0.8 + 0.2 / 6],
        "B": [env.B[0] * 0.9 + 0.1 / 6],
        "C": [np.array([0.3, 0.0, 0.11, 0.05, 1.0, 0.4])],
        "D": [np.array([0.1, 0.5, 0.1, 0.1, 0.1, 0.1])],
    }
    if options.get("learn_A"):
        model["pA"] = [model["A"][0] * 4 + 0.1]
    return env, model, {"batch_size": batch_size, **options}


def theirs_of(env, **options):
    name, arguments = ("TMaze", (0.8,))
    if isinstance(env, GridWorld):
        name, arguments = "GridWorld", ((2, 3), None, 1, True, 0.8)
    return getattr(pymdp.envs, name)(*arguments, **options)


def reference(env, model, options, steps, **arguments):
    """Run pymdp's rollout; its first carry holds int32 actions, which a scan in float64 refuses."""
    agent = pymdp.agent.Agent(**to_jax(model), **options)
    nf = agent.policies.policy_arr.shape[-1]
    carry = {"action": -jnp.ones((agent.batch_size, nf), dtype=jnp.int64)}
    algorithm = options.get("inference_algo", "fpi")
    if algorithm in ("mmp", "vmp") or (algorithm != "fpi" and options.get("learn_A")):
        length = agent.inference_horizon or steps + 1
        carry["action_hist"] = -jnp.ones((agent.batch_size, length - 1, nf), dtype=jnp.int64)
    theirs = theirs_of(env, categorical_obs=options.get("categorical_obs", False))
    carry |= arguments.pop("initial_carry", {})
    return pymdp.envs.rollout(agent, theirs, steps, jnp.asarray(KEY), carry, **arguments)


def assert_same_run(ours, theirs):
    (last, info), (their_last, their_info) = ours, theirs
    assert_equal(info, their_info, atol=1e-8)
    agent, their_agent = last.pop("agent"), their_last.pop("agent")
    assert_equal(last, their_last, atol=1e-8)
    for name in "AB":
        assert_equal(getattr(agent, name), getattr(their_agent, name), atol=1e-9)


MARGINAL = {"action_selection": "stochastic", "sampling_mode": "marginal", "alpha": 2.0}
LEARNING = {"learn_A": True, "learn_B": True}
RUNS = {
    "stochastic": (tmaze, 3, {"action_selection": "stochastic", "gamma": 4.0, "alpha": 2.0}),
    "marginal": (tmaze, 3, {"categorical_obs": True, **MARGINAL}),
    "learning": (tmaze, 2, LEARNING),
    "learning offline": (tmaze, 2, {"learn_A": True, "learning_mode": "offline"}),
    "ovf, learning": (tmaze, 2, {"inference_algo": "ovf", "inference_horizon": 4, **LEARNING}),
    "exact, learning": (
        grid,
        2,
        {"inference_algo": "exact", "learn_A": True, "inference_horizon": 3},
    ),
    "mmp": (tmaze, 2, {"inference_algo": "mmp", "inference_horizon": 3}),
    "vmp, learning": (tmaze, 2, {"inference_algo": "vmp", "learn_B": True}),
}


@pytest.mark.parametrize("name", RUNS)
def test_every_array_of_a_run(name):
    make, batch_size, options = RUNS[name]
    env, model, options = make(batch_size, **options)
    ours = rollout(Agent(**model, **options), env, 7, KEY)
    assert_same_run(ours, reference(env, model, options, 7))


def test_compiled_runs_and_calls_agree():
    for make, options in (
        (tmaze, {"policy_len": 2, "action_selection": "stochastic"}),
        (grid, {"sampling_mode": "marginal", "inference_algo": "ovf"}),
    ):
        env, model, options = make(3, **options)
        agent = Agent(**model, **options)
        last, info = rollout(agent, env, 9, KEY)
        their_last, their_info = rollout(
            agent, env, 9, KEY, policy_search=lambda a, q, k: default_policy_search(a, q, k)
        )
        assert last.pop("agent") is their_last.pop("agent") is agent
        assert_equal(info, their_info, atol=1e-12)
        assert_equal(last, their_last, atol=1e-12)


def test_parameters_of_the_environment():
    env, model, options = tmaze(3)
    params = env.generate_env_params(batch_size=3)
    params["D"] = [params["D"][0], np.eye(2)[[0, 1, 1]]]
    ours = rollout(Agent(**model, **options), env, 5, KEY, env_params=params)
    np.testing.assert_array_equal(ours[1]["env_state"][1][:, 0], [0, 1, 1])
    unlike = rollout(Agent(**model, **options), env, 5, KEY)
    assert np.any(unlike[1]["env_state"][1] != ours[1]["env_state"][1])


def test_going_on_where_a_run_ended():
    env, model, options = tmaze(2, action_selection="stochastic")
    agent = Agent(**model, **options)
    whole = rollout(agent, env, 9, KEY)[1]
    last, first = rollout(agent, env, 4, KEY)
    _, second = rollout(agent, env, 4, 0, initial_carry=last)
    for name in ("action", "qpi", "neg_efe"):
        joined = np.concatenate([first[name], second[name]], axis=1)
        np.testing.assert_allclose(joined, whole[name], atol=1e-12)


def test_an_environment_of_ones_own():
    class Wrapped(Env):
        """Takes one element at a time."""

        def __init__(self, env):
            self.env = env

        def reset(self, key, state=None, env_params=None):
            return self.env.reset(key, state, env_params)

        def step(self, key, state, action, env_params=None):
            return self.env.step(key, state, action, env_params)

    env, model, options = tmaze(3, action_selection="stochastic")
    agent = Agent(**model, **options)
    ours, wrapped = (rollout(agent, e, 6, KEY)[1] for e in (env, Wrapped(env)))
    assert_equal(wrapped, ours, atol=1e-12)


def test_one_step():
    env, model, options = tmaze(2, action_selection="stochastic")
    agent = Agent(**model, **options)
    keys = random.split(KEY, 2)
    observation, _ = env.reset(keys)
    qs_0 = [d[:, None] for d in agent.D]
    same, action, qs, info = infer_and_plan(agent, qs_0, observation, rng_key=KEY)
    assert same is agent
    assert action.shape == (2, 2)
    assert set(info) == {"empirical_prior", "qpi", "neg_efe"}
    assert_equal(info["empirical_prior"], agent.D)
    _, _, _, later = infer_and_plan(agent, qs, observation, action, KEY)
    assert_equal(later["empirical_prior"], agent.update_empirical_prior(action, qs))


def test_long_windows_are_capped():
    env, model, options = tmaze(1, inference_algo="mmp", num_iter=1)
    with pytest.warns(UserWarning, match="No `inference_horizon`"):
        last, _ = rollout(Agent(**model, **options), env, 40, KEY)
    assert last["action_hist"].shape == (1, 31, 2)


def test_environments_that_do_not_fit():
    env, model, options = tmaze(2)
    agent = Agent(**model, **options)
    with pytest.raises(ValueError, match="env has 1 modalities, the agent 3"):
        rollout(agent, GridWorld(), 3, KEY)
    with pytest.raises(ValueError, match="num_timesteps must be at least 0"):
        rollout(agent, env, -1, KEY)
    wider = GridWorld((3, 3))
    small = Agent([np.eye(4)], [np.repeat(np.eye(4)[..., None], 5, axis=-1)])
    with pytest.raises(ValueError, match="modality 0 of env has 9 outcomes"):
        rollout(small, wider, 3, KEY)
    with pytest.raises(ValueError, match="factor 0 of env has 4 actions"):
        rollout(small, GridWorld((2, 2), include_stay=False), 3, KEY)
