"""What pymdp 1.x's own notebooks and tests do with an agent, with the imports alone changed."""

import jax
import jax.numpy as jnp
import jax_reference  # noqa: F401  (float64)
import numpy as np
import pymdp.agent
import pymdp.control
import pymdp.distribution
import pymdp.envs
import pytest

from freeagent_core.pymdp_v1 import Agent, control, distribution, random
from freeagent_core.pymdp_v1.envs import SimplifiedTMaze, infer_and_plan, rollout
from freeagent_core.pymdp_v1.planning.si import SearchTree, si_policy_search

CONFIG = {
    "observations": {
        "seen": {"elements": ["left", "right"], "depends_on": ["place"]},
        "felt": {"elements": ["dry", "wet"], "depends_on": ["place", "rain"]},
    },
    "controls": {"move": {"elements": ["stay", "go"]}, "wait": {"size": 2}},
    "states": {
        "place": {
            "elements": ["left", "right"],
            "depends_on": ["place"],
            "controlled_by": ["move", "wait"],
        },
        "rain": {"elements": ["yes", "no"], "depends_on": ["rain"], "controlled_by": []},
    },
}


def filled(module):
    model = module.compile_model(CONFIG)
    rng = np.random.default_rng(5)
    for part in (model.A, model.B):
        for d in part:
            d.data = np.moveaxis(rng.dirichlet(np.ones(len(d.data)), d.data.shape[1:]), -1, 0)
    return model


@pytest.mark.parametrize("by_name", [True, False])
def test_an_agent_of_a_compiled_model(by_name):
    results = []
    for module, make in ((distribution, Agent), (pymdp.distribution, pymdp.agent.Agent)):
        model = filled(module)
        if by_name:
            agent = make(**model, gamma=2.0)
        else:
            agent = make(
                model.A,
                model.B,
                C=model.C,
                D=model.D,
                B_action_dependencies=model.B_action_dependencies,
                num_controls=model.num_controls,
                gamma=2.0,
            )
        assert agent.A_dependencies == [[0], [0, 1]]
        qs = agent.infer_states([jnp.array([1]), jnp.array([0])], agent.D)
        q_pi, neg_efe = agent.infer_policies(qs)
        results.append([*qs, q_pi, neg_efe, agent.decode_multi_actions(agent.sample_action(q_pi))])
    for own, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_prior_that_has_an_axis_of_steps(batch_size):
    A = np.array([[0.8, 0.3, 0.1], [0.2, 0.7, 0.9]])
    B = np.stack([np.eye(3), np.roll(np.eye(3), 1, axis=0)], axis=-1)
    observation = [np.arange(batch_size)[:, None] % 2]
    results = []
    for make, module in ((Agent, np), (pymdp.agent.Agent, jnp)):
        agent = make([module.asarray(A)], [module.asarray(B)], batch_size=batch_size)
        qs = agent.infer_states(observation, [d[:, None] for d in agent.D])
        assert qs[0].shape == (batch_size, 1, 1, 3)
        results.append([qs[0], *agent.infer_policies([q.squeeze(1) for q in qs])])
    for own, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=0, atol=1e-9)
    two = Agent([A, A], [B, B], A_dependencies=[[0], [1]], batch_size=batch_size)
    with pytest.raises(ValueError, match=r"empirical_prior\[0\] must have shape"):
        two.infer_states(observation * 2, [d[:, None] for d in two.D])


@pytest.mark.parametrize("algorithm", ["fpi", "mmp"])
def test_steps_whose_results_are_stacked(algorithm):
    env = SimplifiedTMaze()
    agent = Agent(
        env.A,
        env.B,
        A_dependencies=env.A_dependencies,
        inference_algo=algorithm,
        inference_horizon=1,
        batch_size=2,
    )
    qs, action, infos, priors = [d[:, None] for d in agent.D], None, [], []
    for step in range(3):
        seen = [np.zeros((2, 1), dtype=int)] * 2
        agent, action, qs, info = infer_and_plan(agent, qs, seen, action, random.PRNGKey(step))
        infos.append(info)
        priors.append(agent.update_empirical_prior(action, qs))
    stacked = jax.tree_util.tree_map(lambda *x: jnp.stack(x, axis=1), *infos)
    assert stacked["empirical_prior"][0].shape == (2, 3, 4)
    assert {type(prior) for prior in priors} == {list}


def test_preferences_that_have_fewer_steps_than_policies():
    rng = np.random.default_rng(2)
    A = [np.eye(3), np.array([[0.9, 0.2], [0.1, 0.8]])]
    B = [np.moveaxis(rng.dirichlet(np.ones(n), (n, 2)), -1, 0) for n in (3, 2)]
    policies = rng.integers(0, 2, (4, 3, 2))
    qs = [rng.dirichlet(np.ones(n)) for n in (3, 2)]
    C = [rng.normal(size=(1, 3)), rng.normal(size=(2, 2))]
    H = [np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0])]
    results = []
    for module, numbers in ((control, np), (pymdp.control, jnp)):
        arrays = [[numbers.asarray(x) for x in part] for part in (qs, A, B, C, H)]
        goals = module.generate_I_matrix(arrays[4], arrays[2], 0.4, 3)
        results.append(
            module.update_posterior_policies_inductive(
                numbers.asarray(policies), *arrays[:4], numbers.ones(4), None, None, [[0], [1]],
                [[0], [1]], goals, gamma=16.0, use_utility=True, use_inductive=True,
                inductive_epsilon=1e-3,
            )
        )  # fmt: skip
    for own, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=0, atol=1e-8)


def test_a_rollout_that_searches():
    env = SimplifiedTMaze()
    C = [np.zeros(5), np.array([0.0, 2.0, -6.0]), np.zeros(3)]
    agent = Agent(env.A, env.B, C=C[: len(env.A)], A_dependencies=env.A_dependencies, batch_size=2)
    search = si_policy_search(horizon=2)
    _, info = rollout(agent, env, 2, random.PRNGKey(1), policy_search=search)
    assert info["qpi"].shape == (2, 3, agent.policies.num_policies)
    for own in range(2):
        assert len(info["tree"][own]) == 3
        for step, tree in enumerate(info["tree"][own]):
            assert isinstance(tree, SearchTree)
            qs = [q[:, step : step + 1] for q in info["qs"]]
            q_pi, again = search(agent, qs)
            np.testing.assert_array_equal(q_pi[own], info["qpi"][own, step])
            np.testing.assert_array_equal(again["tree"][own].used, tree.used)


def test_observations_in_one_array():
    A, B = [np.array([[0.9, 0.2], [0.1, 0.8]])] * 2, [np.eye(2)[:, :, None]]
    agent = Agent(A, B, pA=A, learn_A=True, batch_size=3)
    one = jnp.array([[0, 1, 0], [1, 1, 0]])
    qs = agent.infer_states(list(one), agent.D)
    np.testing.assert_array_equal(agent.infer_states(one, agent.D), qs)
    np.testing.assert_array_equal(agent.process_obs(one), agent.process_obs(list(one)))
    np.testing.assert_array_equal(
        agent.infer_parameters(qs, one, None).pA, agent.infer_parameters(qs, list(one), None).pA
    )
