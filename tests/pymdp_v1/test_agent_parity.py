"""Episodes of random batches against pymdp 1.x in float64: beliefs, policies, actions, learning."""

import os
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pymdp.agent import Agent as Reference
from random_batches import random_batch

from freeagent_core.pymdp_v1 import Agent

BELIEFS, G, VFE = 1e-9, 1e-8, 1e-8
STEPS = 3
# Each structure costs the reference seconds of compiling.
STRUCTURES = int(os.environ.get("FREEAGENT_CORE_STRUCTURES", "3"))

many_models = settings(
    max_examples=int(os.environ.get("FREEAGENT_CORE_EXAMPLES", "12")),
    deadline=None,
    phases=[Phase.generate],
    derandomize="FREEAGENT_CORE_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True, scope="module")
def float64():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@eqx.filter_jit
def infer_states(agent, observations, prior, past_actions, valid_steps):
    return agent.infer_states(
        observations, prior, past_actions=past_actions, valid_steps=valid_steps, return_info=True
    )


@eqx.filter_jit
def act(agent, qs, keys):
    q_pi, neg_efe = agent.infer_policies(qs)
    action = agent.sample_action(q_pi, rng_key=keys)
    return q_pi, neg_efe, action, agent.update_empirical_prior(action, qs)


@eqx.filter_jit
def learn(agent, beliefs, observations, actions):
    return agent.infer_parameters(beliefs, observations, actions, lr_pA=0.7, lr_pB=1.3)


def on_jax(value):
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        return [jnp.asarray(v) for v in value]
    return jnp.asarray(value) if isinstance(value, np.ndarray) else value


def both(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = Reference(**{name: on_jax(value) for name, value in model.items()})
    return Agent(**model, upstream_faults=True), reference


def assert_close(ours, theirs, tolerance, what):
    for i, (own, other) in enumerate(zip(ours, theirs, strict=True)):
        assert own.shape == other.shape, (what, i)
        np.testing.assert_allclose(own, np.asarray(other), rtol=0, atol=tolerance, err_msg=what)


def assert_same_info(ours, theirs):
    assert_close([ours["vfe_t"], ours["vfe"]], [theirs["vfe_t"], theirs["vfe"]], VFE, "vfe")
    assert ours["vfe_components"].keys() == theirs["vfe_components"].keys()
    for name, value in theirs["vfe_components"].items():
        assert_close([ours["vfe_components"][name]], [value], VFE, name)


def rounding_decides(agent, q_pi):
    """Whether several actions are the likeliest but for rounding."""
    if agent.action_selection == "stochastic":
        return False
    chances = [q_pi]
    if agent.sampling_mode == "marginal":
        first = agent.policies.policy_arr[:, 0]
        chances = [
            np.stack([q_pi[:, first[:, f] == u].sum(axis=1) for u in range(n)], axis=1)
            for f, n in enumerate(agent.num_controls)
        ]
    best = [np.sort(p, axis=1)[:, ::-1] for p in chances if p.shape[1] > 1]
    return any((p[:, 0] - p[:, 1] < 1e-9).any() for p in best)


def goals_hang_on_rounding(agent, qs):
    """Whether several states, from which goals are as far as they are, are the likeliest."""
    if not agent.use_inductive:
        return False
    best = [np.sort(q[:, -1], axis=1)[:, ::-1] for q in qs if q.shape[-1] > 1]
    return any((q[:, 0] - q[:, 1] < 1e-9).any() for q in best)


def unstable(agent, observed, prior, past, valid, qs):
    """Whether message passing stands at a point that rounding errors lead away from."""
    rng = np.random.default_rng(0)
    for _ in range(2):
        A, B, moved = (
            [x * (1 + 1e-13 * rng.normal(size=x.shape)) for x in part]
            for part in (agent.A, agent.B, prior)
        )
        other = agent.replace(A=A, B=B).infer_states(
            observed, moved, past_actions=past, valid_steps=valid
        )
        if any(np.abs(q - p).max() > BELIEFS / 10 for q, p in zip(qs, other, strict=True)):
            return True
    return False


def run_episode(model, seed):
    agent, reference = both(model)
    rng = np.random.default_rng(seed)
    batch = agent.batch_size
    sequence = agent.inference_algo in ("mmp", "vmp")
    prior, other_prior = agent.D, reference.D
    outcomes = [rng.integers(0, n, (batch, STEPS)) for n in agent.num_obs]
    if rng.random() < 0.3:
        outcomes[0][0, -1] = -1  # no evidence
    actions = np.stack(
        [rng.integers(0, n, (batch, STEPS - 1)) for n in agent.num_controls], axis=-1
    )
    beliefs = []
    for step in range(STEPS if not sequence else 2):
        observed, past, valid = [o[:, step] for o in outcomes], None, None
        if sequence:  # of a single step without actions, or of all steps
            observed = [o[:, :1] for o in outcomes] if step == 0 else outcomes
            if step == 1:
                past = np.where(rng.random(actions.shape) < 0.2, -1, actions)
                valid = rng.integers(1, STEPS + 1, batch) if model["num_iter"] == 3 else None
        qs, info = agent.infer_states(
            observed, prior, past_actions=past, valid_steps=valid, return_info=True
        )
        other_qs, other_info = infer_states(
            reference, on_jax(observed), other_prior, on_jax(past), on_jax(valid)
        )
        if unstable(agent, observed, prior, past, valid, qs) or goals_hang_on_rounding(agent, qs):
            return
        assert_close(qs, other_qs, BELIEFS, "qs")
        assert_same_info(info, other_info)
        keys = rng.integers(0, 2**32, (batch, 2), dtype=np.uint32)
        q_pi, neg_efe = agent.infer_policies(qs)
        other_q_pi, other_neg_efe, other_action, other_prior = act(
            reference, other_qs, jnp.asarray(keys)
        )
        assert_close([neg_efe], [other_neg_efe], G, "neg_efe")
        assert_close([q_pi], [other_q_pi], BELIEFS, "q_pi")
        action = agent.sample_action(q_pi, rng_key=keys)
        assert action.dtype == other_action.dtype
        if not rounding_decides(agent, q_pi):
            np.testing.assert_array_equal(action, other_action)
        prior = agent.update_empirical_prior(np.asarray(other_action), qs)
        assert_close(prior, other_prior, BELIEFS, "empirical prior")
        beliefs.append(qs)
    if not (agent.learn_A or agent.learn_B):
        return
    if not sequence:
        qs = [np.concatenate(steps, axis=1) for steps in zip(*beliefs, strict=True)]
    length = qs[0].shape[1]
    window = [o[:, -length:] for o in outcomes]
    past = np.where(rng.random(actions.shape) < 0.2, -1, actions)[:, STEPS - length :]
    learned = agent.infer_parameters(qs, window, past, lr_pA=0.7, lr_pB=1.3)
    other = learn(reference, on_jax(qs), on_jax(window), jnp.asarray(past))
    for name in ("A", "B", "pA", "pB", "I"):
        if getattr(agent, name) is not None:
            assert_close(getattr(learned, name), getattr(other, name), BELIEFS, name)
    q_pi, neg_efe = learned.infer_policies(qs)
    other_q_pi, other_neg_efe, _, _ = act(other, on_jax([q[:, -1:] for q in qs]), jnp.asarray(keys))
    assert_close([neg_efe], [other_neg_efe], G, "neg_efe after learning")
    assert_close([q_pi], [other_q_pi], BELIEFS, "q_pi after learning")


@pytest.mark.parametrize("algorithm", ["fpi", "ovf", "exact", "mmp", "vmp"])
@pytest.mark.parametrize("structure", range(STRUCTURES))
def test_episodes(algorithm, structure):
    @many_models
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        run_episode(random_batch(algorithm, structure, seed), seed)

    check()
