"""Policies of a batch, eight agents at a time, with each agent alone and in other batches.

`test_agent_parity.py` compares batches with pymdp 1.x.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_arrays import distribution, subset
from random_batches import random_batch

from freeagent_core.pymdp_v1 import Agent

ALONE = 1e-12  # times what values are worth
many = settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32 - 1)


def without_certain_transitions(seed):
    """Return 2 to 19 agents that share a random model whose transitions are all uncertain."""
    rng = np.random.default_rng(seed)
    num_states = rng.integers(2, 6, rng.integers(1, 4)).tolist()
    num_obs = rng.integers(1, 6, rng.integers(1, 4)).tolist()
    num_controls = rng.integers(1, 4, len(num_states)).tolist()
    A_lists = [subset(rng, len(num_states)) for _ in num_obs]
    B_lists = [
        [int(k) for k in rng.permutation(sorted({f, *subset(rng, len(num_states))}))]
        for f in range(len(num_states))
    ]
    policy_len = int(rng.integers(1, 3))
    steps = () if rng.random() < 0.5 else (policy_len,)
    num_policies = int(np.prod(num_controls)) ** policy_len
    return Agent(
        [
            distribution(rng, (n, *(num_states[f] for f in fs)), "smooth")
            for n, fs in zip(num_obs, A_lists, strict=True)
        ],
        [
            distribution(rng, (n, *(num_states[f] for f in fs), u), "smooth")
            for n, fs, u in zip(num_states, B_lists, num_controls, strict=True)
        ],
        C=[rng.normal(scale=2.0, size=(*steps, n)) for n in num_obs],
        E=rng.dirichlet(np.ones(num_policies)) if rng.random() < 0.5 else None,
        A_dependencies=A_lists,
        B_dependencies=B_lists,
        policy_len=policy_len,
        gamma=float(rng.choice([1.0, 16.0])),
        use_utility=bool(rng.random() < 0.7),
        use_states_info_gain=bool(rng.random() < 0.7),
        batch_size=int(rng.integers(2, 20)),
    )


def with_models_of_their_own(seed):
    """Return the same with arrays, counts, precision or priors of each agent."""
    shared, rng = without_certain_transitions(seed), np.random.default_rng(seed)
    size = shared.batch_size
    counts = {f"p{name}": [x * 4 + rng.random(x.shape) for x in getattr(shared, name)]
              for name in "AB"}  # fmt: skip
    agent = shared.replace(
        use_param_info_gain=bool(rng.random() < 0.5),
        gamma=rng.uniform(0.5, 4.0, size) if rng.random() < 0.5 else 2.0,
        E=rng.dirichlet(np.ones(shared.policies.num_policies), size),
        **counts,
    )
    if rng.random() < 0.3:
        return agent
    mean = {name: [x / x.sum(axis=1, keepdims=True) for x in counts[f"p{name}"]] for name in "AB"}
    return agent.replace(**{name: mean[name] for name in rng.choice(["A", "B"], 2)})


def any_batch(seed):
    """Return 2 to 19 agents of a random batch, with any flags, own arrays and certain moves."""
    rng = np.random.default_rng(seed)
    agent = Agent(**random_batch("fpi", seed, seed))
    return agent[rng.integers(0, agent.batch_size, rng.integers(2, 20))]


makers = st.sampled_from([without_certain_transitions, with_models_of_their_own, any_batch])


def drawn_beliefs(agent, seed):
    rng = np.random.default_rng(seed)
    sharp = rng.choice([0.05, 1.0])
    return [rng.dirichlet(np.full(n, sharp), (agent.batch_size, 1)) for n in agent.num_states]


@many
@given(makers, seeds)
def test_a_batch_has_the_numbers_of_each_agent_alone(made, seed):
    agent = made(seed)
    qs = drawn_beliefs(agent, seed)
    q_pi, G = agent.infer_policies(qs)
    for i in range(agent.batch_size):
        alone_q_pi, alone_G = agent[i].infer_policies([q[i : i + 1] for q in qs])
        scale = ALONE * max(1.0, float(np.abs(G[i]).max()))
        np.testing.assert_allclose(G[i], alone_G[0], rtol=0, atol=scale)
        np.testing.assert_allclose(
            q_pi[i], alone_q_pi[0], rtol=0, atol=scale * max(1.0, float(agent.gamma.max()))
        )


@many
@given(makers, seeds)
def test_numbers_do_not_depend_on_the_other_agents(made, seed):
    agent = made(seed)
    qs = drawn_beliefs(agent, seed)
    order = np.random.default_rng(seed).permutation(agent.batch_size)
    order = order[: np.random.default_rng(seed + 1).integers(2, agent.batch_size + 1)]
    found = agent.infer_policies(qs)
    others = agent[order].infer_policies([q[order] for q in qs])
    for values, again in zip(found, others, strict=True):
        np.testing.assert_array_equal(values[order], again)


@many
@given(seeds, st.sampled_from(["full", "marginal"]))
def test_actions_are_the_likeliest(seed, mode):
    agent = without_certain_transitions(seed).replace(sampling_mode=mode)
    rng = np.random.default_rng(seed)
    q_pi = rng.dirichlet(np.ones(agent.policies.num_policies), agent.batch_size)
    policies = agent.policies.policy_arr[:, 0]
    actions = agent.sample_action(q_pi)
    assert actions.shape == (agent.batch_size, agent.num_factors)
    if mode == "full":
        np.testing.assert_array_equal(actions, policies[q_pi.argmax(axis=1)])
        return
    for f, n in enumerate(agent.num_controls):
        marginal = np.stack([q_pi[:, policies[:, f] == u].sum(axis=1) for u in range(n)], axis=1)
        chosen = np.take_along_axis(marginal, actions[:, f : f + 1], axis=1)
        np.testing.assert_allclose(chosen[:, 0], marginal.max(axis=1), rtol=1e-14)
    np.testing.assert_array_equal(actions, agent.sample_action(np.asfortranarray(q_pi)))


@pytest.mark.parametrize("mode", ["full", "marginal"])
def test_policies_that_are_not_finite_are_refused(mode):
    agent = without_certain_transitions(0).replace(sampling_mode=mode)
    q_pi = np.full((agent.batch_size, agent.policies.num_policies), 0.5)
    q_pi[1, 0] = np.nan
    with pytest.raises(ValueError, match=r"q_pi\[1"):
        agent.sample_action(q_pi)


def test_too_many_policies_for_lanes_have_the_same_numbers():
    rng = np.random.default_rng(0)
    A, B = [distribution(rng, (3, 4), "smooth")], [distribution(rng, (4, 4, 4), "smooth")]
    agent = Agent(A, B, policy_len=7, batch_size=3)
    qs = drawn_beliefs(agent, 0)
    q_pi, G = agent.infer_policies(qs)
    for i in range(3):
        alone = agent[i].infer_policies([q[i : i + 1] for q in qs])
        np.testing.assert_allclose(q_pi[i], alone[0][0], rtol=0, atol=ALONE)
        np.testing.assert_allclose(G[i], alone[1][0], rtol=0, atol=ALONE * 10)


@pytest.mark.parametrize("own", ["A", "B"])
def test_large_models_of_their_own_are_evaluated_one_by_one(own):
    """Their matrices would not stay in the first cache."""
    rng = np.random.default_rng(0)
    A, B = distribution(rng, (3, 70), "smooth"), distribution(rng, (70, 70, 2), "smooth")
    arrays = {"A": [A], "B": [B]}
    arrays[own] = [np.stack([distribution(rng, arrays[own][0].shape, "smooth") for _ in range(9)])]
    agent = Agent(**arrays, C=[np.array([0.0, 1.0, 2.0])], batch_size=9)
    qs = [rng.dirichlet(np.ones(70), (9, 1))]
    q_pi, G = agent.infer_policies(qs)
    for i in range(9):
        mine, others = agent[i].infer_policies([q[i : i + 1] for q in qs]), (q_pi[i], G[i])
        for a, b in zip(mine, others, strict=True):
            np.testing.assert_allclose(a[0], b, rtol=0, atol=ALONE * np.abs(G).max())
